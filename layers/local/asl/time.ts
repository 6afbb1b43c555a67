/** Time as the interpreter sees it; a test brings its own. */
export type Time = {
  now(): Date
  /** Resolves after `milliseconds`, or as soon as `signal` aborts; never rejects. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>
}

/** setTimeout takes 31 bits: about 24.8 days. An approval may wait longer. */
const LONGEST = 2 ** 31 - 1

export const systemTime: Time = {
  now: () => new Date(),
  async sleep(milliseconds, signal) {
    const end = Date.now() + milliseconds
    for (let left = milliseconds; left > 0 && !signal.aborted; left = end - Date.now()) await pause(Math.min(left, LONGEST), signal)
  },
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    signal.addEventListener('abort', done, { once: true })
  })
}
