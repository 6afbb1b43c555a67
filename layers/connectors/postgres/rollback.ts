import { WaybillError } from '../../core/errors.ts'
import type { TableMapping } from '../../core/schemas/proposal.ts'
import { quoteIdentifier, quoteQualified } from '../../core/sql-text.ts'
import { type Ask, asker, inTransaction } from './ask.ts'
import { createControl, lockControl, type PlanObject, planObjects, readRollback } from './checkpoint.ts'
import type { Session } from './session.ts'

/**
 * Drops the tables this plan created with everything in them, and the schemas it created that are empty now, in one transaction; leaves a mark that stops the same plan
 * from ever being executed again. Never CASCADE: what others built on these tables stops the rollback instead of vanishing.
 * Returns rows removed by table; a second call returns what the first removed.
 * @throws CONFLICT when objects of others depend on a table of this plan, or a table holds more rows than were copied into it
 */
export function rollBackPlan(
  session: Session,
  planSha256: string,
  tables: readonly TableMapping[],
): Promise<{ table_id: string; rows: string }[]> {
  const ask = asker(session, 'rolling back the target')
  return inTransaction(session, 'BEGIN', async () => {
    await lockControl(ask)
    await createControl(ask)
    const before = await readRollback(ask, planSha256)
    if (before !== null) return before
    const objects = await planObjects(ask, planSha256, 'FOR UPDATE OF o')
    const made = objects.filter((object) => object.kind === 'table')
    const removed = await dropTables(ask, planSha256, made)
    for (const schema of objects.filter((object) => object.kind === 'schema')) await dropIfEmpty(ask, schema)
    await ask(`DELETE FROM waybill.checkpoint WHERE plan_sha256 = $1`, [planSha256])
    await ask(`DELETE FROM waybill.object WHERE plan_sha256 = $1`, [planSha256])
    const rows = tables.map((table) => ({ table_id: table.table_id, rows: removed.get(table.table_id) ?? '0' }))
    for (const [tableId, count] of removed) {
      if (!tables.some((table) => table.table_id === tableId)) rows.push({ table_id: tableId, rows: count })
    }
    for (const row of rows) {
      await ask(`INSERT INTO waybill.rollback (plan_sha256, table_id, row_count) VALUES ($1, $2, $3)`, [planSha256, row.table_id, row.rows])
    }
    return rows.sort((a, b) => (a.table_id < b.table_id ? -1 : 1))
  })
}

async function dropTables(ask: Ask, planSha256: string, tables: readonly PlanObject[]): Promise<Map<string, string>> {
  const removed = new Map<string, string>()
  if (tables.length === 0) return removed
  const names = tables.map((table) => quoteQualified(table)).join(', ')
  await ask(`LOCK TABLE ${names} IN ACCESS EXCLUSIVE MODE`)
  for (const table of tables) {
    const [counted] = await ask(`SELECT count(*)::text AS rows FROM ${quoteQualified(table)}`)
    removed.set(table.tableId ?? '', counted?.rows ?? '0')
  }
  const dependents = await foreignDependents(ask, tables)
  if (dependents.length > 0) {
    const message = `Others built on tables of this plan: ${dependents.slice(0, 5).join(', ')}. Remove those first; nothing was rolled back.`
    throw new WaybillError('CONFLICT', message, { details: dependents })
  }
  await refuseOthersRows(ask, planSha256, tables, removed)
  await ask(`DROP TABLE ${names}`)
  return removed
}

/**
 * More rows than were copied are somebody else's, and nobody decided about them. No more is no proof of the opposite: whoever deleted a row of
 * ours and added one of theirs goes unseen, so what is said of a roll-back is that tables go with everything in them.
 */
async function refuseOthersRows(
  ask: Ask,
  planSha256: string,
  tables: readonly PlanObject[],
  held: ReadonlyMap<string, string>,
): Promise<void> {
  const sums = await ask(`SELECT table_id, sum(row_count)::text AS rows FROM waybill.checkpoint WHERE plan_sha256 = $1 GROUP BY table_id`, [
    planSha256,
  ])
  const copied = new Map(sums.map((row) => [row.table_id ?? '', BigInt(row.rows ?? '0')]))
  const details = tables.flatMap(({ schema, name, tableId }) => {
    const [holds, ours] = [BigInt(held.get(tableId ?? '') ?? '0'), copied.get(tableId ?? '') ?? 0n]
    return holds > ours ? [`${schema}.${name}: holds ${holds} rows, ${ours} were copied`] : []
  })
  if (details.length === 0) return
  throw new WaybillError(
    'CONFLICT',
    'Somebody else put rows into tables of this plan, and rolling back drops a table with everything in it. Nothing was rolled back. Save those rows and delete them there, or drop the table yourself; then resume.',
    { details },
  )
}

/** Views, foreign keys, inheriting tables, functions and columns of others on these tables, for the message; `DROP TABLE` without CASCADE is what protects them. */
async function foreignDependents(ask: Ask, tables: readonly PlanObject[]): Promise<string[]> {
  const oids = tables.map((table) => table.oid)
  const rows = await ask(
    `SELECT n.nspname || '.' || c.relname AS name
       FROM pg_depend d
       LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
       LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid AND k.contype = 'f'
       JOIN pg_class c ON c.oid = coalesce(w.ev_class, k.conrelid) JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($1::oid[]) AND c.oid <> ALL ($1::oid[])
     UNION
     SELECT n.nspname || '.' || c.relname FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE h.inhparent = ANY ($1::oid[]) AND c.oid <> ALL ($1::oid[])
     UNION
     -- What takes the table's row as a type: columns, functions, domains.
     SELECT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_depend d JOIN pg_type t ON t.typrelid = ANY ($1::oid[])
      WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray) AND d.deptype = 'n'
        AND NOT (d.classid = 'pg_class'::regclass AND d.objid = ANY ($1::oid[]))
     ORDER BY 1`,
    [oids],
  )
  return rows.map((row) => row.name ?? '')
}

async function dropIfEmpty(ask: Ask, schema: PlanObject): Promise<void> {
  const [used] = await ask(
    `SELECT EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = $1::oid)::text AS used`,
    [schema.oid],
  )
  if (used?.used === 'false') await ask(`DROP SCHEMA ${quoteIdentifier(schema.name)}`)
}
