import { WaybillError } from './errors.ts'

/** A PostgreSQL type from the closed list below, taken apart. `text` prints it as PostgreSQL does. */
export type SqlType = { base: string; modifiers: readonly number[]; array: boolean; text: string }

type Form = { base: string; min: number; max: number; suffix?: string }

/** Spelling → base name as `format_type` prints it, with how many modifiers it takes. */
const FORMS: Readonly<Record<string, Form>> = {
  smallint: { base: 'smallint', min: 0, max: 0 },
  int2: { base: 'smallint', min: 0, max: 0 },
  integer: { base: 'integer', min: 0, max: 0 },
  int: { base: 'integer', min: 0, max: 0 },
  int4: { base: 'integer', min: 0, max: 0 },
  bigint: { base: 'bigint', min: 0, max: 0 },
  int8: { base: 'bigint', min: 0, max: 0 },
  numeric: { base: 'numeric', min: 0, max: 2 },
  decimal: { base: 'numeric', min: 0, max: 2 },
  real: { base: 'real', min: 0, max: 0 },
  float4: { base: 'real', min: 0, max: 0 },
  'double precision': { base: 'double precision', min: 0, max: 0 },
  float8: { base: 'double precision', min: 0, max: 0 },
  boolean: { base: 'boolean', min: 0, max: 0 },
  bool: { base: 'boolean', min: 0, max: 0 },
  text: { base: 'text', min: 0, max: 0 },
  'character varying': { base: 'character varying', min: 0, max: 1 },
  varchar: { base: 'character varying', min: 0, max: 1 },
  character: { base: 'character', min: 0, max: 1 },
  char: { base: 'character', min: 0, max: 1 },
  bpchar: { base: 'character', min: 0, max: 1 },
  date: { base: 'date', min: 0, max: 0 },
  time: { base: 'time', min: 0, max: 1, suffix: ' without time zone' },
  'time without time zone': { base: 'time', min: 0, max: 1, suffix: ' without time zone' },
  'time with time zone': { base: 'time', min: 0, max: 1, suffix: ' with time zone' },
  timetz: { base: 'time', min: 0, max: 1, suffix: ' with time zone' },
  timestamp: { base: 'timestamp', min: 0, max: 1, suffix: ' without time zone' },
  'timestamp without time zone': { base: 'timestamp', min: 0, max: 1, suffix: ' without time zone' },
  'timestamp with time zone': { base: 'timestamp', min: 0, max: 1, suffix: ' with time zone' },
  timestamptz: { base: 'timestamp', min: 0, max: 1, suffix: ' with time zone' },
  interval: { base: 'interval', min: 0, max: 0 },
  uuid: { base: 'uuid', min: 0, max: 0 },
  json: { base: 'json', min: 0, max: 0 },
  jsonb: { base: 'jsonb', min: 0, max: 0 },
  bytea: { base: 'bytea', min: 0, max: 0 },
  inet: { base: 'inet', min: 0, max: 0 },
  cidr: { base: 'cidr', min: 0, max: 0 },
  macaddr: { base: 'macaddr', min: 0, max: 0 },
  oid: { base: 'oid', min: 0, max: 0 },
}

/** Base names a spec may use, for messages. */
export const SQL_TYPE_NAMES: readonly string[] = [...new Set(Object.values(FORMS).map((form) => form.base + (form.suffix ?? '')))].sort()

const SHAPE = /^([a-z][a-z0-9]*(?: [a-z]+)*?) ?(?:\( ?(\d{1,4})(?: ?, ?(-?\d{1,4}))? ?\))?((?: [a-z]+)*) ?(\[\])?$/

/**
 * Reads a PostgreSQL type name. Type names cannot be quoted into SQL, so only this closed list ever reaches a server.
 * Null when the text is not one of them.
 */
export function readSqlType(text: string): SqlType | null {
  if (text.length > 128) return null
  const match = SHAPE.exec(text.trim().toLowerCase().replace(/\s+/g, ' '))
  if (match === null) return null
  const [, head = '', first, second, tail = '', brackets] = match
  const form = Object.hasOwn(FORMS, head + tail) ? FORMS[head + tail] : undefined
  if (form === undefined) return null
  const modifiers = [first, second].filter((part) => part !== undefined).map(Number)
  if (modifiers.length < form.min || modifiers.length > form.max || !modifiersAllowed(form.base, modifiers)) return null
  const array = brackets !== undefined
  const printed = modifiers.length === 0 ? '' : `(${modifiers.join(',')})`
  return { base: form.base + (form.suffix ?? ''), modifiers, array, text: `${form.base}${printed}${form.suffix ?? ''}${array ? '[]' : ''}` }
}

/** The canonical spelling. @throws SPEC_INVALID for anything outside the closed list */
export function sqlType(text: string): string {
  const type = readSqlType(text)
  if (type === null) {
    throw new WaybillError(
      'SPEC_INVALID',
      `"${text.slice(0, 80)}" is not a type Waybill can create. Use one of: ${SQL_TYPE_NAMES.join(', ')}.`,
    )
  }
  return type.text
}

function modifiersAllowed(base: string, modifiers: readonly number[]): boolean {
  const [first, second] = modifiers
  if (first === undefined) return true
  if (base === 'numeric') return first >= 1 && first <= 1000 && (second === undefined || (second >= 0 && second <= first))
  if (base === 'time' || base === 'timestamp') return first <= 6
  return first >= 1
}
