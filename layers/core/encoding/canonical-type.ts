import { WaybillError } from '../errors.ts'
import { readSqlType } from '../sql-type.ts'

/** How values of one SQL type are written in the canonical encoding. */
export type CanonicalType =
  | { kind: 'integer' }
  /** `scale` null: no declared scale, so trailing zeros are taken off. */
  | { kind: 'numeric'; scale: number | null }
  | { kind: 'float'; bits: 32 | 64 }
  | { kind: 'boolean' }
  /** `padded`: blanks at the end of CHAR(n) are not part of the value. */
  | { kind: 'text'; padded: boolean }
  | { kind: 'bytes' }
  | { kind: 'date' }
  | { kind: 'time' }
  | { kind: 'timestamp'; zoned: boolean }
  | { kind: 'interval' }
  | { kind: 'uuid' }
  | { kind: 'json' }

const KINDS: Readonly<Record<string, CanonicalType>> = {
  smallint: { kind: 'integer' },
  integer: { kind: 'integer' },
  bigint: { kind: 'integer' },
  oid: { kind: 'integer' },
  real: { kind: 'float', bits: 32 },
  'double precision': { kind: 'float', bits: 64 },
  boolean: { kind: 'boolean' },
  text: { kind: 'text', padded: false },
  'character varying': { kind: 'text', padded: false },
  character: { kind: 'text', padded: true },
  bytea: { kind: 'bytes' },
  date: { kind: 'date' },
  'time without time zone': { kind: 'time' },
  'timestamp without time zone': { kind: 'timestamp', zoned: false },
  'timestamp with time zone': { kind: 'timestamp', zoned: true },
  interval: { kind: 'interval' },
  uuid: { kind: 'uuid' },
  jsonb: { kind: 'json' },
}

/** The canonical type of a SQL type as a plan names it. @throws NOT_REPRESENTABLE for a type the canonical encoding does not define */
export function canonicalType(sqlTypeText: string): CanonicalType {
  const type = readSqlType(sqlTypeText)
  if (type !== null && !type.array) {
    if (type.base === 'numeric') return { kind: 'numeric', scale: type.modifiers.length === 0 ? null : (type.modifiers[1] ?? 0) }
    const kind = Object.hasOwn(KINDS, type.base) ? KINDS[type.base] : undefined
    if (kind !== undefined) return kind
  }
  throw new WaybillError(
    'NOT_REPRESENTABLE',
    `The canonical encoding does not define "${sqlTypeText.slice(0, 80)}". Map the column to text, or exclude it from the plan.`,
  )
}
