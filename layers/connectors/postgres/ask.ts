import type { ConnectorOptions } from '../../core/connector.ts'
import { WaybillError } from '../../core/errors.ts'
import { failureOf } from './failure.ts'
import { cancelBackends, type Session } from './session.ts'

/** One query with positional parameters; every value comes back as the text PostgreSQL prints, or null. */
export type Ask = (sql: string, values?: readonly unknown[]) => Promise<Record<string, string | null>[]>

/** Rows by column name, on a session whose values are text. @throws the codes of `failureOf`; `doing` says what was going on */
export function asker(session: Session, doing: string, signal?: AbortSignal): Ask {
  return async (sql, values = []) => {
    if (signal?.aborted) throw interrupted(doing)
    try {
      const result = await session.client.query<Record<string, string | null>>(sql, values.length > 0 ? [...values] : undefined)
      return result.rows
    } catch (error) {
      throw signal?.aborted ? interrupted(doing) : failureOf(error, doing)
    }
  }
}

/**
 * Runs `work` in a transaction; whatever goes wrong, nothing of it stays.
 * @throws what `work` throws, and the codes of `failureOf`
 */
export async function inTransaction<T>(session: Session, begin: string, work: () => Promise<T>): Promise<T> {
  await session.run(begin)
  try {
    const result = await work()
    await session.run('COMMIT')
    return result
  } catch (error) {
    await session.run('ROLLBACK').catch(() => {})
    throw error
  }
}

/** Stops the server's work for this session when the caller is told to stop. Returns what ends the watching. */
export function cancelOnAbort(url: string, session: Session, options: ConnectorOptions): () => void {
  const cancel = () => void cancelBackends(url, [session.backend], options.connectTimeoutMs)
  options.signal.addEventListener('abort', cancel, { once: true })
  return () => options.signal.removeEventListener('abort', cancel)
}

function interrupted(doing: string): WaybillError {
  return new WaybillError('INTERRUPTED', `Interrupted while ${doing}. Start it again.`)
}
