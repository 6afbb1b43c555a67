/** Milliseconds before attempt `n` (from 2) of something that failed: 1, 2, 4 … 30 seconds, each half fixed and half by chance, so that many who lost one server do not come back at once. */
export function backOff(attempt: number, random: () => number = Math.random): number {
  const full = Math.min(30_000, 1000 * 2 ** (attempt - 2))
  return Math.round(full / 2 + (random() * full) / 2)
}

/** Resolves after so long, or at once when the signal says so; never rejects. */
export function waiting(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    signal.addEventListener('abort', done)
  })
}
