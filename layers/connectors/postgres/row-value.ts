import { WaybillError } from '../../core/errors.ts'
import type { WireKind } from './row-column.ts'
import { tsqueryText } from './tsquery-text.ts'

/** The exact text of a value on the wire, as PostgreSQL prints it under the pinned settings. @throws STREAM_TRUNCATED for bytes of another size */
export function valueText(wire: WireKind, bytes: Uint8Array): string {
  const sized = (size: number) => sizedView(wire, bytes, size)
  switch (wire) {
    case 'bool':
      return sized(1).getUint8(0) === 1 ? 'true' : 'false'
    case 'bytea':
      return `\\x${Buffer.from(bytes).toString('hex')}`
    case 'char':
      return charText(sized(1).getUint8(0))
    case 'date':
      return dateText(sized(4).getInt32(0))
    case 'float4':
      return floatText(sized(4).getFloat32(0), true)
    case 'float8':
      return floatText(sized(8).getFloat64(0), false)
    case 'int2':
      return String(sized(2).getInt16(0))
    case 'int4':
      return String(sized(4).getInt32(0))
    case 'int8':
      return String(sized(8).getBigInt64(0))
    case 'interval':
      return intervalText(sized(16))
    case 'jsonb':
      return utf8.decode(bytes.subarray(1))
    case 'money':
      return moneyText(sized(8).getBigInt64(0))
    case 'numeric':
      return numericText(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    case 'pg_lsn':
      return [sized(8).getUint32(0), sized(8).getUint32(4)].map((half) => half.toString(16).toUpperCase()).join('/')
    case 'time':
      return timeText(sized(8).getBigInt64(0))
    case 'timestamp':
      return timestampText(sized(8).getBigInt64(0), '')
    case 'timestamptz':
      return timestampText(sized(8).getBigInt64(0), '+00')
    case 'tsquery':
      return tsqueryText(bytes)
    case 'utf8':
      return utf8.decode(bytes)
    case 'uuid':
      return Buffer.from(bytes)
        .toString('hex')
        .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }
}

function sizedView(wire: WireKind, bytes: Uint8Array, size: number): DataView {
  if (bytes.byteLength !== size) {
    throw new WaybillError('STREAM_TRUNCATED', `A value of type ${wire} has ${bytes.byteLength} bytes instead of ${size}.`)
  }
  return new DataView(bytes.buffer, bytes.byteOffset, size)
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** One byte; what is no ASCII in octal, as since PostgreSQL 16; nothing for 0. */
function charText(byte: number): string {
  if (byte === 0) return ''
  return byte < 0x80 ? String.fromCharCode(byte) : `\\${byte.toString(8)}`
}

/** In the C locale: `-$1,234.56`. */
function moneyText(cents: bigint): string {
  const size = cents < 0n ? -cents : cents
  const whole = String(size / 100n).replace(/\B(?=([0-9]{3})+$)/g, ',')
  return `${cents < 0n ? '-' : ''}$${whole}.${String(size % 100n).padStart(2, '0')}`
}

function floatText(value: number, single: boolean): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity'
  if (Object.is(value, -0)) return '-0'
  if (!single) return String(value)
  // The shortest decimal that is this float32 and no other.
  for (let digits = 1; digits < 9; digits++) {
    const text = value.toPrecision(digits)
    if (Math.fround(Number(text)) === value) return String(Number(text))
  }
  return String(Number(value.toPrecision(9)))
}

/** int16 digits, int16 weight, uint16 sign, uint16 display scale, then base-10000 digits. */
function numericText(view: DataView): string {
  const count = view.getInt16(0)
  const weight = view.getInt16(2)
  const sign = view.getUint16(4)
  const scale = view.getUint16(6)
  if (sign === 0xc000) return 'NaN'
  if (sign === 0xd000) return 'Infinity'
  if (sign === 0xf000) return '-Infinity'
  const digit = (i: number) => (i >= 0 && i < count ? view.getInt16(8 + 2 * i) : 0)
  let whole = ''
  for (let i = 0; i <= weight; i++) whole += String(digit(i)).padStart(4, '0')
  let fraction = ''
  for (let i = weight + 1; fraction.length < scale; i++) fraction += String(digit(i)).padStart(4, '0')
  const text = whole.replace(/^0+(?=.)/, '') || '0'
  return `${sign === 0x4000 ? '-' : ''}${text}${scale > 0 ? `.${fraction.slice(0, scale)}` : ''}`
}

const DAY_MICROS = 86_400_000_000n
/** Days from 1970-01-01 to 2000-01-01, where PostgreSQL counts from. */
const EPOCH_DAYS = 10_957

/** Proleptic Gregorian, as PostgreSQL: year 0 is 1 BC. */
function civil(days: number): { text: string; bc: boolean } {
  const shifted = days + EPOCH_DAYS + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  const shown = year > 0 ? year : 1 - year
  return { text: `${String(shown).padStart(4, '0')}-${pad(month)}-${pad(day)}`, bc: year <= 0 }
}

const pad = (value: number | bigint) => String(value).padStart(2, '0')

function dateText(days: number): string {
  if (days === 0x7fffffff) return 'infinity'
  if (days === -0x80000000) return '-infinity'
  const { text, bc } = civil(days)
  return bc ? `${text} BC` : text
}

function timeText(micros: bigint): string {
  const seconds = micros / 1_000_000n
  const fraction = String(micros % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '')
  return `${pad(seconds / 3600n)}:${pad((seconds / 60n) % 60n)}:${pad(seconds % 60n)}${fraction === '' ? '' : `.${fraction}`}`
}

function timestampText(micros: bigint, zone: string): string {
  if (micros === 0x7fff_ffff_ffff_ffffn) return 'infinity'
  if (micros === -0x8000_0000_0000_0000n) return '-infinity'
  let days = micros / DAY_MICROS
  let rest = micros % DAY_MICROS
  if (rest < 0n) {
    days -= 1n
    rest += DAY_MICROS
  }
  const { text, bc } = civil(Number(days))
  return `${text} ${timeText(rest)}${zone}${bc ? ' BC' : ''}`
}

/** ISO 8601, as PostgreSQL prints intervals under `IntervalStyle = iso_8601`. */
function intervalText(view: DataView): string {
  const [micros, days, months] = [view.getBigInt64(0), view.getInt32(8), view.getInt32(12)]
  if (micros === 0x7fff_ffff_ffff_ffffn && days === 0x7fffffff && months === 0x7fffffff) return 'infinity'
  if (micros === -0x8000_0000_0000_0000n && days === -0x80000000 && months === -0x80000000) return '-infinity'
  if (micros === 0n && days === 0 && months === 0) return 'PT0S'
  const part = (value: number | bigint, unit: string) => (value === 0 || value === 0n ? '' : `${value}${unit}`)
  const date = part(Math.trunc(months / 12), 'Y') + part(months % 12, 'M') + part(days, 'D')
  const size = micros < 0n ? -micros : micros
  const sign = micros < 0n ? '-' : ''
  const hours = size / 3_600_000_000n
  const minutes = (size / 60_000_000n) % 60n
  const seconds = size % 60_000_000n
  const fraction = String(seconds % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '')
  const time =
    (hours === 0n ? '' : `${sign}${hours}H`) +
    (minutes === 0n ? '' : `${sign}${minutes}M`) +
    (seconds === 0n ? '' : `${sign}${seconds / 1_000_000n}${fraction === '' ? '' : `.${fraction}`}S`)
  return `P${date}${time === '' ? '' : `T${time}`}`
}
