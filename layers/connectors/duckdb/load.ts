import { basename, dirname, extname } from 'node:path'
import type { TableRef } from '../../core/connector.ts'
import { WaybillError } from '../../core/errors.ts'
import { quoteIdentifier, quoteQualified } from '../../core/sql-text.ts'
import { asker, inTransaction } from '../postgres/ask.ts'
import { openSession } from '../postgres/session.ts'
import { sourceExpression } from './expression.ts'
import { sourceFolder } from './files.ts'
import { copyLines } from './lines.ts'
import { pour } from './pour.ts'
import { openRelation, type Relation } from './relation.ts'
import { openDuckDb } from './session.ts'

/**
 * Fills a table of PostgreSQL from one Parquet or CSV file: columns by name, every value exactly as the file holds it. A table that does not
 * exist is created with the types of the file. `limit` takes the first rows of a Parquet file. One transaction: all rows or none.
 * @throws NOT_FOUND, PLAN_INVALID when the table lacks a column of the file, NOT_REPRESENTABLE, CONNECTION_FAILED
 */
export async function loadFileIntoPostgres(
  file: string,
  url: string,
  table: TableRef,
  options: { limit?: number } = {},
): Promise<{ rows: bigint }> {
  const root = await sourceFolder(dirname(file))
  const format = extname(file).toLowerCase() === '.csv' ? 'CSV' : 'PARQUET'
  const duck = await openDuckDb(root)
  const target = await openSession(url, { readOnly: false, connectTimeoutMs: 15_000, statementTimeoutMs: 0, side: 'target' })
  try {
    const relation = await openRelation(duck, root, format, basename(file))
    if (options.limit !== undefined && format === 'CSV')
      throw new WaybillError('BAD_INPUT', 'A limit needs a Parquet file: rows of a CSV have no number.')
    return await inTransaction(target, 'BEGIN', async () => {
      await matchTable(target, table, relation)
      const expressions = relation.columns.map((column) => sourceExpression(column.name, relation))
      const columns = relation.columns.map((column) => quoteIdentifier(column.name)).join(', ')
      const to = options.limit === undefined ? null : BigInt(options.limit)
      const lines = copyLines(duck, relation, expressions, null, { from: 0n, to })
      const poured = await pour(target, `COPY ${quoteQualified(table)} (${columns}) FROM STDIN (FORMAT text)`, lines, () => {})
      if (poured.sent !== poured.kept) {
        throw new WaybillError(
          'STREAM_TRUNCATED',
          `The file gave ${poured.sent} rows and ${table.schema}.${table.name} kept ${poured.kept}; nothing was loaded.`,
        )
      }
      return { rows: poured.kept }
    })
  } finally {
    await target.close()
    await duck.close()
  }
}

async function matchTable(target: Parameters<typeof asker>[0], table: TableRef, relation: Relation): Promise<void> {
  const ask = asker(target, 'preparing the table to load')
  const rows = await ask(
    `SELECT a.attname AS name FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped`,
    [table.schema, table.name],
  )
  if (rows.length === 0) {
    const columns = relation.columns.map((column) => `${quoteIdentifier(column.name)} ${column.type.postgres ?? 'text'}`)
    await ask(`CREATE TABLE ${quoteQualified(table)} (${columns.join(', ')})`)
    return
  }
  const names = new Set(rows.map((row) => row.name))
  const missing = relation.columns.find((column) => !names.has(column.name))
  if (!missing) return
  throw new WaybillError(
    'PLAN_INVALID',
    `${table.schema}.${table.name} has no column ${JSON.stringify(missing.name)}, which the file has. Add it, or load into a new table.`,
  )
}
