/** The synthesised policies put to an IAM simulator: every role against everything that it must not do, on resources as an account would hold them. */
import { beforeAll, describe, expect, it } from 'vitest'
import { workKey } from '../../functions/work/working.ts'
import { FUNCTIONS, type Permission, WORKER_PERMISSIONS } from '../../infra/permissions.ts'
import { MAC_PURPOSES, type MacPurpose, stateName, type Worker } from '../../layers/core/names.ts'
import { ACCOUNT, type Account, accountOf, type Role } from './iam/account.ts'
import { ORGANISATION, synthesise } from './synth.ts'

const AS_SIGNER = { 'kms:MessageType': 'DIGEST', 'kms:SigningAlgorithm': 'ECDSA_SHA_256' }
const AGENTS = Object.entries(FUNCTIONS).flatMap(([name, { agent }]) => (agent === true ? [stateName(name)] : []))
const BLIND_AGENTS = AGENTS.filter((name) => name !== 'Discover' && name !== 'Profile')
const WORKERS = Object.keys(WORKER_PERMISSIONS).map((name) => `${stateName(name)}WorkerTask`)

let account: Account
let on: Record<
  'planKey' | 'approvalKey' | 'evidenceKey' | 'anchorKey' | 'tokenKey' | 'dataKey' | 'projects' | 'audit' | 'approvals' | 'bucket',
  string
>

beforeAll(() => {
  account = accountOf(synthesise('prod'))
  const key = (id: RegExp) => account.arn('AWS::KMS::Key', id)
  const table = (id: RegExp) => account.arn('AWS::DynamoDB::Table', id)
  on = {
    planKey: key(/^PlanKey/),
    approvalKey: key(/^ApprovalKey/),
    evidenceKey: key(/^EvidenceKey/),
    anchorKey: key(/^AnchorKey/),
    tokenKey: key(/^TokenKey/),
    dataKey: key(/^DataKey/),
    projects: table(/^ProjectsTable/),
    audit: table(/^AuditTable/),
    approvals: table(/^ApprovalsTable/),
    bucket: account.arn('AWS::S3::Bucket', /^EvidenceBucket/),
  }
}, 120_000)

type Act = { action: string; resource: string; context?: Record<string, string> }

/** Who of `roles` is allowed any of `acts`, as `Role: action on resource`. */
async function allowed(roles: readonly Role[], acts: readonly Act[]): Promise<string[]> {
  const found: string[] = []
  for (const role of roles)
    for (const act of acts)
      if ((await account.ask({ role, ...act })) === 'Allowed') found.push(`${role.id.replace(/Role[0-9A-F]+$/, '')}: ${act.action}`)
  return found
}

const olderRevision = (id: RegExp) => account.arn('AWS::ECS::TaskDefinition', id).replace(/:\d+$/, ':1')
const rolesOf = (names: readonly string[]) => names.map((name) => account.role(name))
const arn = (service: string, rest: string) => `arn:aws:${service}:eu-central-1:${ACCOUNT}:${rest}`
const secret = (name: string) => arn('secretsmanager', `secret:waybill/prod/${name}-AbCdEf`)
const anyOf = (type: string) => [...account.arns(type).values()]
const putOf = (key: string): Act => ({ action: 's3:PutObject', resource: `${on.bucket}/${key}`, context: { 's3:if-none-match': '*' } })
const signing = (keys: readonly string[]): Act[] => keys.map((resource) => ({ action: 'kms:Sign', resource, context: AS_SIGNER }))

