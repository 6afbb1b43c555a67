import { WaybillError } from '../../core/errors.ts'
import type { TableMapping } from '../../core/schemas/proposal.ts'
import type { Chunk } from '../../core/schemas/work.ts'
import { quoteQualified } from '../../core/sql-text.ts'
import type { Ask } from './ask.ts'

/** Block numbers of PostgreSQL are 32-bit. */
const MAX_BLOCK = 0xffff_ffffn

/**
 * Ranges of physical blocks (`ctid`) that together cover every row exactly once, whatever keys the table has; a TID range scan from PostgreSQL
 * 14 on. The last range is open, so rows appended meanwhile are inside it. A partitioned table is cut by block number across all its
 * partitions at once. A view, a materialized view or a foreign table is one chunk. A row that is updated while it is being copied may move to
 * another block: reconciliation will say so.
 */
export async function planChunks(ask: Ask, table: TableMapping, rowsPerChunk: number): Promise<Chunk['range'][]> {
  const [found] = await ask(
    `SELECT c.relkind::text AS kind, c.reltuples::numeric::text AS rows, b.blocks::text AS blocks
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
            LATERAL (SELECT CASE WHEN c.relkind = 'r' THEN pg_relation_size(c.oid)
                                 WHEN c.relkind = 'p' THEN (SELECT max(pg_relation_size(t.relid)) FROM pg_partition_tree(c.oid) t WHERE t.isleaf)
                                 ELSE 0 END / current_setting('block_size')::bigint AS blocks) b
      WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`,
    [table.source.schema, table.source.name],
  )
  if (!found) {
    const name = `${table.source.schema}.${table.source.name}`
    throw new WaybillError('NOT_FOUND', `The source table ${name} is gone or cannot be seen by this role. Discover the source again.`)
  }
  const blocks = BigInt(found.blocks ?? '0')
  if (blocks <= 1n || (found.kind !== 'r' && found.kind !== 'p')) return [{ from: '0', to: null }]
  const estimate = Number(found.rows ?? '-1')
  // Only how large the chunks get depends on this number, never which rows they hold.
  const rows =
    estimate > 0 ? estimate : Number((await ask(`SELECT count(*)::text AS rows FROM ${quoteQualified(table.source)}`))[0]?.rows ?? '0')
  const wanted = BigInt(Math.max(1, Math.ceil(rows / rowsPerChunk)))
  const pieces = wanted > blocks ? blocks : wanted
  return Array.from({ length: Number(pieces) }, (_, index) => {
    const at = BigInt(index)
    return { from: String((at * blocks) / pieces), to: at + 1n === pieces ? null : String(((at + 1n) * blocks) / pieces) }
  })
}

/** The condition of one range. The whole table needs none, which also serves relations without blocks. @throws BAD_INPUT */
export function rangeCondition(range: Chunk['range']): string | null {
  const from = blockNumber(range.from)
  const to = range.to === null ? null : blockNumber(range.to)
  if (to !== null && to <= from) throw new WaybillError('BAD_INPUT', `The block range ${range.from} to ${range.to} is empty or reversed.`)
  const bounds = [...(from > 0n ? [`ctid >= '(${from},0)'::tid`] : []), ...(to === null ? [] : [`ctid < '(${to},0)'::tid`])]
  return bounds.length > 0 ? bounds.join(' AND ') : null
}

function blockNumber(text: string): bigint {
  const number = /^\d{1,10}$/.test(text) ? BigInt(text) : MAX_BLOCK + 1n
  if (number > MAX_BLOCK) throw new WaybillError('BAD_INPUT', `"${text.slice(0, 40)}" is not a block number of PostgreSQL.`)
  return number
}
