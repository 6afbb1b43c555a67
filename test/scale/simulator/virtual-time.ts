import type { Time } from '../../../layers/local/asl/time.ts'

type Timer = { at: number; fire: () => void }

export type VirtualTime = Time & {
  /** Waits, without anything to abort it. */
  pass(milliseconds: number): Promise<void>
  /** Lets time go on, jumping from one thing that is due to the next, until `work` has ended. */
  until<T>(work: Promise<T>): Promise<T>
}

/** The same clock for whom nothing takes any time. */
export function noTime(time: VirtualTime): VirtualTime {
  return { ...time, sleep: async () => {}, pass: async () => {} }
}

/**
 * A clock that stands still while anything runs and jumps when everything waits. It holds only for work that waits for nothing but this clock: a
 * file or a socket would be overtaken, and a state's timeout would come first, which fails the run for everybody to see.
 */
export function virtualTime(start: Date): VirtualTime {
  let now = start.getTime()
  let begun = 0
  const timers = new Set<Timer>()
  const sleep = (milliseconds: number, signal?: AbortSignal): Promise<void> => {
    begun += 1
    if (signal?.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const end = () => {
        timers.delete(timer)
        signal?.removeEventListener('abort', end)
        resolve()
      }
      const timer: Timer = { at: now + Math.max(0, milliseconds), fire: end }
      timers.add(timer)
      signal?.addEventListener('abort', end, { once: true })
    })
  }
  return {
    now: () => new Date(now),
    sleep,
    pass: (milliseconds) => sleep(milliseconds),
    async until(work) {
      let over = false
      const ended = work.finally(() => {
        over = true
      })
      ended.catch(() => undefined)
      while (!over) {
        const before = begun
        for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
        if (over || before !== begun) continue
        let next = Number.POSITIVE_INFINITY
        for (const { at } of timers) if (at < next) next = at
        if (next === Number.POSITIVE_INFINITY) continue
        now = Math.max(now, next)
        for (const timer of [...timers]) if (timer.at <= now) timer.fire()
      }
      return ended
    },
  }
}
