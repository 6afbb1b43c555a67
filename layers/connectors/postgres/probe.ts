import { openSession, type SessionOptions } from './session.ts'

/** Reads a little of the catalog: slow when processor, disk or connection are busy, and never in the way of anybody. */
const QUESTION = 'SELECT count(*) FROM pg_catalog.pg_class'
const INTERVAL_MS = 500
/** One quick answer between slow ones is luck. */
const QUICK_ANSWERS = 2

export type ProbeEvents = {
  /** The server took longer than allowed, or has not answered for so long. */
  slow(milliseconds: number): void
  /** It answers in time again. */
  quick(milliseconds: number): void
  /** The probe's own connection is gone: nobody knows how the server is. */
  lost(): void
}

export type Probe = { close(): Promise<void> }

/** Asks one small question again and again on a connection of its own. @throws CONNECTION_FAILED, PERMISSION_DENIED, NOT_FOUND */
export async function openProbe(
  url: string,
  options: Omit<SessionOptions, 'readOnly'>,
  limitMs: number,
  events: ProbeEvents,
): Promise<Probe> {
  const session = await openSession(url, { ...options, readOnly: true })
  let closed = false
  let slow = false
  let quickAnswers = 0
  let timer: NodeJS.Timeout | undefined
  const late = (milliseconds: number) => {
    quickAnswers = 0
    if (slow || closed) return
    slow = true
    events.slow(milliseconds)
  }
  const ask = async () => {
    const from = performance.now()
    const alarm = setTimeout(() => late(limitMs), limitMs)
    try {
      await session.rows(QUESTION)
    } catch {
      if (!closed) events.lost()
      return
    } finally {
      clearTimeout(alarm)
    }
    if (closed) return
    const milliseconds = Math.round(performance.now() - from)
    if (milliseconds > limitMs) late(milliseconds)
    else if (slow && ++quickAnswers >= QUICK_ANSWERS) {
      slow = false
      events.quick(milliseconds)
    }
    timer = setTimeout(() => void ask(), INTERVAL_MS)
  }
  void ask()
  return {
    async close() {
      closed = true
      clearTimeout(timer)
      session.destroy()
      await session.close()
    },
  }
}
