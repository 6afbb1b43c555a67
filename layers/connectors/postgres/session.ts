import type { ConnectionOptions } from 'node:tls'
import pg from 'pg'
import { isWaybillError, WaybillError } from '../../core/errors.ts'
import { failureOf } from './failure.ts'
import type { Pace } from './pace.ts'
import { type AskPassword, passwordOf } from './passwords.ts'
import { closeClient, watchSilence } from './silence.ts'
import { quoteLiteral } from './sql.ts'
import { diallingOf, tlsFailure, unreadable, wantsOtherWay } from './tls.ts'

export type SessionOptions = {
  readOnly: boolean
  connectTimeoutMs: number
  /** 0: no limit. */
  statementTimeoutMs: number
  /** `source` or `target`: names the connection in messages. */
  side?: string
}

/** One connection with every setting pinned that changes what values look like. Values arrive as the server's text, nothing is decoded. */
export type Session = {
  client: pg.Client
  /** Rows as text, NULL as null. Several statements need `run`. @throws the codes of `failureOf` */
  rows(sql: string, values?: readonly (string | null)[]): Promise<(string | null)[][]>
  /** Statements whose rows do not matter. */
  run(sql: string): Promise<void>
  /** The server's process, for `cancelBackends`: as of connecting, then of the transaction that `pin` looked at. */
  backend: number
  serverVersion: number
  /** How fast rows may be read here; left out: as fast as they come. */
  pace?: Pace | undefined
  /** Notes which server process runs the open transaction of `READ_SNAPSHOT`, and holds it to its settings. @throws as `checkPinned` does */
  pin(): Promise<void>
  /**
   * @throws SEGMENT_INCOMPLETE when this is not the transaction of `pin`, or a setting is not the pinned one: what was read meanwhile cannot be
   * trusted. A pooler that gives each transaction another connection of the server has none of what was set before it
   */
  checkPinned(): Promise<void>
  /** Rejects or throws never; after it nothing else. */
  close(): Promise<void>
  /** Drops the connection at once, whatever it is doing. */
  destroy(): void
}

/** Settings that change the text or the order of values, or hide rows. Also written into `hashing_spec.json`. */
export const PINNED_SETTINGS: Readonly<Record<string, string>> = {
  client_encoding: 'UTF8',
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'iso_8601',
  extra_float_digits: '1',
  bytea_output: 'hex',
  xmloption: 'content',
  lc_monetary: 'C',
  // Unless it is named last, the schema of temporary tables comes first.
  search_path: 'pg_catalog, pg_temp',
  standard_conforming_strings: 'on',
  // With row security off, a policy that would hide rows is an error instead of a smaller table.
  row_security: 'off',
  // A scan that starts in the middle of a table would make the first and last row a matter of luck.
  synchronize_seqscans: 'off',
}

/**
 * Casts between built-in types and text that are not the server's own. Everything Waybill asks for comes as text: counts, names, edges of ranges.
 * Those that merely print (WITH INOUT) change nothing.
 */
const OWN_CASTS = `
(SELECT string_agg(format_type(castsource, NULL) || ' into ' || format_type(casttarget, NULL), ', ')
   FROM pg_cast WHERE oid >= 16384 AND castmethod <> 'i' AND castsource < 16384 AND casttarget < 16384 AND 25 IN (castsource, casttarget))`

/** What must be so in the transaction that reads. */
const IN_SNAPSHOT: Readonly<Record<string, string>> = {
  ...PINNED_SETTINGS,
  transaction_isolation: 'repeatable read',
  transaction_read_only: 'on',
}

const IN_SNAPSHOT_NOW = Object.keys(IN_SNAPSHOT)
  .map((name) => `current_setting(${quoteLiteral(name)})`)
  .join(', ')

/** `SET` of a setting; one that is a list takes its members one by one. */
const setSql = (scope: '' | 'LOCAL ', name: string, value: string) =>
  `SET ${scope}${name} = ${value.split(', ').map(quoteLiteral).join(', ')}`

/**
 * A consistent, read-only view, with every pinned setting the transaction's own: behind a pooler, what was set before it may have been set on
 * another connection of the server. No query is among the statements, so that the snapshot may still be chosen after them.
 */
export const READ_SNAPSHOT = [
  'BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY',
  ...Object.entries(PINNED_SETTINGS).map(([name, value]) => setSql('LOCAL ', name, value)),
].join('; ')

/** `sslmode` of the URL as psql reads it. @throws CONNECTION_FAILED, PERMISSION_DENIED, NOT_FOUND. The password is never in a message. */
export async function openSession(url: string, options: SessionOptions): Promise<Session> {
  const side = options.side ?? 'database'
  const client = await connect(url, options, side)
  watchSilence(client, options.statementTimeoutMs)
  try {
    const settings: Record<string, string> = {
      ...PINNED_SETTINGS,
      statement_timeout: String(options.statementTimeoutMs),
      idle_in_transaction_session_timeout: '0',
      default_transaction_read_only: options.readOnly ? 'on' : 'off',
    }
    await client.query(
      Object.entries(settings)
        .map(([name, value]) => setSql('', name, value))
        .join('; '),
    )
    const facts = await client.query({
      text: `SELECT pg_backend_pid(), current_setting('server_version_num'), ${OWN_CASTS}`,
      rowMode: 'array',
    })
    const [pid, version, casts] = facts.rows[0] as [string, string, string | null]
    if (options.readOnly && casts !== null) {
      throw new WaybillError(
        'NOT_REPRESENTABLE',
        `On the ${side} somebody defined how the server turns ${casts} (CREATE CAST … WITH FUNCTION), so that two values may look alike. Drop the cast, or compare with a database that has none.`,
      )
    }
    return sessionOf(client, side, Number(pid), Number(version))
  } catch (error) {
    await closeClient(client)
    throw failureOf(error, `connecting to the ${side}`)
  }
}

