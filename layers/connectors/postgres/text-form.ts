import { BUILTIN_TYPES, type BuiltinType } from './builtin-types.ts'
import type { Session } from './session.ts'

/**
 * What the printed text of a type's values says, and whether it says it exactly. Two columns whose `means` are the same string and whose text is
 * the same hold the same value; everything else is refused.
 */
export type TextForm =
  /** `words`: the text is the value itself, so it may also be compared with text of other types. */
  { kind: 'exact'; means: string; words: boolean } | { kind: 'large-object' } | { kind: 'refused'; why: string }

/** Types of extensions whose printed text was proven to be one value, one text; by extension and name. */
const EXTENSION_TYPES: ReadonlyMap<string, { words: boolean }> = new Map([
  ['citext.citext', { words: true }],
  ['hstore.hstore', { words: false }],
  ['ltree.ltree', { words: false }],
])

type TypeRow = {
  oid: number
  name: string
  printed: string
  kind: string
  base: number
  element: number
  subtype: number
  extension: string | null
  fields: readonly (readonly [string, number])[]
}

/** pg_range knows multiranges since PostgreSQL 14. Arrays are told from types like point, which can be subscripted too. */
const TYPES = `
SELECT t.oid::text, t.typname, format_type(t.oid, NULL), t.typtype::text, t.typbasetype::text,
       CASE WHEN t.typtype = 'b' AND t.typlen = -1 AND t.typcategory = 'A' THEN t.typelem ELSE 0 END::text,
       coalesce((SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid OR (to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid), 0)::text,
       (SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
         WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'),
       coalesce((SELECT json_agg(json_build_array(a.attname, a.atttypid::int8) ORDER BY a.attnum) FROM pg_attribute a
                  WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '[]')::text
  FROM pg_type t WHERE t.oid = ANY ($1::oid[])`

/** The forms of the types asked for, by number. `largeObjects`: the database has some, so that an oid may be one. @throws the codes of `failureOf` */
export async function readForms(session: Session, oids: readonly number[], largeObjects: boolean): Promise<Map<number, TextForm>> {
  const types = new Map<number, TypeRow>()
  let asked = [...new Set(oids)]
  while (asked.length > 0) {
    for (const row of await session.rows(TYPES, [`{${asked.join(',')}}`])) types.set(Number(row[0]), typeRow(row))
    asked = [...new Set(asked.flatMap((oid) => partsOf(types.get(oid))))].filter((oid) => !types.has(oid))
  }
  const decimals = types.has(MONEY) ? await moneyDecimals(session) : ''
  return new Map(oids.map((oid) => [oid, formOf(oid, { types, decimals, largeObjects, version: session.serverVersion })]))
}

function typeRow(row: readonly (string | null)[]): TypeRow {
  const [oid, name, printed, kind, base, element, subtype, extension, fields] = row
  return {
    oid: Number(oid),
    name: name!,
    printed: printed!,
    kind: kind!,
    base: Number(base),
    element: Number(element),
    subtype: Number(subtype),
    extension: extension ?? null,
    fields: JSON.parse(fields!) as [string, number][],
  }
}

function partsOf(type: TypeRow | undefined): number[] {
  if (type === undefined || BUILTIN_TYPES.has(type.oid)) return []
  return [type.base, type.element, type.subtype, ...type.fields.map(([, oid]) => oid)].filter((oid) => oid !== 0)
}

const MONEY = 790

/** How many decimals the database's own locale gives money. The number stored is in the smallest unit: 100 is one dollar, or 100 yen. */
async function moneyDecimals(session: Session): Promise<string> {
  try {
    await session.rows(`SELECT set_config('lc_monetary', reset_val, false) FROM pg_settings WHERE name = 'lc_monetary'`)
    const [row] = await session.rows(`SELECT ltrim(encode(cash_send('1'::money), 'hex'), '0')`)
    return String(String(Number.parseInt(row![0]!, 16)).length - 1)
  } finally {
    await session.run(`SET lc_monetary = 'C'`)
  }
}

type Known = { types: ReadonlyMap<number, TypeRow>; decimals: string; largeObjects: boolean; version: number }

function formOf(oid: number, known: Known): TextForm {
  const type = known.types.get(oid)
  if (type === undefined) return { kind: 'refused', why: `type number ${oid} is not in the catalog` }
  const listed = BUILTIN_TYPES.get(oid)
  if (listed !== undefined) return builtinForm(listed, known)
  if (type.kind === 'd') {
    return type.name === 'lo' && type.base === OID ? { kind: 'large-object' } : formOf(type.base, known)
  }
  if (type.kind === 'e') return { kind: 'exact', means: 'text', words: true }
  if (type.element !== 0) return within(inner(type.element, known), (means) => `${means}[]`)
  if (type.kind === 'r') return within(inner(type.subtype, known), (means) => `range of ${means}`)
  if (type.kind === 'm') return within(inner(type.subtype, known), (means) => `multirange of ${means}`)
  if (type.kind === 'c') {
    const parts: string[] = []
    for (const [name, field] of type.fields) {
      const form = within(inner(field, known), (means) => `${JSON.stringify(name)} ${means}`)
      if (form.kind !== 'exact') return form
      parts.push(form.means)
    }
    return { kind: 'exact', means: `row (${parts.join(', ')})`, words: false }
  }
  const extension = type.extension === null ? undefined : EXTENSION_TYPES.get(`${type.extension}.${type.name}`)
  if (extension !== undefined) return { kind: 'exact', means: extension.words ? 'text' : type.name, words: extension.words }
  return { kind: 'refused', why: `it is not known whether ${type.printed} prints every value differently` }
}

const OID = 26

/** What the text of a built-in type means on a server of that version. `decimals`: those of money in the database's own locale. */
export function builtinForm(type: BuiltinType, known: Pick<Known, 'decimals' | 'version'>): TextForm {
  if (type.travels === 'refused') return { kind: 'refused', why: `${type.name} ${type.why}` }
  if (type.travels === 'binary' && type.inside !== undefined) return { kind: 'refused', why: `${type.name} ${type.inside}` }
  if (type.floats && known.version < EXACT_FLOATS) {
    return { kind: 'refused', why: `${type.name} is not printed exactly by servers before PostgreSQL 12` }
  }
  const means = type.name === 'money' ? `money with ${known.decimals} decimals` : type.name
  const words = type.travels === 'binary' && type.words === true
  return { kind: 'exact', means: words ? 'text' : means, words }
}

const EXACT_FLOATS = 120_000

/** The form of what stands inside another value. */
function inner(oid: number, known: Known): TextForm {
  const form = formOf(oid, known)
  const follows = form.kind === 'large-object' || (known.largeObjects && form.kind === 'exact' && form.means === 'oid')
  return follows ? { kind: 'refused', why: 'large objects inside another value are not followed' } : form
}

function within(form: TextForm, means: (inner: string) => string): TextForm {
  return form.kind === 'exact' ? { kind: 'exact', means: means(form.means), words: false } : form
}
