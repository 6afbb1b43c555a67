import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type Progress, showProgress } from '../../cli/run/progress.ts'
import type { Terminal } from '../../cli/terminal.ts'
import type { Runner } from '../../layers/local/asl/runner.ts'

let terminal: { -readonly [K in keyof Terminal]: Terminal[K] }
let said: string[]
let shown: string[]
let progress: Progress
/** By execution: the state it stands in, and since when. */
let states: Record<string, string>
let entered: string
/** What the person of a waiting project is asked; null before the request was sent. */
let questions: string[] | null

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  said = []
  shown = []
  states = {}
  entered = '1'
  questions = null
  terminal = {
    out: () => {},
    err: (text) => void said.push(text),
    paint: (_, text) => text,
    progress: (text) => void shown.push(text),
    endProgress: () => {},
    interactive: true,
  }
  const runner: Pick<Runner, 'list' | 'describe'> = {
    list: () => Object.keys(states),
    describe: (name) => {
      const standing = [{ frame: 'root', state: states[name]!, entered_at: entered }]
      return { standing, input: { project_id: 'p1' } } as unknown as ReturnType<Runner['describe']>
    },
  }
  progress = showProgress(
    terminal,
    () => ({ runner }),
    async () => questions,
  )
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

it('closes each step of a log with all of its rows and the time since it was entered, once, before what comes next', () => {
  terminal.interactive = false
  const look = () => vi.advanceTimersByTime(150)
  states = { main: 'CopyChunk' }
  look()
  vi.advanceTimersByTime(850)
  progress.worker({ worker: 'copy-chunk', chunk_id: 'a', rows: '1000' })
  progress.worker({ worker: 'copy-chunk', chunk_id: 'a', rows: '206000', done: 'true' })
  // Between two batches.
  states = {}
  look()
  states = { main: 'CopyChunk' }
  progress.worker({ worker: 'copy-chunk', chunk_id: 'b', rows: '12', done: 'true' })
  states = { main: 'FinishTarget' }
  look()
  expect(said).toEqual(['▸ CopyChunk', '  CopyChunk 206,012 rows in 1.0 s', '▸ FinishTarget'])
  states = { second: 'HashSegments' }
  hashed('7')
  progress.stop()
  progress.stop()
  expect(said.slice(3)).toEqual(['▸ HashSegments', '  HashSegments 7 rows in 0 ms'])
})

it('asks what a waiting person is asked until it is there, and again in the next round', async () => {
  const look = () => vi.advanceTimersByTimeAsync(150)
  states = { main: 'RequestDecisions' }
  await look()
  expect(said).toEqual(['▸ RequestDecisions'])
  questions = ['  q1']
  await look()
  await look()
  expect(said).toEqual(['▸ RequestDecisions', '  q1'])
  // Answered, planned anew and asked again before anybody looked.
  entered = '2'
  questions = null
  await look()
  questions = ['  q2']
  await look()
  await look()
  expect(said).toEqual(['▸ RequestDecisions', '  q1', '  q2'])
})

const refused: Parameters<Progress['retry']>[0] = {
  execution: 'e1',
  frame: 'root',
  input: { project_id: 'p1' },
  state: 'Discover',
  attempt: 1,
  of: 6,
  waitMs: 3200,
  failure: {
    error: 'CONNECTION_FAILED',
    cause: JSON.stringify({ errorType: 'CONNECTION_FAILED', errorMessage: 'Failed while connecting to the source.\u202e' }),
  },
}

/** A batch of a Map's items. */
const batch = (frame: string, ...chunks: string[]) => ({
  ...refused,
  state: 'CopyChunk',
  frame,
  input: { BatchInput: {}, Items: chunks.map((chunk_id) => ({ chunk_id })) },
})

it('says what is tried again, how often, why and when', () => {
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

it('loses no failed try: the first of many for one reason at once, the others together, named or counted', () => {
  const why = 'CONNECTION_FAILED: Failed while connecting to the source.\\u{202e}'
  progress.retry(batch('root/1.0', 'flights-0001', 'flights-0002'))
  progress.retry(batch('root/1.1', 'airports-0001'))
  progress.retry(batch('root/1.2', 'carriers-0001'))
  const first = `↻ CopyChunk of flights-0001, flights-0002: try 1 of 6 failed and is repeated in 3 s. ${why}`
  expect(said).toEqual([first])
  progress.retry({ ...batch('root/1.3', 'routes-0001'), failure: { error: 'Error', cause: '' } })
  expect(said.at(-1)).toMatch(/^↻ CopyChunk of routes-0001: try 1 of 6 .* UNEXPECTED: /)
  // Another migration.
  progress.retry({ ...batch('root/1.0', 'orders-0001'), execution: 'e2' })
  expect(said.at(-1)).toBe(`↻ CopyChunk of orders-0001: try 1 of 6 failed and is repeated in 3 s. ${why}`)
  vi.advanceTimersByTime(2200)
  expect(said.slice(3)).toEqual([
    '↻ CopyChunk of airports-0001, carriers-0001: try 1 of 6 failed as well and is repeated. The same reason.',
  ])
  progress.retry({ ...batch('root/1.1', 'airports-0001'), attempt: 2 })
  expect(said.at(-1)).toBe('↻ CopyChunk of airports-0001: try 2 of 6 failed and is repeated in 3 s. The same reason.')
})

it('tells what it kept when it ends, and never a line a piece', () => {
  for (let n = 0; n < 50; n++) progress.retry(batch(`root/1.${n}`, `chunk-${n}`))
  progress.stop()
  expect(said.slice(1)).toEqual([
    '↻ CopyChunk of chunk-1, chunk-2, chunk-3 and 46 more: try 1 of 6 failed as well and is repeated. The same reason.',
  ])
})

it('repeats no words of another library: they may quote rows or addresses', () => {
  progress.retry({ ...refused, failure: { error: 'Error', cause: '{"errorType":"Error","errorMessage":"postgresql://u:secret@h"}' } })
  expect(said.join()).toContain('UNEXPECTED: A step failed with Error')
  expect(said.join()).not.toContain('secret')
})
