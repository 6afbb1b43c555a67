import { sha256 } from '../../core/digest.ts'
import { WaybillError } from '../../core/errors.ts'
import type { ColumnMapping, TableMapping } from '../../core/schemas/proposal.ts'
import { quoteIdentifier, quoteQualified, transformSql } from '../../core/sql-text.ts'
import { readSqlType, sqlType } from '../../core/sql-type.ts'

/** `CREATE TABLE` with columns, types and NOT NULL; keys and foreign keys come after loading. @throws SPEC_INVALID for an unknown type */
export function createTableSql(table: TableMapping): string {
  const columns = table.columns.map(
    (column) => `${quoteIdentifier(column.target)} ${sqlType(column.target_type)}${column.nullable ? '' : ' NOT NULL'}`,
  )
  return `CREATE TABLE ${quoteQualified(table.target)} (${columns.join(', ')})`
}

/**
 * The source expression of one column in exactly the binary form the target's column reads. The cast names the target's type without its
 * modifiers: an explicit cast to varchar(10) would cut the value in silence, while COPY into varchar(10) refuses one that is too long.
 */
export function binaryExpression(column: ColumnMapping): string {
  const type = readSqlType(column.target_type)
  if (type === null) return `CAST(${transformSql(column)} AS ${sqlType(column.target_type)})`
  const base = type.base === 'character' ? 'bpchar' : type.base
  return `CAST(${transformSql(column)} AS ${base}${type.array ? '[]' : ''})`
}

/** `table_columns_suffix`, cut to 63 bytes with a digest of the whole, so that it is always the same and never another's. */
export function constraintName(table: TableMapping, columns: readonly string[], suffix: 'pkey' | 'fkey', more = ''): string {
  const whole = [table.target.name, ...(suffix === 'pkey' ? [] : columns), suffix].join('_')
  if (Buffer.byteLength(whole) <= 63 && more === '') return whole
  const digest = sha256(JSON.stringify([table.target.schema, table.target.name, columns, suffix, more])).slice(0, 12)
  return `${cutToBytes(whole.slice(0, -suffix.length - 1), 63 - 14 - suffix.length)}_${digest}_${suffix}`
}

export function primaryKeySql(table: TableMapping, key: readonly string[]): string {
  const name = quoteIdentifier(constraintName(table, key, 'pkey'))
  return `ALTER TABLE ${quoteQualified(table.target)} ADD CONSTRAINT ${name} PRIMARY KEY (${list(key)})`
}

type ForeignKey = TableMapping['foreign_keys'][number]

export function foreignKeyName(table: TableMapping, foreignKey: ForeignKey): string {
  const alike = table.foreign_keys.filter((other) => list(other.columns) === list(foreignKey.columns))
  const more = alike.length > 1 ? JSON.stringify(foreignKey.references) : ''
  return constraintName(table, foreignKey.columns, 'fkey', more)
}

/** Always NOT VALID first: adding takes no scan, and `VALIDATE CONSTRAINT` is the separate step that `enforced` asks for. */
export function foreignKeySql(table: TableMapping, foreignKey: ForeignKey, references: { schema: string; name: string }): string {
  return (
    `ALTER TABLE ${quoteQualified(table.target)} ADD CONSTRAINT ${quoteIdentifier(foreignKeyName(table, foreignKey))} ` +
    `FOREIGN KEY (${list(foreignKey.columns)}) REFERENCES ${quoteQualified(references)} (${list(foreignKey.references.columns)}) NOT VALID`
  )
}

/** The target table a name in a spec means: a `table_id`, a target table of the plan, `schema.name`, or a table of the same schema. */
export function resolveTarget(
  name: string,
  tables: readonly TableMapping[],
  beside?: TableMapping,
): { schema: string; name: string; mapping: TableMapping | null } | null {
  const byName = tables.filter((table) => table.target.name === name)
  const mapping =
    byName.find((table) => table.target.schema === beside?.target.schema) ??
    (byName.length === 1 ? byName[0] : undefined) ??
    (byName.length === 0 ? tables.find((table) => table.table_id === name) : undefined) ??
    tables.find((table) => `${table.target.schema}.${table.target.name}` === name)
  if (mapping) return { ...mapping.target, mapping }
  if (byName.length > 1) {
    throw new WaybillError('PLAN_INVALID', `"${name}" means ${byName.length} tables of the plan. Write it as schema.name.`)
  }
  if (beside) return { schema: beside.target.schema, name, mapping: null }
  return null
}

export function list(columns: readonly string[]): string {
  return columns.map(quoteIdentifier).join(', ')
}

function cutToBytes(text: string, bytes: number): string {
  let cut = ''
  let used = 0
  for (const character of text) {
    used += Buffer.byteLength(character)
    if (used > bytes) break
    cut += character
  }
  return cut
}
