import type { TableRef } from '../../core/connector.ts'
import { PROFILED_BYTES } from '../../core/scale/throughput.ts'
import type { CatalogTable, Profile, TableProfile } from '../../core/schemas/catalog.ts'
import { quoteIdentifier, quoteQualified } from '../../core/sql-text.ts'
import type { Ask } from './ask.ts'
import { readCatalog } from './catalog.ts'

/** Above this many rows a distinct count would sort the table once per column. */
const EXACT_DISTINCT_ROWS = 200_000n

/**
 * Bytes that are scanned for a profile, together. A profile advises: it sizes work and asks questions, and no proof rests on it. A function has
 * fifteen minutes for it; a server with a disk of 60 MB a second needs six for as much.
 */
const MOST_BYTES = BigInt(PROFILED_BYTES)

/** The tables that are profiled: the smallest first, as long as all together stay within what is scanned. The others keep the system's estimates. */
export function profiled<T extends Pick<CatalogTable, 'bytes'>>(tables: readonly T[]): T[] {
  let left = MOST_BYTES
  const chosen = new Set<T>()
  for (const table of tables.toSorted((a, b) => (BigInt(a.bytes) < BigInt(b.bytes) ? -1 : BigInt(a.bytes) > BigInt(b.bytes) ? 1 : 0))) {
    left -= BigInt(table.bytes)
    if (left < 0n) break
    chosen.add(table)
  }
  return tables.filter((table) => chosen.has(table))
}

/** Types whose smallest and largest value say nothing about a person and have an order. */
const ORDERED = /^(smallint|integer|bigint|numeric|real|double precision|date|timestamp|time|interval|oid)\b/
/** Types without an equality operator, or whose equality is not identity of the value. */
const NO_EQUALITY = /^(json|xml|point|line|lseg|box|path|polygon|circle)\b/

/**
 * Exact counts in one scan per table: rows, NULLs, smallest and largest of numeric and time columns. Distinct values are exact up to
 * 200,000 rows and from a unique key; otherwise null with the reason. Values of text columns never leave the database. Tables too large to be
 * scanned meanwhile are left out.
 */
export async function readProfile(ask: Ask, scope: readonly TableRef[]): Promise<Profile> {
  const { tables } = await readCatalog(ask, scope)
  const profiles: TableProfile[] = []
  for (const table of profiled(tables)) profiles.push(await profileTable(ask, table))
  return { tables: profiles }
}

async function profileTable(ask: Ask, table: CatalogTable): Promise<TableProfile> {
  const from = quoteQualified(table)
  const wanted = table.columns.flatMap((column, index) => {
    const quoted = quoteIdentifier(column.name)
    const ordered = ORDERED.test(column.type) && !column.type.endsWith('[]')
    return [
      ...(column.nullable ? [`count(*) FILTER (WHERE ${quoted} IS NULL)::text AS n${index}`] : []),
      ...(ordered ? [`min(${quoted})::text AS a${index}`, `max(${quoted})::text AS z${index}`] : []),
    ]
  })
  const [scan = {}] = await ask(`SELECT ${['count(*)::text AS rows', ...wanted].join(', ')} FROM ${from}`)
  const rows = BigInt(scan.rows ?? '0')
  const cheap = rows <= EXACT_DISTINCT_ROWS
  const countable = table.columns.map((column) => !NO_EQUALITY.test(column.type))
  const distinct = cheap ? await distinctCounts(ask, from, table, countable) : {}
  return {
    schema: table.schema,
    name: table.name,
    rows: String(rows),
    duplicate_rows: await duplicateRows(ask, from, table, rows, countable),
    columns: table.columns.map((column, index) => {
      const nulls = column.nullable ? (scan[`n${index}`] ?? '0') : '0'
      const unique = isUniqueAlone(table, column.name) ? String(rows - BigInt(nulls)) : null
      const counted = unique ?? distinct[`d${index}`] ?? null
      const ordered = ORDERED.test(column.type) && !column.type.endsWith('[]')
      const reasons = [
        ...(counted !== null
          ? []
          : [countable[index] ? `distinct not counted above ${EXACT_DISTINCT_ROWS} rows` : 'this type cannot be compared for equality']),
        ...(ordered ? [] : ['smallest and largest value are left out: text may be personal data, other types have no order to show']),
      ]
      return {
        name: column.name,
        type: column.type,
        nulls,
        distinct: counted,
        min: ordered ? (scan[`a${index}`] ?? null) : null,
        max: ordered ? (scan[`z${index}`] ?? null) : null,
        reason: reasons.length > 0 ? reasons.join('; ') : null,
      }
    }),
  }
}

async function distinctCounts(ask: Ask, from: string, table: CatalogTable, countable: boolean[]): Promise<Record<string, string | null>> {
  const counts = table.columns.flatMap((column, index) =>
    countable[index] && !isUniqueAlone(table, column.name) ? [`count(DISTINCT ${quoteIdentifier(column.name)})::text AS d${index}`] : [],
  )
  if (counts.length === 0) return {}
  const [row = {}] = await ask(`SELECT ${counts.join(', ')} FROM ${from}`)
  return row
}

/** Rows − distinct rows. A key that holds no NULL makes it 0 without a scan; a column without equality makes it unknown. */
async function duplicateRows(ask: Ask, from: string, table: CatalogTable, rows: bigint, countable: boolean[]): Promise<string | null> {
  if (table.primary_key || table.unique_keys.some((key) => !key.nullable) || rows === 0n) return '0'
  if (table.columns.length === 0 || countable.includes(false)) return null
  const columns = table.columns.map((column) => quoteIdentifier(column.name)).join(', ')
  const [row] = await ask(`SELECT count(*)::text AS distinct_rows FROM (SELECT FROM ${from} GROUP BY ${columns}) AS one_each`)
  return String(rows - BigInt(row?.distinct_rows ?? '0'))
}

function isUniqueAlone(table: CatalogTable, column: string): boolean {
  const keys = [...(table.primary_key ? [table.primary_key] : []), ...table.unique_keys.map((key) => key.columns)]
  return keys.some((key) => key.length === 1 && key[0] === column)
}
