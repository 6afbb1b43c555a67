import { WaybillError } from '../errors.ts'
import type { CanonicalType } from './canonical-type.ts'

/**
 * The canonical bytes of one value, version 1. Input is the value's text as PostgreSQL prints it under the pinned session settings
 * (also `yyyy-mm-ddThh:mm:ss` and plain decimals from other engines); output is the same on every connector:
 *
 * integer: decimal, no plus, no leading zero · numeric: plain decimal, no exponent, padded to the declared scale, never rounded; without trailing
 * zeros when none is declared; `NaN`, `Infinity`, `-Infinity` · float: IEEE-754 bits, big-endian; −0 differs from 0, every NaN is one NaN ·
 * boolean: one byte, 1 or 0 · text: UTF-8 as it is, no normalisation; CHAR(n) without its padding blanks · bytes: raw ·
 * date `2026-01-31`, time `12:00:00.5`, timestamp `2026-01-31 12:00:00.5`, with time zone in UTC and `+00` behind; fraction without
 * trailing zeros; years before 1 with ` BC`; `infinity`, `-infinity` · interval: months, days, microseconds, as `1:-2:3000000` ·
 * uuid: 16 bytes · json: text of jsonb as PostgreSQL prints it, numbers exact, `1.0` and `1` differ.
 *
 * @throws NOT_REPRESENTABLE for text that is no value of the type; the text itself is not repeated
 */
export function canonicalValue(type: CanonicalType, text: string): Uint8Array {
  switch (type.kind) {
    case 'integer':
      return ascii(integer(text))
    case 'numeric':
      return ascii(numeric(text, type.scale))
    case 'float':
      return float(text, type.bits)
    case 'boolean':
      return new Uint8Array([boolean(text)])
    case 'text':
      return utf8.encode(wellFormed(type.padded ? text.replace(/ +$/, '') : text))
    case 'bytes':
      return hex(text.startsWith('\\x') ? text.slice(2) : refuse('bytea in hex'))
    case 'uuid':
      return hex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.replaceAll('-', '') : refuse('a uuid'))
    case 'date':
      return ascii(special(text) ?? (DATE.test(text) ? text : refuse('a date')))
    case 'time':
      return ascii(TIME.test(text) ? shortFraction(text) : refuse('a time'))
    case 'timestamp':
      return ascii(special(text) ?? timestamp(text, type.zoned))
    case 'interval':
      return ascii(interval(text))
    case 'json':
      return utf8.encode(wellFormed(text))
  }
}

const utf8 = new TextEncoder()
const ascii = (text: string): Uint8Array => utf8.encode(text)

function refuse(what: string): never {
  throw new WaybillError(
    'NOT_REPRESENTABLE',
    `A value is not ${what} as the canonical encoding defines it. Look at the column's type in the plan.`,
  )
}

function wellFormed(text: string): string {
  // A lone surrogate would be replaced silently: two different texts, one encoding.
  return text.isWellFormed() ? text : refuse('well-formed text')
}

function integer(text: string): string {
  return /^[+-]?[0-9]+$/.test(text) ? BigInt(text.replace(/^\+/, '')).toString() : refuse('an integer')
}

const DECIMAL = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,5}))?$/

function numeric(text: string, scale: number | null): string {
  if (text === 'NaN' || text === 'Infinity' || text === '-Infinity') return text
  const match = DECIMAL.exec(text)
  if (match === null) return refuse('a number')
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  if (whole + fraction === '') return refuse('a number')
  const point = whole.length + Number(exponent)
  const digits = '0'.repeat(Math.max(0, -point)) + whole + fraction
  const at = Math.max(0, point)
  const left = digits.slice(0, at).padEnd(at, '0').replace(/^0+/, '')
  const right = digits.slice(at).replace(/0+$/, '')
  // More digits than declared are kept: rounding here would hide a difference.
  const tail = scale === null ? right : right.padEnd(scale, '0')
  const zero = left === '' && right === ''
  return `${sign === '-' && !zero ? '-' : ''}${left === '' ? '0' : left}${tail === '' ? '' : `.${tail}`}`
}

function float(text: string, bits: 32 | 64): Uint8Array {
  const value =
    FLOATS[text] ?? (/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$/i.test(text) ? Number(text) : refuse('a floating-point number'))
  const view = new DataView(new ArrayBuffer(bits / 8))
  if (Number.isNaN(value)) view.setUint16(0, bits === 32 ? 0x7fc0 : 0x7ff8)
  else if (bits === 32) view.setFloat32(0, value)
  else view.setFloat64(0, value)
  return new Uint8Array(view.buffer)
}
const FLOATS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
}

function boolean(text: string): 0 | 1 {
  if (text === 't' || text === 'true') return 1
  if (text === 'f' || text === 'false') return 0
  return refuse('a boolean')
}

function hex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return refuse('bytes in hexadecimal digits')
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16))
}

const special = (text: string): string | null => (text === 'infinity' || text === '-infinity' ? text : null)
const DATE = /^[0-9]{4,7}-[0-9]{2}-[0-9]{2}( BC)?$/
const TIME = /^[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6}0*)?$/
const TIMESTAMP = /^([0-9]{4,7}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6}0*)?)(\+00|Z)?( BC)?$/

function shortFraction(time: string): string {
  return time.includes('.') ? time.replace(/\.?0+$/, '') : time
}

function timestamp(text: string, zoned: boolean): string {
  const match = TIMESTAMP.exec(text)
  if (match === null || (match[3] !== undefined) !== zoned) return refuse(zoned ? 'an instant in UTC' : 'a timestamp without time zone')
  return `${match[1]} ${shortFraction(match[2]!)}${zoned ? '+00' : ''}${match[4] ?? ''}`
}

const INTERVAL =
  /^P(?:(-?[0-9]+)Y)?(?:(-?[0-9]+)M)?(?:(-?[0-9]+)D)?(?:T(?:(-?[0-9]+)H)?(?:(-?[0-9]+)M)?(?:(-?)([0-9]+)(?:\.([0-9]{1,6}))?S)?)?$/

/** From ISO 8601 as PostgreSQL prints it. Months, days and time are three numbers: `1 mon` is not `30 days`. */
function interval(text: string): string {
  if (text === 'infinity' || text === '-infinity') return text
  const match = INTERVAL.exec(text)
  if (match === null || text === 'P') return refuse('an interval')
  const [, years = '0', months = '0', days = '0', hours = '0', minutes = '0', sign = '', seconds = '0', fraction = ''] = match
  const micros = BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(6, '0'))
  const time = BigInt(hours) * 3_600_000_000n + BigInt(minutes) * 60_000_000n + (sign === '-' ? -micros : micros)
  return `${BigInt(years) * 12n + BigInt(months)}:${BigInt(days)}:${time}`
}
