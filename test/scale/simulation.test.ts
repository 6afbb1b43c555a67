import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { estimateScale, sizeOf } from '../../layers/core/scale/estimate.ts'
import { COUNTED, countsFor, type Run } from '../../layers/core/scale/model.ts'
import { artifactStoreContract } from '../contracts/artifact-store.ts'
import { tablesOf, withTables } from './simulator/document.ts'
import { countsOf } from './simulator/figures.ts'
import { leastSquares, mostOf } from './simulator/fit.ts'
import { memoryArtifacts } from './simulator/memory-artifacts.ts'
import { equalTables, LARGE, workloadOf } from './simulator/scenarios.ts'
import { type Simulation, simulate } from './simulator/simulate.ts'
import type { Figures } from './simulator/simulated.ts'
import { virtualTime } from './simulator/virtual-time.ts'

const simulated = JSON.parse(readFileSync(new URL('simulated.json', import.meta.url), 'utf8')) as Figures[]

const DEAR = new Set<string>(['transitions', 'tasks', 'task_seconds'])

artifactStoreContract('in memory, for simulations', async () => {
  let now = new Date('2026-03-02T10:00:00.000Z')
  const store = memoryArtifacts({ now: () => now })
  const elapse = () => {
    now = new Date('2200-01-01T00:00:00.000Z')
  }
  return { store, second: store, done: async () => {}, elapse }
})

describe('a clock that jumps', () => {
  it('passes in order, only when nothing runs, and a wait that is called off takes no time', async () => {
    const time = virtualTime(new Date(0))
    const seen: string[] = []
    const off = new AbortController()
    await time.until(
      Promise.all([
        time.pass(3_600_000).then(() => seen.push(`hour ${time.now().getTime()}`)),
        time.pass(10).then(async () => {
          off.abort()
          await time.pass(5)
          seen.push(`short ${time.now().getTime()}`)
        }),
        time.sleep(86_400_000, off.signal).then(() => seen.push(`called off ${time.now().getTime()}`)),
      ]),
    )
    expect(seen).toEqual(['called off 10', 'short 15', 'hour 3600000'])
  })
})

describe('a fit', () => {
  it('takes the most that one of several runs of a size asked, count by count, and finds what it grows with', () => {
    const cost = (reads: number, writes: number, seconds: number) => ({
      counts: {
        ...countsFor('migration', sizeOf(workloadOf({ tables: equalTables(1, 1n, 1n), parallelism: 1 }))),
        s3_reads: reads,
        s3_writes: writes,
      },
      seconds,
    })
    const { counts, seconds } = mostOf([cost(920, 31, 7), cost(917, 32, 9), cost(920, 30, 8)])
    expect([counts.s3_reads, counts.s3_writes, seconds]).toEqual([920, 32, 9])
    const sizes = [1, 2, 3, 20].map((tables) => [1, tables])
    const [once, table] = leastSquares(
      sizes,
      sizes.map(([, tables]) => 1015 + 7 * tables!),
    )
    expect([once!.toFixed(3), table!.toFixed(3)]).toEqual(['1015.000', '7.000'])
  })
})

describe('a small migration, simulated', () => {
  const scenario = { tables: equalTables(30, 6_000_000n, 600_000_000n), parallelism: 8 }
  let whole: Simulation
  let sampled: Simulation
  beforeAll(async () => {
    whole = await simulate(scenario)
    sampled = await simulate({ ...scenario, real: 1 })
  }, 300_000)

  it('asks for as much when tasks are counted like one of their kind as when each is done', () => {
    for (const part of ['migration', 'nightly'] as const) {
      const { tally, histories, seconds } = sampled[part]!
      const wholly = whole[part]!.tally
      expect(Object.keys(tally).toSorted()).toEqual(Object.keys(wholly).toSorted())
      // Anchors are made aside, so that how many of them a task finds is not the same in any two runs.
      for (const [what, n] of Object.entries(wholly)) expect.soft(Math.abs(tally[what]! - n), what).toBeLessThan(15 + 0.03 * n)
      expect(histories).toEqual(whole[part]!.histories)
      expect(Math.abs(seconds / whole[part]!.seconds - 1)).toBeLessThan(0.05)
    }
  })

  it('counts what the estimate says', () => {
    const size = sizeOf(workloadOf(scenario))
    const parts: [Run, Simulation['migration']][] = [
      ['migration', whole.migration],
      ['reconciliation', whole.nightly!],
    ]
    for (const [run, part] of parts) {
      const [counted, said] = [countsOf(part), countsFor(run, size)]
      for (const name of COUNTED) {
        // What costs dollars to a tenth; requests, which cost cents, to a quarter: every check that a handler adds is some more of them.
        const share = DEAR.has(name) ? 0.1 : 0.25
        expect
          .soft(Math.abs(said[name] - counted[name]), `${run} ${name}: ${said[name]} for ${counted[name]}`)
          .toBeLessThan(2 + share * counted[name])
      }
    }
  })

  it('counts histories as the service writes them: a state that calls a function is five events', () => {
    const reconcile = whole.nightly!.histories.find(({ machine }) => machine === 'reconcile')!
    // One task: started, entered, scheduled, started, submitted, succeeded, exited, ended.
    expect(reconcile.childEvents).toBe(8)
    expect(reconcile.children).toBe(2)
    expect(reconcile.childTransitions).toBe(4)
  })
})

