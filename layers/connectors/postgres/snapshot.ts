import type { RowSide } from '../../core/encoding/row-stream.ts'
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
): Promise<SnapshotSide> {
  const sessions: Session[] = []
  const close = async () => {
    await Promise.all(sessions.map((session) => session.close()))
  }
  try {
    const main = await openSession(url, { ...options, readOnly: true, side })
    sessions.push(main)
    await main.run('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY')
    const [[seen]] = (await main.rows(
      `SELECT ${main.serverVersion >= 130000 ? 'pg_current_snapshot' : 'txid_current_snapshot'}()::text`,
    )) as [[string]]
    if (connections > 1) {
      const [[exported]] = (await main.rows('SELECT pg_export_snapshot()')) as [[string]]
      for (let i = 1; i < connections; i++) {
        const session = await openSession(url, { ...options, readOnly: true, side })
        sessions.push(session)
        await session.run('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY')
        await session.run(`SET TRANSACTION SNAPSHOT ${quoteLiteral(exported)}`)
      }
    }
    return { side, sessions, main, snapshot: seen, close }
  } catch (error) {
    await close()
    throw error
  }
}
