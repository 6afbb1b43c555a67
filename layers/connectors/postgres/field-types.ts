import { WaybillError } from '../../core/errors.ts'
import { BUILTIN_TYPES } from './builtin-types.ts'
import { failureOf } from './failure.ts'
import type { FieldType } from './row-column.ts'
import type { Session } from './session.ts'
import { readForms, type TextForm } from './text-form.ts'

const MONEY = 790
const OID = 26

/**
 * What the server says about expressions over one table or view: type, modifier, printed name, and of types without a number that is the same
 * everywhere what their text means.
 * @throws NOT_FOUND, PERMISSION_DENIED, CONNECTION_FAILED
 */
export async function fieldTypes(session: Session, expressions: readonly string[], object: string, side: string): Promise<FieldType[]> {
  try {
    const described = await session.client.query(`SELECT ${expressions.join(', ')} FROM ${object} LIMIT 0`)
    // A description names what a domain stands for; whether it is the domain of large objects stands in the catalog.
    const named = await session.rows(
      `SELECT format_type(f.oid, f.modifier), coalesce(a.atttypid, f.oid)::text
         FROM unnest($1::oid[], $2::int4[], $3::text[]) WITH ORDINALITY AS f(oid, modifier, plain, n)
         LEFT JOIN pg_attribute a ON a.attrelid = $4::regclass AND a.attname = f.plain AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY f.n`,
      [
        `{${described.fields.map((field) => field.dataTypeID).join(',')}}`,
        `{${described.fields.map((field) => field.dataTypeModifier).join(',')}}`,
        `{${expressions.map((expression) => arrayElement(plainColumn(expression))).join(',')}}`,
        object,
      ],
    )
    const fields = described.fields.map((field, i) => ({
      oid: field.dataTypeID,
      modifier: field.dataTypeModifier,
      name: named[i]![0]!,
      declared: Number(named[i]![1]),
    }))
    const large = await holdsLargeObjects(session, fields)
    const unknown = fields.filter(({ oid, declared }) => declared !== oid || oid === MONEY || !BUILTIN_TYPES.has(oid))
    const forms =
      unknown.length === 0
        ? new Map<number, TextForm>()
        : await readForms(
            session,
            unknown.map(({ declared }) => declared),
            large,
          )
    return fields.map(({ declared, ...field }) => {
      const form = forms.get(declared)
      return {
        ...field,
        ...(form === undefined ? {} : { form }),
        ...(field.oid === OID && form?.kind === 'large-object' ? { largeObject: 'always' as const } : {}),
        ...(field.oid === OID && form?.kind !== 'large-object' && large ? { largeObject: 'perhaps' as const } : {}),
      }
    })
  } catch (error) {
    if (error instanceof WaybillError) throw error
    throw failureOf(error, `reading the columns of the ${side} table ${object}`)
  }
}

/** Asked only where a column could point to one: plain oid, or a type that may be made of it. */
async function holdsLargeObjects(session: Session, fields: readonly { oid: number }[]): Promise<boolean> {
  if (fields.every(({ oid }) => oid !== OID && BUILTIN_TYPES.has(oid))) return false
  const [row] = await session.rows('SELECT EXISTS (SELECT FROM pg_largeobject_metadata)::text')
  return row?.[0] === 'true'
}

/** The column's name when the expression is nothing but a column. */
function plainColumn(expression: string): string | null {
  const match = /^"((?:[^"]|"")+)"$/.exec(expression)
  return match === null ? null : match[1]!.replaceAll('""', '"')
}

function arrayElement(text: string | null): string {
  return text === null ? 'NULL' : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
