import { describe, expect, it } from 'vitest'
import { pageFor } from '../../functions/approval-page/view.ts'
import { maskFor } from '../../functions/hash-segments/masking.ts'
import { decisionOf } from '../../functions/prove-outcome/handler.ts'
import { createHandler as recordFailure } from '../../functions/record-failure/handler.ts'
import { measureSaturation } from '../../functions/work/saturation.ts'
import { canonicalBytes } from '../../layers/core/canonical-json.ts'
import { failureReason } from '../../layers/core/flow/failure-reason.ts'
import { keyOf, placeOf } from '../../layers/core/flow/storing.ts'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import type { Outcome } from '../../layers/core/schemas/outcome.ts'
import { type TableResult, tableResult } from '../../layers/core/schemas/recon.ts'
import { fixtureReport } from '../support/report-fixture.ts'
import { type TestPlatform, testPlatform } from './support/platform.ts'
import { storeSpec, tell } from './support/story.ts'

describe('ProveOutcome decides', () => {
  const outcome = fixtureReport({ lost: [1] }).outcome
  const proven = fixtureReport().outcome
  const withVerdict = (base: Outcome, change: Partial<Outcome['rollback_verdict']>): Outcome => ({
    ...base,
    rollback_verdict: { ...base.rollback_verdict, ...change },
  })

  it('CONTINUE only with a valid proof, whatever the score says', () => {
    expect(decisionOf(withVerdict(proven, { rollback_decision: 'CONTINUE' }))).toBe('CONTINUE')
    expect(decisionOf(withVerdict(proven, { rollback_decision: 'CONTINUE_WITH_MONITORING' }))).toBe('CONTINUE')
    expect(decisionOf(withVerdict(outcome, { rollback_decision: 'CONTINUE' }))).toBe('HOLD')
    expect(decisionOf(withVerdict(proven, { rollback_decision: 'HOLD' }))).toBe('HOLD')
  })

  it('ROLLBACK by itself only where the plan allows it', () => {
    expect(decisionOf(withVerdict(outcome, { rollback_decision: 'ROLLBACK', auto_rollback_enabled: true }))).toBe('ROLLBACK')
    expect(decisionOf(withVerdict(outcome, { rollback_decision: 'ROLLBACK', auto_rollback_enabled: false }))).toBe('HOLD')
  })
})

describe('the reason of a failure', () => {
  const worker = JSON.stringify({ error: 'TARGET_NOT_EMPTY', cause: 'the table exists' })
  it.each([
    ['CONNECTION_FAILED', JSON.stringify({ errorType: 'CONNECTION_FAILED', errorMessage: 'no answer' }), 'CONNECTION_FAILED', 'no answer'],
    ['States.TaskFailed', worker, 'TARGET_NOT_EMPTY', 'the table exists'],
    [
      'States.ExceedToleratedFailureThreshold',
      `1 of 2 items failed; the first with States.TaskFailed: ${worker}`,
      'TARGET_NOT_EMPTY',
      'the table exists',
    ],
    [
      'States.TaskFailed',
      JSON.stringify({ Error: 'SEGMENT_INCOMPLETE', Cause: 'one pair is missing' }),
      'SEGMENT_INCOMPLETE',
      'one pair is missing',
    ],
    ['States.Timeout', '', 'States.Timeout', 'A step took longer than it may.'],
  ])('%s %s', (error, cause, code, reason) => {
    expect(failureReason(error, cause)).toEqual({ code, reason })
  })

  it('repeats no words of a library: they may quote a row or an address', () => {
    const leak = 'duplicate key value: (email)=(jane@example.com) at postgres://user:secret@host/db'
    for (const [error, cause] of [
      ['DatabaseError', JSON.stringify({ errorType: 'DatabaseError', errorMessage: leak })],
      ['States.TaskFailed', JSON.stringify({ error: 'TypeError', cause: leak })],
      ['States.TaskFailed', leak],
      ['<script>', leak],
    ] as const) {
      const { code, reason } = failureReason(error, cause)
      expect(code).toBe('UNEXPECTED')
      expect(reason).not.toMatch(/jane|secret|<script/)
    }
  })

  it('is what the worker wrote down, where the service does not know it', async () => {
    const on = await testPlatform()
    const id = await storeSpec(on)
    on.failNext('discover', new Error('x'), 2)
    await tell(on, id)
    const failure = {
      schema: 'waybill/work-failure/v1',
      worker: 'copy-chunk',
      ids: ['c1'],
      error: 'STREAM_TRUNCATED',
      reason: 'The stream ended early.',
      at: '2026-03-01T00:00:00.000Z',
    }
    await on.ports.artifacts.put(`projects/${id}/work/run.run-x/failures/000001-copy-chunk-c1.json`, Buffer.from(JSON.stringify(failure)), {
      contentType: 'application/json',
      retainUntil: new Date(),
    })
    const event = {
      project_id: id,
      run_id: 'run-x',
      error: 'States.TaskFailed',
      cause: '{"StoppedReason":"Essential container in task exited"}',
    }
    expect(await recordFailure(on.ports)(event)).toMatchObject({ decision: 'STREAM_TRUNCATED' })
    await on.close()
  })
})

