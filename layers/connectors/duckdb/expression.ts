import { WaybillError } from '../../core/errors.ts'
import type { ColumnMapping } from '../../core/schemas/proposal.ts'
import type { RowFilter } from '../../core/schemas/spec.ts'
import { soleSource } from '../../core/sole-source.ts'
import { readSqlType, sqlType } from '../../core/sql-type.ts'
import { jsonRaw, jsonText } from './json-reader.ts'
import { column as columnOf, type Relation } from './relation.ts'
import { literal, name } from './session.ts'
import type { Family } from './types.ts'

/** A DuckDB expression and the family of its value. `json`: the same value as JSON text, for jsonb. `duck`: the type in a file, where it is one. */
export type Expression = { sql: string; family: Family; json?: string; duck?: string }

/** White space that `trim` takes off, as on the PostgreSQL side. */
const BLANKS = `' ' || chr(9) || chr(10) || chr(13) || chr(12) || chr(11)`

/**
 * The value of one target column over a file's columns. Numbers are handed on as exact decimal text and read by the target's type, so nothing
 * rounds on the way. A transform that DuckDB would compute differently from PostgreSQL is refused by name.
 * @throws NOT_REPRESENTABLE, PLAN_INVALID, SPEC_INVALID
 */
export function fileExpression(column: ColumnMapping, relation: Relation): Expression {
  const { transform } = column
  const sources = column.source.map((source) => sourceExpression(source, relation))
  const only = (): Expression => soleSource(column, sources)
  const text = (): string => {
    const { sql, family } = only()
    if (family === 'text') return sql
    if (family === 'integer' || family === 'uuid' || family === 'boolean' || family === 'decimal') return `CAST(${sql} AS VARCHAR)`
    throw refused(column, `a ${family} value has no text that DuckDB and PostgreSQL write alike`)
  }
  switch (transform.kind) {
    case 'identity':
    case 'cast':
      return castTo(column, only())
    case 'minutes_to_interval':
      if (only().family !== 'integer') throw refused(column, 'minutes must be whole numbers')
      return { sql: `to_minutes(${only().sql})`, family: 'interval' }
    case 'lowercase':
      return { sql: `lower(${text()})`, family: 'text' }
    case 'trim':
      return { sql: `trim(${text()}, ${BLANKS})`, family: 'text' }
    case 'e164':
      return { sql: e164(text(), transform.country_code), family: 'text' }
    case 'scale':
      return scaled(column, only(), transform.factor, transform.decimals)
    case 'truncate_time': {
      const { sql, family } = only()
      if (family !== 'timestamp') throw refused(column, 'only timestamps without time zone are cut here')
      return { sql: `date_trunc('${transform.unit}', ${sql})`, family: 'timestamp' }
    }
    case 'concat': {
      if (sources.length === 0)
        throw new WaybillError('PLAN_INVALID', `Column ${JSON.stringify(column.target)}: "concat" needs source columns.`)
      const odd = sources.find((source) => source.family !== 'text' && source.family !== 'integer')
      if (odd) throw refused(column, `a ${odd.family} value has no text that DuckDB and PostgreSQL write alike`)
      return { sql: `concat_ws(${literal(transform.separator)}, ${sources.map((source) => source.sql).join(', ')})`, family: 'text' }
    }
    case 'constant':
      return { sql: `CAST(${transform.value === null ? 'NULL' : literal(transform.value)} AS VARCHAR)`, family: 'text' }
    case 'mask_partial': {
      const value = text()
      const { keep } = transform
      const long = `left(${value}, ${keep}) || repeat('*', length(${value}) - ${keep})`
      return { sql: `CASE WHEN length(${value}) > ${keep} THEN ${long} ELSE repeat('*', length(${value})) END`, family: 'text' }
    }
    case 'mask_redact':
      return { sql: `CASE WHEN ${only().sql} IS NULL THEN NULL ELSE ${literal(transform.value)} END`, family: 'text' }
    case 'mask_sha256':
      return { sql: `sha256(${literal(transform.salt)} || ${text()})`, family: 'text' }
  }
}

