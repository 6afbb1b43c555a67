import type { ConnectorOptions, Source } from '../../core/connector.ts'
import { type Ask, asker, cancelOnAbort, inTransaction } from './ask.ts'
import { readCatalog } from './catalog.ts'
import { planChunks } from './chunks.ts'
import { readIdentity, readRunning } from './identity.ts'
import { readProfile } from './profile.ts'
import { readRowCount } from './row-count.ts'
import { openSession, READ_SNAPSHOT } from './session.ts'
import { readDefinition, tableIdentity } from './table-definition.ts'

/**
 * Reads a PostgreSQL database: one connection, every read in a READ ONLY REPEATABLE READ transaction. Give it a role that has only SELECT:
 * a transaction's READ ONLY is a promise of this program, a missing grant is one of the server.
 * @throws CONNECTION_FAILED, PERMISSION_DENIED, STATEMENT_TIMEOUT, NOT_FOUND, INTERRUPTED
 */
export async function openPostgresSource(url: string, options: ConnectorOptions): Promise<Source> {
  const { connectTimeoutMs, statementTimeoutMs, side = 'source' } = options
  const session = await openSession(url, { readOnly: true, connectTimeoutMs, statementTimeoutMs, side })
  const unwatch = cancelOnAbort(url, session, options)
  const read = <T>(doing: string, work: (ask: Ask) => Promise<T>) =>
    inTransaction(session, READ_SNAPSHOT, () => work(asker(session, doing, options.signal)))
  return {
    identity: () => read('reading which database this is', (ask) => readIdentity(session, ask)),
    running: () => read('asking which server this is', readRunning),
    definitions: (scope) =>
      read('asking which tables these are', async (ask) => {
        const database = await readIdentity(session, ask)
        const found: string[] = []
        for (const table of scope) found.push(tableIdentity(database, await readDefinition((sql) => session.rows(sql), table)))
        return found
      }),
    catalog: (scope) => read(`reading the ${side} catalog`, (ask) => readCatalog(ask, scope)),
    rowCount: (table) => read(`finding out how many rows a ${side} table holds`, (ask) => readRowCount(ask, table)),
    profile: (scope) => read(`profiling the ${side}`, (ask) => readProfile(ask, scope)),
    chunks: (table, rowsPerChunk) => read(`cutting a ${side} table into chunks`, (ask) => planChunks(ask, table, rowsPerChunk)),
    async close() {
      unwatch()
      await session.close()
    },
  }
}
