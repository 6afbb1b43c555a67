import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chainFaults, nextEntry } from '../../layers/core/audit-chain.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { replayLifecycle, unanchoredFaults } from '../../layers/core/evidence/lifecycle-replay.ts'
import { record } from '../../layers/core/ledger.ts'
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
    projects: { ...projects, get: late(projects.get), create: late(projects.create), update: late(projects.update) },
    audit: { head: late(audit.head), append: late(audit.append), read: late(audit.read) },
    anchors: { anchor: late(anchors.anchor) },
  }
}

/** Record and log of the project say the same. */
function agree(ports: Awaited<ReturnType<typeof opened>>) {
  const replay = replayLifecycle(ports.chain('prj-one'))
  expect(replay.faults).toEqual([])
  const { state, revision } = ports.stored('prj-one')!
  expect({ state, revision }).toEqual({ state: replay.state, revision: replay.revision })
  return replay
}

describe('beginning anew', () => {
  const anew: Advance = { to: 'CREATED', actor: 'x', action: 'SPEC_CORRECTED', artifacts: { spec: pointer('other') }, anew: true }
  const fail: Advance = { to: 'FAILED', actor: 'x', action: 'RUN_FAILED', set: { failure } }

  test('keeps what it begins with, and nothing else', async () => {
    const ports = await opened()
    await advance(ports, 'prj-one', discovered)
    await advance(ports, 'prj-one', fail)
    const after = await advance(ports, 'prj-one', { ...anew, set: { author: 'bo@example.com' } })
    expect(after).toMatchObject({ state: 'CREATED', failed_from: null, failure: null, author: 'bo@example.com' })
    expect(after.artifacts).toEqual({ spec: pointer('other') })
    agree(ports)
  })

  test('is for a project that failed, without a signed plan', async () => {
    const ports = await opened()
    await advance(ports, 'prj-one', discovered)
    await expect(advance(ports, 'prj-one', anew)).rejects.toMatchObject({ code: 'ILLEGAL_TRANSITION' })
    await advance(ports, 'prj-one', { ...fail, set: { failure, plan_version: 1 } })
    await expect(advance(ports, 'prj-one', anew)).rejects.toMatchObject({ code: 'ILLEGAL_TRANSITION' })
  })
})

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
    test.each(['update', 'anchor'])(`killed ${when} %s, a retry finishes the move once`, async (what) => {
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
      expect(entered, 'record and log say the same').toHaveLength(stored.state === 'DISCOVERED' ? 1 : 0)
      await advance(ports, 'prj-one', discovered)
      expect(await ports.projects.get('prj-one')).toMatchObject({ state: 'DISCOVERED', revision: 2 })
      expect(ports.chain('prj-one').filter((entry) => entry.action === 'DISCOVERED')).toHaveLength(1)
      expect(chainFaults(ports.chain('prj-one'))).toEqual([])
      expect(ports.heads.at(-1), 'the move lies under an anchor').toBe(1)
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
    const changed = ports.chain('prj-one').filter((entry) => entry.action === 'RUN_RECORDED')
    expect(changed.map(({ details }) => details.revision)).toEqual(['2', '3', '4', '5', '6', '7', '8', '9'])
    for (const change of changes) await advance(ports, 'prj-one', change)
    expect((await ports.projects.get('prj-one')).clean_runs).toBe(8)
  })

  test('writers at the same time, however their steps fall and wherever they are killed, leave record and log together', async () => {
    const changes: Advance[] = [
      discovered,
      { to: 'FAILED', actor: 'record-failure', action: 'RUN_FAILED', set: { failure } },
      { actor: 'run', action: 'RUN_RECORDED', artifacts: { 'recon_report.run-1': pointer('run-1') } },
      { actor: 'run', action: 'RUN_RECORDED', artifacts: { 'recon_report.run-2': pointer('run-2') } },
      { actor: 'count', action: 'NIGHTS_COUNTED', set: { clean_runs: 3 } },
      { actor: 'somebody', action: 'LOOKED_AT' },
    ]
    const steps = fc.array(fc.nat(12), { minLength: 12, maxLength: 12 })
    const writers = fc.array(fc.record({ change: fc.constantFrom(...changes), steps }), { minLength: 2, maxLength: 6 })
    // For each write in turn: killed before it, killed after it (or its answer lost, which is the same to a caller), or let through.
    const fates = fc.array(fc.constantFrom('before', 'after', 'through', 'through'), { maxLength: 24 })
    await fc.assert(
      fc.asyncProperty(writers, fates, async (writing, fates) => {
        let [armed, write] = [false, 0]
        const fate = (when: 'before' | 'after') => () => {
          if (!armed) return
          const wanted = fates[write]
          if (when === 'after') write++
          if (wanted !== when) return
          if (when === 'before') write++
          throw new Error('killed')
        }
        const ports = await opened({ before: fate('before'), after: fate('after') })
        armed = true
        const ended: Promise<unknown>[] = writing.map(async ({ change, steps }) => {
          for (;;) {
            try {
              return await advance(slowed(ports, steps), 'prj-one', change)
            } catch (error) {
              if (!(error instanceof Error) || error.message !== 'killed') throw error
              agree(ports)
            }
          }
        })
        for (const outcome of await Promise.allSettled(ended))
          if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ILLEGAL_TRANSITION' })
        armed = false
        const replay = agree(ports)
        expect(unanchoredFaults(replay, ports.heads)).toEqual([])
        expect(chainFaults(ports.chain('prj-one'))).toEqual([])
        const stored = await ports.projects.get('prj-one')
        for (const { change } of writing)
          for (const name of Object.keys(change.artifacts ?? {}))
            expect([name, Object.keys(stored.artifacts)]).toEqual([name, expect.arrayContaining([name])])
      }),
      { numRuns: 500 },
    )
  })

  test('a log that moved on without its record, or a record without its log, is written to by nobody', async () => {
    const forged = async (ports: Awaited<ReturnType<typeof opened>>, details: Record<string, string>, action = 'RUN_RECORDED') => {
      const [head, at] = [ports.chain('prj-one').at(-1)!, ports.clock.now().toISOString()]
      await ports.audit.append(nextEntry(head, { project_id: 'prj-one', at, actor: 'waybill', action, details }))
    }
    type Ports = Awaited<ReturnType<typeof opened>>
    const forgeries: Record<string, (ports: Ports) => Promise<void>> = {
      'an entry for the next revision': (ports) => forged(ports, { from: 'DISCOVERED', to: 'DISCOVERED', revision: '3' }),
      'a move for the next revision': (ports) => forged(ports, { from: 'DISCOVERED', to: 'PLAN_DRAFTED', revision: '3' }),
      'an entry for one that was': (ports) => forged(ports, { from: 'CREATED', to: 'FAILED', revision: '2' }),
      'an entry far ahead': (ports) => forged(ports, { from: 'DISCOVERED', to: 'DISCOVERED', revision: '900' }),
      'an entry for none': (ports) => forged(ports, { from: 'DISCOVERED', to: 'PLAN_DRAFTED' }),
      'another state in the record': async (ports) => ports.put({ ...(await ports.projects.get('prj-one')), state: 'PLANNED' }),
      'another revision in the record': async (ports) => ports.put({ ...(await ports.projects.get('prj-one')), revision: 3 }),
      'an earlier record': async (ports) => ports.put(fresh),
      'no record': async (ports) => ports.put(null),
    }
    const plan: Advance = { to: 'PLAN_DRAFTED', actor: 'compile', action: 'PLAN_COMPILED' }
    for (const [what, forge] of Object.entries(forgeries)) {
      const ports = await opened()
      await advance(ports, 'prj-one', discovered)
      await forge(ports)
      const [before, anchors] = [ports.chain('prj-one').length, ports.heads.length]
      for (const change of [plan, discovered])
        await expect(advance(ports, 'prj-one', change), what).rejects.toMatchObject({
          code: 'EVIDENCE_INVALID',
          message: expect.stringMatching(
            /^Nothing was written to project prj-one, because .*waybill audit verify prj-one.* another project id/,
          ),
        })
      await expect(open(ports, fresh, opening), what).rejects.toMatchObject({ code: 'EVIDENCE_INVALID' })
      expect([ports.chain('prj-one').length, ports.heads.length], what).toEqual([before, anchors])
    }
    const ports = await opened()
    await forged(ports, { entry: '0', revision: '1' }, 'CHANGE_NOT_MADE')
    expect(await advance(ports, 'prj-one', discovered), 'what claims no state is a remark').toMatchObject({ state: 'DISCOVERED' })
  })

  test('a write whose one half is seen before the other is waited for', async () => {
    const ports = await opened()
    const early = await ports.projects.get('prj-one')
    await advance(ports, 'prj-one', discovered)
    let late = 5
    const projects = { ...ports.projects, get: async (id: string) => (late-- > 0 ? early : ports.projects.get(id)) }
    const noted: Advance = { actor: 'x', action: 'NOTED', artifacts: { policy: pointer('policy') } }
    expect(await advance({ ...ports, projects }, 'prj-one', noted)).toMatchObject({ state: 'DISCOVERED', revision: 3 })
  })

  test('for that half it waits longer and longer, and 3.6 s at the most; where nothing is late it waits for nothing', async () => {
    const noted: Advance = { actor: 'x', action: 'NOTED', artifacts: { policy: pointer('policy') } }
    const waitedFor = async (late: number) => {
      const ports = await opened()
      const early = await ports.projects.get('prj-one')
      await advance(ports, 'prj-one', discovered)
      const pauses: number[] = []
      const clock = { ...ports.clock, pauseUpTo: async (milliseconds: number) => void pauses.push(milliseconds) }
      const projects = { ...ports.projects, get: async (id: string) => (late-- > 0 ? early : ports.projects.get(id)) }
      const outcome = await advance({ ...ports, projects, clock }, 'prj-one', noted).then(
        ({ revision }) => revision,
        ({ code }) => code,
      )
      return { outcome, pauses }
    }
    expect(await waitedFor(0)).toEqual({ outcome: 3, pauses: [] })
    expect(await waitedFor(1)).toEqual({ outcome: 3, pauses: [] })
    expect(await waitedFor(3)).toEqual({ outcome: 3, pauses: [10, 20] })
    const longest = [10, 20, 40, 80, 160, 320, 500, 500, 500, 500, 500, 500]
    expect(await waitedFor(13)).toEqual({ outcome: 3, pauses: longest })
    expect(await waitedFor(14)).toEqual({ outcome: 'EVIDENCE_INVALID', pauses: longest })
  })

  test('ten writers at once, to whom the record is shown later than the log, all get through', async () => {
    const ports = await opened()
    const shown = [fresh]
    const lateBy = (behind: number) => {
      let asked = behind
      return {
        ...ports.projects,
        get: async () => shown.at(Math.max(-shown.length, -1 - (asked++ % 4)))!,
        update: async (...[record, entry]: Parameters<typeof ports.projects.update>) => {
          const outcome = await ports.projects.update(record, entry)
          if (outcome === 'WRITTEN') shown.push(record)
          return outcome
        },
      }
    }
    const pauses: number[] = []
    const clock = { ...ports.clock, pauseUpTo: async (milliseconds: number) => void pauses.push(milliseconds) }
    const writers = Array.from({ length: 10 }, (_, at) =>
      advance({ ...ports, clock, projects: lateBy(at) }, 'prj-one', {
        actor: `run-${at}`,
        action: 'RUN_RECORDED',
        artifacts: { [`recon_report.run-${at}`]: pointer(`run-${at}`) },
        set: (stored) => ({ clean_runs: stored.clean_runs + 1 }),
      }),
    )
    await Promise.all(writers)
    expect(await ports.projects.get('prj-one')).toMatchObject({ clean_runs: 10, revision: 11 })
    expect(chainFaults(ports.chain('prj-one'))).toEqual([])
    expect(pauses.length).toBeGreaterThan(0)
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
  test.each(['create', 'anchor'])('killed after %s, a retry opens the project once', async (what) => {
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
    expect(ports.heads.at(-1)).toBe(0)
  })

  test('many at once open one project, behind what its log says already', async () => {
    const ports = memoryPorts()
    await advance(ports, 'prj-one', discovered).catch(() => {})
    await record(ports, 'prj-one', { actor: 'record-failure', action: 'RUN_FAILED' })
    await Promise.all([...Array(5)].map((_, at) => open(slowed(ports, [at, 3, at * 2, 1]), fresh, opening)))
    expect(ports.chain('prj-one').map(({ action }) => action)).toEqual(['RUN_FAILED', 'PROJECT_CREATED'])
    agree(ports)
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
