import { describe, expect, it } from 'vitest'
import { NEVER } from '../../infra/constructs/agent-boundary.ts'
import { FUNCTIONS, type Permission, WORKER_PERMISSIONS } from '../../infra/permissions.ts'
import { awsPorts } from '../../layers/aws/ports.ts'
import { connectors } from '../../layers/connectors/index.ts'
import { MAC_PURPOSES, stateName } from '../../layers/core/names.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import { flat, resourcesOf, type Statement, type Synthesis, statementsOf } from './synth.ts'

type Granted = Statement & { role: string }

/** Every action that is granted on `*`, and why there is nothing better: the service authorization reference knows no resource for it. */
const WITHOUT_RESOURCE: Readonly<Record<string, string>> = {
  'xray:PutTraceSegments': 'a trace belongs to no resource',
  'xray:PutTelemetryRecords': 'a trace belongs to no resource',
  'xray:GetSamplingRules': 'rules of the account, asked for by state machines',
  'xray:GetSamplingTargets': 'rules of the account, asked for by state machines',
  'ecr:GetAuthorizationToken': 'a token of the registry; what it opens is said by the actions on the repository',
  'ecs:ListTasks': 'lists tasks of a cluster, which a condition names',
  'ec2:CreateNetworkInterface': 'Lambda makes an interface whose id is unknown, with the function’s role',
  'ec2:DeleteNetworkInterface': 'Lambda removes the interface it made',
  'ec2:DescribeNetworkInterfaces': 'describing has no resource',
  'ec2:DescribeSubnets': 'describing has no resource',
  'ec2:AssignPrivateIpAddresses': 'Lambda gives the interface it made an address',
  'ec2:UnassignPrivateIpAddresses': 'Lambda takes it back',
  'logs:CreateLogDelivery': 'log delivery of state machines has no resource',
  'logs:GetLogDelivery': 'log delivery of state machines has no resource',
  'logs:UpdateLogDelivery': 'log delivery of state machines has no resource',
  'logs:DeleteLogDelivery': 'log delivery of state machines has no resource',
  'logs:ListLogDeliveries': 'log delivery of state machines has no resource',
  'logs:PutResourcePolicy': 'lets the delivery service write, for the account',
  'logs:DescribeResourcePolicies': 'describing has no resource',
  'logs:DescribeLogGroups': 'describing has no resource',
}

/** Which ports a line of the permission table means. */
function reachedBy(permission: Permission): Record<string, boolean> {
  const { projects, audit, approvals, reads, writes, signs, secrets } = permission
  return {
    projects: projects !== undefined,
    audit: audit !== undefined,
    approvals: approvals !== undefined,
    artifacts: reads !== undefined || writes !== undefined,
    signer: signs !== undefined,
    secrets: secrets !== undefined,
    leases: permission.leases === true,
    notifier: permission.mail === true,
    anchors: permission.anchors === true,
    git: permission.git === true,
    progress: permission.progress === true,
    workers: permission.stops === true,
    publicUrl: permission.makes !== undefined || permission.checks !== undefined,
  }
}

const NOTHING: Parameters<typeof awsPorts>[1] = {
  connectors,
  policy: defaultPolicy,
  signIn: null,
  trust: null,
  log: { info() {}, warn() {}, error() {} },
}

/** Whether a port can be made; one that the stack did not configure refuses. */
function isGiven(read: () => unknown): boolean {
  try {
    return read() !== undefined
  } catch (error) {
    if ((error as { code?: string }).code === 'PERMISSION_DENIED') return false
    throw error
  }
}

