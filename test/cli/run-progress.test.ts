import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type Progress, showProgress } from '../../cli/run/progress.ts'
import type { Terminal } from '../../cli/terminal.ts'
import type { Runner } from '../../layers/local/asl/runner.ts'

let said: string[]
let shown: string[]
let progress: Progress
/** By execution: the state it stands in. */
let states: Record<string, string>

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  said = []
  shown = []
  states = {}
  const terminal: Terminal = {
    out: () => {},
    err: (text) => void said.push(text),
    paint: (_, text) => text,
    progress: (text) => void shown.push(text),
    endProgress: () => {},
    interactive: true,
  }
  const runner: Pick<Runner, 'list' | 'describe'> = {
    list: () => Object.keys(states),
    describe: (name) => ({ standing: [{ frame: 'root', state: states[name]! }] }) as unknown as ReturnType<Runner['describe']>,
  }
  progress = showProgress(terminal, () => ({ runner }))
})
afterEach(() => {
  progress.stop()
  vi.useRealTimers()
})

const hashed = (rows: string, chunk = 's0') => progress.worker({ worker: 'hash-segments', chunk_id: chunk, rows })

it('counts rows a second in one execution only: people who were waited for before the next are no time of it', () => {
  states = { first: 'HashSegments' }
  hashed('0')
  vi.advanceTimersByTime(1000)
  hashed('2000')
  expect(shown.at(-1)).toBe('  HashSegments 2,000 rows · 2,000 rows/s · 1.0 s')
  states = { main: 'RequestApprovalForParallelRun' }
  vi.advanceTimersByTime(40_000)
  states = { second: 'HashSegments' }
  hashed('0')
  vi.advanceTimersByTime(1000)
  hashed('2000')
  hashed('500', 's1')
  expect(shown.at(-1)).toBe('  HashSegments 2,500 rows · 2,500 rows/s · 1.0 s')
})

it('goes on counting where a step is taken up again in the same execution, and where two executions do the same', () => {
  states = { first: 'HashSegments' }
  hashed('1000')
  vi.advanceTimersByTime(1000)
  states = { first: 'HashSegments', other: 'HashSegments' }
  hashed('1000', 's1')
  states = { other: 'HashSegments' }
  vi.advanceTimersByTime(1000)
  hashed('3000', 's1')
  expect(shown.at(-1)).toBe('  HashSegments 4,000 rows · 2,000 rows/s · 2.0 s')
})

const refused = {
  state: 'Discover',
  attempt: 1,
  of: 6,
  waitMs: 3200,
  failure: {
    error: 'CONNECTION_FAILED',
    cause: JSON.stringify({ errorType: 'CONNECTION_FAILED', errorMessage: 'Failed while connecting to the source.\u202e' }),
  },
}

it('says what is tried again, how often, why and when; the same of many pieces once', () => {
  progress.retry(refused)
  progress.retry(refused)
  expect(said).toEqual([
    '↻ Discover: try 1 of 6 failed and is repeated in 3 s. CONNECTION_FAILED: Failed while connecting to the source.\\u{202e}',
  ])
  progress.retry({ ...refused, attempt: 2, waitMs: 100 })
  expect(said.at(-1)).toBe('↻ Discover: try 2 of 6 failed and is repeated now. The same reason.')
  vi.advanceTimersByTime(10_000)
  progress.retry(refused)
  expect(said).toHaveLength(3)
})

it('repeats no words of another library: they may quote rows or addresses', () => {
  progress.retry({ ...refused, failure: { error: 'Error', cause: '{"errorType":"Error","errorMessage":"postgresql://u:secret@h"}' } })
  expect(said.join()).toContain('UNEXPECTED: A step failed with Error')
  expect(said.join()).not.toContain('secret')
})
