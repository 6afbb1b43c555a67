import type { Socket } from 'node:net'
import type pg from 'pg'

/** Over what the server may take for one statement: its answer, or its refusal to go on, is on its way. */
const GRACE_MS = 10_000
/** A server that is asked to close answers at once or never. */
const CLOSE_MS = 2000

type Wire = { connection: { stream: Socket }; readyForQuery: boolean }

const socketOf = (client: pg.Client): Socket => (client as unknown as Wire).connection.stream

/**
 * Ends a connection that owes an answer and has been silent for longer than any statement may take. A statement timeout does not help
 * where the network itself swallows what the server says; without this such a comparison would wait for ever. 0: no limit.
 */
export function watchSilence(client: pg.Client, statementTimeoutMs: number): void {
  if (statementTimeoutMs === 0) return
  const socket = socketOf(client)
  const limit = statementTimeoutMs + GRACE_MS
  let heard = { bytes: -1, at: performance.now() }
  const timer = setInterval(
    () => {
      const bytes = socket.bytesRead + socket.bytesWritten
      // While nothing is asked, or we ourselves have stopped listening, silence means nothing.
      if (bytes !== heard.bytes || (client as unknown as Wire).readyForQuery || socket.isPaused()) {
        heard = { bytes, at: performance.now() }
      } else if (performance.now() - heard.at > limit) socket.destroy()
    },
    Math.min(limit / 4, 5000),
  )
  timer.unref()
  socket.once('close', () => clearInterval(timer))
}

/** Says good-bye, and leaves without an answer if there is none. Never throws. */
export async function closeClient(client: pg.Client): Promise<void> {
  const timer = setTimeout(() => socketOf(client).destroy(), CLOSE_MS)
  await client.end().catch(() => {})
  clearTimeout(timer)
}
