import type { ConnectorOptions, CopyProgress, Target } from '../../core/connector.ts'
import { WaybillError } from '../../core/errors.ts'
import { namesInShort } from '../../core/names-in-short.ts'
import type { TableMapping } from '../../core/schemas/proposal.ts'
import type { Chunk, ChunkResult } from '../../core/schemas/work.ts'
import { quoteIdentifier, quoteQualified } from '../../core/sql-text.ts'
import { type Ask, asker, inTransaction } from './ask.ts'
import {
  CONTROL_SCHEMA,
  controlExists,
  createControl,
  lockChunk,
  lockControl,
  planObjects,
  readCheckpoints,
  readRollback,
  recordObject,
  writeCheckpoint,
} from './checkpoint.ts'
import { createTableSql } from './ddl.ts'
import { finishTables } from './finish.ts'
import { rollBackPlan } from './rollback.ts'
import { openSession, type Session } from './session.ts'

/** What puts one chunk's rows into a prepared table, inside the transaction already open on `target`. Row counts of both sides must agree. */
export type CopyRows = (
  target: Session,
  table: TableMapping,
  chunk: Chunk,
  onProgress: CopyProgress,
) => Promise<{ rows: bigint; bytes: bigint }>

/**
 * Writes a PostgreSQL database. One connection for preparing, finishing and rolling back; each copy opens its own, so that copies may run at
 * once and a broken one takes nothing with it.
 * @throws CONNECTION_FAILED, PERMISSION_DENIED
 */
export async function openPostgresTarget(url: string, copyRows: CopyRows, options: ConnectorOptions): Promise<Target> {
  const { connectTimeoutMs, statementTimeoutMs } = options
  const open = () => openSession(url, { readOnly: false, connectTimeoutMs, statementTimeoutMs, side: 'target' })
  const session = await open()
  const write = <T>(doing: string, work: (ask: Ask) => Promise<T>) => inTransaction(session, 'BEGIN', () => work(asker(session, doing)))
  return {
    prepare: (planSha256, tables) => write('preparing the target', (ask) => prepare(ask, planSha256, tables)),
    async copy(planSha256, table, chunk, onProgress) {
      const own = await open()
      try {
        return await inTransaction(own, 'BEGIN', () => copyChunk(own, planSha256, table, chunk, copyRows, onProgress))
      } finally {
        await own.close()
      }
    },
    finish: (planSha256, tables) => finishTables(session, planSha256, tables),
    async completed(planSha256) {
      const ask = asker(session, 'reading checkpoints')
      return (await controlExists(ask)) ? readCheckpoints(ask, planSha256, null) : []
    },
    rollBack: (planSha256, tables) => rollBackPlan(session, planSha256, tables),
    close: () => session.close(),
  }
}

async function prepare(ask: Ask, planSha256: string, tables: readonly TableMapping[]): Promise<void> {
  await lockControl(ask)
  await createControl(ask)
  await refuseRolledBack(ask, planSha256)
  const ours = new Set((await planObjects(ask, planSha256, '')).filter((o) => o.kind === 'table').map((o) => quoteQualified(o)))
  await refuseForeign(
    ask,
    tables.filter((table) => !ours.has(quoteQualified(table.target))),
  )
  for (const { target } of tables) {
    const [found] = await ask(`SELECT 1::text AS there FROM pg_namespace WHERE nspname = $1`, [target.schema])
    if (found) continue
    await ask(`CREATE SCHEMA ${quoteIdentifier(target.schema)}`)
    await recordObject(ask, planSha256, { kind: 'schema', schema: target.schema, name: target.schema, tableId: null })
  }
  for (const table of tables) {
    if (ours.has(quoteQualified(table.target))) continue
    await ask(createTableSql(table))
    await recordObject(ask, planSha256, { kind: 'table', ...table.target, tableId: table.table_id })
  }
}

/** Even an empty table of somebody else is left alone: its owner may be about to use it. */
async function refuseForeign(ask: Ask, tables: readonly TableMapping[]): Promise<void> {
  const reserved = tables.find((table) => table.target.schema === CONTROL_SCHEMA)
  if (reserved) {
    const message = `The schema "${CONTROL_SCHEMA}" of a target holds Waybill's checkpoints. Choose another schema for ${reserved.target.name}.`
    throw new WaybillError('PLAN_INVALID', message)
  }
  const names = [tables.map((table) => table.target.schema), tables.map((table) => table.target.name)]
  const rows = await ask(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[])) ORDER BY 1, 2`,
    names,
  )
  if (rows.length === 0) return
  const details = rows.map((row) => `${row.schema}.${row.name}`)
  const message = `The target already holds ${namesInShort(details)}, not made by this plan. Choose another schema, or move those tables away.`
  throw new WaybillError('TARGET_NOT_EMPTY', message, { details })
}

async function refuseRolledBack(ask: Ask, planSha256: string): Promise<void> {
  if ((await readRollback(ask, planSha256)) === null) return
  const message = `Plan ${planSha256.slice(0, 12)} was rolled back on this target and cannot be executed again. Compile, sign and approve a new version.`
  throw new WaybillError('PLAN_NOT_AUTHORISED', message)
}

async function copyChunk(
  target: Session,
  planSha256: string,
  table: TableMapping,
  chunk: Chunk,
  copyRows: CopyRows,
  onProgress: CopyProgress,
): Promise<ChunkResult> {
  const ask = asker(target, `copying chunk ${chunk.chunk_id}`)
  if (chunk.table_id !== table.table_id) {
    throw new WaybillError('BAD_INPUT', `Chunk ${chunk.chunk_id} is of table ${chunk.table_id}, not of ${table.table_id}.`)
  }
  if (!(await controlExists(ask))) throw notPrepared(table)
  await lockChunk(ask, planSha256, chunk.chunk_id)
  const [done] = await readCheckpoints(ask, planSha256, chunk.chunk_id)
  if (done) return done
  await refuseRolledBack(ask, planSha256)
  // Shared until commit: a rollback waits for this copy or this copy finds the table gone.
  const objects = await planObjects(ask, planSha256, 'FOR SHARE OF o')
  if (!objects.some((object) => object.kind === 'table' && quoteQualified(object) === quoteQualified(table.target)))
    throw notPrepared(table)
  const [start] = await ask(`SELECT clock_timestamp()::text AS at`)
  const copied = await copyRows(target, table, chunk, onProgress)
  const result = await writeCheckpoint(ask, planSha256, chunk, { ...copied, startedAt: start?.at ?? '' })
  // The checkpoint speaks for the rows: it must not be lost by a server that acknowledges before it wrote.
  await ask(`SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'`)
  return result
}

function notPrepared(table: TableMapping): WaybillError {
  const message = `The target table ${table.target.schema}.${table.target.name} was not made by this plan. Run PrepareTarget first.`
  return new WaybillError('NOT_FOUND', message)
}
