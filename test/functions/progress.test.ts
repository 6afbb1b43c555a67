import { afterEach, describe, expect, it, vi } from 'vitest'
import { reporting } from '../../functions/work/reporting.ts'
import { BEAT_SECONDS, type WorkProgress } from '../../layers/core/schemas/progress.ts'
import type { WorkerTask } from '../../layers/core/schemas/work.ts'
import { testPlatform } from './support/platform.ts'
import { storeSpec, tell } from './support/story.ts'

const task: WorkerTask = { worker: 'copy-chunk', project_id: 'p1', run_id: 'r1', items: null, ids: ['c1', 'c2'] }

function listener(fails = false) {
  const rows: WorkProgress[] = []
  const warnings: string[] = []
  let now = Date.parse('2026-03-01T10:00:00.000Z')
  return {
    rows,
    warnings,
    deps: {
      clock: { now: () => new Date(now++) },
      log: { info() {}, error() {}, warn: (message: string) => void warnings.push(message) },
      progress: {
        read: async () => rows,
        async report(row: WorkProgress) {
          if (fails) throw new Error('no table')
          rows.push(row)
        },
      },
    },
  }
}

describe('a worker', () => {
  afterEach(() => void vi.useRealTimers())

  it('says that it lives while it has nothing else to say, and stops when it ends', async () => {
    vi.useFakeTimers()
    const { rows, deps } = listener()
    const { end } = reporting(deps, task)
    await vi.advanceTimersByTimeAsync(3 * BEAT_SECONDS * 1000)
    expect(rows.map(({ state }) => state)).toEqual(['working', 'working', 'working', 'working'])
    expect(new Set(rows.map(({ beat_at }) => beat_at)).size).toBe(4)
    expect(new Set(rows.map(({ started_at }) => started_at)).size).toBe(1)
    await end('done')
    await vi.advanceTimersByTimeAsync(3 * BEAT_SECONDS * 1000)
    expect(rows.length).toBe(5)
    expect(rows.at(-1)).toMatchObject({ part: 'c1', items: '2', state: 'done' })
  })

  it('counts the rows of all its items, each at what was last said of it, without losing one', async () => {
    const { rows, deps } = listener()
    const { note, end } = reporting(deps, task)
    note({ worker: 'copy-chunk', table_id: 'a', chunk_id: 'c1', rows: '5' })
    note({ worker: 'copy-chunk', table_id: 'a', chunk_id: 'c1', rows: '9007199254740993' })
    note({ worker: 'copy-chunk', table_id: 'b', chunk_id: 'c2', rows: '2', done: 'true' })
    note({ worker: 'copy-chunk', rows: 'many', table_id: 'b' })
    note({ checks: '4' })
    await end('failed')
    expect(rows.at(-1)).toMatchObject({ table_id: 'b', rows: '9007199254740995', state: 'failed' })
  })

  it('works on when nobody can be told, and warns once', async () => {
    const { deps, warnings } = listener(true)
    const { end } = reporting(deps, task)
    await end('done')
    expect(warnings).toEqual(['progress could not be written; the work goes on'])
  })

  it('does not wait for ever to be heard at its end', async () => {
    vi.useFakeTimers()
    const { deps } = listener()
    const { end } = reporting({ ...deps, progress: { ...deps.progress, report: () => new Promise(() => {}) } }, task)
    const ended = end('done')
    await vi.advanceTimersByTimeAsync(10_000)
    await ended
  })
})

it('a migration leaves a row a task: what was copied, and that it is done', async () => {
  const on = await testPlatform()
  const id = await storeSpec(on)
  on.failNext('copy-chunk', new TypeError('broken'), 1)
  await tell(on, id)
  const rows = await on.ports.progress.read(id)
  expect(new Set(rows.map(({ worker }) => worker))).toEqual(
    new Set(['prepare-target', 'copy-chunk', 'finish-target', 'hash-segments', 'run-checks']),
  )
  expect(rows.filter(({ worker }) => worker === 'copy-chunk').reduce((sum, row) => sum + Number(row.rows), 0)).toBe(30)
  expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(['done']))
  await on.close()
})
