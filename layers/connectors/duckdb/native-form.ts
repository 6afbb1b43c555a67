import type { NativeForm } from '../../core/encoding/row-stream.ts'
import { WaybillError } from '../../core/errors.ts'
import { fileType } from './types.ts'

/** What DuckDB hands over for one field and the native form it becomes; `type` is DuckDB's for `sql`, and says how values lie in memory. */
export type NativeField = { column: string; sql: string; type: string; form: NativeForm }

/** Bytes of one value in a vector's memory; texts and blobs stand there by 16 bytes. */
const WIDTHS: Readonly<Record<string, number>> = {
  BOOLEAN: 1,
  SMALLINT: 2,
  INTEGER: 4,
  BIGINT: 8,
  FLOAT: 4,
  DOUBLE: 8,
  VARCHAR: 16,
  BLOB: 16,
  DATE: 4,
  TIME: 8,
  TIMESTAMP: 8,
  'TIMESTAMP WITH TIME ZONE': 8,
  INTERVAL: 16,
  UUID: 16,
}

/** Types whose values a wider one of these holds. */
const NARROW: readonly string[] = ['TINYINT', 'UTINYINT', 'USMALLINT', 'UINTEGER']

/** The PostgreSQL type whose native form the values of a DuckDB type have; null where they are not read from memory here. */
export function nativeType(duck: string, targetType: string): string | null {
  if (!Object.hasOwn(WIDTHS, duck) && !NARROW.includes(duck) && scaleOf(duck) === null) return null
  // Text that jsonb would read.
  return duck === 'VARCHAR' && targetType === 'jsonb' ? 'jsonb' : fileType(duck).postgres
}

/**
 * One field in the form that is wanted. Casts only widen, so none of them rounds or overflows.
 * @throws PLAN_INVALID where the type has no such form
 */
export function nativeField(column: string, sql: string, duck: string, form: NativeForm): NativeField {
  const as = (type: string, from: readonly string[], value = type === duck ? sql : `CAST(${sql} AS ${type})`): NativeField => {
    if (from.includes(duck)) return { column, sql: value, type, form }
    throw new WaybillError('PLAN_INVALID', `Column ${JSON.stringify(column)} of the file is not of the type it had. Compare again.`)
  }
  switch (form.wire) {
    case 'bool':
      return as('BOOLEAN', ['BOOLEAN'])
    case 'int2':
      return as('SMALLINT', SHORT)
    case 'int4':
      return as('INTEGER', WHOLE)
    case 'int8':
      return as('BIGINT', LONG)
    case 'numeric':
      return scaleOf(duck) === null ? as('BIGINT', LONG) : as(duck, [duck])
    case 'float4':
      return as('FLOAT', ['FLOAT'])
    case 'float8':
      return as('DOUBLE', ['FLOAT', 'DOUBLE'])
    case 'date':
      return as('DATE', ['DATE'])
    case 'time':
      return as('TIME', ['TIME'])
    case 'timestamp':
      return as('TIMESTAMP', ['TIMESTAMP'])
    case 'timestamptz':
      return as('TIMESTAMP WITH TIME ZONE', ['TIMESTAMP WITH TIME ZONE'])
    case 'interval':
      return as('INTERVAL', ['INTERVAL'])
    case 'uuid':
      return as('UUID', ['UUID'])
    // A new text: those of one vector then lie one behind the other in memory, and are fetched together.
    case 'utf8':
      return as('VARCHAR', ['VARCHAR'], form.blanks === 'padding' ? `rtrim(${sql}, ' ')` : `(${sql}) || ''`)
    case 'jsonb':
      return as('VARCHAR', ['VARCHAR'], `(${sql}) || ''`)
    case 'bytea':
      return as('BLOB', ['BLOB'], `(${sql}) || ''::BLOB`)
  }
}

const SHORT: readonly string[] = ['TINYINT', 'UTINYINT', 'SMALLINT']
const WHOLE: readonly string[] = [...SHORT, 'USMALLINT', 'INTEGER']
const LONG: readonly string[] = [...WHOLE, 'UINTEGER', 'BIGINT']

/** Digits behind the point of a DECIMAL; null for any other type. */
export function scaleOf(duck: string): number | null {
  const [, scale] = /^DECIMAL\(\d+,(\d+)\)$/.exec(duck) ?? []
  return scale === undefined ? null : Number(scale)
}

/** Bytes of one value of the type in a vector. */
export function widthOf(duck: string): number {
  const [, digits] = /^DECIMAL\((\d+),\d+\)$/.exec(duck) ?? []
  if (digits === undefined) return WIDTHS[duck] ?? 0
  return Number(digits) <= 4 ? 2 : Number(digits) <= 9 ? 4 : Number(digits) <= 18 ? 8 : 16
}
