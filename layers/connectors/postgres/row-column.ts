import { canonicalSql } from '../../core/encoding/canonical-sql.ts'
import { canonicalType } from '../../core/encoding/canonical-type.ts'
import { WaybillError } from '../../core/errors.ts'
import type { ColumnMapping } from '../../core/schemas/proposal.ts'
import { printedSql } from '../../core/sql-text.ts'
import { BUILTIN_TYPES, type WireKind } from './builtin-types.ts'
import { builtinForm, type TextForm } from './text-form.ts'

export type { WireKind } from './builtin-types.ts'

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
export type FieldType = {
  oid: number
  modifier: number
  name: string
  /** What the type's text means; left out where the table of built-in types says it. */
  form?: TextForm
  /** For oid: it points to a large object, or it may, because the database has some. */
  largeObject?: 'always' | 'perhaps'
}

const INT2 = 21
const INT4 = 23
const INT8 = 20
const NUMERIC = 1700
const FLOAT4 = 700
const FLOAT8 = 701
const OID = 26
const BPCHAR = 1042
const INTEGERS: readonly number[] = [INT2, INT4, INT8]
/** name, text, bpchar, varchar */
const TEXTS: readonly number[] = [19, 25, BPCHAR, 1043]
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
  if (all([OID]) && (source.largeObject ?? target.largeObject) !== undefined) {
    const always = source.largeObject === 'always' || target.largeObject === 'always'
    return both(always ? 'large object' : 'oid and large object', 'utf8', always ? largeObject : numberAndLargeObject)
  }
  const builtin = BUILTIN_TYPES.get(source.oid)
  if (source.oid === target.oid && builtin?.travels === 'binary') {
    if (builtin.wire === 'money') {
      const [left, right] = [formOf(source), formOf(target)]
      if (left.kind !== 'exact' || right.kind !== 'exact' || left.means !== right.means) throw unlike(name, left, right, source, target)
    }
    return binaryColumn(builtin.wire, source, target, both)
  }
  if (all(INTEGERS)) return both('bigint', 'int8', (sql) => `(${sql})::int8`, true)
  if (all([...INTEGERS, NUMERIC])) return both('numeric', 'numeric', (sql) => `trim_scale((${sql})::numeric)`, true)
  if (all(TEXTS)) return both('text', 'utf8', asText)
  if (all([FLOAT4, FLOAT8]))
    return both('double precision', 'float8', (sql) => `CASE WHEN ${sql} = 'NaN' THEN 'NaN'::float8 ELSE (${sql})::float8 END`)
  const [left, right] = [formOf(source), formOf(target)]
  const words = (field: FieldType, form: TextForm) => TEXTS.includes(field.oid) || (form.kind === 'exact' && form.words)
  const same = left.kind === 'exact' && right.kind === 'exact' && left.means === right.means
  if (!same && !(words(source, left) && words(target, right))) throw unlike(name, left, right, source, target)
  const type = source.name === target.name ? source.name : 'text'
  return { name, type, wire: 'utf8', ordered: false, source: printed(source), target: printed(target) }
}

/** cidr and inet, and the types of text: the casts to text that the server itself brings, which nobody can replace. */
const CAST: readonly number[] = [650, 869, ...TEXTS]
const asText = (sql: string) => `(${sql})::text`

function printed({ oid, sql }: FieldType & { sql: string }): string {
  const builtin = BUILTIN_TYPES.get(oid)
  if (builtin?.travels === 'text' && builtin.print !== undefined) return builtin.print(sql)
  return CAST.includes(oid) ? asText(sql) : printedSql(sql)
}

type Both = (type: string, wire: WireKind, wrap: (sql: string) => string, ordered?: boolean) => RowColumn

function binaryColumn(wire: WireKind, source: FieldType, target: FieldType, both: Both): RowColumn {
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

/** The object's bytes, by their digest. A number that leads to no object is what it is, and equal to no other. */
function largeObject(sql: string): string {
  const there = `EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata AS m WHERE m.oid = ${sql})`
  return `CASE WHEN ${sql} IS NULL THEN NULL WHEN ${there} THEN 'sha256:' || encode(sha256(lo_get(${sql})), 'hex') ELSE 'no large object ' || ${printedSql(sql)} END`
}

/** A plain oid may be anything's number, so it counts, and so does the object behind it. */
function numberAndLargeObject(sql: string): string {
  return `${printedSql(sql)} || ' ' || ${largeObject(sql)}`
}

/** The form of an expression's text. Built-in types need no catalog; they are judged as a current server prints them. */
function formOf(field: FieldType): TextForm {
  if (field.form !== undefined) return field.form
  const builtin = BUILTIN_TYPES.get(field.oid)
  if (builtin === undefined) return { kind: 'refused', why: `it is not known whether ${field.name} prints every value differently` }
  return builtinForm(builtin, { decimals: '', version: CURRENT })
}

const CURRENT = 180_000

function unlike(name: string, left: TextForm, right: TextForm, source: FieldType, target: FieldType): WaybillError {
  const both = `${source.name} on the source and ${target.name} on the target`
  const column = `Column ${JSON.stringify(name)} is ${source.name === target.name ? source.name : both}`
  const refused = left.kind === 'refused' ? left : right.kind === 'refused' ? right : null
  if (refused !== null) {
    return new WaybillError(
      'NOT_REPRESENTABLE',
      `${column}, which cannot be compared exactly: ${refused.why}. Leave the column out, or give it a cast in the plan or in a view.`,
    )
  }
  const means = (form: TextForm) => (form.kind === 'exact' ? form.means : 'large object').slice(0, 300)
  const forms = means(left) === means(right) ? '' : ` (${means(left)}; ${means(right)})`
  return new WaybillError('NOT_REPRESENTABLE', `${column}${forms}. Give it a cast in the plan, so that both sides have one type.`)
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
