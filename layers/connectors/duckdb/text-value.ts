import type { CanonicalType } from '../../core/encoding/canonical-type.ts'
import { canonicalValue } from '../../core/encoding/canonical-value.ts'
import { WaybillError } from '../../core/errors.ts'
import { jsonbText } from './jsonb-text.ts'

/**
 * The canonical bytes of a value that a file holds as text, read as PostgreSQL's type reads it or not at all: a fraction finer than a
 * microsecond, an offset on a timestamp without time zone, a day or a time of day that does not exist, or a form whose meaning depends on a
 * setting is refused.
 * @throws NOT_REPRESENTABLE; the text is not repeated
 */
export function textValue(type: CanonicalType, text: string): Uint8Array {
  switch (type.kind) {
    case 'boolean':
      return canonicalValue(type, WORDS[text.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, '').toLowerCase()] ?? text)
    case 'date':
      return canonicalValue(type, endless(text) || moment(text) !== null ? text : '')
    case 'time':
      return canonicalValue(type, clockTime(text))
    case 'timestamp':
      return canonicalValue(type, timestamp(text, type.zoned))
    case 'interval':
      return canonicalValue(type, interval(text))
    case 'json':
      return canonicalValue(type, jsonbText(text))
    default:
      return canonicalValue(type, text)
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['t', 'true', 'y', 'yes', 'on', '1'].map((word) => [word, 'true'])),
  ...Object.fromEntries(['f', 'false', 'n', 'no', 'off', '0'].map((word) => [word, 'false'])),
}

const MOMENT = /^(\d{4,7}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,12})?)?))?(?: ?(Z|[+-]\d{2}(?::?\d{2}(?::\d{2})?)?))?( BC)?$/

type Moment = { date: string; time: string; zone: string | undefined; bc: boolean }

function moment(text: string): Moment | null {
  const match = MOMENT.exec(text)
  if (match === null) return null
  const [, day = '', clock, zone, bc] = match
  const [year = 0, month = 0, date = 0] = day.split('-').map(Number)
  // Year 0 is 1 BC, whose February has 29 days.
  if (year < 1 || !isDay(bc === undefined ? year : 1 - year, month, date)) return null
  const time = clock === undefined ? '00:00:00' : clock.length === 5 ? `${clock}:00` : clock
  if (!isTime(time) || (zone !== undefined && !isOffset(zone))) return null
  return { date: `${day}${bc ?? ''}`, time, zone, bc: bc !== undefined }
}

/** Proleptic Gregorian, as PostgreSQL counts. */
function isDay(year: number, month: number, day: number): boolean {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  const last = month === 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31
  return month >= 1 && month <= 12 && day >= 1 && day <= last
}

/** PostgreSQL would carry `24:00:00` and a second 60 into what follows; a text that says one moment and means another is refused. */
function isTime(time: string): boolean {
  const [hour = 0, minute = 0, second = 0] = time.split(':').map(Number)
  return hour < 24 && minute < 60 && second < 60
}

/** No offset of PostgreSQL reaches 16 hours. */
function isOffset(zone: string): boolean {
  const [hours = 0, minutes = 0, seconds = 0] = (zone.match(/\d{2}/g) ?? []).map(Number)
  return hours < 16 && minutes < 60 && seconds < 60
}

/** The end of the day is a time of its own, 24:00:00. */
function clockTime(text: string): string {
  const time = /^\d{2}:\d{2}$/.test(text) ? `${text}:00` : text
  return isTime(time) || /^24:00:00(\.0+)?$/.test(time) ? time : ''
}

const endless = (text: string) => text === 'infinity' || text === '-infinity'

/** A timestamp as the encoding reads it, with time zone in UTC; one without an offset is in UTC, as on every session of Waybill. */
function timestamp(text: string, zoned: boolean): string {
  const read = moment(text)
  if (read === null) return endless(text) ? text : ''
  const { date, time, zone, bc } = read
  const plain = `${date.replace(' BC', '')} ${time}`
  if (!zoned) return zone === undefined ? `${plain}${bc ? ' BC' : ''}` : text
  if (zone === undefined || zone === 'Z' || /^[+-][0:]+$/.test(zone)) return `${plain}+00${bc ? ' BC' : ''}`
  return inUtc(plain, zone, bc) ?? text
}

/** Year 0 is 1 BC, as PostgreSQL counts; null beyond the years that a Date has. */
function inUtc(plain: string, zone: string, bc: boolean): string | null {
  const [, year = '', month = '', day = '', hour = '', minute = '', second = '', fraction = ''] =
    /^(\d+)-(\d+)-(\d+) (\d+):(\d+):(\d+)(\.\d+)?$/.exec(plain) ?? []
  const [, sign = '', hours = '0', minutes = '0', seconds = '0'] = /^([+-])(\d{2}):?(\d{2})?:?(\d{2})?$/.exec(zone) ?? []
  const offset = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * (sign === '-' ? -1 : 1)
  const at = new Date(0)
  at.setUTCFullYear(bc ? 1 - Number(year) : Number(year), Number(month) - 1, Number(day))
  at.setUTCHours(Number(hour), Number(minute), Number(second) - offset)
  if (Number.isNaN(at.getTime())) return null
  const full = at.getUTCFullYear()
  const two = (value: number) => String(value).padStart(2, '0')
  const date = `${String(full > 0 ? full : 1 - full).padStart(4, '0')}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`
  return `${date} ${at.toISOString().slice(-13, -5)}${fraction}+00${full > 0 ? '' : ' BC'}`
}

const VERBOSE =
  /^(?:([+-]?\d+) years?)? ?(?:([+-]?\d+) mons?)? ?(?:([+-]?\d+) days?)? ?(?:([+-]?)(\d{2,}):([0-5]\d):([0-5]\d)(?:\.(\d{1,6}))?)?$/

/** PostgreSQL's own `1 year 2 mons -3 days 04:05:06.7` as ISO 8601; what already is ISO 8601 stays. */
function interval(text: string): string {
  const match = VERBOSE.exec(text)
  if (text === '' || match === null) return text
  const [, years = '0', months = '0', days = '0', sign = '', hours = '0', minutes = '0', seconds = '0', fraction = ''] = match
  const number = (value: string) => String(BigInt(value.replace('+', '')))
  const minus = sign === '-' ? '-' : ''
  const time = `T${minus}${number(hours)}H${minus}${number(minutes)}M${minus}${number(seconds)}${fraction === '' ? '' : `.${fraction}`}S`
  return `P${number(years)}Y${number(months)}M${number(days)}D${time}`
}

/** The same failure with the column's name in it. */
export function ofColumn(column: string, error: unknown): unknown {
  if (!(error instanceof WaybillError) || error.code !== 'NOT_REPRESENTABLE') return error
  return new WaybillError('NOT_REPRESENTABLE', `Column ${JSON.stringify(column)} of the file: ${error.message}`)
}
