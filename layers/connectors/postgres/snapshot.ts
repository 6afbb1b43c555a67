import type { RowSide } from '../../core/encoding/row-stream.ts'
import type { Pace } from './pace.ts'
import { openSession, READ_SNAPSHOT, type Session, type SessionOptions } from './session.ts'
import { quoteLiteral } from './sql.ts'

const SAVEPOINT = 'SAVEPOINT waybill'

/** The connections of one side, all under one snapshot. */
export type SnapshotSide = {
  side: 'source' | 'target'
  sessions: readonly Session[]
  /** The first connection: catalog queries run here. */
  main: Session
  /** `xmin:xmax:xip…`, and where the server stood in its log: what was seen, for the record. */
  snapshot: string
  /** How far a replica had replayed its primary's log, in words; null on a primary. */
  replica: string | null
  /**
   * The rows of a statement under a snapshot of its own, taken now. Runs on the last connection, which comes back to this side's snapshot and has
   * lost its locks; the only connection of a side cannot leave, so that a second one is opened for as long as it takes. None may be reading.
   */
  now(sql: string): Promise<(string | null)[][]>
  /** Lets go of every lock and of a failed statement; the snapshot stays. Locks on every table read would fill the server's lock table. */
  release(): Promise<void>
  close(): Promise<void>
}

/** Both sides as one comparison reads them; the source may be rows of something that is not PostgreSQL. */
export type OpenSides = { source: SnapshotSide | RowSide; target: SnapshotSide }

export function isSnapshot(side: SnapshotSide | RowSide): side is SnapshotSide {
  return 'sessions' in side
}

/** @throws CONNECTION_FAILED, PERMISSION_DENIED, NOT_FOUND */
export async function openSnapshot(
  side: 'source' | 'target',
  url: string,
  connections: number,
  options: Omit<SessionOptions, 'side' | 'readOnly'>,
  pace?: Pace,
): Promise<SnapshotSide> {
  const sessions: Session[] = []
  const close = async () => {
    await Promise.all(sessions.map((session) => session.close()))
  }
  try {
    const begin = async () => {
      const session = await openSession(url, { ...options, readOnly: true, side })
      session.pace = pace
      sessions.push(session)
      await session.run(READ_SNAPSHOT)
      return session
    }
    const main = await begin()
    await main.pin()
    const seen = await look(main)
    const release = async () => {
      await Promise.all(sessions.map((session) => session.run(`ROLLBACK TO ${SAVEPOINT}`)))
    }
    if (connections < 2) {
      await main.run(SAVEPOINT)
      const now = async (sql: string) => {
        const apart = await openSession(url, { ...options, readOnly: true, side })
        try {
          return await readNow(apart, sql)
        } finally {
          await apart.close()
        }
      }
      return { side, sessions, main, ...seen, now, release, close }
    }
    // A subtransaction may not export its snapshot.
    const [[exported]] = (await main.rows('SELECT pg_export_snapshot()')) as [[string]]
    await main.run(SAVEPOINT)
    const join = async (session: Session) => {
      await session.run(`SET TRANSACTION SNAPSHOT ${quoteLiteral(exported)}`)
      await session.pin()
      await session.run(SAVEPOINT)
    }
    for (let i = 1; i < connections; i++) await join(await begin())
    const now = async (sql: string) => {
      const last = sessions.at(-1)!
      const rows = await readNow(last, sql)
      await last.run(READ_SNAPSHOT)
      await join(last)
      return rows
    }
    return { side, sessions, main, ...seen, now, release, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Ends whatever transaction the session is in. */
async function readNow(session: Session, sql: string): Promise<(string | null)[][]> {
  await session.run(`ROLLBACK; ${READ_SNAPSHOT}`)
  const rows = await session.rows(sql)
  await session.run('ROLLBACK')
  return rows
}

/**
 * What a session sees from now on: its snapshot is taken by this statement. A replica numbers no transactions of its own, so the position in
 * its primary's log belongs to the name of what was seen.
 */
async function look(session: Session): Promise<Pick<SnapshotSide, 'snapshot' | 'replica'>> {
  const current = session.serverVersion >= 130000 ? 'pg_current_snapshot' : 'txid_current_snapshot'
  const [[seen, replica, replayed, age]] = (await session.rows(
    `SELECT ${current}()::text, pg_is_in_recovery()::text, pg_last_wal_replay_lsn()::text,
            round(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::numeric, 1)::text`,
  )) as [[string, string, string | null, string | null]]
  if (replica !== 'true') return { snapshot: seen, replica: null }
  const newest =
    age === null ? 'it has replayed no transaction since it started' : `the newest transaction it had replayed was ${age} s old`
  return {
    snapshot: `${seen}; replica at ${replayed ?? 'an unknown position'}`,
    replica: `a replica, read at ${replayed ?? 'an unknown position'} of its primary's log; ${newest}`,
  }
}