describe('the simulator sees what is allowed, so a "denied" means something', () => {
  it('every role has policies, and the agents a boundary', () => {
    expect(account.roles.length).toBeGreaterThan(40)
    expect(account.roles.filter(({ identity }) => identity.length === 0).map(({ id }) => id)).toEqual([])
    for (const name of AGENTS) expect(account.role(name).boundary, name).not.toBeNull()
  })

  it('what a role is for is allowed', async () => {
    const asked: [string, Act][] = [
      ['SignPlan', { action: 'kms:Sign', resource: on.planKey, context: AS_SIGNER }],
      ['Decide', { action: 'kms:Sign', resource: on.approvalKey, context: AS_SIGNER }],
      ['SealEvidence', { action: 'kms:Sign', resource: on.evidenceKey, context: AS_SIGNER }],
      ['AnchorAudit', { action: 'kms:Sign', resource: on.anchorKey, context: AS_SIGNER }],
      ['Discover', { action: 'secretsmanager:GetSecretValue', resource: secret('source/orders') }],
      ['CopyChunkWorkerTask', { action: 'secretsmanager:GetSecretValue', resource: secret('target/orders/writer') }],
      ['ProposeMapping', { action: 'dynamodb:PutItem', resource: on.audit }],
      [
        'ProposeMapping',
        { action: 's3:PutObject', resource: `${on.bucket}/projects/orders/schema_mapping/a.json`, context: { 's3:if-none-match': '*' } },
      ],
      ['Decide', { action: 'kms:Decrypt', resource: on.tokenKey }],
      ['ApprovalPage', { action: 'dynamodb:Query', resource: on.audit }],
      ...['recon_report', 'checks_report', 'migration_plan'].map((name): [string, Act] => [
        'ApprovalPage',
        { action: 's3:GetObject', resource: `${on.bucket}/projects/orders/${name}/a.json` },
      ]),
      ['Decide', { action: 'states:SendTaskSuccess', resource: account.arn('AWS::StepFunctions::StateMachine', /^Migration/) }],
    ]
    for (const [name, act] of asked)
      expect([name, act.action, await account.ask({ role: account.role(name), ...act })]).toEqual([name, act.action, 'Allowed'])
  })

  it('an execution that waits for people goes on after a deployment, with the versions and revisions that its own definition names', async () => {
    const context = { 'ecs:cluster': account.arn('AWS::ECS::Cluster', /^Cluster/) }
    const older: [string, Act][] = [
      ['Migration', { action: 'lambda:InvokeFunction', resource: `${account.arn('AWS::Lambda::Function', /^SealEvidence/)}:3` }],
      ['Migration', { action: 'ecs:RunTask', resource: olderRevision(/^CopyChunkWorker/), context }],
      ['Reconcile', { action: 'lambda:InvokeFunction', resource: `${account.arn('AWS::Lambda::Function', /^MergeSegments/)}:3` }],
      ['Reconcile', { action: 'ecs:RunTask', resource: olderRevision(/^HashSegmentsWorker/), context }],
    ]
    for (const [name, act] of older)
      expect([name, act.resource, await account.ask({ role: account.role(name), ...act })]).toEqual([name, act.resource, 'Allowed'])
  })

  it('an alias is made for each key, which its key policy must let the account do', async () => {
    const keys = Object.values(synthesise('prod').state.findResources('AWS::KMS::Key'))
    expect(keys.length).toBeGreaterThanOrEqual(5)
    for (const { Properties } of keys) {
      const delegated = (Properties.KeyPolicy.Statement as { Effect: string; Action: string | string[]; Condition?: unknown }[])
        .filter(({ Effect, Condition }) => Effect === 'Allow' && Condition === undefined)
        .flatMap(({ Action }) => Action)
      expect(delegated).toEqual(expect.arrayContaining(['kms:CreateAlias', 'kms:UpdateAlias', 'kms:DeleteAlias']))
    }
  })
})

