import type { TableRef } from '../../core/connector.ts'
import { WaybillError } from '../../core/errors.ts'
import { quoteQualified } from '../../core/sql-text.ts'
import type { Ask } from './ask.ts'

/** As many pages (4 MiB) are read to find out how many rows a page holds; a table of no more is counted. */
const SAMPLED_PAGES = 512

/** `pages` of the table with its partitions and heirs; `whole`: some of its rows lie in no pages of this server. */
const PAGES = `
WITH RECURSIVE part (oid) AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  UNION
  SELECT h.inhrelid FROM part p JOIN pg_inherits h ON h.inhparent = p.oid)
SELECT coalesce(sum(CASE WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid) END) / current_setting('block_size')::bigint, 0)::text AS pages,
       coalesce(bool_or(c.relkind IN ('v', 'f')), false)::text AS whole, count(*)::text AS found
  FROM part p JOIN pg_class c ON c.oid = p.oid`

/**
 * About how many rows a table holds now, whenever it was analysed, if ever: the rows of some of its pages, the same each time, times all its pages.
 * Exact for small tables, and for views and foreign tables, which have no pages to choose from and are read whole for it.
 * @throws NOT_FOUND, PERMISSION_DENIED
 */
export async function readRowCount(ask: Ask, table: TableRef): Promise<string> {
  const [found] = await ask(PAGES, [table.schema, table.name])
  if (found === undefined || found.found === '0')
    throw new WaybillError('NOT_FOUND', `The table ${table.schema}.${table.name} is gone, or this role cannot see it.`)
  const pages = Number(found.pages)
  if (found.whole === 'false' && pages > SAMPLED_PAGES) {
    const share = SAMPLED_PAGES / pages
    const rows = Number(await countOf(ask, table, ` TABLESAMPLE SYSTEM (${(100 * share).toFixed(12)}) REPEATABLE (0)`))
    if (rows > 0) return String(Math.round(rows / share))
  }
  return countOf(ask, table, '')
}

async function countOf(ask: Ask, table: TableRef, how: string): Promise<string> {
  const [counted] = await ask(`SELECT count(*)::text AS rows FROM ${quoteQualified(table)}${how}`)
  return counted?.rows ?? '0'
}
