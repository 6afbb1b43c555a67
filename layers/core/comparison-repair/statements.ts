import type { CatalogColumn, CatalogTable } from '../schemas/catalog.ts'
import type { Mismatch } from '../schemas/recon.ts'
import { printedSql, quoteIdentifier, quoteLiteral, quoteQualified } from '../sql-text.ts'

export type RepairStatement = { phase: 'delete' | 'update' | 'insert'; sql: string }

/** Types whose `=` finds exactly the values that the comparison calls the same. */
const EXACT_EQUALITY =
  /^(smallint|integer|bigint|numeric(\(.*\))?|boolean|date|uuid|bytea|oid|time(\(\d\))? without time zone|timestamp(\(\d\))? (without|with) time zone)$/

/** Statements that would make the target's table equal to the source's, one difference at a time. Values must not be masked. */
export type TableRepair = {
  /** Why this table's differences cannot be put into statements; null when they can. */
  obstacle: string | null
  /** @throws NOT_REPRESENTABLE for a value that no literal can hold */
  statements(mismatch: Mismatch): RepairStatement[]
}

/**
 * `key`: the columns by which rows were compared, or null. Rows are addressed by a key only if the target declares it unique; rows without
 * one by all their values and their place on disk, as many as are too many. `compared` are the target columns that were compared.
 */
export function tableRepair(target: CatalogTable, key: readonly string[] | null, compared: readonly string[]): TableRepair {
  const table = quoteQualified(target)
  const columns = new Map(target.columns.map((column) => [column.name, column]))
  const unique =
    key !== null &&
    [target.primary_key, ...target.unique_keys.filter((one) => !one.nullable).map((one) => one.columns)].some(
      (one) => one !== null && one.length === key.length && one.every((column) => key.includes(column)),
    )
  const leftOut = target.columns.filter((column) => !compared.includes(column.name) && !column.generated)
  const required = leftOut.find((column) => !column.nullable && column.default === null && !column.identity)
  // The value of such a column is a number of this database; what was compared is the object behind it.
  const object = compared.find((name) => /(^|\.)lo$/.test(columns.get(name)?.type ?? ''))
  const identity = compared.some((name) => columns.get(name)?.identity === true)
  const override = identity ? ' OVERRIDING SYSTEM VALUE' : ''
  const written = (name: string) => columns.get(name)?.generated !== true

  const insert = (mismatch: Mismatch): RepairStatement[] => {
    const cells = [...mismatch.key, ...mismatch.columns.map(({ column, source }) => ({ column, value: source }))].filter(({ column }) =>
      written(column),
    )
    const copies = BigInt(mismatch.source_count) - BigInt(mismatch.target_count)
    const names = cells.map(({ column }) => quoteIdentifier(column)).join(', ')
    const values = cells.map(({ value }) => literal(value)).join(', ')
    if (copies === 1n) return [{ phase: 'insert', sql: `INSERT INTO ${table} (${names})${override} VALUES (${values});` }]
    return [{ phase: 'insert', sql: `INSERT INTO ${table} (${names})${override} SELECT ${values} FROM generate_series(1, ${copies});` }]
  }
  const remove = (mismatch: Mismatch): RepairStatement[] => {
    if (unique) return [{ phase: 'delete', sql: `DELETE FROM ${table} WHERE ${where(mismatch.key, columns)};` }]
    const cells = [...mismatch.key, ...mismatch.columns.map(({ column, target: value }) => ({ column, value }))]
    const copies = BigInt(mismatch.target_count) - BigInt(mismatch.source_count)
    // A place on disk is a place in one partition, so the partition belongs to it.
    const places = `SELECT tableoid, ctid FROM ${table} WHERE ${where(cells, columns)} LIMIT ${copies}`
    return [{ phase: 'delete', sql: `DELETE FROM ${table} WHERE (tableoid, ctid) IN (${places});` }]
  }
  return {
    obstacle:
      target.kind === 'table' || target.kind === 'partitioned'
        ? key !== null && !unique
          ? `the target does not declare the key (${key.join(', ')}) unique and NOT NULL, so a row cannot be addressed by it`
          : required !== undefined
            ? `column ${JSON.stringify(required.name)} was not compared and takes neither NULL nor a default`
            : object !== undefined
              ? `column ${JSON.stringify(object)} holds large objects, which no statement here can write`
              : null
        : 'it is not a plain table',
    statements(mismatch) {
      if (mismatch.kind === 'missing') return insert(mismatch)
      if (mismatch.kind === 'extra') return remove(mismatch)
      const changes = mismatch.columns.filter(({ column }) => written(column))
      if (changes.length === 0) return []
      const set = changes.map(({ column, source }) => `${quoteIdentifier(column)} = ${literal(source)}`).join(', ')
      return [{ phase: 'update', sql: `UPDATE ${table} SET ${set} WHERE ${where(mismatch.key, columns)};` }]
    },
  }
}

function literal(value: string | null): string {
  return value === null ? 'NULL' : quoteLiteral(value).trim()
}

function where(cells: readonly { column: string; value: string | null }[], columns: ReadonlyMap<string, CatalogColumn>): string {
  return cells.map(({ column, value }) => equality(column, value, columns.get(column))).join(' AND ')
}

/** True for exactly the value, where `=` of the type is looser: letters' case, padding, −0 and 0, a day and 24 hours. */
function equality(name: string, value: string | null, column: CatalogColumn | undefined): string {
  const own = quoteIdentifier(name)
  if (value === null) return `${own} IS NULL`
  const text = literal(value)
  const type = column?.type ?? ''
  if (EXACT_EQUALITY.test(type)) return `${own} = ${text}`
  if (type === 'real' || type === 'double precision') {
    const send = type === 'real' ? 'float4send' : 'float8send'
    return value === 'NaN' ? `${own} = 'NaN'` : `${send}(${own}) = ${send}(${text})`
  }
  if (type === 'interval') return `interval_send(${own}) = interval_send(${text})`
  if (/^(text|character varying(\(\d+\))?)$/.test(type)) {
    // With a collation of its own `=` may be loose; with the database's it is exact and can use an index.
    return column?.collation == null ? `${own} = ${text}` : `(${own} = ${text} AND ${own} COLLATE "C" = ${text})`
  }
  if (/^character(\(\d+\))?$/.test(type)) return `${own} = ${text}`
  // As the comparison printed the value that stands here.
  return /^(cidr|inet)$/.test(type) ? `${own}::text COLLATE "C" = ${text}` : `(${printedSql(own)}) COLLATE "C" = ${text}`
}

/** Tables whose rows others refer to come first: the order in which to insert, and the reverse of the one in which to delete. */
export function parentsFirst<T extends CatalogTable>(tables: readonly T[]): T[] {
  const id = (table: { schema: string; name: string }) => JSON.stringify([table.schema, table.name])
  const known = new Map(tables.map((table) => [id(table), table]))
  const done = new Set<string>()
  const order: T[] = []
  const visit = (table: T) => {
    if (done.has(id(table))) return
    done.add(id(table))
    for (const foreign of table.foreign_keys) {
      const parent = known.get(id(foreign.references))
      if (parent !== undefined) visit(parent)
    }
    order.push(table)
  }
  for (const table of tables) visit(table)
  return order
}
