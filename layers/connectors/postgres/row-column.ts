import { canonicalSql } from '../../core/encoding/canonical-sql.ts'
import { canonicalType } from '../../core/encoding/canonical-type.ts'
import { WaybillError } from '../../core/errors.ts'
import type { ColumnMapping } from '../../core/schemas/proposal.ts'

/** How the bytes of a value are to be read back for a report. `utf8` also stands for every type that travels as text. */
export type WireKind =
  | 'bool'
  | 'bytea'
  | 'date'
  | 'float4'
  | 'float8'
  | 'int2'
  | 'int4'
  | 'int8'
  | 'interval'
  | 'jsonb'
  | 'numeric'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'utf8'
  | 'uuid'

/** One column of the row encoding: what each side selects, and what the bytes are. */
export type RowColumn = {
  name: string
  type: string
  wire: WireKind
  source: string
  target: string
  /** The servers sort the plain columns (text under a byte-order collation) exactly as `key-order.ts` sorts their bytes. */
  ordered: boolean
}

/** What a server says about an expression: type number, modifier, printed name. */
export type FieldType = { oid: number; modifier: number; name: string }

const INT2 = 21
const INT4 = 23
const INT8 = 20
const NUMERIC = 1700
const FLOAT4 = 700
const FLOAT8 = 701
const BPCHAR = 1042
const INTEGERS: readonly number[] = [INT2, INT4, INT8]
/** name, text, bpchar, varchar */
const TEXTS: readonly number[] = [19, 25, BPCHAR, 1043]
/** Below this number types are the same in every database; above, each database numbers its own. */
const FIRST_LOCAL_OID = 16384

/** Types whose binary form is one value, one form, on every server. Whatever is not here travels as text. */
const BINARY: ReadonlyMap<number, WireKind> = new Map([
  [16, 'bool'],
  [17, 'bytea'],
  [19, 'utf8'],
  [INT8, 'int8'],
  [INT2, 'int2'],
  [INT4, 'int4'],
  [25, 'utf8'],
  [114, 'utf8'],
  [FLOAT4, 'float4'],
  [FLOAT8, 'float8'],
  [BPCHAR, 'utf8'],
  [1043, 'utf8'],
  [1082, 'date'],
  [1083, 'time'],
  [1114, 'timestamp'],
  [1184, 'timestamptz'],
  [1186, 'interval'],
  [NUMERIC, 'numeric'],
  [2950, 'uuid'],
  [3802, 'jsonb'],
])

/**
 * Types that sort as their bytes do here: bool, bytea, int8, int2, int4, text, varchar, date, time, timestamps, uuid. Not among them:
 * CHAR(n), which ignores its padding; floats, where −0 equals 0; intervals, where 24 hours equal a day.
 */
const ORDERED: readonly number[] = [16, 17, INT8, INT2, INT4, 25, 1043, 1082, 1083, 1114, 1184, 2950]

/**
 * The native form of one column: both sides' expressions brought to one type without losing anything.
 * @throws NOT_REPRESENTABLE when the types have no common exact form; the plan must then name a cast
 */
export function nativeColumn(name: string, source: FieldType & { sql: string }, target: FieldType & { sql: string }): RowColumn {
  const both = (type: string, wire: WireKind, wrap: (sql: string) => string, ordered = false): RowColumn => ({
    name,
    type,
    wire,
    ordered,
    source: wrap(source.sql),
    target: wrap(target.sql),
  })
  const all = (oids: readonly number[]) => oids.includes(source.oid) && oids.includes(target.oid)
  const asText = (sql: string) => `(${sql})::text`
  if (source.oid === target.oid) {
    const wire = BINARY.get(source.oid)
    if (wire === undefined) return both(source.name === target.name ? source.name : 'text', 'utf8', asText)
    if (wire === 'numeric') {
      // Without one declared scale, 1.0 and 1.00 are the same number in two forms.
      const declared = source.modifier !== -1 && source.modifier === target.modifier
      return both(declared ? target.name : 'numeric', wire, declared ? (sql) => sql : (sql) => `trim_scale(${sql})`, true)
    }
    // The sign and payload of a NaN depend on the processor that made it; −0 stays what it is.
    if (wire === 'float4' || wire === 'float8')
      return both(target.name, wire, (sql) => `CASE WHEN ${sql} = 'NaN'::${wire} THEN 'NaN'::${wire} ELSE ${sql} END`)
    if (source.oid === BPCHAR && source.modifier !== target.modifier) return both('text', 'utf8', asText)
    return both(
      source.modifier === target.modifier ? target.name : target.name.replace(/ ?\([0-9, -]+\)/, ''),
      wire,
      (sql) => sql,
      ORDERED.includes(source.oid),
    )
  }
  if (all(INTEGERS)) return both('bigint', 'int8', (sql) => `(${sql})::int8`, true)
  if (all([...INTEGERS, NUMERIC])) return both('numeric', 'numeric', (sql) => `trim_scale((${sql})::numeric)`, true)
  if (all(TEXTS)) return both('text', 'utf8', asText)
  if (all([FLOAT4, FLOAT8]))
    return both('double precision', 'float8', (sql) => `CASE WHEN ${sql} = 'NaN' THEN 'NaN'::float8 ELSE (${sql})::float8 END`)
  const local = (field: FieldType) => field.oid >= FIRST_LOCAL_OID
  if ((local(source) || TEXTS.includes(source.oid)) && (local(target) || TEXTS.includes(target.oid))) return both('text', 'utf8', asText)
  throw new WaybillError(
    'NOT_REPRESENTABLE',
    `Column ${JSON.stringify(name)} is ${source.name} on the source and ${target.name} on the target. Give it a cast in the plan, so that both sides have one type.`,
  )
}

/** The canonical form of one PostgreSQL column; `sql` is that side's expression. @throws NOT_REPRESENTABLE */
export function canonicalColumn(column: ColumnMapping, sql: string): RowColumn {
  const type = canonicalType(column.target_type)
  const expression = canonicalSql(type, sql)
  const wire: WireKind = (() => {
    switch (type.kind) {
      case 'float':
        return type.bits === 32 ? 'float4' : 'float8'
      case 'boolean':
        return 'bool'
      case 'bytes':
        return 'bytea'
      case 'uuid':
        return 'uuid'
      default:
        return 'utf8'
    }
  })()
  return { name: column.target, type: column.target_type, wire, ordered: false, source: expression, target: expression }
}
