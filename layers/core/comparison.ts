import type { Catalog, CatalogTable } from './schemas/catalog.ts'
import type { ColumnMapping, TableMapping, TableRecon } from './schemas/proposal.ts'

/** Which table of the source is held against which of the target. */
export type TablePair = { source: CatalogTable; target: CatalogTable }

export type ComparisonOptions = {
  /** Columns that identify a row; overrides the declared keys. */
  key?: readonly string[] | undefined
  excludeColumns?: readonly string[] | undefined
  orderKey?: string | undefined
}

export type ComparisonWork = { mapping: TableMapping; recon: TableRecon }

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

function sameColumns(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && [...a].sort().join('\u0000') === [...b].sort().join('\u0000')
}

/** A key both sides declare and neither allows to be NULL. Only such a key can order and name rows. */
export function commonKey(pair: TablePair): string[] | null {
  const declared = (table: CatalogTable) => [
    ...(table.primary_key ? [table.primary_key] : []),
    ...table.unique_keys.filter((key) => !key.nullable).map((key) => key.columns),
  ]
  const targetKeys = declared(pair.target)
  return declared(pair.source).find((key) => targetKeys.some((other) => sameColumns(key, other))) ?? null
}

/** What to compare for one pair, or in words why the two tables cannot be compared. */
export function comparisonWork(pair: TablePair, tableId: string, options: ComparisonOptions): ComparisonWork | { impossible: string } {
  const excluded = new Set(options.excludeColumns ?? [])
  const targets = new Map(pair.target.columns.map((column) => [column.name, column]))
  const columns: ColumnMapping[] = []
  for (const column of pair.source.columns) {
    const other = targets.get(column.name)
    if (other === undefined || excluded.has(column.name)) continue
    const same = column.type === other.type
    columns.push({
      target: other.name,
      target_type: other.type,
      nullable: other.nullable,
      source: [column.name],
      source_types: [column.type],
      transform: { kind: same ? 'identity' : 'cast' },
      rule: same ? 'identity' : 'cast',
      lossy: false,
      pii: false,
    })
  }
  if (columns.length === 0) return { impossible: 'the two tables have no column name in common' }
  const names = new Set(columns.map((column) => column.target))
  const key = options.key ? [...options.key] : commonKey(pair)
  const unknown = key?.find((column) => !names.has(column))
  if (unknown !== undefined) {
    if (options.key) return { impossible: `key column "${unknown}" is not in both tables, or is excluded` }
    return { impossible: `column "${unknown}" is part of the key and cannot be excluded; name another key` }
  }
  const rows = [pair.source, pair.target].map((table) => BigInt(table.estimated_rows)).reduce((a, b) => (a > b ? a : b))
  const wanted = rows / ROWS_PER_SEGMENT + 1n
  return {
    mapping: {
      table_id: tableId,
      source: { schema: pair.source.schema, name: pair.source.name, kind: pair.source.kind === 'file' ? 'file' : 'table' },
      target: { schema: pair.target.schema, name: pair.target.name },
      filter: null,
      columns,
      key,
      order_key: options.orderKey ?? null,
      foreign_keys: [],
    },
    recon: {
      table_id: tableId,
      encoding: pair.source.kind === 'file' ? 'canonical' : 'native',
      mode: key ? 'ordered' : 'bucketed',
      segments: Number(wanted > MAX_SEGMENTS ? MAX_SEGMENTS : wanted),
      tolerances: [],
    },
  }
}
