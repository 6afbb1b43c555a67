import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { type CompareFlags, readRequest } from '../../../cli/compare/request.ts'
import { compare } from '../../../cli/compare/run.ts'
import { connectors } from '../../../layers/connectors/index.ts'
import type { Comparison } from '../../../layers/core/comparison-report/comparison.ts'
import type { Mismatch } from '../../../layers/core/schemas/recon.ts'
import { OPTIONS } from '../postgres/table-mapping.ts'
import type { SourceFolder } from './source-folder.ts'

export type Format = 'parquet' | 'csv' | 'json'

/** How DuckDB holds the column so that Parquet does too; text where it has no such type. */
const DUCK: readonly [RegExp, string][] = [
  [/^smallint|^integer|^bigint|^boolean|^date$|^uuid$/, ''],
  [/^numeric\((\d+),(\d+)\)$/, 'DECIMAL'],
  [/^real$/, 'FLOAT'],
  [/^double precision$/, 'DOUBLE'],
  [/^bytea$/, 'BLOB'],
  [/^time /, 'TIME'],
  [/^timestamp without/, 'TIMESTAMP'],
  [/^timestamp with/, 'TIMESTAMPTZ'],
]

function duckValue(type: string, text: string | null): string {
  const found = DUCK.find(([pattern]) => pattern.test(type))
  const duck = found === undefined ? 'VARCHAR' : type.startsWith('numeric') ? type.replace('numeric', 'DECIMAL') : found[1] || type
  if (text === null) return `CAST(NULL AS ${duck})`
  // `{}` in a statement of the folder is the folder.
  const plain = text.replaceAll("'", "''").replaceAll('{}', "{' || '}")
  if (duck === 'BLOB') return `from_hex('${plain.slice(2)}')`
  const bc = /^(\S+)( .*)? BC$/.exec(plain)
  return `CAST('${bc === null ? plain : `${bc[1]} (BC)${bc[2] ?? ''}`}' AS ${duck})`
}

export type Exported = { name: string; columns: readonly { name: string; type: string }[] }

/** Writes a table into one file: CSV and JSON as PostgreSQL itself writes them, Parquet through DuckDB from PostgreSQL's text. */
export async function exportTable(
  client: pg.Client,
  folder: SourceFolder,
  format: Format,
  table: Exported,
  as = table.name,
): Promise<void> {
  const path = join(folder.path, `${as}.${format}`)
  if (format !== 'parquet') {
    const sql =
      format === 'csv'
        ? `COPY public."${table.name}" TO STDOUT (FORMAT csv, HEADER)`
        : `COPY (SELECT replace(row_to_json(t)::text, E'\\n', ' ') FROM public."${table.name}" t) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')`
    await writeFile(path, await buffer(client.query(copyTo(sql))))
    return
  }
  const list = table.columns.map((column) => `"${column.name}"::text`).join(', ')
  const { rows } = await client.query<(string | null)[]>({ text: `SELECT ${list} FROM public."${table.name}"`, rowMode: 'array' })
  const select = (row: readonly (string | null)[]) =>
    table.columns.map((column, i) => `${duckValue(column.type, row[i] ?? null)} AS "${column.name}"`).join(', ')
  const body = rows.length === 0 ? `SELECT ${select([])} WHERE false` : rows.map((row) => `SELECT ${select(row)}`).join(' UNION ALL ')
  await folder.write(`COPY (${body}) TO '{}/${as}.parquet' (FORMAT parquet)`)
}

export type Compared = { comparison: Comparison; mismatches: { table: string; mismatch: Mismatch }[] }

/** What `waybill compare` does with these two sides. */
export async function compared(source: string, target: string, flags: Partial<CompareFlags> = {}): Promise<Compared> {
  const mismatches: Compared['mismatches'] = []
  const request = readRequest([source, target], { table: [], include: [], exclude: [], where: [], connections: 1, ...flags }, {}, {})
  const comparison = await compare(connectors, request, OPTIONS, {
    onEstimate: () => {},
    onProgress: () => {},
    onMismatch: (item, mismatch) => void mismatches.push({ table: item.pair.target.name, mismatch }),
    onResult: () => {},
    onRetry: () => {},
    onPause: () => {},
    onSettling: () => {},
    segments: null,
    earlier: () => null,
  })
  return { comparison, mismatches }
}
