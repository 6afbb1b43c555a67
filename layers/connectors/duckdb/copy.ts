import type { ConnectorOptions } from '../../core/connector.ts'
import { WaybillError } from '../../core/errors.ts'
import type { Chunk } from '../../core/schemas/work.ts'
import { copyIntoSql, sameRows } from '../postgres/copy.ts'
import type { CopyRows } from '../postgres/target.ts'
import { fileExpression, fileFilter } from './expression.ts'
import { sourceFolder } from './files.ts'
import { copyLines } from './lines.ts'
import { pour } from './pour.ts'
import { type FileFormat, openRelation } from './relation.ts'
import { openDuckDb } from './session.ts'

/** Copies one chunk of a file into PostgreSQL: DuckDB reads and prints, COPY text carries, the target's types read. */
export function copyFromFiles(format: FileFormat, sourceUrl: string, options: ConnectorOptions): CopyRows {
  return async (target, table, chunk, onProgress) => {
    const root = await sourceFolder(sourceUrl)
    const duck = await openDuckDb(root)
    const stop = () => target.client.connection.stream.destroy()
    options.signal.addEventListener('abort', stop, { once: true })
    try {
      options.signal.throwIfAborted()
      const relation = await openRelation(duck, root, format, table.source.name)
      const expressions = table.columns.map((column) => fileExpression(column, relation))
      const filter = table.filter ? fileFilter(table.filter, relation) : null
      const lines = copyLines(duck, relation, expressions, filter, rowRange(chunk))
      const poured = await pour(target, copyIntoSql(table, 'text'), lines, onProgress)
      sameRows(chunk, poured.sent, poured.kept)
      return { rows: poured.kept, bytes: poured.bytes }
    } catch (error) {
      throw options.signal.aborted
        ? new WaybillError('INTERRUPTED', `Copying chunk ${chunk.chunk_id} was interrupted; nothing of it was kept.`)
        : error
    } finally {
      options.signal.removeEventListener('abort', stop)
      await duck.close()
    }
  }
}

function rowRange(chunk: Chunk): { from: bigint; to: bigint | null } {
  const from = BigInt(chunk.range.from)
  const to = chunk.range.to === null ? null : BigInt(chunk.range.to)
  if (to !== null && to <= from) throw new WaybillError('BAD_INPUT', `The row range ${from} to ${to} is empty or reversed.`)
  return { from, to }
}
