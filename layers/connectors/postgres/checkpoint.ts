import type { ChunkResult } from '../../core/schemas/work.ts'
import type { Ask } from './ask.ts'

/** Waybill's own schema in the target. Its rows commit together with what they speak of. */
export const CONTROL_SCHEMA = 'waybill'

/** By name and columns: a schema of this name may be anybody's. */
export const CONTROL_TABLES: readonly (readonly [name: string, columns: string])[] = [
  ['object', 'plan_sha256,kind,schema_name,object_name,table_id,object_oid,created_at'],
  ['checkpoint', 'plan_sha256,chunk_id,step_id,table_id,range_from,range_to,row_count,byte_count,started_at,finished_at'],
  ['rollback', 'plan_sha256,table_id,row_count,rolled_back_at'],
]

const CONTROL = `
CREATE SCHEMA IF NOT EXISTS waybill;
CREATE TABLE IF NOT EXISTS waybill.object (
  plan_sha256 text NOT NULL, kind text NOT NULL CHECK (kind IN ('schema', 'table')), schema_name text NOT NULL, object_name text NOT NULL,
  table_id text, object_oid oid NOT NULL, created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (plan_sha256, kind, schema_name, object_name));
CREATE TABLE IF NOT EXISTS waybill.checkpoint (
  plan_sha256 text NOT NULL, chunk_id text NOT NULL, step_id text NOT NULL, table_id text NOT NULL,
  range_from numeric NOT NULL, range_to numeric, row_count numeric NOT NULL, byte_count numeric NOT NULL,
  started_at timestamptz NOT NULL, finished_at timestamptz NOT NULL,
  PRIMARY KEY (plan_sha256, chunk_id));
CREATE TABLE IF NOT EXISTS waybill.rollback (
  plan_sha256 text NOT NULL, table_id text NOT NULL, row_count numeric NOT NULL, rolled_back_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (plan_sha256, table_id));
COMMENT ON SCHEMA waybill IS 'Marks of migrations: what a plan created, which chunks are done, what was rolled back.'`

/** Serialises whoever creates or removes objects: two `CREATE … IF NOT EXISTS` at once fail in PostgreSQL. Held until the transaction ends. */
export async function lockControl(ask: Ask): Promise<void> {
  await ask(`SELECT pg_advisory_xact_lock(hashtextextended('waybill control', 0))`)
}

/** Creates the control tables; inside the caller's transaction, after `lockControl`. */
export async function createControl(ask: Ask): Promise<void> {
  const [found] = await ask(`SELECT to_regclass('waybill.rollback')::text AS there`)
  if (found?.there) return
  for (const statement of CONTROL.split(';')) await ask(statement)
}

export async function controlExists(ask: Ask): Promise<boolean> {
  const [found] = await ask(`SELECT to_regclass('waybill.rollback')::text AS there`)
  return Boolean(found?.there)
}

