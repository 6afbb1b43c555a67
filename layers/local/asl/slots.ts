import { Halted } from './failure.ts'

/** Lets at most `size` pieces of work run at once; the others wait in line. @throws Halted when `signal` aborts before its turn */
export function slots(size: number): <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T> {
  let free = size
  const line: (() => void)[] = []
  return async (signal, work) => {
    if (free > 0) free--
    // Whoever leaves hands its slot to the first in line.
    else await new Promise<void>((resolve) => line.push(resolve))
    try {
      if (signal.aborted) throw new Halted()
      return await work()
    } finally {
      const next = line.shift()
      if (next === undefined) free++
      else next()
    }
  }
}
