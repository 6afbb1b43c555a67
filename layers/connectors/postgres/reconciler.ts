import type { ConnectorOptions, ReconcileOptions, Reconciler, ReconcileWork } from '../../core/connector.ts'
import type { RowSide } from '../../core/encoding/row-stream.ts'
import { WaybillError } from '../../core/errors.ts'
import type { TableResult } from '../../core/schemas/recon.ts'
import { cancelBackends } from './session.ts'
import { isSnapshot, type OpenSides, openSnapshot, type SnapshotSide } from './snapshot.ts'
import { compareTable } from './table-comparison.ts'
import { undecided } from './undecided.ts'

/** One end of a comparison: a PostgreSQL database by URL, or rows of something else. */
export type ReconcilerEnd = { systemType: string; url: string } | { systemType: string; rows: RowSide }

/**
 * A reconciler between two PostgreSQL databases, or from other rows to PostgreSQL. Tables are compared one after the other under one
 * snapshot a side; after a failure in the middle of reading, the tables that follow get a new snapshot (each result names its own).
 * @throws BAD_INPUT; from `reconcile` CONNECTION_FAILED, PERMISSION_DENIED, NOT_FOUND when a side cannot be reached at all, INTERRUPTED
 */
export async function openReconciler(source: ReconcilerEnd, target: ReconcilerEnd, options: ConnectorOptions): Promise<Reconciler> {
  if (target.systemType !== 'POSTGRESQL' || !('url' in target)) {
    throw new WaybillError('BAD_INPUT', `Comparing with a target of type ${target.systemType} is not supported. Use POSTGRESQL.`)
  }
  if (source.systemType !== 'POSTGRESQL' && !('rows' in source)) {
    throw new WaybillError('BAD_INPUT', `A source of type ${source.systemType} must be given as rows.`)
  }
  return {
    reconcile: (work, reconcile) => run(source, target.url, work, options, reconcile),
    async close() {
      if ('rows' in source) await source.rows.close()
    },
  }
}

async function run(
  source: ReconcilerEnd,
  targetUrl: string,
  work: readonly ReconcileWork[],
  connector: ConnectorOptions,
  options: ReconcileOptions,
): Promise<TableResult[]> {
  const connections = Math.max(1, Math.min(16, options.connections))
  const session = { connectTimeoutMs: connector.connectTimeoutMs, statementTimeoutMs: options.statementTimeoutMs }
  const open = async (): Promise<OpenSides> => {
    const target = await openSnapshot('target', targetUrl, connections, session)
    try {
      return { source: 'rows' in source ? source.rows : await openSnapshot('source', source.url, connections, session), target }
    } catch (error) {
      await target.close()
      throw error
    }
  }
  const interrupted = () => new WaybillError('INTERRUPTED', 'The comparison was interrupted. Run it again to get a verdict.')
  if (options.signal.aborted) throw interrupted()

  let sides: OpenSides | null = await open()
  let cancelling: Promise<unknown> = Promise.resolve()
  const stop = () => {
    const current = sides
    if (current === null) return
    sides = null
    // A server in the middle of a sort does not notice a dropped connection for a long time, so it is told as well.
    const ends: [SnapshotSide, string][] = [[current.target, targetUrl]]
    if (isSnapshot(current.source) && 'url' in source) ends.push([current.source, source.url])
    cancelling = Promise.all([
      cancelling,
      ...ends.map(([side, url]) => {
        for (const one of side.sessions) one.destroy()
        return cancelBackends(
          url,
          side.sessions.map((one) => one.backend),
          connector.connectTimeoutMs,
        )
      }),
    ])
  }
  options.signal.addEventListener('abort', stop)
  try {
    const results: TableResult[] = []
    for (const item of work) {
      if (options.signal.aborted) throw interrupted()
      const startedAt = new Date()
      try {
        sides ??= await open()
        await savepoint(sides, 'SAVEPOINT waybill')
        const current: OpenSides = sides
        const result = await compareTable(current, item, options, stop, startedAt)
        await checkPinned(current).catch((error: unknown) => {
          stop()
          throw error
        })
        results.push(result)
      } catch (error) {
        if (options.signal.aborted) throw interrupted()
        results.push(undecided(sides, item.mapping, item.recon, options, error, startedAt))
        if (sides !== null) await savepoint(sides, 'ROLLBACK TO SAVEPOINT waybill').catch(stop)
      }
      options.onResult?.(results.at(-1)!)
    }
    return results
  } finally {
    options.signal.removeEventListener('abort', stop)
    await cancelling
    const current: OpenSides | null = sides
    if (current !== null) {
      await current.target.close()
      if (isSnapshot(current.source)) await current.source.close()
    }
  }
}

async function checkPinned(sides: OpenSides): Promise<void> {
  const sessions = [...sides.target.sessions, ...(isSnapshot(sides.source) ? sides.source.sessions : [])]
  await Promise.all(sessions.map((session) => session.checkPinned()))
}

/** A failed query must not take the snapshot of the other tables with it. */
async function savepoint(sides: OpenSides, statement: string): Promise<void> {
  await sides.target.main.run(statement)
  if (isSnapshot(sides.source)) await sides.source.main.run(statement)
}
