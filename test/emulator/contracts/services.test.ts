import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateClusterCommand, ECSClient, RegisterTaskDefinitionCommand, RunTaskCommand } from '@aws-sdk/client-ecs'
import { KMSClient } from '@aws-sdk/client-kms'
import { CreateFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { CreateEmailIdentityCommand, SESv2Client } from '@aws-sdk/client-sesv2'
import {
  CreateActivityCommand,
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  GetActivityTaskCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn'
import { afterAll, describe, expect, it } from 'vitest'
import { kmsMacChecker, kmsMacMaker } from '../../../layers/aws/macs.ts'
import { kmsSigner } from '../../../layers/aws/signer.ts'
import { lowS, verifySignature } from '../../../layers/core/ecdsa.ts'
import { MAC_PURPOSES, type MacPurpose, macVariable, SIGNING_PURPOSES } from '../../../layers/core/names.ts'
import type { Ports } from '../../../layers/core/ports.ts'
import { gitHostContract } from '../../contracts/git-host.ts'
import { macsContract } from '../../contracts/macs.ts'
import { notifierContract, type SentMail } from '../../contracts/notifier.ts'
import { refusal } from '../../contracts/samples.ts'
import { signersContract } from '../../contracts/signer.ts'
import {
  anchorsContract,
  clockContract,
  idsContract,
  keysContract,
  secretsContract,
  taskTokensContract,
} from '../../contracts/small-ports.ts'
import { workersContract } from '../../contracts/workers.ts'
import { gitHub } from '../../support/git-hub.ts'
import { openEmptyAccount } from './support/account.ts'
import { oneFileZip } from './support/one-file-zip.ts'

const account = await openEmptyAccount()
afterAll(() => account.close())

const plain = await account.ports({})
idsContract('AWS', plain.ids)
clockContract('AWS', plain.clock)

const arns = {
  plan: await account.key('PlanKey'),
  approval: await account.key('ApprovalKey'),
  evidence: await account.key('EvidenceKey'),
  anchor: await account.key('AnchorKey'),
}
const SIGNING = {
  WAYBILL_SIGN_PLAN_KEY: arns.plan,
  WAYBILL_SIGN_APPROVAL_KEY: arns.approval,
  WAYBILL_SIGN_EVIDENCE_KEY: arns.evidence,
  WAYBILL_SIGN_ANCHOR_KEY: arns.anchor,
  WAYBILL_TRUST_PLAN_KEYS: arns.plan,
  WAYBILL_TRUST_APPROVAL_KEYS: arns.approval,
  WAYBILL_TRUST_EVIDENCE_KEYS: arns.evidence,
  WAYBILL_TRUST_ANCHOR_KEYS: arns.anchor,
}
signersContract('KMS', async () => (await account.ports(SIGNING)).signers)

describe('the trust root of KMS keys', () => {
  it('is their public halves, purpose by purpose, and verifies offline what they signed', async () => {
    const { signers, trust } = await account.ports(SIGNING)
    const message = Buffer.from('DSSEv1 …')
    for (const purpose of SIGNING_PURPOSES) {
      expect(trust[purpose]).toEqual([await signers[purpose].publicKeyPem()])
      const signature = lowS(await signers[purpose].sign(createHash('sha256').update(message).digest()))
      for (const other of SIGNING_PURPOSES) expect(verifySignature(trust[other][0]!, message, signature)).toBe(other === purpose)
    }
  })

  it('holds every key it was given, so that a retired key still verifies', async () => {
    const retired = await account.key('PlanKey')
    const { trust } = await account.ports({ ...SIGNING, WAYBILL_TRUST_PLAN_KEYS: `${arns.plan},${retired}` })
    expect(trust.plan).toHaveLength(2)
  })

  it('says so when a key is not there', async () => {
    const gone = arns.plan.replace(/[0-9a-f-]{36}$/, '00000000-0000-0000-0000-000000000000')
    const kms = new KMSClient({})
    expect(await refusal(kmsSigner({ kms, keyArn: gone }).publicKeyPem())).toBe('CONNECTION_FAILED')
    expect(await refusal(kmsSigner({ kms, keyArn: gone }).sign(new Uint8Array(32)))).toBe('CONNECTION_FAILED')
  })
})

const mask = await account.generated('MaskKey')
keysContract('Secrets Manager', async () => (await account.ports({ WAYBILL_MASK_KEY_SECRET: mask })).keys)

const MACS: Record<string, string> = {}
for (const purpose of MAC_PURPOSES) {
  const arn = await account.key(`${purpose.charAt(0).toUpperCase()}${purpose.slice(1)}MacKey` as `${Capitalize<MacPurpose>}MacKey`)
  for (const right of ['MAKE', 'CHECK'] as const) MACS[macVariable(right, purpose)] = arn
}
macsContract(
  'KMS',
  async () => account.ports(MACS),
  (purpose) => purpose,
)

describe('message authentication codes of KMS', () => {
  it('are made and checked by whoever was given that right, and by nobody else', async () => {
    const maker = await account.ports({ [macVariable('MAKE', 'approvalLink')]: MACS[macVariable('MAKE', 'approvalLink')]! })
    const checker = await account.ports({ [macVariable('CHECK', 'approvalLink')]: MACS[macVariable('CHECK', 'approvalLink')]! })
    const message = Buffer.from('a link')
    expect(await checker.macCheckers.approvalLink(message, await maker.macMakers.approvalLink(message))).toBe(true)
    const denied = expect.objectContaining({ code: 'PERMISSION_DENIED' })
    expect(() => checker.macMakers.approvalLink).toThrow(denied)
    expect(() => maker.macCheckers.approvalLink).toThrow(denied)
    expect(() => maker.macMakers.page).toThrow(denied)
  })

  it('of links end when their generation does, and no others do', async () => {
    const [first, second] = [await account.ports(MACS), await account.ports({ ...MACS, WAYBILL_LINK_GENERATION: '2' })]
    const message = Buffer.from('{"a":"link"}')
    for (const purpose of MAC_PURPOSES) {
      const [before, after] = [await first.macMakers[purpose](message), await second.macMakers[purpose](message)]
      const lives = !purpose.endsWith('Link')
      expect([purpose, await second.macCheckers[purpose](message, before)]).toEqual([purpose, lives])
      expect([purpose, await first.macCheckers[purpose](message, after)]).toEqual([purpose, lives])
      expect([purpose, await second.macCheckers[purpose](message, after)]).toEqual([purpose, true])
    }
  })

  it('that cannot be checked are neither right nor wrong', async () => {
    const kms = new KMSClient({})
    const gone = MACS[macVariable('MAKE', 'page')]!.replace(/[0-9a-f-]{36}$/, '00000000-0000-0000-0000-000000000000')
    // A key of another kind stands for one whose policy or state somebody changed.
    for (const keyArn of [gone, arns.plan]) {
      expect(await refusal(kmsMacChecker({ kms, keyArn })(Buffer.from('x'), new Uint8Array(32)))).toBe('CONNECTION_FAILED')
      expect(await refusal(kmsMacMaker({ kms, keyArn })(Buffer.from('x')))).toBe('CONNECTION_FAILED')
    }
  })
})

const secretsManager = new SecretsManagerClient({})
for (const [Name, SecretString] of [
  ['waybill/prod/source/orders', 'postgres://source'],
  ['waybill/prod/target/orders/reader', 'postgres://reader'],
  ['waybill/prod/target/orders/writer', 'postgres://writer'],
  ['another-team/source/orders', 'postgres://another'],
])
  await secretsManager.send(new CreateSecretCommand({ Name, SecretString }))
for (const access of ['reader', 'writer'])
  secretsContract(`Secrets Manager, ${access}`, async () => ({
    secrets: (await account.ports({ WAYBILL_SECRETS_PREFIX: 'waybill/prod', WAYBILL_TARGET_ACCESS: access })).secrets,
    known: [
      ['aws-secretsmanager://waybill/prod/source/orders', 'postgres://source'],
      ['aws-sm://waybill/prod/source/orders', 'postgres://source'],
      ['aws-secretsmanager://waybill/prod/target/orders', `postgres://${access}`],
    ],
    foreign: ['env://SOURCE', 'aws-secretsmanager://another-team/source/orders', 'aws-secretsmanager://waybill/prod/target/orders/writer'],
    absent: ['aws-secretsmanager://waybill/prod/source/none', 'aws-secretsmanager://waybill/prod/target/none'],
  }))

await new SESv2Client({}).send(new CreateEmailIdentityCommand({ EmailIdentity: 'waybill@example.org' }))
let mailsBefore = 0
notifierContract('SES', async () => {
  const { notifier } = await account.ports({ WAYBILL_MAIL_FROM: 'waybill@example.org' })
  const all = await mails()
  mailsBefore = all.length
  return { notifier, sent: async () => (await mails()).slice(mailsBefore), done: async () => {} }
})

type Stored = { Source: string; To: string[]; CC: string[]; BCC: string[]; Subject: string; BodyText: string; BodyHtml: string }

/** As the emulator took them: it keeps the fields of a message, and composes the headers from them as SES does. */
async function mails(): Promise<SentMail[]> {
  const response = await fetch(`${account.emulator.url}/_ministack/ses/messages`)
  const { messages } = (await response.json()) as { messages: Record<string, Stored[]> }
  return Object.values(messages)
    .flat()
    .map(({ Source, To, CC, BCC, Subject, BodyText, BodyHtml }) => ({
      headers: [
        `From: ${Source}`,
        `To: ${To.join(', ')}`,
        ...CC.map((each) => `Cc: ${each}`),
        ...BCC.map((each) => `Bcc: ${each}`),
        `Subject: ${Subject}`,
      ].join('\n'),
      body: `${BodyText}\n${BodyHtml}`,
    }))
}

taskTokensContract('Step Functions', async () => {
  const sfn = new SFNClient({})
  const name = `waiting-${crypto.randomUUID()}`
  const { activityArn } = await sfn.send(new CreateActivityCommand({ name }))
  const definition = { StartAt: 'Wait', States: { Wait: { Type: 'Task', Resource: activityArn, TimeoutSeconds: 600, End: true } } }
  const { stateMachineArn } = await sfn.send(
    new CreateStateMachineCommand({ name, definition: JSON.stringify(definition), roleArn: 'arn:aws:iam::000000000000:role/states' }),
  )
  let executionArn: string | undefined
  return {
    tokens: (await account.ports({})).tasks,
    async waiting() {
      executionArn = (await sfn.send(new StartExecutionCommand({ stateMachineArn, input: '{}' }))).executionArn
      const { taskToken } = await sfn.send(new GetActivityTaskCommand({ activityArn }))
      return taskToken!
    },
    async ended() {
      await expect
        .poll(async () => (await sfn.send(new DescribeExecutionCommand({ executionArn }))).status, { timeout: 60_000 })
        .not.toBe('RUNNING')
    },
    refusesAtOnce: false,
    done: async () => {},
  }
})

workersContract('ECS', async () => {
  const ecs = new ECSClient({})
  const cluster = `waybill-${crypto.randomUUID()}`
  await ecs.send(new CreateClusterCommand({ clusterName: cluster }))
  const containerDefinitions = [{ name: 'worker', image: 'worker', essential: true }]
  const { taskDefinition } = await ecs.send(new RegisterTaskDefinitionCommand({ family: 'worker', containerDefinitions }))
  return {
    workers: (await account.ports({ WAYBILL_CLUSTER: cluster })).workers,
    async start(task) {
      const environment = [{ name: 'WAYBILL_TASK', value: JSON.stringify(task) }]
      const overrides = { containerOverrides: [{ name: 'worker', environment }] }
      const started = await ecs.send(new RunTaskCommand({ cluster, taskDefinition: taskDefinition!.taskDefinitionArn, overrides }))
      expect(started.failures ?? []).toEqual([])
    },
    done: async () => {},
  }
})

describe('workers: ECS', () => {
  it('are found however many there are, and nobody else’s task is touched', async () => {
    const ecs = new ECSClient({})
    const cluster = `waybill-${crypto.randomUUID()}`
    await ecs.send(new CreateClusterCommand({ clusterName: cluster }))
    const containerDefinitions = [{ name: 'worker', image: 'worker', essential: true }]
    const { taskDefinition } = await ecs.send(new RegisterTaskDefinitionCommand({ family: 'many', containerDefinitions }))
    const run = async (value: string, count: number) => {
      const overrides = { containerOverrides: [{ name: 'worker', environment: [{ name: 'WAYBILL_TASK', value }] }] }
      await ecs.send(new RunTaskCommand({ cluster, taskDefinition: taskDefinition!.taskDefinitionArn, overrides, count }))
    }
    const task = JSON.stringify({ worker: 'run-checks', project_id: 'p1', run_id: 'r1', items: null, ids: [] })
    for (let n = 0; n < 11; n++) await run(task, 10)
    for (const foreign of ['', 'not JSON', '{"project_id":"p1","run_id":"r1"}', '[]']) await run(foreign, 1)
    const { workers } = await account.ports({ WAYBILL_CLUSTER: cluster })
    expect(await workers.running('p1', 'r1')).toHaveLength(110)
  })
})

const folder = mkdtempSync(join(tmpdir(), 'waybill-anchors-'))
afterAll(() => rmSync(folder, { recursive: true }))
/** In place of anchor-audit, which test/emulator/migration.test.ts has deployed: a function that does what `body` says. */
async function anchoring(body: string, file: string): Promise<Ports['anchors']> {
  const FunctionName = `anchor-${crypto.randomUUID()}`
  const code = `import { appendFileSync } from 'node:fs'\nexport const handler = async (event) => { ${body} }`
  await new LambdaClient({}).send(
    new CreateFunctionCommand({
      FunctionName,
      Runtime: 'nodejs24.x',
      Handler: 'index.handler',
      Role: 'arn:aws:iam::000000000000:role/anchor',
      Code: { ZipFile: oneFileZip('index.mjs', code) },
      Environment: { Variables: { ASKED: file } },
    }),
  )
  return (await account.ports({ WAYBILL_ANCHOR_FUNCTION: FunctionName })).anchors
}

anchorsContract('Lambda', async () => {
  const file = join(folder, crypto.randomUUID())
  return {
    anchors: await anchoring("appendFileSync(process.env.ASKED, JSON.stringify(event) + '\\n')", file),
    async anchored(projectId) {
      const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
      return lines.filter((line) => (JSON.parse(line) as { project_id: string }).project_id === projectId)
    },
    done: async () => {},
  }
})

describe('anchors: Lambda', () => {
  it('that nobody makes, or that fail, are a failure of whoever asked', async () => {
    const { anchors } = await account.ports({ WAYBILL_ANCHOR_FUNCTION: 'not-there' })
    expect(await refusal(anchors.anchor('p1'))).toBe('CONNECTION_FAILED')
    const failing = await anchoring("throw new Error('the key is disabled')", '')
    expect(await refusal(failing.anchor('p1'))).toBe('CONNECTION_FAILED')
  })
})

const GIT_TOKEN = 'a-token-that-may-not-merge'
await secretsManager.send(new CreateSecretCommand({ Name: 'git-token', SecretString: GIT_TOKEN }))
gitHostContract('GitHub with the token of Secrets Manager', async () => {
  const made = await gitHub('acme/data', GIT_TOKEN)
  // GitHub itself is out of reach: its address leads to a server of the tests.
  const { fetch } = globalThis
  globalThis.fetch = (input, init) => fetch(String(input).replace(/^https:\/\/api\.github\.com/, made.api), init)
  const { git } = await account.ports({ WAYBILL_GIT_REPOSITORY: 'acme/data', WAYBILL_GIT_TOKEN_SECRET: 'git-token' })
  return {
    ...made,
    host: git,
    async done() {
      globalThis.fetch = fetch
      await made.done()
    },
  }
})
