import type { ReconcileOptions } from '../../core/connector.ts'
import type { RowSide } from '../../core/encoding/row-stream.ts'
import { WaybillError } from '../../core/errors.ts'
import { openPace, type Pace } from './pace.ts'
import { openProbe, type Probe } from './probe.ts'
import { cancelBackends } from './session.ts'
import { isSnapshot, type OpenSides, openSnapshot, type SnapshotSide } from './snapshot.ts'

/** One end of a comparison: a PostgreSQL database by URL, or rows of something else. */
export type ReconcilerEnd = { systemType: string; url: string } | { systemType: string; rows: RowSide }

/** Every connection of one comparison, while it lasts. */
export type OpenEnds = {
  sides: OpenSides
  /** Drops every connection at once and tells the servers, which do not notice a dropped connection in the middle of a sort. Never throws. */
  stop(): Promise<void>
  close(): Promise<void>
}

export type EndsOptions = Pick<ReconcileOptions, 'statementTimeoutMs' | 'throttle' | 'onPause'> & {
  connectTimeoutMs: number
  /** On each side, the probe's among them. */
  connections: number
}

/** @throws CONNECTION_FAILED, PERMISSION_DENIED, NOT_FOUND; BAD_INPUT when the probe would take the only connection */
export async function openEnds(source: ReconcilerEnd, targetUrl: string, options: EndsOptions): Promise<OpenEnds> {
  const session = { connectTimeoutMs: options.connectTimeoutMs, statementTimeoutMs: options.statementTimeoutMs }
  const { rowsPerSecond, pauseAboveMs } = options.throttle ?? {}
  const pacing = rowsPerSecond !== undefined || pauseAboveMs !== undefined
  const paces: Pace[] = []
  const pace = () => {
    if (!pacing) return undefined
    const made = openPace(rowsPerSecond ?? null)
    paces.push(made)
    return made
  }
  const sourceUrl = 'url' in source ? source.url : null
  const probed = sourceUrl !== null && pauseAboveMs !== undefined
  if (probed && options.connections < 2) {
    throw new WaybillError('BAD_INPUT', 'Watching how fast the source answers takes a connection of its own. Allow at least 2 connections.')
  }
  let stopped: Promise<void> | null = null
  let probe: Probe | null = null
  const sides: { source?: SnapshotSide | RowSide; target?: SnapshotSide } = {}
  const snapshots = () => [sides.source, sides.target].filter((side) => side !== undefined).filter(isSnapshot)
  const stop = () => {
    for (const one of paces) one.stop()
    for (const side of snapshots()) for (const one of side.sessions) one.destroy()
    stopped ??= (async () => {
      const urls = { source: sourceUrl, target: targetUrl }
      await Promise.all([
        probe?.close(),
        ...snapshots().map((side) =>
          cancelBackends(
            urls[side.side]!,
            side.sessions.map((one) => one.backend),
            options.connectTimeoutMs,
          ),
        ),
      ])
    })()
    return stopped
  }
  const close = async () => {
    for (const one of paces) one.stop()
    await stopped
    await Promise.all([probe?.close(), ...snapshots().map((side) => side.close())])
  }
  try {
    sides.target = await openSnapshot('target', targetUrl, options.connections, session, pace())
    sides.source =
      'rows' in source
        ? source.rows
        : await openSnapshot('source', source.url, probed ? options.connections - 1 : options.connections, session, pace())
    if (probed) {
      probe = await openProbe(sourceUrl, { ...session, statementTimeoutMs: 0, side: 'source' }, pauseAboveMs, {
        slow(milliseconds) {
          for (const one of paces) one.pause()
          options.onPause?.(true, milliseconds)
        },
        quick(milliseconds) {
          for (const one of paces) one.resume()
          options.onPause?.(false, milliseconds)
        },
        // Nobody would notice any more that the source suffers.
        lost: () => void stop(),
      })
    }
    return { sides: { source: sides.source, target: sides.target }, stop, close }
  } catch (error) {
    await close()
    throw error
  }
}