/** Who may do what, read from the policies of the prod templates and from nothing else. */
export function accessTests(prod: Synthesis): void {
  const granted: Granted[] = [prod.state, prod.network, prod.pipeline, prod.observability].flatMap((template) =>
    resourcesOf(template, 'AWS::IAM::Policy').flatMap(([, { Properties }]) =>
      statementsOf(Properties.PolicyDocument).flatMap((statement) =>
        (Properties.Roles as unknown[]).map((role) => ({ ...statement, role: roleName(flat(role)) })),
      ),
    ),
  )
  const holders = (action: string, resource: RegExp = /./) =>
    [
      ...new Set(
        granted
          .filter(
            (each) =>
              each.Effect === 'Allow' && each.Action.some((one) => covers(one, action)) && each.Resource.some((one) => resource.test(one)),
          )
          .map(({ role }) => role),
      ),
    ].sort()

  describe('who may do what', () => {
    it('reads policies at all', () => {
      expect(granted.length).toBeGreaterThan(200)
      expect(holders('dynamodb:PutItem', /ProjectsTable/)).toContain('CreateProject')
    })

    it('nobody holds an action with a wildcard, or a managed policy', () => {
      expect(granted.flatMap(({ Action }) => Action).filter((action) => action.includes('*'))).toEqual([])
      for (const template of [prod.state, prod.network, prod.pipeline, prod.observability])
        for (const [, { Properties }] of resourcesOf(template, 'AWS::IAM::Role')) {
          expect(Properties.ManagedPolicyArns).toBeUndefined()
          expect(Properties.Policies).toBeUndefined()
        }
    })

    it('only the signing functions sign, each with its own key and under the conditions', () => {
      expect(holders('kms:Sign', /PlanKey/)).toEqual(['SignPlan'])
      expect(holders('kms:Sign', /ApprovalKey/)).toEqual(['Decide'])
      expect(holders('kms:Sign', /EvidenceKey/)).toEqual(['CloseReconciliation', 'ProveOutcome', 'SealEvidence'])
      expect(holders('kms:Sign', /AnchorKey/)).toEqual(['AnchorAudit'])
      expect(holders('kms:Sign')).toEqual(['AnchorAudit', 'CloseReconciliation', 'Decide', 'ProveOutcome', 'SealEvidence', 'SignPlan'])
      for (const each of granted.filter(({ Action }) => Action.includes('kms:Sign')))
        expect(each.Condition).toEqual({ StringEquals: { 'kms:MessageType': 'DIGEST', 'kms:SigningAlgorithm': 'ECDSA_SHA_256' } })
    })

    it('links, pages and names of people: each key has its makers and its checkers, and no others', () => {
      const [page, decide] = ['ApprovalPage', 'Decide']
      const makers = {
        ApprovalLink: [decide, 'RequestApproval', 'RequestDecisions'],
        RegistrationLink: [decide, 'RequestApproval'],
        WaiverLink: [decide],
        WithdrawalLink: [decide, 'RequestApproval'],
        Page: [page],
        Person: [page, decide],
      }
      for (const [purpose, names] of Object.entries(makers)) {
        expect([purpose, holders('kms:GenerateMac', new RegExp(`${purpose}MacKey`))]).toEqual([purpose, names])
        const checkers = purpose === 'Person' ? [] : [page, decide]
        expect([purpose, holders('kms:VerifyMac', new RegExp(`${purpose}MacKey`))]).toEqual([purpose, checkers])
      }
      for (const { Action, Resource } of granted.filter((each) => each.Action.some((action) => /Mac$/.test(action))))
        expect([Action.length, Resource.every((resource) => /MacKey/.test(resource))]).toEqual([1, true])
    })

    it('nobody updates or deletes audit entries', () => {
      for (const action of ['UpdateItem', 'DeleteItem', 'BatchWriteItem', 'PartiQLUpdate', 'PartiQLDelete'])
        expect(holders(`dynamodb:${action}`, /AuditTable|^\*$/)).toEqual([])
      expect(holders('dynamodb:UpdateItem', /ApprovalsTable|^\*$/)).toEqual(['Decide'])
      // A lease is taken and given back by these two, and renewed by the workers that read under it.
      const leases = ['CloseReconciliation', 'HashSegmentsWorkerTask', 'OpenReconciliation', 'RunChecksWorkerTask']
      expect(holders('dynamodb:UpdateItem', /LeasesTable|^\*$/)).toEqual(leases)
      expect(holders('dynamodb:UpdateItem')).toEqual([...leases, 'Decide'].toSorted())
      expect(holders('dynamodb:PutItem', /LeasesTable/)).toEqual([])
      expect(holders('dynamodb:DeleteItem')).toEqual([])
    })

    it('nobody deletes evidence or touches a retention', () => {
      for (const action of [
        'DeleteObject',
        'DeleteObjectVersion',
        'PutObjectRetention',
        'BypassGovernanceRetention',
        'PutObjectLegalHold',
        'PutBucketPolicy',
      ])
        expect(holders(`s3:${action}`)).toEqual([])
    })

    it('only workers that write the target may read its writing credentials', () => {
      expect(holders('secretsmanager:GetSecretValue', /target\/\*\/writer/)).toEqual([
        'CopyChunkWorkerTask',
        'FinishTargetWorkerTask',
        'PrepareTargetWorkerTask',
        'RollBackTargetWorkerTask',
      ])
      expect(holders('secretsmanager:GetSecretValue', /target\/\*\/reader/)).toEqual([
        'Discover',
        'HashSegmentsWorkerTask',
        'PlanChunks',
        'Profile',
        'RunChecksWorkerTask',
      ])
    })

    it('the page that opens links can write nothing but its log', () => {
      const actions = granted.filter(({ role }) => role === 'ApprovalPage').flatMap(({ Action }) => Action)
      expect(actions.filter((action) => /Put|Update|Delete|Send|Invoke|Sign/.test(action)).sort()).toEqual([
        'logs:PutLogEvents',
        'xray:PutTelemetryRecords',
        'xray:PutTraceSegments',
      ])
    })

    it('only who asks seals task tokens, only who decides opens them', () => {
      expect(holders('kms:Encrypt', /TokenKey/)).toEqual(['RequestApproval', 'RequestDecisions'])
      expect(holders('kms:Decrypt', /TokenKey/)).toEqual(['Decide'])
      expect(holders('states:SendTaskSuccess')).toEqual(['Decide', 'RequestApproval'])
    })

    it('only state machines start workers, and pass only their roles to ECS', () => {
      expect(holders('ecs:RunTask')).toEqual(['Migration', 'Reconcile'])
      expect(holders('iam:PassRole')).toEqual(['Migration', 'Reconcile'])
      for (const each of granted.filter(({ Action }) => Action.includes('iam:PassRole'))) {
        expect(each.Condition).toEqual({ StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } })
        for (const resource of each.Resource) expect(resource).toMatch(/Worker(Task|Execution)Role/)
      }
    })

    it('only StopWorkers stops workers, beside the machines that started them, and only in their cluster', () => {
      expect(holders('ecs:StopTask')).toEqual(['Migration', 'Reconcile', 'StopWorkers'])
      expect(holders('ecs:ListTasks')).toEqual(['StopWorkers'])
      for (const each of granted.filter(({ Action }) => Action.some((action) => /^ecs:(StopTask|DescribeTasks|ListTasks)$/.test(action))))
        expect(JSON.stringify(each.Condition)).toMatch(/^\{"ArnEquals":\{"ecs:cluster":/)
    })

    it('each function and worker can reach what it may use, and is told of nothing else', () => {
      const reaches = (permission: Permission, names: string[]) => {
        const env = Object.fromEntries(names.map((name) => [name, 'something/or-other']))
        const ports = awsPorts({ ...env, WAYBILL_TIME_ZONE: 'Europe/Berlin' }, NOTHING)
        for (const [port, granted] of Object.entries(reachedBy(permission)))
          expect([
            port,
            isGiven(() => (port === 'signer' ? ports.signers[permission.signs ?? 'plan'] : ports[port as keyof Ports])),
          ]).toEqual([port, granted])
        for (const purpose of MAC_PURPOSES)
          expect([purpose, isGiven(() => ports.macMakers[purpose]), isGiven(() => ports.macCheckers[purpose])]).toEqual([
            purpose,
            permission.makes?.includes(purpose) === true,
            permission.checks?.includes(purpose) === true,
          ])
      }
      const variablesOf = (type: string, id: RegExp) => {
        const [found, ...more] = resourcesOf(prod.pipeline, type).filter(([name]) => id.test(name))
        expect([found === undefined, more.length]).toEqual([false, 0])
        return found![1].Properties as { Environment?: { Variables: object }; ContainerDefinitions?: { Environment: { Name: string }[] }[] }
      }
      for (const [name, permission] of Object.entries(FUNCTIONS)) {
        const { Environment } = variablesOf('AWS::Lambda::Function', new RegExp(`^${stateName(name)}Function[0-9A-F]{8}$`))
        reaches(permission, Object.keys(Environment!.Variables))
      }
      for (const [name, permission] of Object.entries(WORKER_PERMISSIONS)) {
        const { ContainerDefinitions } = variablesOf(
          'AWS::ECS::TaskDefinition',
          new RegExp(`^${stateName(name)}WorkerDefinition[0-9A-F]{8}$`),
        )
        reaches(
          permission,
          ContainerDefinitions![0]!.Environment.map(({ Name }) => Name),
        )
      }
    })

    it('only workers write their progress, and no function reads it', () => {
      const onProgress = granted.filter(({ Resource }) => Resource.some((resource) => /Progress/.test(resource)))
      expect([...new Set(onProgress.flatMap(({ Action }) => Action))]).toEqual(['dynamodb:PutItem'])
      expect(onProgress).toHaveLength(6)
    })

    it('a resource is a wildcard only where the action has none: these, each for its reason', () => {
      const open = granted.filter(({ Effect, Resource }) => Effect === 'Allow' && Resource.includes('*'))
      expect([...new Set(open.flatMap(({ Action }) => Action))].sort()).toEqual(Object.keys(WITHOUT_RESOURCE).sort())
      // Where an action has no resource but a condition narrows it, the condition is there.
      for (const { Action, Condition } of open.filter((each) => each.Action.includes('ecs:ListTasks')))
        expect([Action, Condition]).toEqual([['ecs:ListTasks'], { ArnEquals: { 'ecs:cluster': expect.anything() } }])
    })
  })

  describe('agents', () => {
    const boundaries = new Map(
      resourcesOf(prod.pipeline, 'AWS::IAM::ManagedPolicy').map(([id, { Properties }]) => [
        `<${id}>`,
        statementsOf(Properties.PolicyDocument),
      ]),
    )
    const boundaryOf = (name: string) => {
      const [, role] = resourcesOf(prod.pipeline, 'AWS::IAM::Role').find(([id]) => roleName(`<${id}>`) === stateName(name)) ?? []
      return boundaries.get(flat(role?.Properties.PermissionsBoundary))
    }
    const denies = (statements: Statement[] | undefined, action: string) =>
      (statements ?? []).some(
        ({ Effect, Action, Resource, Condition }) => Effect === 'Deny' && Action.includes(action) && Resource.includes('*') && !Condition,
      )
    const allows = (statements: Statement[] | undefined, action: string) =>
      (statements ?? []).filter(({ Effect, Action }) => Effect === 'Allow' && Action.some((one) => covers(one, action)))

    const agents = ['discover', 'profile', 'propose-mapping', 'propose-rewrite', 'propose-recon', 'explain-differences', 'prepare-cutover']

    it('are these seven', () => {
      expect(
        Object.entries(FUNCTIONS)
          .filter(([, { agent }]) => agent)
          .map(([name]) => name)
          .sort(),
      ).toEqual([...agents].sort())
    })

    for (const name of agents)
      it(`${name}: its boundary denies signing, telling, starting, passing roles and changing data`, () => {
        const boundary = boundaryOf(name)
        for (const action of NEVER) {
          expect(denies(boundary, action), action).toBe(true)
          expect(allows(boundary, action), action).toEqual([])
        }
        for (const action of [
          'kms:Sign',
          'states:SendTaskSuccess',
          'states:SendTaskFailure',
          'ecs:RunTask',
          'iam:PassRole',
          'rds-db:connect',
        ])
          expect(NEVER).toContain(action)
      })

    it('read no secret, except that discover and profile have read-only credentials', () => {
      const secret = 'secretsmanager:GetSecretValue'
      for (const name of agents) {
        if (name === 'discover' || name === 'profile') {
          const resources = allows(boundaryOf(name), secret).flatMap(({ Resource }) => Resource)
          expect(resources.map((resource) => resource.replace(/.*:secret:/, ''))).toEqual([
            'waybill/prod/source/*',
            'waybill/prod/target/*/reader-??????',
          ])
        } else expect(denies(boundaryOf(name), secret)).toBe(true)
      }
    })

    it('have no way to the databases, except that discover and profile have', () => {
      const inside = resourcesOf(prod.pipeline, 'AWS::Lambda::Function').filter(([, { Properties }]) => Properties.VpcConfig !== undefined)
      expect(inside.map(([id]) => id.replace(/Function[0-9A-F]{8}$/, '')).sort()).toEqual(['Discover', 'PlanChunks', 'Profile'])
    })
  })
}

/** `<Waybill-prod-State:ExportsOutputRefSignPlanRoleABC…>` or `<DiscoverRole…>` → `SignPlan`, `Discover` */
function roleName(reference: string): string {
  return reference.replace(/^<(?:.*ExportsOutputRef)?/, '').replace(/Role[0-9A-F]{8,}>$/, '')
}

function covers(granted: string, action: string): boolean {
  return new RegExp(`^${granted.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`, 'i').test(action)
}
