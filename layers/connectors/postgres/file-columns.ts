import type { NativeForm, RowSide } from '../../core/encoding/row-stream.ts'
import { isWaybillError } from '../../core/errors.ts'
import type { TableMapping } from '../../core/schemas/proposal.ts'
import { fieldTypes } from './field-types.ts'
import { type FieldType, nativeColumn, type RowColumn } from './row-column.ts'
import type { Session } from './session.ts'
import { quoteQualified } from './sql.ts'
import { encodingOrder } from './table-plan.ts'
import { selectExpression } from './transform.ts'

const BPCHAR = 1042

/** Columns of the native encoding where only the target is PostgreSQL, and the form in which the other side gives each. */
export type FileColumns = { columns: RowColumn[]; forms: NativeForm[] }

/**
 * The native encoding of a pair whose source is rows of something else: by the same rules as between two servers, with the type whose form the
 * other side's values have in place of the source's. Null where some column has no common native form: the pair is canonical then.
 * @throws NOT_FOUND, PERMISSION_DENIED, NOT_REPRESENTABLE, CONNECTION_FAILED
 */
export async function fileColumns(mapping: TableMapping, rows: RowSide, target: Session): Promise<FileColumns | null> {
  const order = encodingOrder(mapping)
  const types = (await rows.forms?.({ ...mapping, columns: [...order] })) ?? null
  if (types === null || types.includes(null)) return null
  const sql = order.map((column) => selectExpression(column, 'target'))
  const typed = await fieldTypes(target, [...sql, ...types.map((type) => `NULL::${type}`)], quoteQualified(mapping.target), 'target')
  const found = order.map((column, i) => {
    const own = { ...typed[i]!, sql: sql[i]! }
    return commonForm(column.target, { ...typed[order.length + i]!, sql: '' }, own)
  })
  if (found.includes(null)) return null
  const all = found.filter((one) => one !== null)
  return { columns: all.map(({ column }) => column), forms: all.map(({ form }) => form) }
}

type Typed = FieldType & { sql: string }

function commonForm(name: string, source: Typed, target: Typed): { column: RowColumn; form: NativeForm } | null {
  try {
    const column = { ...nativeColumn(name, source, target), ordered: false }
    const form = formOf(column, target)
    return form === null ? null : { column, form }
  } catch (error) {
    if (isWaybillError(error) && error.code === 'NOT_REPRESENTABLE') return null
    throw error
  }
}

function formOf({ type, wire }: RowColumn, target: FieldType): NativeForm | null {
  switch (wire) {
    case 'numeric': {
      const [, scale] = /^numeric\(\d+,(\d+)\)$/.exec(type) ?? []
      return { wire, scale: scale === undefined ? null : Number(scale) }
    }
    case 'utf8':
      // The server's side is then text without padding.
      return { wire, blanks: target.oid === BPCHAR ? 'padding' : 'text' }
    case 'char':
    case 'money':
    case 'pg_lsn':
    case 'tsquery':
      return null
    default:
      return { wire }
  }
}
