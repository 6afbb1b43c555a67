import { WaybillError } from './errors.ts'
import type { ColumnMapping } from './schemas/proposal.ts'
import type { RowFilter } from './schemas/spec.ts'
import { soleSource } from './sole-source.ts'
import { readSqlType, sqlType } from './sql-type.ts'

/**
 * PostgreSQL text for what a plan says: names, literals, transforms, filters. The session must have
 * `standard_conforming_strings = on` (the default) and a pinned TimeZone, DateStyle and IntervalStyle.
 */

/** PostgreSQL cuts a longer name silently, so two names could become one. */
const MAX_IDENTIFIER_BYTES = 63

/** A quoted identifier. @throws NOT_REPRESENTABLE for an empty name, NUL, or more than 63 bytes */
export function quoteIdentifier(name: string): string {
  if (name === '' || name.includes('\u0000') || new TextEncoder().encode(name).length > MAX_IDENTIFIER_BYTES) {
    throw new WaybillError(
      'NOT_REPRESENTABLE',
      `PostgreSQL cannot hold the name ${JSON.stringify(name.slice(0, 80))}: 1 to ${MAX_IDENTIFIER_BYTES} bytes, without NUL.`,
    )
  }
  return `"${name.replaceAll('"', '""')}"`
}

/** `"schema"."name"` */
export function quoteQualified(name: { schema: string; name: string }): string {
  return `${quoteIdentifier(name.schema)}.${quoteIdentifier(name.name)}`
}

/** A quoted literal; a backslash switches to the escape form, whose meaning no setting changes. @throws NOT_REPRESENTABLE for NUL */
export function quoteLiteral(value: string): string {
  if (value.includes('\u0000')) throw new WaybillError('NOT_REPRESENTABLE', 'PostgreSQL text cannot hold NUL. Take it out of the spec.')
  const doubled = value.replaceAll("'", "''")
  return value.includes('\\') ? ` E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`
}

/**
 * The text that the type's own output function gives; NULL stays NULL. A cast to text would ask CREATE CAST first, and so let whoever made the
 * type, or owns it, decide which values look alike. A row of NULLs is not NULL here.
 */
export function printedSql(expression: string): string {
  return `CASE WHEN (${expression}) IS NOT DISTINCT FROM NULL THEN NULL ELSE pg_catalog.concat(${expression}) END`
}

/** White space that `trim` removes on either end. */
const TRIMMED = "E' \\t\\n\\r\\f\\v'"

/** The expression over source columns that yields one target column, of its target type. @throws PLAN_INVALID when the sources do not fit */
export function transformSql(column: ColumnMapping, prefix = ''): string {
  const { transform } = column
  const as = (expression: string): string => castSql(expression, column.target_type)
  const sources = column.source.map((name) => prefix + quoteIdentifier(name))
  const only = (): string => soleSource(column, sources)
  switch (transform.kind) {
    case 'identity':
      return only()
    case 'cast':
      return as(only())
    case 'minutes_to_interval':
      return `(${only()} * INTERVAL '1 minute')`
    case 'lowercase':
      return as(`lower(${only()})`)
    case 'trim':
      return as(`btrim(${only()}, ${TRIMMED})`)
    case 'e164':
      return as(e164Sql(only(), transform.country_code))
    case 'scale':
      return as(`round(CAST(${only()} AS numeric) * ${transform.factor}, ${transform.decimals})`)
    case 'truncate_time': {
      const zone = /with time zone|timestamptz/i.test(column.source_types[0] ?? '') ? ", 'UTC'" : ''
      return as(`date_trunc('${transform.unit}', ${only()}${zone})`)
    }
    case 'concat':
      if (sources.length === 0)
        throw new WaybillError('PLAN_INVALID', `Column ${JSON.stringify(column.target)}: "concat" needs source columns.`)
      return as(`concat_ws(${quoteLiteral(transform.separator)}, ${sources.join(', ')})`)
    case 'constant':
      return as(transform.value === null ? 'NULL' : quoteLiteral(transform.value))
    case 'mask_partial': {
      const value = `CAST(${only()} AS text)`
      // A value no longer than `keep` would show itself whole, so it is hidden whole.
      return as(
        `CASE WHEN length(${value}) > ${transform.keep} THEN left(${value}, ${transform.keep}) || repeat('*', length(${value}) - ${transform.keep}) ELSE repeat('*', length(${value})) END`,
      )
    }
    case 'mask_redact':
      return as(`CASE WHEN ${only()} IS NULL THEN NULL ELSE ${quoteLiteral(transform.value)} END`)
    case 'mask_sha256':
      return as(`encode(sha256(convert_to(${quoteLiteral(transform.salt)} || CAST(${only()} AS text), 'UTF8')), 'hex')`)
  }
}

/**
 * A cast that never shortens text in silence: PostgreSQL's explicit cast to varchar(n) or char(n) cuts what is too long, so the length
 * is left for the target column to refuse. A char(n) value is padded as the column would pad it. Numbers and times round as the column would.
 */
export function castSql(expression: string, type: string): string {
  const read = readSqlType(type)
  if (read?.base === 'character varying') return `CAST(${expression} AS character varying${read.array ? '[]' : ''})`
  if (read?.base === 'character') {
    if (read.array) return `CAST(${expression} AS bpchar[])`
    const value = `CAST(${expression} AS text)`
    return `CAST(rpad(${value}, greatest(${read.modifiers[0] ?? 1}, length(${value}))) AS bpchar)`
  }
  return `CAST(${expression} AS ${sqlType(type)})`
}

/** Digits only, with `+`; `00` and a leading trunk `0` are understood. Text without any digit stays as it is, for a check to find. */
function e164Sql(value: string, country: string): string {
  const digits = `regexp_replace(${value}, '[^0-9]', '', 'g')`
  return (
    `CASE WHEN ${digits} = '' THEN ${value} ` +
    `WHEN btrim(${value}) LIKE '+%' THEN '+' || ${digits} ` +
    `WHEN ${digits} LIKE '00%' THEN '+' || substr(${digits}, 3) ` +
    `ELSE '+${country}' || ltrim(${digits}, '0') END`
  )
}

const COMPARISONS = { eq: '=', ne: '<>', lt: '<', le: '<=', gt: '>', ge: '>=' } as const

/** A boolean expression: every term must hold; NULL satisfies no comparison. Untyped literals take the column's type. @throws PLAN_INVALID */
export function filterSql(filter: RowFilter, prefix = ''): string {
  return filter.all
    .map((term) => {
      const column = prefix + quoteIdentifier(term.column)
      const values = term.values.map(quoteLiteral)
      const bad = (needs: string): never => {
        throw new WaybillError(
          'PLAN_INVALID',
          `Filter on ${JSON.stringify(term.column)}: "${term.op}" takes ${needs}, not ${values.length} values.`,
        )
      }
      switch (term.op) {
        case 'is_null':
          return values.length === 0 ? `(${column} IS NULL)` : bad('no value')
        case 'is_not_null':
          return values.length === 0 ? `(${column} IS NOT NULL)` : bad('no value')
        case 'in':
        case 'not_in':
          return values.length > 0 ? `(${column} ${term.op === 'in' ? 'IN' : 'NOT IN'} (${values.join(', ')}))` : bad('at least one value')
        default:
          return values.length === 1 ? `(${column} ${COMPARISONS[term.op]} ${values[0]})` : bad('exactly one value')
      }
    })
    .join(' AND ')
}