describe('nothing incomplete is recorded as complete', () => {
  async function withLost(lose: (on: TestPlatform, key: string) => boolean, run: 'copy-chunk' | 'hash-segments') {
    const on = await testPlatform()
    const id = await storeSpec(on)
    const { artifacts } = on.ports
    const gone = (key: string) => key.includes(`/${run}/`) && lose(on, key)
    // Written, and then not there when it is read back by the recording step.
    on.ports.artifacts = { ...artifacts, find: async (key) => (gone(key) ? null : artifacts.find(key)) }
    const { project } = await tell(on, id)
    await on.close()
    return project?.failure?.code
  }

  it('a chunk without a result', async () => {
    expect(await withLost((_on, key) => key.endsWith('c000002.json'), 'copy-chunk')).toBe('CHUNK_INCOMPLETE')
  })

  it('a table pair without a result', async () => {
    expect(await withLost((_on, key) => key.endsWith('item.json'), 'hash-segments')).toBe('SEGMENT_INCOMPLETE')
  })

  it('a pass with fewer segments than were planned', async () => {
    const on = await testPlatform()
    const id = await storeSpec(on)
    const { reconciler } = on.systems.connectors
    on.systems.connectors.reconciler = async (...ends) => {
      const opened = await reconciler(...ends)
      const short = (result: TableResult): TableResult => tableResult.parse({ ...result, segments: result.segments.slice(1) })
      return { ...opened, reconcile: async (...work) => (await opened.reconcile(...work)).map(short) }
    }
    expect((await tell(on, id)).project?.failure?.code).toBe('SEGMENT_INCOMPLETE')
    await on.close()
  })

  it.each([
    ['under another plan', { plan_sha256: 'a'.repeat(64) }],
    ['in another run', { run_id: 'another-run' }],
    ['of another pair', { table_id: 'another' }],
  ])('a result %s', async (_what, change) => {
    const on = await testPlatform()
    const id = await storeSpec(on)
    const { artifacts } = on.ports
    on.ports.artifacts = {
      ...artifacts,
      put: (key, bytes, options) => {
        if (!key.endsWith('/item.ends.json')) return artifacts.put(key, bytes, options)
        return artifacts.put(key, canonicalBytes({ ...JSON.parse(Buffer.from(bytes).toString()), ...change }), options)
      },
    }
    expect((await tell(on, id)).project?.failure?.code).toBe('EVIDENCE_INVALID')
    await on.close()
  })

  it.each([
    ['leaves a table of the plan out', (_list: string) => ''],
    ['names a pair twice', (list: string) => list + list],
  ])('a work list that %s', async (_what, change) => {
    const on = await testPlatform()
    const id = await storeSpec(on)
    const { artifacts } = on.ports
    on.ports.artifacts = {
      ...artifacts,
      put: (key, bytes, options) =>
        artifacts.put(key, key.includes('/segments/') ? Buffer.from(change(Buffer.from(bytes).toString())) : bytes, options),
    }
    expect((await tell(on, id)).project?.failure?.code).toBe('SEGMENT_INCOMPLETE')
    await on.close()
  })

  it('two results for one pair, or none', async () => {
    for (const times of [0, 2]) {
      const on = await testPlatform()
      const id = await storeSpec(on)
      const { reconciler } = on.systems.connectors
      on.systems.connectors.reconciler = async (...ends) => {
        const opened = await reconciler(...ends)
        return {
          ...opened,
          reconcile: async (...work) => (await opened.reconcile(...work)).flatMap((result) => Array.from({ length: times }, () => result)),
        }
      }
      expect((await tell(on, id)).project?.failure?.code).toBe('SEGMENT_INCOMPLETE')
      await on.close()
    }
  })

  it('chunks that leave a gap, overlap, or end before the end', async () => {
    const broken = [
      [],
      [{ from: '0', to: '20' }],
      [{ from: '1', to: null }],
      [
        { from: '0', to: '20' },
        { from: '21', to: null },
      ],
      [
        { from: '0', to: '20' },
        { from: '19', to: null },
      ],
    ]
    for (const ranges of broken) {
      const on = await testPlatform()
      const id = await storeSpec(on)
      const { source } = on.systems.connectors
      on.systems.connectors.source = async (...end) => ({ ...(await source(...end)), chunks: async () => ranges })
      expect([ranges.length, (await tell(on, id)).project?.failure?.code]).toEqual([ranges.length, 'CHUNK_INCOMPLETE'])
      expect(on.systems.touched).toEqual([])
      await on.close()
    }
  })
})

