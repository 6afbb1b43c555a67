import { baseType, typeParts } from '../core/rulebooks.ts'
import { readSqlType } from '../core/sql-type.ts'

/** Types of files that PostgreSQL has no type of the same name for, and the smallest type that holds every value. */
const HOLDS: Readonly<Record<string, string>> = {
  tinyint: 'smallint',
  utinyint: 'smallint',
  usmallint: 'integer',
  uinteger: 'bigint',
  ubigint: 'numeric(20,0)',
  hugeint: 'numeric(39,0)',
  uhugeint: 'numeric(39,0)',
  timestamp_s: 'timestamp without time zone',
  timestamp_ms: 'timestamp without time zone',
  timestamp_ns: 'timestamp without time zone',
}

/**
 * The PostgreSQL type that a source column gets when the spec names none: its own where PostgreSQL has it, else the smallest that holds it.
 * Null for a type of the source's own (an enum, a domain, a list): what becomes of it is for a person to say.
 */
export function naturalType(sourceType: string): string | null {
  const own = readSqlType(sourceType)
  if (own !== null) return own.text
  const { base, modifiers } = typeParts(sourceType)
  if (Object.hasOwn(HOLDS, base)) return HOLDS[base] ?? null
  return readSqlType(modifiers.length === 0 ? base : `${base}(${modifiers.join(',')})`)?.text ?? null
}

export function isText(type: string): boolean {
  return ['text', 'character varying', 'character'].includes(baseType(type))
}
