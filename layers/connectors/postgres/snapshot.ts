import type { RowSide } from '../../core/encoding/row-stream.ts'
import { READ_SNAPSHOT } from './ask.ts'
import type { Pace } from './pace.ts'
import { openSession, type Session, type SessionOptions } from './session.ts'
import { quoteLiteral } from './sql.ts'

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
    const seen = await look(main)
    if (connections > 1) {
      const [[exported]] = (await main.rows('SELECT pg_export_snapshot()')) as [[string]]
      for (let i = 1; i < connections; i++) {
        const session = await begin()
        await session.run(`SET TRANSACTION SNAPSHOT ${quoteLiteral(exported)}`)
      }
    }
    return { side, sessions, main, ...seen, close }
  } catch (error) {
    await close()
    throw error
  }
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
