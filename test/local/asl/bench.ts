import { load, type Machine } from '../../../layers/local/asl/load.ts'
import type { Platform } from '../../../layers/local/asl/run.ts'
import { createRunner, type Description, type Runner } from '../../../layers/local/asl/runner.ts'
import type { Time } from '../../../layers/local/asl/time.ts'
import { openHome } from '../../../layers/local/home.ts'
import { temporaryFolder } from '../temporary.ts'

/** Time that stands still until a test moves it. */
export class StillTime implements Time {
  private at = Date.parse('2026-03-01T10:00:00.000Z')
  private readonly sleepers = new Set<{ until: number; wake: () => void }>()
  /** Every sleep asked for, in milliseconds. */
  readonly slept: number[] = []

  now(): Date {
    return new Date(this.at)
  }

  sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    this.slept.push(milliseconds)
    return new Promise((resolve) => {
      const sleeper = {
        until: this.at + milliseconds,
        wake: () => {
          this.sleepers.delete(sleeper)
          signal.removeEventListener('abort', sleeper.wake)
          resolve()
        },
      }
      if (signal.aborted) return resolve()
      signal.addEventListener('abort', sleeper.wake)
      this.sleepers.add(sleeper)
    })
  }

  /** Moves to the first moment somebody sleeps for. @returns false when nobody sleeps */
  next(): boolean {
    const first = [...this.sleepers].sort((a, b) => a.until - b.until)[0]
    if (first === undefined) return false
    this.advance(first.until - this.at)
    return true
  }

  advance(milliseconds: number): void {
    this.at += milliseconds
    for (const sleeper of [...this.sleepers]) if (sleeper.until <= this.at) sleeper.wake()
  }
}

export type Bench = {
  runner: Runner
  time: StillTime
  calls: { name: string; payload: unknown }[]
  written: Map<string, string>
  /** What was told of retries. */
  retried: { frame: string; state: string; attempt: number; of: number; waitMs: number; error: string }[]
  folder: string
  stop: AbortController
  /** Another runner on the same home, as the next process would make. */
  again(options?: BenchOptions): Bench
  done(): Promise<void>
}

export type BenchOptions = {
  machines?: Record<string, Machine>
  functions?: Record<string, (payload: never, signal: AbortSignal) => unknown>
  workers?: (task: { taskDefinition: string; environment: Record<string, string>; signal: AbortSignal }) => Promise<void>
  items?: Record<string, string>
  workerSlots?: number
  platform?: Partial<Platform>
  random?: () => number
}

export function machine(states: Record<string, unknown>, rest: Record<string, unknown> = {}): Machine {
  return load({ QueryLanguage: 'JSONata', StartAt: Object.keys(states)[0], States: states, ...rest }, {})
}

export function bench(options: BenchOptions = {}, folder?: string, time = new StillTime()): Bench {
  const temporary = folder === undefined ? temporaryFolder() : null
  const place = folder ?? temporary!.folder
  const home = openHome(place)
  const calls: Bench['calls'] = []
  const written: Bench['written'] = new Map()
  const retried: Bench['retried'] = []
  const stop = new AbortController()
  const platform: Platform = {
    async invoke(name, payload, { signal }) {
      calls.push({ name, payload })
      const found = options.functions?.[name]
      if (found === undefined) throw new Error(`no function ${name}`)
      return found(payload as never, signal)
    },
    async runWorker(task) {
      calls.push({ name: task.taskDefinition, payload: task.environment })
      await options.workers?.(task)
    },
    async readItems({ Key }) {
      const text = options.items?.[Key]
      if (text === undefined) throw new Error(`no items ${Key}`)
      return new TextEncoder().encode(text)
    },
    async writeResults({ Key, bytes }) {
      written.set(Key, new TextDecoder().decode(bytes))
    },
    ...options.platform,
  }
  const runner = createRunner({
    db: home.db,
    locks: home.locks,
    machines: options.machines ?? {},
    platform,
    signal: stop.signal,
    workers: options.workerSlots ?? 4,
    time,
    random: options.random ?? (() => 0.5),
    pollMs: 20,
    onRetry: ({ failure, execution: _, input: __, ...retrying }) => void retried.push({ ...retrying, error: failure.error }),
  })
  const later: Bench[] = []
  return {
    runner,
    time,
    calls,
    written,
    retried,
    folder: place,
    stop,
    again(more = options) {
      const next = bench(more, place, time)
      later.push(next)
      return next
    },
    async done() {
      for (const each of later) await each.done()
      stop.abort()
      await runner.settled()
      home.close()
      temporary?.remove()
    },
  }
}

/** Runs one machine to its end; while nothing happens, time moves to the next moment somebody waits for. */
export async function run(states: Record<string, unknown>, input: unknown, options: BenchOptions = {}, rest: Record<string, unknown> = {}) {
  const on = bench({ ...options, machines: { main: machine(states, rest), ...options.machines } })
  try {
    await on.runner.start('main', 'x1', input)
    const ended = await drive(on, 'x1')
    return { ...on, ended, history: on.runner.history('x1') }
  } finally {
    await on.done()
  }
}

export async function drive({ runner, time }: Bench, name: string): Promise<Description> {
  let over = false
  const ended = runner.wait(name).finally(() => {
    over = true
  })
  ended.catch(() => undefined)
  let quiet = 0
  let seen = -1
  while (!over) {
    await new Promise((resolve) => setTimeout(resolve, 2))
    const events = runner.history(name).length
    quiet = events === seen ? quiet + 1 : 0
    seen = events
    if (quiet > 5 && !over) {
      quiet = 0
      time.next()
    }
  }
  return ended
}

export const lambda = (name: string, more: Record<string, unknown> = {}) => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke',
  Arguments: { FunctionName: name, Payload: '{% $states.input %}' },
  Output: '{% $states.result.Payload %}',
  ...more,
})

export const waiting = (name: string, more: Record<string, unknown> = {}) => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
  Arguments: { FunctionName: name, Payload: { token: '{% $states.context.Task.Token %}' } },
  ...more,
})

export const worker = (name: string, value: string, more: Record<string, unknown> = {}) => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::ecs:runTask.sync',
  Arguments: {
    Cluster: 'c',
    LaunchType: 'FARGATE',
    TaskDefinition: name,
    Overrides: { ContainerOverrides: [{ Name: 'worker', Environment: [{ Name: 'WAYBILL_TASK', Value: value }] }] },
  },
  ...more,
})