describe('signing', () => {
  it('each key signs for its own functions and for nobody else: no other role, and not the root of the account', async () => {
    const signers = {
      planKey: ['SignPlan'],
      approvalKey: ['Decide'],
      evidenceKey: ['CloseReconciliation', 'ProveOutcome', 'SealEvidence'],
      anchorKey: ['AnchorAudit'],
    } as const
    for (const [key, names] of Object.entries(signers)) {
      const act = signing([on[key as keyof typeof signers]])
      expect((await allowed(account.roles, act)).sort()).toEqual(names.map((name) => `${name}: kms:Sign`))
      expect(await account.ask({ role: 'root', ...act[0]! })).not.toBe('Allowed')
    }
  })

  it('who anchors the log signs nothing else, and nobody else writes an anchor: whoever proves cannot make up the log it proves from', async () => {
    const others = signing([on.planKey, on.approvalKey, on.evidenceKey])
    expect(await allowed(rolesOf(['AnchorAudit']), others)).toEqual([])
    const put = { action: 's3:PutObject', resource: `${on.bucket}/projects/orders/anchors/00000001.dsse.json` }
    expect(await allowed(account.roles, [{ ...put, context: { 's3:if-none-match': '*' } }])).toEqual(['AnchorAudit: s3:PutObject'])
  })

  it('not even a signer signs a whole message, or by another algorithm', async () => {
    for (const context of [
      { ...AS_SIGNER, 'kms:MessageType': 'RAW' },
      { ...AS_SIGNER, 'kms:SigningAlgorithm': 'ECDSA_SHA_384' },
    ])
      expect(await allowed(account.roles, [{ action: 'kms:Sign', resource: on.planKey, context }])).toEqual([])
  })
})

describe('links, forms and sessions', () => {
  const keyOf = (purpose: MacPurpose) =>
    account.arn('AWS::KMS::Key', new RegExp(`^${purpose.charAt(0).toUpperCase()}${purpose.slice(1)}MacKey`))
  const ask = async (action: 'kms:GenerateMac' | 'kms:VerifyMac', purpose: MacPurpose) =>
    (await allowed(account.roles, [{ action, resource: keyOf(purpose) }])).map((each) => each.replace(`: ${action}`, '')).sort()

  it('each key makes and checks for its own functions and for nobody else: no other role, and not the root of the account', async () => {
    const page = ['ApprovalPage', 'Decide']
    const makers: Record<MacPurpose, string[]> = {
      approvalLink: ['Decide', 'RequestApproval', 'RequestDecisions'],
      registrationLink: ['Decide', 'RequestApproval'],
      waiverLink: ['Decide'],
      withdrawalLink: ['Decide', 'RequestApproval'],
      page: ['ApprovalPage'],
      person: page,
    }
    for (const purpose of MAC_PURPOSES) {
      expect([purpose, await ask('kms:GenerateMac', purpose)]).toEqual([purpose, makers[purpose]])
      expect([purpose, await ask('kms:VerifyMac', purpose)]).toEqual([purpose, purpose === 'person' ? [] : page])
      for (const action of ['kms:GenerateMac', 'kms:VerifyMac'])
        expect(await account.ask({ role: 'root', action, resource: keyOf(purpose) })).not.toBe('Allowed')
    }
  })

  it('who shows pages makes no link, who mails links makes no form and no session, and who decides makes neither of these two', async () => {
    const links = MAC_PURPOSES.filter((purpose) => purpose.endsWith('Link')).map((purpose) => ({
      action: 'kms:GenerateMac',
      resource: keyOf(purpose),
    }))
    expect(links).toHaveLength(4)
    expect(await allowed(rolesOf(['ApprovalPage']), links)).toEqual([])
    const forms = [{ action: 'kms:GenerateMac', resource: keyOf('page') }]
    expect(await allowed(rolesOf(['RequestApproval', 'RequestDecisions', 'Decide']), forms)).toEqual([])
  })

  it('no key is read, handed out, or used as another kind of key', async () => {
    const acts = MAC_PURPOSES.flatMap((purpose) =>
      ['CreateGrant', 'ReplicateKey', 'ImportKeyMaterial', 'PutKeyPolicy', 'ScheduleKeyDeletion', 'DisableKey'].map((verb) => ({
        action: `kms:${verb}`,
        resource: keyOf(purpose),
      })),
    )
    expect(await allowed(account.roles, acts)).toEqual([])
    for (const act of acts.filter(({ action }) => action !== 'kms:PutKeyPolicy'))
      expect([act.action, await account.ask({ role: 'root', ...act })]).not.toEqual([act.action, 'Allowed'])
  })
})

