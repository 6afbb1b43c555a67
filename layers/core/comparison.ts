import type { ComparisonScope } from './connector.ts'
import type { Catalog, CatalogTable } from './schemas/catalog.ts'
import type { ColumnMapping, TableMapping, TableRecon } from './schemas/proposal.ts'
import type { RowFilter } from './schemas/spec.ts'
import type { Tolerance } from './tolerance/request.ts'

/** Which table of the source is held against which of the target. */
export type TablePair = { source: CatalogTable; target: CatalogTable }

export type ComparisonOptions = {
  /** Target columns that identify a row; overrides the declared keys. */
  key?: readonly string[] | undefined
  /** Target (or source-only) columns that are not compared, on purpose. */
  excludeColumns?: readonly string[] | undefined
  orderKey?: string | undefined
  /** Target column → source column, where the names differ. */
  rename?: Readonly<Record<string, string>> | undefined
  /** Over target column names; holds on both sides. */
  filter?: RowFilter | null | undefined
  /** Target columns that may be apart; of no concern to a table that has no such column. */
  tolerances?: readonly Tolerance[] | undefined
  /** About this many rows of each table, chosen by the seed. */
  sample?: { rows: number; seed: string } | null | undefined
}

export type ComparisonWork = {
  mapping: TableMapping
  recon: TableRecon
  scope?: ComparisonScope
  /** Columns that one side lacks and nobody excluded: with any of these the tables are not equal, whatever their rows say. */
  gaps: { column: string; only: 'source' | 'target' }[]
}

/** About this many rows lie in one segment: small enough to open quickly when it differs, large enough that bounds cost nothing. */
const ROWS_PER_SEGMENT = 20_000n
const MAX_SEGMENTS = 4096n

/** A glob over `schema.name` where `*` is any run of characters and `?` any one; a pattern without a dot is about the name alone. */
export function matchesGlob(pattern: string, table: { schema: string; name: string }): boolean {
  const subject = pattern.includes('.') ? `${table.schema}.${table.name}` : table.name
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.')
  return new RegExp(`^${expression}$`, 'su').test(subject)
}

/** Tables of the same schema and name, and the ones that only one side has. */
export function pairByName(
  source: Catalog,
  target: Catalog,
): { pairs: TablePair[]; onlySource: CatalogTable[]; onlyTarget: CatalogTable[] } {
  const id = (table: CatalogTable) => JSON.stringify([table.schema, table.name])
  const targets = new Map(target.tables.map((table) => [id(table), table]))
  const pairs: TablePair[] = []
  const onlySource: CatalogTable[] = []
  for (const table of source.tables) {
    const other = targets.get(id(table))
    if (other === undefined) onlySource.push(table)
    else pairs.push({ source: table, target: other })
    targets.delete(id(table))
  }
  return { pairs, onlySource, onlyTarget: [...targets.values()] }
}

/** Keys that a table declares and that may not be NULL, the primary key first. */
export function declaredKeys(table: CatalogTable): string[][] {
  return [...(table.primary_key ? [table.primary_key] : []), ...table.unique_keys.filter((key) => !key.nullable).map((key) => key.columns)]
}

export function sameColumns(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && [...a].sort().join('\u0000') === [...b].sort().join('\u0000')
}

/** A key of the target that the source declares too: only such a key orders and names rows. A file declares none; there the target's own names them. */
function commonKey(pair: TablePair, sourceName: (target: string) => string): string[] | null {
  const targetKeys = declaredKeys(pair.target)
  if (pair.source.kind === 'file') {
    const has = (column: string) => pair.source.columns.some((own) => own.name === sourceName(column))
    return targetKeys.find((key) => key.every(has)) ?? null
  }
  for (const key of declaredKeys(pair.source)) {
    const found = targetKeys.find((other) => sameColumns(key, other.map(sourceName)))
    if (found !== undefined) return key.map((name) => found.find((column) => sourceName(column) === name)!)
  }
  return null
}

