import type { SystemIdentity } from '../../core/schemas/identity.ts'
import type { Ask } from './ask.ts'
import type { Session } from './session.ts'

/** Which database of which server a session is on. The system identifier is null where the role may not read the control file. */
export async function readIdentity(session: Session, ask: Ask): Promise<SystemIdentity> {
  const [database] = await ask(
    `SELECT oid::text AS oid, datname AS name, has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')::text AS readable
       FROM pg_database WHERE datname = current_database()`,
  )
  const [control] =
    database?.readable === 'true' ? await ask('SELECT system_identifier::text AS id FROM pg_catalog.pg_control_system()') : []
  return {
    kind: 'postgresql',
    server: `${session.client.host.toLowerCase()}:${session.client.port}`,
    system_identifier: unsigned(control?.id ?? null),
    database_oid: database?.oid ?? '',
    database: database?.name ?? '',
  }
}

/** When the server was started, to the microsecond, and whether it replays another's log. Null where this role may not ask. */
export async function readRunning(ask: Ask): Promise<string | null> {
  const [may] = await ask(`SELECT has_function_privilege('pg_catalog.pg_postmaster_start_time()', 'EXECUTE')::text AS ask`)
  if (may?.ask !== 'true') return null
  const [server] = await ask(
    `SELECT (pg_catalog.pg_postmaster_start_time() AT TIME ZONE 'UTC')::text || ' ' || pg_catalog.pg_is_in_recovery()::text AS running`,
  )
  return server?.running ?? null
}

/** The server prints its 64 unsigned bits as a signed number. */
function unsigned(text: string | null): string | null {
  return text === null ? null : BigInt.asUintN(64, BigInt(text)).toString()
}
