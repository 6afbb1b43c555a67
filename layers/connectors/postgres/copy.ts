import type { ConnectorOptions } from '../../core/connector.ts'
import { WaybillError } from '../../core/errors.ts'
import type { TableMapping } from '../../core/schemas/proposal.ts'
import type { Chunk } from '../../core/schemas/work.ts'
import { filterSql, quoteQualified } from '../../core/sql-text.ts'
import { rangeCondition } from './chunks.ts'
import { relayCopy } from './copy-relay.ts'
import { binaryExpression, list } from './ddl.ts'
import { failureOf } from './failure.ts'
import { cancelBackends, openSession, READ_SNAPSHOT } from './session.ts'
import type { CopyRows } from './target.ts'

/**
 * Copies one chunk from PostgreSQL to PostgreSQL: raw binary COPY bytes from socket to socket.
 * @throws STREAM_TRUNCATED when the two command tags disagree, CONNECTION_FAILED when either side goes away, NOT_REPRESENTABLE, INTERRUPTED
 */
export function copyFromPostgres(sourceUrl: string, options: ConnectorOptions): CopyRows {
  return async (target, table, chunk, onProgress) => {
    const { connectTimeoutMs, statementTimeoutMs, signal } = options
    const source = await openSession(sourceUrl, { readOnly: true, connectTimeoutMs, statementTimeoutMs, side: 'source' })
    const stop = () => {
      // Cutting both connections is the only way out of a COPY half sent; the server rolls back what it has.
      source.client.connection.stream.destroy()
      target.client.connection.stream.destroy()
    }
    let succeeded = false
    try {
      signal.throwIfAborted()
      signal.addEventListener('abort', stop, { once: true })
      await source.run(READ_SNAPSHOT)
      const copied = await relayCopy(
        { client: source.client, sql: copyOutSql(table, chunk) },
        { client: target.client, sql: copyIntoSql(table, 'binary') },
        throttled(onProgress),
        (side, error) => failureOf(error, `copying chunk ${chunk.chunk_id} (${side} side)`),
      )
      sameRows(chunk, copied.sourceRows, copied.targetRows)
      onProgress(copied.targetRows)
      succeeded = true
      return { rows: copied.targetRows, bytes: copied.bytes }
    } catch (error) {
      throw signal.aborted
        ? new WaybillError('INTERRUPTED', `Copying chunk ${chunk.chunk_id} was interrupted; nothing of it was kept.`)
        : error
    } finally {
      signal.removeEventListener('abort', stop)
      if (!succeeded) {
        stop()
        // A server may be far into a query whose reader is gone; left alone it would run on.
        await cancelBackends(sourceUrl, [source.backend], connectTimeoutMs)
      }
      await source.close()
    }
  }
}

/** `COPY (SELECT …) TO STDOUT` of one chunk: transforms cast to the target's types, filter and block range applied on the source. */
export function copyOutSql(table: TableMapping, chunk: Chunk): string {
  const conditions = [rangeCondition(chunk.range), table.filter ? filterSql(table.filter) : null].filter((condition) => condition !== null)
  const where = conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : ''
  return `COPY (SELECT ${table.columns.map(binaryExpression).join(', ')} FROM ${quoteQualified(table.source)}${where}) TO STDOUT (FORMAT binary)`
}

export function copyIntoSql(table: TableMapping, format: 'binary' | 'text'): string {
  return `COPY ${quoteQualified(table.target)} (${list(table.columns.map((column) => column.target))}) FROM STDIN (FORMAT ${format})`
}

/** @throws STREAM_TRUNCATED; the caller's transaction then keeps nothing */
export function sameRows(chunk: Chunk, sent: bigint, received: bigint): void {
  if (sent === received) return
  const message = `Chunk ${chunk.chunk_id}: the source sent ${sent} rows and the target kept ${received}. Nothing was committed; look for triggers or rules on the target table.`
  throw new WaybillError('STREAM_TRUNCATED', message)
}

const PROGRESS_EVERY = 50_000

function throttled(onProgress: (rows: bigint) => void): (rows: number) => void {
  let told = 0
  return (rows) => {
    if (rows - told < PROGRESS_EVERY) return
    told = rows
    onProgress(BigInt(rows))
  }
}
