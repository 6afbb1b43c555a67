import { failureOf } from './failure.ts'
import type { Session } from './session.ts'

/** One query with positional parameters; every value comes back as the text PostgreSQL prints, or null. */
export type Ask = (sql: string, values?: readonly unknown[]) => Promise<Record<string, string | null>[]>

/** Rows by column name, on a session whose values are text. @throws the codes of `failureOf`; `doing` says what was going on */
export function asker(session: Session, doing: string): Ask {
  return async (sql, values = []) => {
    try {
      const result = await session.client.query<Record<string, string | null>>(sql, values.length > 0 ? [...values] : undefined)
      return result.rows
    } catch (error) {
      throw failureOf(error, doing)
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

/** A consistent, read-only view of a source. */
export const READ_SNAPSHOT = 'BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY'