describe('task tokens', () => {
  it('are sealed by who asks and opened by who decides, and by nobody else: not the root of the account either', async () => {
    const who = async (action: string) => (await allowed(account.roles, [{ action, resource: on.tokenKey }])).sort()
    expect(await who('kms:Encrypt')).toEqual(['RequestApproval: kms:Encrypt', 'RequestDecisions: kms:Encrypt'])
    expect(await who('kms:Decrypt')).toEqual(['Decide: kms:Decrypt'])
    for (const action of ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncryptFrom', 'kms:CreateGrant'])
      expect([action, await account.ask({ role: 'root', action, resource: on.tokenKey })]).not.toEqual([action, 'Allowed'])
  })
})

describe('agents', () => {
  it('are denied signing, task tokens, starting, passing roles, and databases', async () => {
    const acts: Act[] = [
      ...signing([on.planKey, on.approvalKey, on.evidenceKey, on.anchorKey]),
      ...anyOf('AWS::StepFunctions::StateMachine').flatMap((resource) => [
        { action: 'states:SendTaskSuccess', resource },
        { action: 'states:SendTaskFailure', resource },
        { action: 'states:StartExecution', resource },
      ]),
      ...anyOf('AWS::ECS::TaskDefinition').map((resource) => ({ action: 'ecs:RunTask', resource })),
      ...anyOf('AWS::IAM::Role').map((resource) => ({
        action: 'iam:PassRole',
        resource,
        context: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' },
      })),
      { action: 'rds-db:connect', resource: arn('rds-db', 'dbuser:*/waybill').replace('*', 'db-ABCDEFGHIJKLMNOPQRSTUVWXYZ') },
      { action: 'kms:Decrypt', resource: on.tokenKey },
      { action: 'kms:CreateGrant', resource: on.planKey },
    ]
    expect(await allowed(rolesOf(AGENTS), acts)).toEqual([])
  })

  it('open no secret; discover and profile only those that read', async () => {
    const open = (name: string): Act => ({ action: 'secretsmanager:GetSecretValue', resource: secret(name) })
    const keys = anyOf('AWS::SecretsManager::Secret').map((resource): Act => ({ action: 'secretsmanager:GetSecretValue', resource }))
    expect(
      await allowed(rolesOf(BLIND_AGENTS), [open('source/orders'), open('target/orders/reader'), open('target/orders/writer'), ...keys]),
    ).toEqual([])
    expect(await allowed(rolesOf(['Discover', 'Profile']), [open('target/orders/writer'), ...keys])).toEqual([])
  })

  it('decide nothing, and write no artifact but their own', async () => {
    const acts: Act[] = [
      ...['PutItem', 'UpdateItem', 'DeleteItem'].map((verb) => ({ action: `dynamodb:${verb}`, resource: on.approvals })),
      ...['signed_plan', 'approvals', 'waivers', 'migration_plan', 'anchors', 'evidence_pack', 'recon_report'].map((name) => ({
        action: 's3:PutObject',
        resource: `${on.bucket}/projects/orders/${name}/a.json`,
        context: { 's3:if-none-match': '*' },
      })),
    ]
    expect(await allowed(rolesOf(AGENTS), acts)).toEqual([])
  })
})

describe('workers', () => {
  it('are denied signing, approvals, the project and its audit chain', async () => {
    const acts: Act[] = [
      ...signing([on.planKey, on.approvalKey, on.evidenceKey, on.anchorKey]),
      ...[on.approvals, on.projects, on.audit].flatMap((resource) =>
        ['PutItem', 'UpdateItem', 'DeleteItem', 'BatchWriteItem'].map((verb) => ({ action: `dynamodb:${verb}`, resource })),
      ),
      { action: 'kms:Decrypt', resource: on.tokenKey },
      ...anyOf('AWS::StepFunctions::StateMachine').flatMap((resource) => [
        { action: 'states:SendTaskSuccess', resource },
        { action: 'states:StartExecution', resource },
      ]),
    ]
    expect(await allowed(rolesOf(WORKERS), acts)).toEqual([])
  })

  it('that only read are denied the credentials that write', async () => {
    const act: Act = { action: 'secretsmanager:GetSecretValue', resource: secret('target/orders/writer') }
    expect(await allowed(rolesOf(['HashSegmentsWorkerTask', 'RunChecksWorkerTask']), [act])).toEqual([])
  })
})

describe('what a worker found', () => {
  it('is stored by that worker and by nobody else: who writes to the target does not say how the comparison ended', async () => {
    for (const name of Object.keys(WORKER_PERMISSIONS)) {
      const act = putOf(workKey('orders', 'initial-r1', name as Worker, 'orders'))
      expect([name, await allowed(account.roles, [act])]).toEqual([name, [`${stateName(name as Worker)}WorkerTask: s3:PutObject`]])
    }
  })

  it('is out of reach of who may write a document, whatever the run is called', async () => {
    const written = [...Object.values(FUNCTIONS), ...Object.values(WORKER_PERMISSIONS)].flatMap(({ writes = [] }: Permission) => writes)
    const runs = [...new Set(written)].filter((name) => !name.includes('*'))
    expect(runs.length).toBeGreaterThan(20)
    for (const run of runs) {
      const act = putOf(workKey('orders', run, 'hash-segments', 'orders'))
      expect([run, await allowed(account.roles, [act])]).toEqual([run, ['HashSegmentsWorkerTask: s3:PutObject']])
    }
  })

  it('is made one report by one function', async () => {
    const writers = {
      recon_report: 'MergeSegments',
      execution_report: 'RecordExecution',
      checks_report: 'RunChecksWorkerTask',
      rollback_report: 'RollBackTargetWorkerTask',
    }
    for (const [name, writer] of Object.entries(writers)) {
      const act = putOf(`projects/orders/${name}/initial-r1.json`)
      expect([name, await allowed(account.roles, [act])]).toEqual([name, [`${writer}: s3:PutObject`]])
    }
  })
})

describe('who shows pages', () => {
  it('reads which comparison is the newest, and changes no log, no project, no approval and no file, nor opens a task token', async () => {
    const tables = [on.audit, on.projects, on.approvals].flatMap((resource): Act[] =>
      ['PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem'].map((verb) => ({
        action: `dynamodb:${verb}`,
        resource,
      })),
    )
    const files = ['recon_report', 'checks_report', 'migration_plan', 'outcome'].flatMap((name): Act[] => {
      const resource = `${on.bucket}/projects/orders/${name}/a.json`
      return [
        { action: 's3:PutObject', resource, context: { 's3:if-none-match': '*' } },
        { action: 's3:DeleteObject', resource },
      ]
    })
    const token = [{ action: 'kms:Decrypt', resource: on.tokenKey }]
    expect(await allowed(rolesOf(['ApprovalPage']), [...tables, ...files, ...token])).toEqual([])
  })
})

describe('what people sign', () => {
  it('is written by the function that decides and by nobody else, not by the one that shows pages', async () => {
    for (const name of ['approvals', 'waivers']) {
      const resource = `${on.bucket}/projects/orders/${name}/a.dsse.json`
      const act = { action: 's3:PutObject', resource, context: { 's3:if-none-match': '*' } }
      expect([name, await allowed(account.roles, [act])]).toEqual([name, ['Decide: s3:PutObject']])
    }
  })
})

describe('mail', () => {
  const FROM = { 'ses:FromAddress': ORGANISATION.mailFrom }
  const of = (resource: string, context: Record<string, string> = FROM): Act => ({
    action: 'ses:SendEmail',
    resource: arn('ses', resource),
    context,
  })
  // The sender as an address and as a domain; whoever gets it, whom SES asks about while its sandbox lasts; and a set that an identity was given.
  const asked = [
    ...[`identity/${ORGANISATION.mailFrom}`, 'identity/data.acme.eu', 'identity/tech.lead@acme.eu', 'configuration-set/reputation'],
  ]

  it('is sent by who asks, decides and tells of a night, whatever SES asks about, and by nobody else', async () => {
    const senders = ['CloseReconciliation', 'Decide', 'RequestApproval', 'RequestDecisions']
    for (const resource of asked)
      expect([resource, (await allowed(account.roles, [of(resource)])).sort()]).toEqual([
        resource,
        senders.map((name) => `${name}: ses:SendEmail`),
      ])
  })

  it('leaves from the address of the settings and from no other, of the same domain or not, and not from none', async () => {
    for (const from of ['ceo@data.acme.eu', 'waybill@evil.example', `${ORGANISATION.mailFrom}.evil.example`])
      for (const resource of asked) expect(await allowed(account.roles, [of(resource, { 'ses:FromAddress': from })])).toEqual([])
    expect(await allowed(account.roles, [of(asked[0]!, {})])).toEqual([])
    const elsewhere = { ...of(asked[0]!), resource: arn('ses', asked[0]!).replace(ACCOUNT, '444455556666') }
    expect(await allowed(account.roles, [elsewhere])).toEqual([])
  })
})

describe('everyone', () => {
  it('is denied changing or deleting audit entries, and deleting any record', async () => {
    const acts = [on.audit, on.projects, on.approvals].flatMap((resource): Act[] => [
      ...['DeleteItem', 'BatchWriteItem', 'PartiQLDelete', 'PartiQLUpdate', 'DeleteTable', 'RestoreTableFromBackup'].map((verb) => ({
        action: `dynamodb:${verb}`,
        resource,
      })),
      ...(resource === on.audit ? [{ action: 'dynamodb:UpdateItem', resource }] : []),
    ])
    expect(await allowed(account.roles, acts)).toEqual([])
  })

  it('is denied deleting evidence, overwriting it, choosing its retention and going round it: the root of the account as well', async () => {
    const object = `${on.bucket}/projects/orders/evidence/pack.json`
    const acts: Act[] = [
      { action: 's3:DeleteObject', resource: object },
      { action: 's3:DeleteObjectVersion', resource: object },
      { action: 's3:PutObjectRetention', resource: object },
      { action: 's3:BypassGovernanceRetention', resource: object },
      { action: 's3:PutObject', resource: object },
    ]
    expect(await allowed(account.roles, acts)).toEqual([])
    for (const act of acts) expect([act.action, await account.ask({ role: 'root', ...act })]).toEqual([act.action, 'ExplicitlyDenied'])
    expect(
      await allowed(account.roles, [
        { action: 's3:PutBucketPolicy', resource: on.bucket },
        { action: 's3:PutBucketObjectLockConfiguration', resource: on.bucket },
      ]),
    ).toEqual([])
  })

  it('is denied deleting, disabling or re-policing a key', async () => {
    const keys = [on.planKey, on.approvalKey, on.evidenceKey, on.anchorKey, on.tokenKey, on.dataKey]
    const acts = keys.flatMap((resource) =>
      ['ScheduleKeyDeletion', 'DisableKey', 'PutKeyPolicy', 'CreateGrant'].map((verb) => ({ action: `kms:${verb}`, resource })),
    )
    expect((await allowed(account.roles, acts)).filter((each) => !each.endsWith('kms:CreateGrant'))).toEqual([])
    // Nothing but the account itself may be granted a key's use, and no key may be deleted by anybody until its policy is changed.
    for (const resource of keys)
      expect(await account.ask({ role: 'root', action: 'kms:ScheduleKeyDeletion', resource })).not.toBe('Allowed')
  })

  it('is denied the evidence over plain HTTP', async () => {
    const act: Act = {
      action: 's3:GetObject',
      resource: `${on.bucket}/projects/orders/evidence/pack.json`,
      context: { 'aws:SecureTransport': 'false' },
    }
    expect(await allowed(account.roles, [act])).toEqual([])
  })
})