async function connect(url: string, options: SessionOptions, side: string): Promise<pg.Client> {
  const { url: own, ask } = passwordOf(url)
  const { url: plain, attempts } = diallingOf(own, side)
  for (const [at, ssl] of attempts.entries()) {
    const client = makeClient(plain, ssl, options, side)
    if (ask !== null) answering(client, ask, ssl, side)
    // Without a listener a connection lost between two queries would end the process; the next query reports it.
    client.on('error', () => {})
    try {
      await client.connect()
      return client
    } catch (error) {
      await client.end().catch(() => {})
      if (at + 1 < attempts.length && wantsOtherWay(error)) continue
      throw tlsFailure(error, side) ?? failureOf(error, `connecting to the ${side}`)
    }
  }
  throw unreadable(side)
}

/** Threat: such a password is sent as it is. Whoever answers in the server's place could use it there, so it goes to a verified server only. */
function answering(client: pg.Client, ask: AskPassword, ssl: false | ConnectionOptions, side: string): void {
  if (ssl === false || ssl.rejectUnauthorized !== true || ssl.checkServerIdentity !== undefined) {
    throw new WaybillError('PERMISSION_DENIED', `The ${side} gets its password over sslmode=verify-full only. No password was sent.`)
  }
  const { host, port, user = '' } = client
  const password = () =>
    ask({ host, port, user }).catch((error) => {
      if (isWaybillError(error)) throw error
      throw new WaybillError('PERMISSION_DENIED', `No password could be made for the ${side}.`)
    })
  Object.assign(client, { password })
}

function makeClient(url: string, ssl: false | ConnectionOptions, options: SessionOptions, side: string): pg.Client {
  try {
    return new pg.Client({
      connectionString: url,
      ssl,
      connectionTimeoutMillis: options.connectTimeoutMs,
      application_name: 'waybill',
      keepAlive: true,
      // A peer that vanished without a word is noticed within a minute instead of after hours.
      keepAliveInitialDelayMillis: 30_000,
      types: { getTypeParser: () => (value: unknown) => value },
    })
  } catch {
    // The parser's own error quotes the connection string, and with it the password.
    throw unreadable(side)
  }
}

function sessionOf(client: pg.Client, side: string, backend: number, serverVersion: number): Session {
  const session: Session = {
    client,
    backend,
    serverVersion,
    async rows(sql, values) {
      try {
        const result = await client.query<(string | null)[]>({
          text: sql,
          values: values === undefined ? [] : [...values],
          rowMode: 'array',
        })
        return result.rows
      } catch (error) {
        throw failureOf(error, `querying the ${side}`)
      }
    },
    async run(sql) {
      try {
        await client.query(sql)
      } catch (error) {
        throw failureOf(error, `querying the ${side}`)
      }
    },
    async pin() {
      session.backend = await heldTo(session, side, null)
    },
    async checkPinned() {
      await heldTo(session, side, session.backend)
    },
    close: () => closeClient(client),
    destroy() {
      const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection
      stream.destroy()
    },
  }
  return session
}

/** The process that runs the transaction. @throws SEGMENT_INCOMPLETE when a setting is not as it must be, or it is not `process` */
async function heldTo(session: Session, side: string, process: number | null): Promise<number> {
  const [found] = await session.rows(`SELECT pg_backend_pid(), ${IN_SNAPSHOT_NOW}`)
  const [pid, ...now] = found!
  const changed = Object.entries(IN_SNAPSHOT).flatMap(([name, value], i) => (now[i] === value ? [] : [name]))
  if (process !== null && Number(pid) !== process) {
    throw new WaybillError(
      'SEGMENT_INCOMPLETE',
      `The connection to the ${side} was moved to another process of its server within one transaction, so what was read is not one snapshot. Connect to the server itself, or to a pooler that keeps transactions together.`,
    )
  }
  if (changed.length === 0) return Number(pid)
  throw new WaybillError(
    'SEGMENT_INCOMPLETE',
    `On the ${side} ${changed.join(', ')} ${changed.length === 1 ? 'is' : 'are'} not as Waybill set ${changed.length === 1 ? 'it' : 'them'}: changed while rows were read, perhaps by a function behind a view, or never set where they are read, by a pooler. Values read under two settings cannot be compared; leave that object out, or connect to the server itself.`,
  )
}

/** Asks the server, on another connection of the same user, to stop what `backends` are doing. Never throws: the caller is leaving anyway. */
export async function cancelBackends(url: string, backends: readonly number[], connectTimeoutMs: number): Promise<void> {
  if (backends.length === 0) return
  try {
    const session = await openSession(url, { readOnly: true, connectTimeoutMs, statementTimeoutMs: connectTimeoutMs })
    try {
      await session.rows('SELECT count(pg_cancel_backend(pid)) FROM unnest($1::int[]) AS pid', [`{${backends.join(',')}}`])
    } finally {
      await session.close()
    }
  } catch {
    // A server that is gone has nothing left to cancel.
  }
}
