/**
 * How fast one side of a comparison is read. Whoever reads asks after each piece; what waits here is not taken from the connection, so the
 * server stops sending. One for all connections of a side.
 */
export type Pace = {
  /** Waits until this many more rows may be used, and for as long as reading is paused. Returns at once when stopped. */
  take(rows: number): Promise<void>
  pause(): void
  resume(): void
  /** Nobody waits here any more: the connections are being given up. */
  stop(): void
}

/** `rowsPerSecond` null: no limit, pauses only. */
export function openPace(rowsPerSecond: number | null): Pace {
  let free = 0
  let paused = false
  let stopped = false
  const sleepers = new Set<() => void>()
  const wakeAll = () => {
    for (const wake of [...sleepers]) wake()
  }
  const sleep = (milliseconds: number | null) =>
    new Promise<void>((resolve) => {
      const timer = milliseconds === null ? undefined : setTimeout(() => wake(), milliseconds)
      const wake = () => {
        clearTimeout(timer)
        sleepers.delete(wake)
        resolve()
      }
      sleepers.add(wake)
    })
  return {
    async take(rows) {
      if (rowsPerSecond !== null) free = Math.max(free, performance.now()) + (rows * 1000) / rowsPerSecond
      const mine = free
      while (!stopped) {
        const wait = mine - performance.now()
        if (paused) await sleep(null)
        else if (rowsPerSecond !== null && wait > 0) await sleep(wait)
        else return
      }
    },
    pause() {
      paused = true
    },
    resume() {
      paused = false
      wakeAll()
    },
    stop() {
      stopped = true
      wakeAll()
    },
  }
}

/** Chunks of whole row frames, no faster than the pace allows. */
export async function* paced(chunks: AsyncIterable<Buffer>, pace: Pace): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    let rows = 0
    for (let at = 0; at < chunk.byteLength; at += 1 + chunk.readInt32BE(at + 1)) rows++
    await pace.take(rows)
    yield chunk
  }
}
