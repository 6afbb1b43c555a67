import type { TypeCoercionRulebook } from './schemas/policy.ts'
import type { Transform } from './schemas/spec.ts'

export type CoercionRule = TypeCoercionRulebook['rules'][number]

/** Spellings of PostgreSQL and DuckDB for the base names the rulebook uses. */
const ALIASES: Readonly<Record<string, string>> = {
  int2: 'smallint',
  smallserial: 'smallint',
  int: 'integer',
  int4: 'integer',
  serial: 'integer',
  int8: 'bigint',
  bigserial: 'bigint',
  long: 'bigint',
  decimal: 'numeric',
  float4: 'real',
  // PostgreSQL never prints `float`; DuckDB means four bytes by it.
  float: 'real',
  float8: 'double precision',
  double: 'double precision',
  bool: 'boolean',
  varchar: 'character varying',
  char: 'character',
  bpchar: 'character',
  string: 'text',
  blob: 'bytea',
  varbinary: 'bytea',
  time: 'time without time zone',
  timetz: 'time with time zone',
  timestamp: 'timestamp without time zone',
  datetime: 'timestamp without time zone',
  timestamptz: 'timestamp with time zone',
}

export type TypeParts = { base: string; modifiers: readonly number[] }

/**
 * `numeric(10,2)` → base `numeric`, modifiers 10 and 2; aliases resolved, case and spacing folded, `[]` kept in the base.
 * A type nobody knows keeps its own name, so it equals only itself.
 */
export function typeParts(type: string): TypeParts {
  // Quoted names and enum labels tell case apart, so only plain type names are folded.
  const plain = /^[A-Za-z0-9_ (),[\]]+$/.test(type)
  const folded = plain ? type.trim().toLowerCase().replace(/\s+/g, ' ') : type
  const array = folded.endsWith('[]')
  const element = array ? folded.slice(0, -2).trim() : folded
  const match = /^([a-z_][a-z0-9_ ]*?) ?\( ?(\d{1,9}) ?(?:, ?(-?\d{1,9}) ?)?\)((?: [a-z]+)*)$/.exec(element)
  const name = match === null ? element : `${match[1]}${match[4] ?? ''}`
  const base = Object.hasOwn(ALIASES, name) ? ALIASES[name]! : name
  const modifiers = match === null ? [] : [match[2], match[3]].filter((part) => part !== undefined).map(Number)
  return { base: array ? `${base}[]` : base, modifiers }
}

/** `int4` → `integer`, `VARCHAR(10)` → `character varying`. */
export function baseType(type: string): string {
  return typeParts(type).base
}

/** Decimal digits of the largest value. */
const INTEGER_DIGITS: Readonly<Record<string, number>> = {
  tinyint: 3,
  utinyint: 3,
  smallint: 5,
  usmallint: 5,
  integer: 10,
  uinteger: 10,
  bigint: 19,
  ubigint: 20,
  hugeint: 39,
  uhugeint: 39,
}

/** Characters of the longest text form. */
const TEXT_LENGTH: Readonly<Record<string, number>> = {
  boolean: 5,
  smallint: 6,
  integer: 11,
  bigint: 20,
  oid: 10,
  uuid: 36,
  tinyint: 4,
  utinyint: 3,
}

const SECOND_DECIMALS: Readonly<Record<string, number>> = { timestamp_s: 0, timestamp_ms: 3, timestamp_ns: 9 }

/**
 * True when the target's length, precision or scale cannot hold every value of the source, or nobody can tell that it does.
 * Only the room is judged here; whether one base type becomes the other is the rulebook's business.
 */
export function narrows(from: string, to: string): boolean {
  const source = typeParts(from)
  const target = typeParts(to)
  if (target.base === 'numeric') return narrowsNumeric(source, target)
  if (target.base === 'character varying' || target.base === 'character') return narrowsText(source, target)
  if (/^time(stamp)? with/.test(target.base)) {
    const held = target.modifiers[0] ?? 6
    const has = SECOND_DECIMALS[source.base] ?? (/^time(stamp)? with/.test(source.base) ? (source.modifiers[0] ?? 6) : 0)
    return has > held
  }
  if (target.modifiers.length === 0) return false
  return source.base !== target.base || source.modifiers.join() !== target.modifiers.join()
}

