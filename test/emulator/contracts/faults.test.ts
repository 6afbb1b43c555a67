import { createHash } from 'node:crypto'
import { CreateEmailIdentityCommand, SESv2Client } from '@aws-sdk/client-sesv2'
import {
  CreateActivityCommand,
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  GetActivityTaskCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { chainFaults } from '../../../layers/core/audit-chain.ts'
import { lowS, verifySignature } from '../../../layers/core/ecdsa.ts'
import { replayLifecycle } from '../../../layers/core/evidence/lifecycle-replay.ts'
import { record } from '../../../layers/core/ledger.ts'
import type { Ports } from '../../../layers/core/ports.ts'
import { advance, open } from '../../../layers/core/project-service.ts'
import type { ProjectRecord } from '../../../layers/core/schemas/project.ts'
import { entryAfter } from '../../contracts/audit-log.ts'
import { approvalGroup, approvalRequest, created, decided, projectRecord, refusal, told } from '../../contracts/samples.ts'
import { openEmptyAccount } from './support/account.ts'
import { type FaultProxy, faultProxy } from './support/fault-proxy.ts'

const account = await openEmptyAccount()
afterAll(() => account.close())

let proxy: FaultProxy
let ports: Ports
beforeEach(async () => {
  const env = {
    WAYBILL_PROJECTS_TABLE: await account.table('Projects'),
    WAYBILL_AUDIT_TABLE: await account.table('Audit'),
    WAYBILL_APPROVALS_TABLE: await account.table('Approvals'),
    WAYBILL_TOKEN_KEY: await account.key('TokenKey'),
    WAYBILL_EVIDENCE_BUCKET: await account.bucket(),
  }
  proxy = await faultProxy(account.emulator.url)
  process.env.AWS_ENDPOINT_URL = proxy.url
  ports = await account.ports(env)
})
afterEach(async () => {
  process.env.AWS_ENDPOINT_URL = account.emulator.url
  await proxy.close()
})

const times = (operation: string) => proxy.seen.filter((each) => each.operation === operation).length

describe('an answer that is lost after the work was done', () => {
  it('leaves one entry of an audit chain, the first and any later', async () => {
    proxy.upset('PutItem', 'lose the answer')
    const first = await record(ports, 'p1', { actor: 'ada@example.org', action: 'PLAN_SIGNED' })
    proxy.upset('TransactWriteItems', 'lose the answer')
    const second = await record(ports, 'p1', { actor: 'ada@example.org', action: 'PLAN_SIGNED' })
    const chain = await ports.audit.read('p1')
    expect(chain).toEqual([first, second])
    expect(chainFaults(chain)).toEqual([])
    expect([times('PutItem'), times('TransactWriteItems')]).toEqual([2, 2])
  })

  it('is no conflict with oneself: an entry is appended, and told so', async () => {
    proxy.upset('PutItem', 'lose the answer')
    await ports.audit.append(entryAfter(null))
    const mine = entryAfter(await ports.audit.head('p1'))
    proxy.upset('TransactWriteItems', 'lose the answer')
    await ports.audit.append(mine)
    expect(await ports.audit.head('p1')).toEqual(mine)
  })

  it('does not hide that another came first', async () => {
    await ports.audit.append(entryAfter(null, 'grace@example.org'))
    proxy.upset('PutItem', 'lose the answer')
    expect(await refusal(ports.audit.append(entryAfter(null)))).toBe('CONFLICT')
    await created(ports, projectRecord('p1'))
    const head = () => ports.audit.head('p1')
    const [moved, failed]: ProjectRecord[] = [
      { ...projectRecord('p1', 2), state: 'DISCOVERED' },
      { ...projectRecord('p1', 2), state: 'FAILED' },
    ]
    const before = await head()
    expect(await ports.projects.update(moved!, told(moved!, before))).toBe('WRITTEN')
    const stands = await ports.audit.read('p1')
    for (const behind of [before, await head()]) {
      proxy.upset('TransactWriteItems', 'lose the answer')
      expect(await ports.projects.update(failed!, told(failed!, behind))).toBe('REVISION_MOVED')
    }
    const next: ProjectRecord = { ...failed!, revision: 3 }
    proxy.upset('TransactWriteItems', 'lose the answer')
    expect(await ports.projects.update(next, told(next, before))).toBe('HEAD_MOVED')
    const other = { ...projectRecord('p1'), title: 'another' }
    proxy.upset('TransactWriteItems', 'lose the answer')
    expect(await refusal(ports.projects.create(other, told(other, await head())))).toBe('ALREADY_EXISTS')
    proxy.upset('TransactWriteItems', 'lose the answer')
    expect(await refusal(ports.projects.update(projectRecord('p2', 2), told(projectRecord('p2', 2), null)))).toBe('NOT_FOUND')
    expect([await ports.projects.get('p1'), await ports.audit.read('p1')]).toEqual([moved, stands])
  })

  it('creates a project and moves it on once, record and entry together', async () => {
    const deps = { projects: ports.projects, audit: ports.audit, clock: ports.clock, anchors: { anchor: async () => {} } }
    const record = projectRecord('p1')
    await ports.audit.append(entryAfter(null))
    proxy.upset('TransactWriteItems', 'lose the answer')
    await open(deps, record, { actor: record.author, action: 'PROJECT_CREATED' })
    proxy.upset('TransactWriteItems', 'lose the answer')
    const moved = await advance(deps, 'p1', { to: 'DISCOVERED', actor: 'agent/discovery', action: 'CATALOG_READ' })
    expect(await ports.projects.get('p1')).toEqual(moved)
    expect([moved.revision, moved.state]).toEqual([2, 'DISCOVERED'])
    expect((await ports.audit.read('p1')).map(({ action }) => action)).toEqual(['PLAN_SIGNED', 'PROJECT_CREATED', 'CATALOG_READ'])
    expect(times('TransactWriteItems')).toBe(4)
    // Neither half is ever written by itself: what is sent besides the transactions is the one entry that tells of no record.
    expect(times('PutItem')).toBe(1)
  })

  it('asks each person once, and takes each decision once', async () => {
    const { approvals } = ports
    const [one, two] = [approvalRequest('a1', 'g1'), { ...approvalRequest('a2', 'g1'), role: 'security' as const }]
    for (const work of [
      () => approvals.open(approvalGroup('g1'), [one, two]),
      () => approvals.decide(decided(one)),
      () => approvals.join({ ...one, approval_id: 'a3', approver: 'kay@example.org' }),
      () => approvals.withdraw(one, { ...one, approval_id: 'a4' }),
    ]) {
      proxy.upset('TransactWriteItems', 'lose the answer')
      expect(await refusal(work())).toBe('no error')
    }
    expect(times('TransactWriteItems')).toBe(8)
    const asked = await approvals.requests('g1')
    expect(asked.map(({ approval_id, decision }) => [approval_id, decision])).toEqual([
      ['a1', 'WITHDRAWN'],
      ['a2', null],
      ['a3', null],
      ['a4', null],
    ])
    proxy.upset('UpdateItem', 'lose the answer')
    await approvals.told('g1', '2026-03-01T10:00:00.000Z')
    expect((await approvals.group('g1')).told_at).toBe('2026-03-01T10:00:00.000Z')
  })

  it('tells a waiting state once: a second telling changes nothing, and finds it over, which is what the outbox takes for told', async () => {
    const sfn = new SFNClient({})
    const name = `waiting-${crypto.randomUUID()}`
    const { activityArn } = await sfn.send(new CreateActivityCommand({ name }))
    const definition = { StartAt: 'Wait', States: { Wait: { Type: 'Task', Resource: activityArn, End: true } } }
    const roleArn = 'arn:aws:iam::000000000000:role/states'
    const { stateMachineArn } = await sfn.send(new CreateStateMachineCommand({ name, definition: JSON.stringify(definition), roleArn }))
    const { executionArn } = await sfn.send(new StartExecutionCommand({ stateMachineArn, input: '{}' }))
    const { taskToken } = await sfn.send(new GetActivityTaskCommand({ activityArn }))
    proxy.upset('SendTaskSuccess', 'lose the answer')
    // The emulator takes answers until the task has ended, a moment after the first.
    expect(['NOT_FOUND', 'no error']).toContain(await refusal(ports.tasks.succeed(taskToken!, { decision: 'APPROVED' })))
    expect(times('SendTaskSuccess')).toBe(2)
    const ended = () => sfn.send(new DescribeExecutionCommand({ executionArn }))
    await expect.poll(async () => (await ended()).status, { timeout: 30_000 }).toBe('SUCCEEDED')
    expect(JSON.parse((await ended()).output!)).toEqual({ decision: 'APPROVED' })
    expect(await refusal(ports.tasks.succeed(taskToken!, { decision: 'REJECTED' }))).toBe('NOT_FOUND')
  })

  it('stores an artifact once', async () => {
    const kept = { contentType: 'text/plain', retainUntil: new Date('2027-01-01') }
    proxy.upset('PUT object', 'lose the answer')
    const pointer = await ports.artifacts.put('k/1', Buffer.from('one'), kept)
    expect(await ports.artifacts.find('k/1')).toEqual(pointer)
    expect(await ports.artifacts.list('')).toEqual(['k/1'])
    expect(times('PUT object')).toBe(2)
  })
})

describe('a service that refuses for load', () => {
  it('is asked again, and nothing is lost or doubled', async () => {
    for (const operation of ['PutItem', 'TransactWriteItems', 'Query', 'GetItem', 'PUT object', 'HEAD object', 'GET object'])
      proxy.upset(operation, 'throttle')
    const first = entryAfter(null)
    await ports.audit.append(first)
    await ports.audit.append(entryAfter(first))
    expect(chainFaults(await ports.audit.read('p1'))).toEqual([])
    await created(ports, projectRecord('p1'))
    expect(await ports.projects.get('p1')).toEqual(projectRecord('p1'))
    const pointer = await ports.artifacts.put('k/1', Buffer.from('one'), { contentType: 'text/plain', retainUntil: new Date('2027-01-01') })
    expect(await ports.artifacts.find('k/1')).toEqual(pointer)
    expect(Buffer.from(await ports.artifacts.get(pointer)).toString()).toBe('one')
    expect(proxy.seen.filter(({ reached }) => !reached)).toHaveLength(7)
  })

  it('is asked again for keys, secrets and mail as well', async () => {
    const [keyArn, macArn, mask] = [await account.key('PlanKey'), await account.key('PageMacKey'), await account.generated('MaskKey')]
    await new SESv2Client({}).send(new CreateEmailIdentityCommand({ EmailIdentity: 'waybill@example.org' })).catch(() => undefined)
    const env = {
      WAYBILL_SIGN_PLAN_KEY: keyArn,
      WAYBILL_MAKE_PAGE_KEY: macArn,
      WAYBILL_CHECK_PAGE_KEY: macArn,
      WAYBILL_MASK_KEY_SECRET: mask,
      WAYBILL_MAIL_FROM: 'waybill@example.org',
    }
    const { signers, keys, macMakers, macCheckers, notifier } = await account.ports(env)
    for (const operation of ['Sign', 'GetPublicKey', 'GenerateMac', 'VerifyMac', 'GetSecretValue', 'POST mail'])
      proxy.upset(operation, 'throttle')
    const digest = createHash('sha256').update('plan').digest()
    expect(verifySignature(await signers.plan.publicKeyPem(), Buffer.from('plan'), lowS(await signers.plan.sign(digest)))).toBe(true)
    const message = Buffer.from('a form')
    expect(await macCheckers.page(message, await macMakers.page(message))).toBe(true)
    expect((await keys.mask()).length).toBe(32)
    await notifier.send({ to: 'grace@example.org', subject: 'Please decide', text: 'Plain words', html: '<p>Words</p>' })
    expect(proxy.seen.filter(({ reached }) => !reached).map(({ operation }) => operation)).toEqual([
      'GetPublicKey',
      'Sign',
      'GenerateMac',
      'VerifyMac',
      'GetSecretValue',
      'POST mail',
    ])
  })

  it('is given up on as a failure that may be tried again', async () => {
    proxy.upset('GetItem', 'throttle', 50)
    expect(await refusal(ports.projects.get('p1'))).toBe('CONNECTION_FAILED')
  })
})

describe('a transaction that met another', () => {
  const [one, two] = [approvalRequest('a1', 'g1'), { ...approvalRequest('a2', 'g1'), role: 'security' as const }]

  it('is tried again, since nothing was judged and nothing written', async () => {
    proxy.upset('TransactWriteItems', 'cancel', 2)
    await ports.approvals.open(approvalGroup('g1'), [one, two])
    proxy.upset('TransactWriteItems', 'cancel', 2)
    await ports.approvals.decide(decided(one))
    proxy.upset('TransactWriteItems', 'cancel', 2)
    await ports.approvals.join({ ...one, approval_id: 'a3', approver: 'kay@example.org' })
    expect(times('TransactWriteItems')).toBe(9)
    expect((await ports.approvals.requests('g1')).map(({ approval_id, status }) => [approval_id, status])).toEqual([
      ['a1', 'DECIDED'],
      ['a2', 'PENDING'],
      ['a3', 'PENDING'],
    ])
    proxy.upset('TransactWriteItems', 'cancel', 2)
    expect(await refusal(ports.approvals.decide(decided(one, 'REJECTED')))).toBe('CONFLICT')
  })

  it('is given up on as a failure that may be tried again, and then nothing was decided', async () => {
    await ports.approvals.open(approvalGroup('g1'), [one, two])
    proxy.upset('TransactWriteItems', 'cancel', 20)
    expect(await refusal(ports.approvals.decide(decided(one)))).toBe('CONNECTION_FAILED')
    expect((await ports.approvals.request('a1')).status).toBe('PENDING')
  })

  it('leaves a project as it was until it is tried again, and then changes it once', async () => {
    const deps = { projects: ports.projects, audit: ports.audit, clock: ports.clock, anchors: { anchor: async () => {} } }
    proxy.upset('TransactWriteItems', 'cancel', 2)
    await open(deps, projectRecord('p1'), { actor: 'ada@example.org', action: 'PROJECT_CREATED' })
    const move = { to: 'DISCOVERED', actor: 'agent/discovery', action: 'CATALOG_READ' } as const
    // As often as a transaction is tried.
    proxy.upset('TransactWriteItems', 'cancel', 14)
    expect(await refusal(advance(deps, 'p1', move))).toBe('CONNECTION_FAILED')
    expect([(await ports.projects.get('p1')).revision, (await ports.audit.read('p1')).length]).toEqual([1, 1])
    expect(await advance(deps, 'p1', move)).toMatchObject({ state: 'DISCOVERED', revision: 2 })
    expect(replayLifecycle(await ports.audit.read('p1'))).toMatchObject({ state: 'DISCOVERED', revision: 2, faults: [] })
  })

  it('is met by ten writers of one project at once, who all get through and lose nothing', async () => {
    const deps = { projects: ports.projects, audit: ports.audit, clock: ports.clock, anchors: { anchor: async () => {} } }
    await open(deps, projectRecord('p1'), { actor: 'ada@example.org', action: 'PROJECT_CREATED' })
    const count = { actor: 'run', action: 'RUN_RECORDED' }
    // Six for each, and one of them meets more: whoever gave up after six attempts would lose its change.
    proxy.upset('TransactWriteItems', 'cancel', 60)
    const writers = Array.from({ length: 10 }, (_, at) => {
      const artifacts = { [`recon_report.run-${at}`]: projectRecord('p1').artifacts.spec! }
      return advance(deps, 'p1', { ...count, artifacts, set: (stored) => ({ clean_runs: stored.clean_runs + 1 }) })
    })
    await Promise.all(writers)
    expect(await ports.projects.get('p1')).toMatchObject({ clean_runs: 10, revision: 11 })
    const chain = await ports.audit.read('p1')
    expect([chainFaults(chain), replayLifecycle(chain)]).toMatchObject([[], { revision: 11, faults: [] }])
  })

  it('takes an entry of the audit chain for one that came second: it is entered behind the other', async () => {
    await record(ports, 'p1', { actor: 'ada@example.org', action: 'PLAN_SIGNED' })
    proxy.upset('TransactWriteItems', 'cancel', 3)
    await record(ports, 'p1', { actor: 'ada@example.org', action: 'PLAN_SIGNED' })
    expect((await ports.audit.read('p1')).length).toBe(2)
  })
})
