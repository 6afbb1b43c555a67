import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chainFaults } from '../../layers/core/audit-chain.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { replayLifecycle, unanchoredFaults } from '../../layers/core/evidence/lifecycle-replay.ts'
import { type Advance, advance, open, type ProjectDeps } from '../../layers/core/project-service.ts'
import type { ArtifactPointer } from '../../layers/core/schemas/common.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { type Faults, memoryPorts } from './support/memory-ports.ts'

const pointer = (name: string): ArtifactPointer => ({ uri: `projects/prj-one/${name}/1.json`, version_id: '1', sha256: sha256(name) })

const fresh: ProjectRecord = {
  project_id: 'prj-one',
  revision: 1,
  state: 'CREATED',
  failed_from: null,
  failure: null,
  title: 'Airports',
  migration_id: 'MIG-1',
  author: 'ana@example.com',
  archetype_id: 'postgres-to-postgres',
  plan_version: 0,
  clean_runs: 0,
  created_at: '2026-03-02T09:00:00.000Z',
  updated_at: '2026-03-02T09:00:00.000Z',
  artifacts: { spec: pointer('spec') },
}
const opening = { actor: 'create-project', action: 'PROJECT_CREATED' }
const discovered: Advance = {
  to: 'DISCOVERED',
  actor: 'discover',
  action: 'DISCOVERED',
  artifacts: { discovery_report: pointer('discovery_report') },
}
const failure = { code: 'CONNECTION_FAILED', reason: 'no route', at: '2026-03-02T10:00:00.000Z' }

async function opened(faults: Faults = {}) {
  const ports = memoryPorts(faults)
  await open(ports, fresh, opening)
  return ports
}

/** The same stores, reached after so many turns of the event loop, call by call: writers overtake one another in every order. */
function slowed(ports: Awaited<ReturnType<typeof opened>>, steps: readonly number[]): ProjectDeps {
  let calls = 0
  const late =
    <A extends unknown[], R>(act: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      for (let turn = steps[calls++ % steps.length]!; turn > 0; turn--) await Promise.resolve()
      return act(...args)
    }
  const { projects, audit, anchors, clock } = ports
  return {
    clock,
    projects: { ...projects, get: late(projects.get), update: late(projects.update) },
    audit: { head: late(audit.head), append: late(audit.append), read: late(audit.read) },
    anchors: { anchor: late(anchors.anchor) },
  }
}

