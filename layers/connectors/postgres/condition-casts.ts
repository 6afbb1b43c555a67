import { WaybillError } from '../../core/errors.ts'
import type { RowFilter } from '../../core/schemas/spec.ts'
import type { Session } from './session.ts'

const CASTS = `
WITH RECURSIVE made(name, type) AS (
  SELECT a.attname, a.atttypid FROM pg_attribute a WHERE a.attrelid = $1::oid AND a.attname = ANY ($2::text[])
  UNION SELECT m.name, t.typbasetype FROM made m JOIN pg_type t ON t.oid = m.type WHERE t.typbasetype <> 0
)
SELECT m.name, format_type(m.type, NULL) FROM made m JOIN pg_cast c ON c.castsource = m.type
 WHERE c.oid >= 16384 AND c.castcontext = 'i' AND c.castmethod = 'f'`

/**
 * Which rows a condition is about must not hang on somebody's implicit cast: the server would compare what that gives, and not the value.
 * @throws NOT_REPRESENTABLE naming the column
 */
export async function checkConditionCasts(session: Session, side: string, oid: string, filter: RowFilter | null): Promise<void> {
  if (filter === null) return
  const names = filter.all.map(({ column }) => `"${column.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`)
  const [found] = await session.rows(CASTS, [oid, `{${names.join(',')}}`])
  if (found === undefined) return
  throw new WaybillError(
    'NOT_REPRESENTABLE',
    `On the ${side} the condition on column ${JSON.stringify(found[0])} cannot be relied on: somebody defined what its type ${found[1]} turns into by itself (CREATE CAST … AS IMPLICIT), and the server would compare that. Leave the condition out, or drop the cast.`,
  )
}