/** What to compare for one pair, or in words why the two tables cannot be compared. */
export function comparisonWork(pair: TablePair, tableId: string, options: ComparisonOptions): ComparisonWork | { impossible: string } {
  const excluded = new Set(options.excludeColumns ?? [])
  const renames = new Map(Object.entries(options.rename ?? {}))
  const sourceName = (target: string) => renames.get(target) ?? target
  const sources = new Map(pair.source.columns.map((column) => [column.name, column]))
  const used = new Set<string>()
  const columns: ColumnMapping[] = []
  const gaps: ComparisonWork['gaps'] = []
  for (const [target, source] of renames) {
    if (!pair.target.columns.some((column) => column.name === target))
      return { impossible: `the target has no column "${target}" to rename` }
    if (!sources.has(source)) return { impossible: `the source has no column "${source}"` }
  }
  for (const column of pair.target.columns) {
    const other = sources.get(sourceName(column.name))
    if (other !== undefined) used.add(other.name)
    if (excluded.has(column.name)) continue
    if (other === undefined) gaps.push({ column: column.name, only: 'target' })
    else columns.push(columnPair(pair, other, column))
  }
  for (const column of pair.source.columns) {
    if (!used.has(column.name) && !excluded.has(column.name)) gaps.push({ column: column.name, only: 'source' })
  }
  if (columns.length === 0) return { impossible: 'the two tables have no column name in common' }
  const names = new Set(columns.map((column) => column.target))
  const key = options.key ? [...options.key] : commonKey(pair, sourceName)
  const unknown = key?.find((column) => !names.has(column))
  if (unknown !== undefined) {
    if (options.key) return { impossible: `key column "${unknown}" is not in both tables, or is excluded` }
    return { impossible: `column "${unknown}" is part of the key and cannot be excluded; name another key` }
  }
  if (options.orderKey !== undefined && !names.has(options.orderKey)) {
    return { impossible: `order key "${options.orderKey}" is not in both tables, or is excluded` }
  }
  const filter = options.filter ?? null
  const foreign = filter?.all.find(
    (term) => !pair.target.columns.some((column) => column.name === term.column) || !sources.has(sourceName(term.column)),
  )
  if (foreign !== undefined) {
    return { impossible: `the filter's column "${foreign.column}" is not in both tables; leave this table out, or compare it apart` }
  }
  const rows = estimatedRows(pair)
  const wanted = rows / ROWS_PER_SEGMENT + 1n
  const sample = options.sample ? { seed: options.sample.seed, per_million: perMillion(options.sample.rows, rows) } : null
  const scope = { target_filter: filter, sample }
  return {
    gaps,
    mapping: {
      table_id: tableId,
      source: { schema: pair.source.schema, name: pair.source.name, kind: pair.source.kind === 'file' ? 'file' : 'table' },
      target: { schema: pair.target.schema, name: pair.target.name },
      filter: filter === null ? null : { all: filter.all.map((term) => ({ ...term, column: sourceName(term.column) })) },
      columns,
      key,
      order_key: options.orderKey ?? null,
      foreign_keys: [],
    },
    recon: {
      table_id: tableId,
      // A wish: files whose columns have no common native form are compared in the canonical one, and the result says which it was.
      encoding: 'native',
      mode: key && pair.source.kind !== 'file' ? 'ordered' : 'bucketed',
      segments: Number(wanted > MAX_SEGMENTS ? MAX_SEGMENTS : wanted),
      tolerances: (options.tolerances ?? []).filter((tolerance) => names.has(tolerance.column)),
    },
    ...(filter === null && sample === null ? {} : { scope }),
  }
}

/**
 * Between databases nothing is cast: a cast rounds, cuts and folds, and nobody approved it here. The comparison brings two types to a common
 * exact form by itself, or refuses them by name. What a file holds is read by the target's type, exactly or not at all.
 */
function columnPair(pair: TablePair, source: CatalogTable['columns'][number], target: CatalogTable['columns'][number]): ColumnMapping {
  const kind = pair.source.kind === 'file' && source.type !== target.type ? 'cast' : 'identity'
  return {
    target: target.name,
    target_type: target.type,
    nullable: target.nullable,
    source: [source.name],
    source_types: [source.type],
    transform: { kind },
    rule: kind,
    lossy: false,
    pii: false,
  }
}

/** The larger estimate of the two sides; 0 when neither was ever analysed. */
export function estimatedRows(pair: TablePair): bigint {
  const [source, target] = [BigInt(pair.source.estimated_rows), BigInt(pair.target.estimated_rows)]
  if (source < target) return target
  return source
}

function perMillion(wanted: number, rows: bigint): number {
  if (rows <= BigInt(wanted)) return 1_000_000
  return Math.max(1, Math.min(1_000_000, Math.ceil((wanted * 1_000_000) / Number(rows))))
}
