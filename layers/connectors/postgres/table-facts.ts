import type { TableRef } from '../../core/connector.ts'
import { WaybillError } from '../../core/errors.ts'
import type { Session } from './session.ts'

/** What the planner of a comparison must know about a table, from pg_catalog of the session's snapshot. */
export type TableFacts = {
  oid: string
  kind: string
  pages: number
  estimatedRows: number
  /** Rows of other tables count as rows of this one, which no index of this one covers. */
  inherited: boolean
  columns: readonly { name: string; notNull: boolean; byteOrder: boolean }[]
  /** Column lists of valid, complete unique B-tree indexes in plain ascending order. */
  uniqueKeys: readonly (readonly string[])[]
}

const TABLE = `
SELECT c.oid::text, c.relkind::text, GREATEST(c.relpages, 0)::text, GREATEST(c.reltuples, 0)::numeric(38, 0)::text,
       EXISTS (SELECT FROM pg_inherits h JOIN pg_class k ON k.oid = h.inhrelid WHERE h.inhparent = c.oid AND NOT k.relispartition)::text
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`

/** Byte order: a C collation, or the database's own when that is C (or builtin UTF-8 code points, which order alike). */
const COLUMNS = `
SELECT a.attnum::text, a.attname,
       (a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND NOT k.convalidated AND a.attnum = ANY (k.conkey)))::text,
       (a.attcollation = 0 OR co.collcollate IN ('C', 'POSIX') OR (a.attcollation = 100 AND d.datcollate IN ('C', 'POSIX') AND d.provider = 'c'))::text
  FROM pg_attribute a LEFT JOIN pg_collation co ON co.oid = a.attcollation
 CROSS JOIN (SELECT datcollate, coalesce(to_jsonb(x) ->> 'datlocprovider', 'c') AS provider FROM pg_database x WHERE datname = current_database()) d
 WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`

const UNIQUE = `
SELECT array_to_json(ARRAY(SELECT a.attname FROM generate_series(0, i.indnkeyatts - 1) AS n
                             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n] ORDER BY n))::text
  FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am am ON am.oid = x.relam
 WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indisready AND i.indpred IS NULL AND i.indexprs IS NULL AND am.amname = 'btree'
   AND NOT EXISTS (SELECT FROM unnest(i.indoption) AS o WHERE o <> 0)
   AND NOT EXISTS (SELECT FROM generate_series(0, i.indnkeyatts - 1) AS n
                     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n]
                     JOIN pg_opclass oc ON oc.oid = i.indclass[n]
                    WHERE a.attcollation <> i.indcollation[n] OR NOT oc.opcdefault)`

/** @throws NOT_FOUND, PERMISSION_DENIED, CONNECTION_FAILED */
export async function tableFacts(session: Session, table: TableRef, side: string): Promise<TableFacts> {
  const [found] = await session.rows(TABLE, [table.schema, table.name])
  if (found === undefined) {
    throw new WaybillError(
      'NOT_FOUND',
      `The ${side} has no table ${JSON.stringify(`${table.schema}.${table.name}`)} that this user can see.`,
    )
  }
  const [oid, kind, pages, rows, inherited] = found as [string, string, string, string, string]
  const columns = await session.rows(COLUMNS, [oid])
  const unique = await session.rows(UNIQUE, [oid])
  return {
    oid,
    kind,
    pages: Number(pages),
    estimatedRows: Number(rows),
    inherited: inherited === 'true',
    columns: columns.map(([, name, notNull, byteOrder]) => ({ name: name!, notNull: notNull === 'true', byteOrder: byteOrder === 'true' })),
    uniqueKeys: unique.map(([names]) => JSON.parse(names!) as string[]),
  }
}