function narrowsNumeric(source: TypeParts, target: TypeParts): boolean {
  const [precision, scale = 0] = target.modifiers
  if (precision === undefined) return false
  const digits = INTEGER_DIGITS[source.base]
  if (digits !== undefined) return digits > precision - scale
  const [sourcePrecision, sourceScale = 0] = source.modifiers
  if (source.base !== 'numeric' || sourcePrecision === undefined) return true
  return sourceScale > scale || sourcePrecision - sourceScale > precision - scale
}

function narrowsText(source: TypeParts, target: TypeParts): boolean {
  const room = target.base === 'character' ? (target.modifiers[0] ?? 1) : (target.modifiers[0] ?? Number.POSITIVE_INFINITY)
  if (source.base === 'character') return (source.modifiers[0] ?? 1) > room
  // Padding makes trailing blanks meaningless, whatever the length.
  if (target.base === 'character') return true
  if (source.base === 'character varying') return (source.modifiers[0] ?? Number.POSITIVE_INFINITY) > room
  return room !== Number.POSITIVE_INFINITY && (TEXT_LENGTH[source.base] ?? Number.POSITIVE_INFINITY) > room
}

/** True when a product keeps all its decimals: those of the source and of the factor fit what the spec asks for, and the column. */
function scalesExactly(from: string, to: string, transform: Transform | Transform['kind']): boolean {
  if (typeof transform === 'string' || transform.kind !== 'scale') return false
  const source = typeParts(from)
  const target = typeParts(to)
  const sourceDecimals = source.base === 'numeric' ? (source.modifiers.length === 0 ? null : (source.modifiers[1] ?? 0)) : 0
  if (sourceDecimals === null || target.base !== 'numeric') return false
  const factorDecimals = transform.factor.split('.')[1]?.length ?? 0
  const held = target.modifiers.length === 0 ? Number.POSITIVE_INFINITY : (target.modifiers[1] ?? 0)
  return sourceDecimals + factorDecimals <= transform.decimals && transform.decimals <= held
}

/**
 * The first rule of the rulebook that allows a column, or null. `from` are the source types as the system prints them, `to` the
 * target type. A rule called lossless is given only where the target's room shows that nothing can be lost: `numeric(10,2)` to
 * `numeric(8,2)` gets the narrowing rule although the base types are equal. For `scale` give the whole transform; by its kind alone
 * no product is known to be exact.
 */
export function ruleFor(
  rulebook: TypeCoercionRulebook,
  from: readonly string[],
  to: string,
  transform: Transform | Transform['kind'],
): CoercionRule | null {
  return rulebook.rules.find((rule) => allows(rule, from, to, transform)) ?? null
}

/** Whether one rule allows a column. */
export function allows(rule: CoercionRule, from: readonly string[], to: string, transform: Transform | Transform['kind']): boolean {
  const kind = typeof transform === 'string' ? transform : transform.kind
  if (rule.transform !== kind) return false
  const target = baseType(to)
  if (!rule.to.includes('*') && !rule.to.includes(target)) return false
  if (kind === 'constant') return from.length === 0
  if (from.length === 0 || (kind !== 'concat' && from.length !== 1)) return false
  if (!from.every((type) => rule.from.includes('*') || rule.from.includes(baseType(type)))) return false
  const [source = ''] = from
  if (kind !== 'identity' && kind !== 'cast') return rule.lossy || kind !== 'scale' || scalesExactly(source, to, transform)
  const anyToAny = rule.from.includes('*') && rule.to.includes('*')
  if (anyToAny && baseType(source) !== target) return false
  return rule.lossy || !narrows(source, to)
}