describe('values of differing rows', () => {
  const keys = { link: async () => new Uint8Array(32), mask: async () => new Uint8Array(32).fill(7) }
  it('are fingerprints unless the policy allows them', async () => {
    const mask = await maskFor({ keys }, defaultPolicy)
    expect(mask('jane@example.com')).toMatch(/^hmac:[0-9a-f]{24}$/)
    expect(mask('jane@example.com')).toBe(mask('jane@example.com'))
    expect(mask('')).not.toBe(mask(null))
    expect(mask(null)).toBeNull()
    const open = await maskFor({ keys }, { ...defaultPolicy, pii: { ...defaultPolicy.pii, values_in_evidence: true } })
    expect(open('jane@example.com')).toBe('jane@example.com')
  })
})

it('smallest and largest values of personal data stay out of the checks report and the pack', async () => {
  const on = await testPlatform()
  const id = await storeSpec(on, { title: 'x' })
  const { checker } = on.systems.connectors
  const figures = {
    kolmogorov_smirnov: 0,
    source_outliers: '0',
    target_outliers: '0',
    source_nulls: '0',
    target_nulls: '0',
    source_distinct: '3',
    target_distinct: '3',
    reason: null,
  }
  const seen = (column: string) => ({
    table_id: 'item',
    column,
    ...figures,
    source_min: `least-${column}`,
    source_max: 'z',
    target_min: 'a',
    target_max: 'z',
  })
  on.systems.connectors.checker = async (...ends) => {
    const opened = await checker(...ends)
    return { ...opened, run: async (...work) => ({ ...(await opened.run(...work)), distributions: [seen('label'), seen('id')] }) }
  }
  // The person asked whether the label is personal data says that it may travel; it still is personal data.
  const marked = await on.ports.artifacts.find(keyOf(id, 'spec', '1'))
  const spec = JSON.parse(Buffer.from(await on.ports.artifacts.get(marked!)).toString('utf8'))
  spec.tables[0].columns[1] = { target: 'label', source: ['label'], type: 'text', pii: true, transform: { kind: 'mask_partial', keep: 2 } }
  const other = `${id}-pii`
  await on.ports.artifacts.put(keyOf(other, 'spec', '1'), Buffer.from(JSON.stringify(spec)), {
    contentType: 'application/json',
    retainUntil: new Date(),
  })
  const { project } = await tell(on, other)
  expect(project?.state).toBe('EVIDENCE_COMPLETE')
  const all = await Promise.all(
    (await on.ports.artifacts.list(`projects/${other}/evidence_pack/`)).map(async (key) =>
      Buffer.from(await on.ports.artifacts.get((await on.ports.artifacts.find(key))!)).toString('utf8'),
    ),
  )
  expect(all.some((text) => text.includes('least-id'))).toBe(true)
  expect(all.some((text) => text.includes('least-label'))).toBe(false)
  await on.close()
})

