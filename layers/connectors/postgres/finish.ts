import { WaybillError } from '../../core/errors.ts'
import type { TableMapping } from '../../core/schemas/proposal.ts'
import { quoteIdentifier, quoteQualified } from '../../core/sql-text.ts'
import { type Ask, asker, inTransaction } from './ask.ts'
import { controlExists, planObjects } from './checkpoint.ts'
import { constraintName, foreignKeyName, foreignKeySql, list, primaryKeySql, resolveTarget } from './ddl.ts'
import type { Session } from './session.ts'

/** Building an index in memory is several times faster than on disk; one session at a time does this. */
const SORT_MEMORY = '256MB'

/**
 * Adds primary keys, then foreign keys, then statistics; each in a transaction of its own, skipped when its constraint is there already.
 * @throws PLAN_INVALID when the data does not satisfy a key that the plan asks for, or a foreign key refers to columns that are not unique
 */
export async function finishTables(session: Session, planSha256: string, tables: readonly TableMapping[]): Promise<void> {
  const ask = asker(session, 'finishing the target')
  const objects = (await controlExists(ask)) ? await planObjects(ask, planSha256, '') : []
  const ours = new Set(objects.filter((object) => object.kind === 'table').map((object) => quoteQualified(object)))
  const missing = tables.find((table) => !ours.has(quoteQualified(table.target)))
  if (missing) {
    const name = `${missing.target.schema}.${missing.target.name}`
    throw new WaybillError('NOT_FOUND', `The target table ${name} was not made by this plan. Run PrepareTarget first.`)
  }
  await session.run(`SET maintenance_work_mem = '${SORT_MEMORY}'`)
  for (const table of tables) await addPrimaryKey(session, ask, table)
  for (const table of tables) {
    for (const foreignKey of table.foreign_keys) await addForeignKey(session, ask, table, foreignKey, tables)
  }
  for (const table of tables) await session.run(`ANALYZE ${quoteQualified(table.target)}`)
}

async function addPrimaryKey(session: Session, ask: Ask, table: TableMapping): Promise<void> {
  const { key } = table
  if (key === null || (await constraint(ask, table, constraintName(table, key, 'pkey')))) return
  try {
    await inTransaction(session, 'BEGIN', () => ask(primaryKeySql(table, key)))
  } catch (error) {
    if (!isConflict(error)) throw error
    const [found] = await ask(
      `SELECT count(*)::text AS groups FROM (SELECT FROM ${quoteQualified(table.target)} GROUP BY ${list(key)} HAVING count(*) > 1) AS twice`,
    )
    const nulls = key.map((column) => `${quoteIdentifier(column)} IS NULL`).join(' OR ')
    const [empty] = await ask(`SELECT count(*)::text AS rows FROM ${quoteQualified(table.target)} WHERE ${nulls}`)
    const message = `${where(table)} (${key.join(', ')}) cannot be a key: ${found?.groups} values occur more than once, ${empty?.rows} rows hold NULL in it. Plan another key, or none.`
    throw new WaybillError('PLAN_INVALID', message)
  }
}

type ForeignKey = TableMapping['foreign_keys'][number]

async function addForeignKey(session: Session, ask: Ask, table: TableMapping, foreignKey: ForeignKey, tables: readonly TableMapping[]) {
  if (foreignKey.enforcement === 'none') return
  const name = foreignKeyName(table, foreignKey)
  const references = resolveTarget(foreignKey.references.table, tables, table)
  if (references === null) throw new WaybillError('PLAN_INVALID', `${where(table)}: no table "${foreignKey.references.table}" to refer to.`)
  const found = await constraint(ask, table, name)
  if (!found) {
    await requireUnique(ask, table, foreignKey, references)
    await inTransaction(session, 'BEGIN', () => ask(foreignKeySql(table, foreignKey, references)))
  }
  if (foreignKey.enforcement !== 'enforced' || found?.validated === 'true') return
  try {
    await inTransaction(session, 'BEGIN', () =>
      ask(`ALTER TABLE ${quoteQualified(table.target)} VALIDATE CONSTRAINT ${quoteIdentifier(name)}`),
    )
  } catch (error) {
    if (!isConflict(error)) throw error
    const message = `${where(table)} (${foreignKey.columns.join(', ')}): some values have no row in ${references.schema}.${references.name}. Plan this foreign key as unvalidated, or repair the source; the foreign_key check counts them.`
    throw new WaybillError('PLAN_INVALID', message)
  }
}

/** PostgreSQL wants a unique constraint on exactly the referenced columns, in any order; its own message does not say where to add it. */
async function requireUnique(ask: Ask, table: TableMapping, foreignKey: ForeignKey, references: { schema: string; name: string }) {
  const [found] = await ask(
    `SELECT c.oid::text AS oid, EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
           AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE "C") FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]))
             = (SELECT array_agg(x ORDER BY x COLLATE "C") FROM unnest($3::text[]) x))::text AS is_unique
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`,
    [references.schema, references.name, [...foreignKey.references.columns]],
  )
  const to = `${references.schema}.${references.name}`
  if (!found)
    throw new WaybillError(
      'PLAN_INVALID',
      `${where(table)} refers to ${to}, which does not exist in the target. Put that table in the plan.`,
    )
  if (found.is_unique === 'true') return
  const columns = foreignKey.references.columns.join(', ')
  const message = `${where(table)} refers to ${to} (${columns}), which is not unique there. Give that table the key (${columns}), or plan this foreign key with enforcement none.`
  throw new WaybillError('PLAN_INVALID', message)
}

async function constraint(ask: Ask, table: TableMapping, name: string): Promise<Record<string, string | null> | null> {
  const [found] = await ask(
    `SELECT k.convalidated::text AS validated FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND k.conname = $3`,
    [table.target.schema, table.target.name, name],
  )
  return found ?? null
}

function isConflict(error: unknown): boolean {
  return error instanceof WaybillError && error.code === 'CONFLICT'
}

function where(table: TableMapping): string {
  return `${table.target.schema}.${table.target.name}`
}
