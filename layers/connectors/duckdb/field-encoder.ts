import type { CanonicalType } from '../../core/encoding/canonical-type.ts'
import { canonicalValue } from '../../core/encoding/canonical-value.ts'
import { type Expression, instantText, momentText } from './expression.ts'
import { literal } from './session.ts'
import { ofColumn, textValue } from './text-value.ts'

/**
 * One field on its way from DuckDB to a row frame. DuckDB prints `sql`; a text of `plain` bytes (any length where true) is canonical as it
 * stands, anything else goes through `bytes`. `escaped`: the text may hold a tab, a line end or a backslash.
 */
export type FieldEncoder = {
  sql: string
  escaped: boolean
  plain: boolean | number
  /** @throws NOT_REPRESENTABLE with the name of the column */
  bytes(text: string): Uint8Array
}

export function fieldEncoder(column: string, expression: Expression, type: CanonicalType): FieldEncoder {
  const { family, sql, duck } = expression
  const named = (encode: (text: string) => Uint8Array) => (text: string) => {
    try {
      return encode(text)
    } catch (error) {
      throw ofColumn(column, error)
    }
  }
  const defined = named((text) => canonicalValue(type, text))
  const printed = (text: string, plain: boolean | number, bytes = defined): FieldEncoder => ({ sql: text, escaped: false, plain, bytes })
  const varchar = `CAST(${sql} AS VARCHAR)`
  if (type.kind === 'text') return { sql: varchar, escaped: true, plain: !type.padded, bytes: defined }
  if (family === 'text') {
    if (type.kind === 'float') return printed(floatOfText(column, sql, type.bits), false, named(floatBytes(type)))
    return { sql, escaped: true, plain: false, bytes: named((text) => textValue(type, text)) }
  }
  switch (type.kind) {
    case 'integer':
      return printed(varchar, family === 'integer')
    case 'numeric':
      return printed(varchar, printsScale(duck, type.scale))
    case 'float':
      return printed(floatText(family === 'float' ? sql : `CAST(${sql} AS DOUBLE)`), false, named(floatBytes(type)))
    case 'bytes':
      return printed(`hex(${sql})`, false, hexBytes)
    case 'uuid':
      return printed(`replace(${varchar}, '-', '')`, false, hexBytes)
    case 'date':
      return printed(momentText(sql), 10)
    case 'timestamp':
      return type.zoned ? printed(instantText(sql), 22) : printed(momentText(sql), 19)
    case 'interval':
      return printed(intervalText(sql), true)
    default:
      return printed(varchar, false)
  }
}

/** DuckDB prints a decimal with all the digits of its scale, and a zero before the point where it has room for one. */
function printsScale(duck: string | undefined, scale: number | null): boolean {
  const [, width, own] = /^DECIMAL\((\d+),(\d+)\)$/.exec(duck ?? '') ?? []
  return scale !== null && scale > 0 && Number(own) === scale && Number(width) > scale
}

/** DuckDB prints `nan` and `inf` where the encoding reads `NaN` and `Infinity`. */
function floatText(value: string): string {
  const endless = `CASE WHEN ${value} > 0 THEN 'Infinity' ELSE '-Infinity' END`
  return `CASE WHEN isnan(${value}) THEN 'NaN' WHEN isinf(${value}) THEN ${endless} ELSE CAST(${value} AS VARCHAR) END`
}

/** What PostgreSQL reads as a float; DuckDB would read `1_000` too. */
const FLOAT_TEXT = '(?i)\\s*([+-]?(([0-9]+\\.?[0-9]*|\\.[0-9]+)(e[+-]?[0-9]+)?|inf|infinity)|nan)\\s*'

/** Text to a float, rounded once as PostgreSQL rounds it; a number beyond the type is refused as it is there, not made infinite or zero. */
function floatOfText(column: string, sql: string, bits: 32 | 64): string {
  const type = bits === 32 ? 'FLOAT' : 'DOUBLE'
  const value = `CAST(${sql} AS ${type})`
  const beyond = `(isinf(${value}) AND NOT regexp_matches(${sql}, '(?i)inf')) OR (${value} = 0 AND regexp_matches(${sql}, '^[^eE]*[1-9]'))`
  const pg = bits === 32 ? 'real' : 'double precision'
  const refusal = literal(`waybill: Column ${JSON.stringify(column)} holds a number too large or too small for ${pg}.`)
  const unread = `NOT regexp_full_match(${sql}, '${FLOAT_TEXT}')`
  const not = literal(`waybill: Column ${JSON.stringify(column)} of the file: a value is no number as ${pg} reads it.`)
  return `CASE WHEN ${unread} THEN error(${not}) WHEN ${beyond} THEN error(${refusal}) ELSE ${floatText(value)} END`
}

/** As `canonicalValue` does, without its general patterns: most of a scientific file is floats. */
function floatBytes(type: CanonicalType & { kind: 'float' }): (text: string) => Uint8Array {
  const single = type.bits === 32
  return (text) => {
    const value = Number(text)
    if (text === '' || Number.isNaN(value) || !Number.isFinite(value)) return canonicalValue(type, text)
    const bytes = Buffer.allocUnsafe(single ? 4 : 8)
    if (single) bytes.writeFloatBE(value)
    else bytes.writeDoubleBE(value)
    return bytes
  }
}

/** Of digits that DuckDB itself printed. */
const hexBytes = (text: string) => Buffer.from(text, 'hex')

/** Months, days, microseconds: the three numbers DuckDB and PostgreSQL both keep. */
function intervalText(value: string): string {
  const part = (unit: string) => `datepart('${unit}', ${value})`
  const micros = `${part('hour')} * 3600000000 + ${part('minute')} * 60000000 + ${part('microsecond')}`
  return `(${part('year')} * 12 + ${part('month')}) || ':' || ${part('day')} || ':' || (${micros})`
}