/** @throws NOT_REPRESENTABLE for a column whose type travels nowhere exactly */
export function sourceExpression(source: string, relation: Relation): Expression {
  const { name: own, type, partition } = columnOf(relation, source)
  if (type.family === null) {
    const message = `Column ${JSON.stringify(own)} has type ${type.duck}, which no PostgreSQL type holds exactly here. Exclude it, or rewrite the file with a plain type.`
    throw new WaybillError('NOT_REPRESENTABLE', message)
  }
  if (relation.format === 'JSON' && !partition) return { sql: jsonText(own), family: 'text', json: jsonRaw(own) }
  if (type.duck === 'TIMESTAMP_NS') {
    const finer = complaint(own, 'holds nanoseconds that are no whole microseconds, which no PostgreSQL type holds')
    return {
      sql: `CASE WHEN epoch_ns(${name(own)}) % 1000 <> 0 THEN ${finer} ELSE CAST(${name(own)} AS TIMESTAMP) END`,
      family: 'timestamp',
    }
  }
  return { sql: name(own), family: type.family, duck: type.duck }
}

/** An expression that ends the statement with words of ours. */
function complaint(column: string, what: string): string {
  return `error(${literal(`waybill: Column ${JSON.stringify(column)} ${what}. Nothing is rounded; exclude it, or give it another type.`)})`
}

const NUMBERS: readonly Family[] = ['integer', 'decimal', 'float']

function castTo(column: ColumnMapping, value: Expression): Expression {
  const type = readSqlType(column.target_type)
  const base = type === null || type.array ? sqlType(column.target_type) : type.base
  const { sql, family } = value
  if (value.json !== undefined && base === 'jsonb') return { sql: value.json, family: 'text' }
  // Text is read by the target's own type: exactly what a person would see inserting it.
  if (family === 'text') return value
  if (TEXTUAL.includes(base)) {
    if (family === 'integer' || family === 'decimal' || family === 'boolean' || family === 'uuid')
      return { sql: `CAST(${sql} AS VARCHAR)`, family: 'text' }
    throw refused(column, `a ${family} value has no text that DuckDB and PostgreSQL write alike`)
  }
  if (NUMERIC.includes(base) && NUMBERS.includes(family)) {
    if (base === 'real' || base === 'double precision') return toFloat(column, value, base === 'real' ? 'FLOAT' : 'DOUBLE')
    if (family === 'float') return { sql: wholeFloat(column, sql), family }
    return value
  }
  const same: Readonly<Record<string, Family>> = {
    boolean: 'boolean',
    bytea: 'bytes',
    date: 'date',
    'time without time zone': 'time',
    'timestamp without time zone': 'timestamp',
    'timestamp with time zone': 'instant',
    interval: 'interval',
    uuid: 'uuid',
  }
  const wanted = Object.hasOwn(same, base) ? same[base] : undefined
  if (wanted === family) return value
  if (wanted === 'timestamp' && family === 'date') return { sql: `CAST(${sql} AS TIMESTAMP)`, family: 'timestamp' }
  if (wanted === 'date' && family === 'timestamp') {
    const day = `CAST(${sql} AS DATE)`
    if (column.lossy) return { sql: day, family: 'date' }
    const timed = complaint(column.target, 'holds times of day, which a date does not')
    return { sql: `CASE WHEN ${sql} <> CAST(${day} AS TIMESTAMP) THEN ${timed} ELSE ${day} END`, family: 'date' }
  }
  if (wanted === 'timestamp' && family === 'instant') {
    return {
      sql: `CASE WHEN isinf(${sql}) THEN CAST(CAST(${sql} AS VARCHAR) AS TIMESTAMP) ELSE make_timestamp(epoch_us(${sql})) END`,
      family: 'timestamp',
    }
  }
  throw refused(column, `a ${family} value does not become ${base} here`)
}

/** A plan may say that a value is rounded to a float; otherwise one that does not come back the same is refused. */
function toFloat(column: ColumnMapping, { sql, family, duck }: Expression, type: 'FLOAT' | 'DOUBLE'): Expression {
  if (duck === type || (duck === 'FLOAT' && type === 'DOUBLE')) return { sql: `CAST(${sql} AS ${type})`, family: 'float' }
  if (column.lossy || duck === undefined) return { sql, family }
  const rounded = complaint(column.target, `holds a number that ${type === 'FLOAT' ? 'real' : 'double precision'} would round`)
  const same = `isnan(CAST(${sql} AS DOUBLE)) OR CAST(CAST(${sql} AS ${type}) AS ${duck}) = ${sql}`
  return { sql: `CASE WHEN ${sql} IS NULL OR ${same} THEN CAST(${sql} AS ${type}) ELSE ${rounded} END`, family: 'float' }
}