describe('advance', () => {
  test('moves, keeps earlier artifacts, enters the change and anchors it', async () => {
    const ports = await opened()
    const after = await advance(ports, 'prj-one', { ...discovered, subject_sha256: sha256('x'), details: { tables: '2' } })
    expect(after).toMatchObject({ state: 'DISCOVERED', revision: 2 })
    expect(Object.keys(after.artifacts)).toEqual(['spec', 'discovery_report'])
    expect(await ports.projects.get('prj-one')).toEqual(after)
    expect(ports.chain('prj-one').map((entry) => entry.action)).toEqual(['PROJECT_CREATED', 'DISCOVERED'])
    expect(ports.chain('prj-one')[1]).toMatchObject({
      subject_sha256: sha256('x'),
      details: { tables: '2', from: 'CREATED', to: 'DISCOVERED', revision: '2' },
    })
    expect(chainFaults(ports.chain('prj-one'))).toEqual([])
    expect(ports.anchored).toHaveLength(2)
  })

  test('an artifact without a move is entered but not anchored', async () => {
    const ports = await opened()
    const after = await advance(ports, 'prj-one', {
      actor: 'test',
      action: 'NOTED',
      artifacts: { policy: pointer('policy') },
      set: { plan_version: 3 },
    })
    expect(after).toMatchObject({ state: 'CREATED', revision: 2, plan_version: 3 })
    expect(ports.chain('prj-one')).toHaveLength(2)
    expect(ports.anchored).toHaveLength(1)
  })

  test('a move that the table does not have is refused, and nothing is entered', async () => {
    const ports = await opened()
    const wrong = advance(ports, 'prj-one', { to: 'EXECUTED', actor: 'test', action: 'EXECUTED' })
    await expect(wrong).rejects.toMatchObject({ code: 'ILLEGAL_TRANSITION' })
    expect(ports.chain('prj-one')).toHaveLength(1)
    await expect(advance(ports, 'prj-two', discovered)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('being there already, with other artifacts, is not taken for a retry', async () => {
    const ports = await opened()
    await advance(ports, 'prj-one', discovered)
    const other = advance(ports, 'prj-one', { ...discovered, artifacts: { discovery_report: pointer('another') } })
    await expect(other).rejects.toMatchObject({ code: 'ILLEGAL_TRANSITION' })
  })

  // Every write of one move, killed just before it and just after it: the retry must end with the same record, one entry, one anchor at least.
  for (const when of ['before', 'after'] as const) {
    test.each(['append', 'update', 'anchor'])(`killed ${when} %s, a retry finishes the move once`, async (what) => {
      let armed = false
      const fault = (happening: string): void => {
        if (!armed || happening !== what) return
        armed = false
        throw new Error('killed')
      }
      const ports = await opened({ [when]: fault })
      armed = true
      await expect(advance(ports, 'prj-one', discovered)).rejects.toThrow('killed')
      const stored = await ports.projects.get('prj-one')
      const entered = ports.chain('prj-one').filter((entry) => entry.action === 'DISCOVERED')
      if (stored.state === 'DISCOVERED') expect(entered, 'a state that nobody recorded').toHaveLength(1)
      await advance(ports, 'prj-one', discovered)
      expect(await ports.projects.get('prj-one')).toMatchObject({ state: 'DISCOVERED', revision: 2 })
      expect(ports.chain('prj-one').filter((entry) => entry.action === 'DISCOVERED')).toHaveLength(1)
      expect(chainFaults(ports.chain('prj-one'))).toEqual([])
      expect(ports.anchored.length).toBeGreaterThanOrEqual(2)
    })
  }

  test('writers at the same time lose nothing', async () => {
    const ports = await opened()
    const changes = Array.from({ length: 8 }, (_, at) => ({
      actor: `run-${at}`,
      action: 'RUN_RECORDED',
      artifacts: { [`recon_report.run-${at}`]: pointer(`run-${at}`) },
      set: (stored: ProjectRecord) => ({ clean_runs: stored.clean_runs + 1 }),
    }))
    await Promise.all(changes.map((change) => advance(ports, 'prj-one', change)))
    const after = await ports.projects.get('prj-one')
    expect(after).toMatchObject({ clean_runs: 8, revision: 9 })
    expect(Object.keys(after.artifacts)).toHaveLength(9)
    expect(chainFaults(ports.chain('prj-one'))).toEqual([])
    // Each revision that was written is covered by an entry, and entries that lost their race are taken back.
    const made = new Set(ports.chain('prj-one').flatMap((entry) => (entry.action === 'RUN_RECORDED' ? [entry.details.revision] : [])))
    for (let revision = 2; revision <= 9; revision++) expect(made).toContain(String(revision))
    const entered = ports.chain('prj-one').filter((entry) => entry.action === 'RUN_RECORDED').length
    const undone = ports.chain('prj-one').filter((entry) => entry.action === 'CHANGE_NOT_MADE').length
    expect(entered - undone).toBe(8)
    for (const change of changes) await advance(ports, 'prj-one', change)
    expect((await ports.projects.get('prj-one')).clean_runs).toBe(8)
  })

  test('writers at the same time, however their steps fall, leave a log that says where the project is', async () => {
    const changes: Advance[] = [
      discovered,
      { to: 'FAILED', actor: 'record-failure', action: 'RUN_FAILED', set: { failure } },
      { actor: 'run', action: 'RUN_RECORDED', artifacts: { 'recon_report.run-1': pointer('run-1') } },
    ]
    const steps = fc.array(fc.nat(12), { minLength: 12, maxLength: 12 })
    const writers = fc.array(fc.record({ change: fc.constantFrom(...changes), steps }), { minLength: 2, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(writers, async (writing) => {
        const ports = await opened()
        await Promise.allSettled(writing.map(({ change, steps }) => advance(slowed(ports, steps), 'prj-one', change)))
        const chain = ports.chain('prj-one')
        const replay = replayLifecycle(chain, ports.heads)
        expect(replay.faults).toEqual([])
        expect(replay.state).toBe((await ports.projects.get('prj-one')).state)
        expect(unanchoredFaults(replay, ports.heads)).toEqual([])
      }),
      { numRuns: 400 },
    )
  })

  test('the same move twice at the same time is one move', async () => {
    const ports = await opened()
    await Promise.all([advance(ports, 'prj-one', discovered), advance(ports, 'prj-one', discovered)])
    expect(await ports.projects.get('prj-one')).toMatchObject({ state: 'DISCOVERED', revision: 2 })
  })

  test('a failure is remembered with where it happened, and resuming forgets it', async () => {
    const ports = await opened()
    await expect(advance(ports, 'prj-one', { to: 'FAILED', actor: 'x', action: 'RUN_FAILED' })).rejects.toMatchObject({ code: 'BAD_INPUT' })
    const failed = await advance(ports, 'prj-one', { to: 'FAILED', actor: 'x', action: 'RUN_FAILED', set: { failure } })
    expect(failed).toMatchObject({ state: 'FAILED', failed_from: 'CREATED', failure })
    const again = await advance(ports, 'prj-one', {
      to: 'FAILED',
      actor: 'x',
      action: 'RUN_FAILED',
      set: { failure: { ...failure, at: '2026-03-02T11:00:00.000Z' } },
    })
    expect(again).toEqual(failed)
    await expect(advance(ports, 'prj-one', { to: 'EXECUTED', actor: 'x', action: 'EXECUTED' })).rejects.toMatchObject({
      code: 'ILLEGAL_TRANSITION',
    })
    const noted = await advance(ports, 'prj-one', { actor: 'x', action: 'NOTED', artifacts: { policy: pointer('policy') } })
    expect(noted).toMatchObject({ state: 'FAILED', failed_from: 'CREATED', failure })
    const resumed = await advance(ports, 'prj-one', discovered)
    expect(resumed).toMatchObject({ state: 'DISCOVERED', failed_from: null, failure: null })
    const back = await advance(ports, 'prj-one', { to: 'FAILED', actor: 'x', action: 'RUN_FAILED', set: { failure } })
    expect(back.failed_from).toBe('DISCOVERED')
    expect(await advance(ports, 'prj-one', { to: 'DISCOVERED', actor: 'x', action: 'RESUMED' })).toMatchObject({
      state: 'DISCOVERED',
      failure: null,
    })
  })

  test('a record of a wrong shape is not written', async () => {
    const ports = await opened()
    await expect(
      advance(ports, 'prj-one', { actor: 'x', action: 'NOTED', artifacts: { 'Not A Name': pointer('x') } }),
    ).rejects.toMatchObject({ code: 'BAD_INPUT' })
    await expect(advance(ports, 'prj-one', { actor: 'x', action: 'NOTED', set: { plan_version: -1 } })).rejects.toMatchObject({
      code: 'BAD_INPUT',
    })
    expect(ports.chain('prj-one')).toHaveLength(1)
  })

  test('without any change it only enters what happened', async () => {
    const ports = await opened()
    expect(await advance(ports, 'prj-one', { actor: 'x', action: 'LOOKED_AT' })).toMatchObject({ revision: 1 })
    expect(ports.chain('prj-one').map((entry) => entry.action)).toEqual(['PROJECT_CREATED', 'LOOKED_AT'])
  })
})

describe('open', () => {
  test.each(['append', 'create', 'anchor'])('killed after %s, a retry opens the project once', async (what) => {
    let armed = true
    const ports = memoryPorts({
      after: (happening) => {
        if (!armed || happening !== what) return
        armed = false
        throw new Error('killed')
      },
    })
    await expect(open(ports, fresh, opening)).rejects.toThrow('killed')
    expect(await open(ports, fresh, opening)).toEqual(fresh)
    expect(ports.chain('prj-one')).toHaveLength(1)
  })

  test('another migration cannot take the id', async () => {
    const ports = await opened()
    await expect(open(ports, { ...fresh, migration_id: 'MIG-2' }, opening)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    await expect(open(ports, { ...fresh, artifacts: { spec: pointer('other') } }, opening)).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    })
    expect(ports.chain('prj-one')).toHaveLength(1)
  })

  test('a store that cannot be read stops the opening', async () => {
    const ports = memoryPorts()
    const broken = { ...ports, projects: { ...ports.projects, get: () => Promise.reject(new WaybillError('PERMISSION_DENIED', 'no')) } }
    await expect(open(broken, fresh, opening)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  })
})