describe('what was simulated of a terabyte and a billion rows', () => {
  const named = (name: string) => simulated.find((each) => each.name === name)!

  it('is of these very sizes', () => {
    expect(simulated.map(({ name }) => name)).toEqual(LARGE.map(({ name }) => name))
    for (const { name, scenario } of LARGE) {
      const { tables, chunks } = sizeOf(workloadOf(scenario))
      expect([named(name).tables, named(name).chunks]).toEqual([tables, chunks])
      expect(scenario.tables.reduce((sum, { bytes }) => sum + bytes, 0n)).toBe(1_000_000_000_000n)
    }
  })

  it('stays within what was promised', () => {
    for (const each of simulated) {
      expect(each.migration.parent_events).toBeLessThan(2000)
      expect(each.reconciliation.parent_events).toBeLessThan(2000)
      expect(each.payload_bytes).toBeLessThanOrEqual(32 * 1024)
      expect(each.overrides_bytes).toBeLessThanOrEqual(8192)
      expect(each.slowest.seconds).toBeLessThan(300)
      expect(each.profile_seconds).toBeLessThan(900)
      expect(each.connections_per_second).toBeLessThan(200)
      expect(each.page_bytes).toBeLessThan(6_291_456)
    }
  })

  it('costs less than two dollars to reconcile, whatever it is cut into', () => {
    const costs = LARGE.map(({ scenario }) => estimateScale(workloadOf(scenario)).reconciliation.usd!)
    expect(Math.max(...costs)).toBeLessThan(2)
    expect(Math.min(...costs)).toBeGreaterThan(0.1)
  })

  it('is what the estimate says, to a tenth where it costs', () => {
    for (const { name, scenario } of LARGE) {
      const said = estimateScale(workloadOf(scenario))
      for (const run of ['migration', 'reconciliation'] as const) {
        const found = named(name)[run]
        const near = (what: string, one: number, other: number, share: number) =>
          expect.soft(Math.abs(one / other - 1), `${name} ${run} ${what}: ${one} against ${other}`).toBeLessThan(share)
        near('transitions', said[run].transitions!, found.counts.transitions, 0.1)
        near('tasks', said[run].tasks!, found.counts.tasks, 0.1)
        near(
          'vCPU-hours',
          said[run].lines.find(({ what }) => what === 'fargate_vcpu_hours')!.amount,
          (found.task_seconds_billed * 2) / 3600,
          0.1,
        )
        near('seconds', said[run].seconds!, found.seconds, 0.15)
        // Of requests, which cost cents, not much less is said than there are.
        const counts = countsFor(run, sizeOf(workloadOf(scenario)))
        for (const what of COUNTED) {
          expect.soft(counts[what], `${name} ${run} ${what}`).toBeGreaterThanOrEqual(0.7 * found.counts[what] - 2)
          expect.soft(counts[what], `${name} ${run} ${what}`).toBeLessThanOrEqual(2 * found.counts[what] + 2)
        }
      }
    }
  })

  it('stands in docs/scale.md', () => {
    const document = readFileSync(new URL('../../docs/scale.md', import.meta.url), 'utf8')
    expect(withTables(document, tablesOf(simulated))).toBe(document)
  })
})