const ISO = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`

const RESULT = `chunk_id, table_id, row_count::text AS rows, byte_count::text AS bytes,
  to_char(started_at AT TIME ZONE 'UTC', ${ISO}) AS started_at, to_char(finished_at AT TIME ZONE 'UTC', ${ISO}) AS finished_at`

/** Checkpoints of a plan, in order of chunk id; of one chunk when its id is given. */
export async function readCheckpoints(ask: Ask, planSha256: string, chunkId: string | null): Promise<ChunkResult[]> {
  const rows = await ask(
    `SELECT ${RESULT} FROM waybill.checkpoint WHERE plan_sha256 = $1 AND ($2::text IS NULL OR chunk_id = $2) ORDER BY chunk_id COLLATE "C"`,
    [planSha256, chunkId],
  )
  return rows.map((row) => ({
    chunk_id: row.chunk_id ?? '',
    table_id: row.table_id ?? '',
    rows: row.rows ?? '',
    bytes: row.bytes ?? '',
    started_at: row.started_at ?? '',
    finished_at: row.finished_at ?? '',
    already_done: true,
  }))
}

/** Two workers on one chunk: the second waits here until the first commits or is gone. */
export async function lockChunk(ask: Ask, planSha256: string, chunkId: string): Promise<void> {
  await ask(`SELECT pg_advisory_xact_lock(hashtextextended($1, 1))`, [`${planSha256}/${chunkId}`])
}

export async function writeCheckpoint(
  ask: Ask,
  planSha256: string,
  chunk: { chunk_id: string; step_id: string; table_id: string; range: { from: string; to: string | null } },
  copied: { rows: bigint; bytes: bigint; startedAt: string },
): Promise<ChunkResult> {
  const values = [planSha256, chunk.chunk_id, chunk.step_id, chunk.table_id, chunk.range.from, chunk.range.to]
  const [row] = await ask(
    `INSERT INTO waybill.checkpoint VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp()) RETURNING ${RESULT}`,
    [...values, String(copied.rows), String(copied.bytes), copied.startedAt],
  )
  return {
    chunk_id: row?.chunk_id ?? '',
    table_id: row?.table_id ?? '',
    rows: row?.rows ?? '',
    bytes: row?.bytes ?? '',
    started_at: row?.started_at ?? '',
    finished_at: row?.finished_at ?? '',
    already_done: false,
  }
}

export type PlanObject = { kind: 'schema' | 'table'; schema: string; name: string; tableId: string | null; oid: string }

/** What a plan created and still exists as the very same object: a table dropped and made anew by somebody else has another oid. */
export async function planObjects(ask: Ask, planSha256: string, lock: 'FOR SHARE OF o' | 'FOR UPDATE OF o' | ''): Promise<PlanObject[]> {
  const rows = await ask(
    `SELECT o.kind, o.schema_name, o.object_name, o.table_id, o.object_oid::text AS oid,
            CASE o.kind WHEN 'table' THEN EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                                                   WHERE c.oid = o.object_oid AND c.relname = o.object_name AND n.nspname = o.schema_name)
                        ELSE EXISTS (SELECT FROM pg_namespace n WHERE n.oid = o.object_oid AND n.nspname = o.schema_name) END::text AS there
       FROM waybill.object o WHERE o.plan_sha256 = $1 ORDER BY o.kind, o.schema_name, o.object_name ${lock}`,
    [planSha256],
  )
  return rows
    .filter((row) => row.there === 'true')
    .map((row) => ({
      kind: row.kind === 'schema' ? 'schema' : 'table',
      schema: row.schema_name ?? '',
      name: row.object_name ?? '',
      tableId: row.table_id ?? null,
      oid: row.oid ?? '',
    }))
}

export async function recordObject(ask: Ask, planSha256: string, object: Omit<PlanObject, 'oid'>): Promise<void> {
  const oid =
    object.kind === 'schema'
      ? `(SELECT oid FROM pg_namespace WHERE nspname = $3::text)`
      : `(SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $3::text AND c.relname = $4::text)`
  await ask(
    `INSERT INTO waybill.object (plan_sha256, kind, schema_name, object_name, table_id, object_oid) VALUES ($1, $2, $3::text, $4::text, $5, ${oid})
     ON CONFLICT (plan_sha256, kind, schema_name, object_name) DO UPDATE SET object_oid = excluded.object_oid`,
    [planSha256, object.kind, object.schema, object.name, object.tableId],
  )
}

/** Rows by table of a plan that was rolled back, or null when it was not. */
export async function readRollback(ask: Ask, planSha256: string): Promise<{ table_id: string; rows: string }[] | null> {
  const rows = await ask(
    `SELECT table_id, row_count::text AS rows FROM waybill.rollback WHERE plan_sha256 = $1 ORDER BY table_id COLLATE "C"`,
    [planSha256],
  )
  return rows.length === 0 ? null : rows.map((row) => ({ table_id: row.table_id ?? '', rows: row.rows ?? '' }))
}