describe('saturation', () => {
  it('is measured where it can be, and null with a reason where it cannot', () => {
    let now = 0
    const measured = measureSaturation(() => now)
    for (let sum = 0; sum < 3e6; sum++) Math.sqrt(sum)
    now = 1000
    const found = measured()
    expect(found.cpu_ratio).toBeGreaterThan(0)
    expect(found.cpu_ratio).toBeLessThanOrEqual(1)
    expect(found.memory_ratio).toBeGreaterThan(0)
    expect([found.network_ratio, found.disk_io_ratio]).toEqual([null, null])
    expect(found.reason).toMatch(/not measured/)
    const nothing = measureSaturation(() => 5)()
    expect(nothing.cpu_ratio).toBeNull()
    expect(nothing.reason).toMatch(/too short/)
  })
})

it('an artifact is found by a bucket and a key, wherever it lies', () => {
  const pointer = { version_id: '1', sha256: 'a'.repeat(64) }
  expect(placeOf({ ...pointer, uri: 's3://evidence/projects/p/chunks/1.jsonl' })).toEqual({
    bucket: 'evidence',
    key: 'projects/p/chunks/1.jsonl',
  })
  expect(placeOf({ ...pointer, uri: 'artifact:projects/p/chunks/1.jsonl' })).toEqual({ bucket: 'home', key: 'projects/p/chunks/1.jsonl' })
  expect(() => placeOf({ ...pointer, uri: 'nowhere' })).toThrow(/names no place/)
  expect(keyOf('p', 'plan', '1')).toBe('projects/p/plan/1.json')
})

it('a page about a thousand columns with the longest names stays below 100 KB, and says what it leaves out', async () => {
  const on = await testPlatform()
  const id = await storeSpec(on)
  await tell(on, id)
  const project = await on.ports.projects.get(id)
  const [request] = (await on.ports.approvals.byProject(id)).filter((each) => each.role === 'tech_lead')
  const stored = JSON.parse(Buffer.from(await on.ports.artifacts.get(project.artifacts.migration_plan!)).toString('utf8'))
  const [table] = stored.tables
  const wide = (at: number) => ({
    ...table,
    table_id: `t${at}`,
    columns: Array.from({ length: 100 }, (_, n) => ({ ...table.columns[0], target: `${'\u202E<&"'.repeat(30)}${n}` })),
  })
  const plan = { ...stored, tables: Array.from({ length: 10 }, (_, at) => wide(at)) }
  const pointer = await on.ports.artifacts.put(keyOf(id, 'migration_plan', 'wide'), Buffer.from(JSON.stringify(plan)), {
    contentType: 'application/json',
    retainUntil: new Date(),
  })
  const { body: html } = await pageFor(
    on.ports,
    request!,
    { ...project, artifacts: { ...project.artifacts, migration_plan: pointer } },
    {
      linkToken: 'l',
      formToken: 'f',
    },
  )
  expect(Buffer.byteLength(html)).toBeLessThan(100_000)
  expect(html).toMatch(/more (columns|tables) are not shown here/)
  await on.close()
})