/** A fraction in binary is another number than the decimal it is printed as; a whole number is the same in both. */
function wholeFloat(column: ColumnMapping, sql: string): string {
  const value = `CAST(${sql} AS DOUBLE)`
  if (column.lossy) return value
  const same = `isnan(${value}) OR isinf(${value}) OR (${value} = trunc(${value}) AND abs(${value}) <= 9007199254740992)`
  const other = complaint(column.target, `holds a floating-point number that is no whole number, and so no ${column.target_type} exactly`)
  return `CASE WHEN ${value} IS NULL OR ${same} THEN ${value} ELSE ${other} END`
}

/** A date or timestamp as PostgreSQL writes it: DuckDB has the era in the middle, "0044-03-15 (BC) 12:00:00". */
export function momentText(sql: string): string {
  const text = `CAST(${sql} AS VARCHAR)`
  return `CASE WHEN contains(${text}, '(BC)') THEN replace(${text}, ' (BC)', '') || ' BC' ELSE ${text} END`
}

/** An instant in UTC, by its microseconds: text of an instant would depend on an extension. `epoch_us` of infinity is NULL, so it goes apart. */
export function instantText(sql: string): string {
  const text = `CAST(make_timestamp(epoch_us(${sql})) AS VARCHAR)`
  const era = `CASE WHEN contains(${text}, '(BC)') THEN ' BC' ELSE '' END`
  return `CASE WHEN isinf(${sql}) THEN CAST(${sql} AS VARCHAR) ELSE replace(${text}, ' (BC)', '') || '+00' || ${era} END`
}

const TEXTUAL = ['text', 'character varying', 'character']
const NUMERIC = ['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision']

function scaled(column: ColumnMapping, value: Expression, factor: string, decimals: number): Expression {
  if (value.family !== 'integer' && value.family !== 'decimal') throw refused(column, 'only whole and decimal numbers are scaled exactly')
  const [whole = '', fraction = ''] = factor.replace('-', '').split('.')
  // A product wider than 38 digits is an error in DuckDB, never a rounded number.
  const width = Math.max(1, whole.length + fraction.length)
  const plain = value.family === 'integer' ? `CAST(${value.sql} AS DECIMAL(19, 0))` : value.sql
  return { sql: `round(${plain} * CAST(${literal(factor)} AS DECIMAL(${width}, ${fraction.length})), ${decimals})`, family: 'decimal' }
}

function e164(value: string, country: string): string {
  const digits = `regexp_replace(${value}, '[^0-9]', '', 'g')`
  return (
    `CASE WHEN ${digits} = '' THEN ${value} WHEN starts_with(trim(${value}), '+') THEN '+' || ${digits} ` +
    `WHEN starts_with(${digits}, '00') THEN '+' || substr(${digits}, 3) ELSE '+${country}' || ltrim(${digits}, '0') END`
  )
}

function refused(column: ColumnMapping, why: string): WaybillError {
  const how = column.transform.kind === 'identity' || column.transform.kind === 'cast' ? '' : ` by "${column.transform.kind}"`
  const message = `Column ${JSON.stringify(column.target)} of the file does not become ${column.target_type}${how} exactly: ${why}. Exclude it, or give it a type that holds it as it is.`
  return new WaybillError('NOT_REPRESENTABLE', message)
}

const COMPARISONS = { eq: '=', ne: '<>', lt: '<', le: '<=', gt: '>', ge: '>=' } as const

/** The filter in DuckDB; literals take the column's type, and in a CSV, where all is text, only equality means what it says. @throws PLAN_INVALID */
export function fileFilter(filter: RowFilter, relation: Relation): string {
  return filter.all
    .map((term) => {
      const { sql, family } = sourceExpression(term.column, relation)
      const values = term.values.map(literal)
      const bad = (why: string): never => {
        throw new WaybillError('PLAN_INVALID', `Filter on ${JSON.stringify(term.column)}: "${term.op}" ${why}.`)
      }
      switch (term.op) {
        case 'is_null':
        case 'is_not_null':
          return values.length === 0 ? `(${sql} IS ${term.op === 'is_null' ? '' : 'NOT '}NULL)` : bad('takes no value')
        case 'in':
        case 'not_in':
          return values.length > 0
            ? `(${sql} ${term.op === 'in' ? 'IN' : 'NOT IN'} (${values.join(', ')}))`
            : bad('takes at least one value')
        case 'eq':
        case 'ne':
          return values.length === 1 ? `(${sql} ${COMPARISONS[term.op]} ${values[0]})` : bad('takes exactly one value')
        default:
          if (relation.format !== 'PARQUET' && family === 'text')
            return bad('has no order on text of a file; use equality, or load the file first')
          return values.length === 1 ? `(${sql} ${COMPARISONS[term.op]} ${values[0]})` : bad('takes exactly one value')
      }
    })
    .join(' AND ')
}
