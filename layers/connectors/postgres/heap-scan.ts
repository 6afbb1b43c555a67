import { WaybillError } from '../../core/errors.ts'
import type { Session } from './session.ts'
import type { SnapshotSide } from './snapshot.ts'
import type { TableFacts } from './table-facts.ts'
import { rowsSql, type TablePlan } from './table-plan.ts'

/** Under a view: every table this transaction has locked. */
const REPLACED_UNDER_VIEW = `
SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
 WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND c.relkind IN ('r', 'm') AND c.relfilenode <> 0
   AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid)`

const NO_INDEX = ['enable_indexscan', 'enable_indexonlyscan', 'enable_bitmapscan'].map((name) => `SET LOCAL ${name} = off`).join('; ')

/**
 * Tables below one (itself, partitions, children) whose rows are not those of the snapshot any more: TRUNCATE and an ALTER TABLE that rewrites
 * take effect under every snapshot at once, and so do partitions that come and go. The left side of each comparison is what the snapshot
 * says, the right side what is so now; the table has been read, so its lock keeps it that way.
 */
const REPLACED = `
WITH RECURSIVE below AS (
  SELECT $1::oid AS oid UNION SELECT h.inhrelid FROM below b JOIN pg_inherits h ON h.inhparent = b.oid
), now AS (SELECT relid::oid AS oid FROM pg_partition_tree($1::oid::regclass) WHERE $2 = 'p')
SELECT c.relname FROM below b JOIN pg_class c ON c.oid = b.oid
 WHERE c.relfilenode <> 0 AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid) OR $2 = 'p' AND c.oid NOT IN (SELECT oid FROM now)
UNION ALL SELECT 'a new partition' FROM now WHERE oid NOT IN (SELECT oid FROM below)`

async function checkNotReplaced(session: Session, { oid, kind }: TableFacts): Promise<void> {
  const [replaced] = await session.rows(kind === 'v' ? REPLACED_UNDER_VIEW : REPLACED, kind === 'v' ? [] : [oid, kind])
  if (replaced === undefined) return
  throw new WaybillError(
    'SEGMENT_INCOMPLETE',
    `${JSON.stringify(replaced[0])} was truncated, rewritten, attached or dropped while the comparison ran: what was read is not what the snapshot saw. Run it again when nobody changes tables.`,
  )
}

/**
 * Runs `work` while these sessions read tables from the heap alone: a row that a damaged index does not list would otherwise be a row nobody
 * compared. Views are left as they are: the way their rows are found is their own.
 * @throws what `work` throws; SEGMENT_INCOMPLETE when a table was replaced since the snapshot
 */
export async function withoutIndexes<T>(sides: readonly (readonly [readonly Session[], TableFacts])[], work: () => Promise<T>): Promise<T> {
  const sessions = sides.flatMap(([some, facts]) => some.map((session) => ({ session, facts })))
  const heap = sessions.filter(({ facts }) => facts.kind !== 'v')
  await Promise.all(heap.map(({ session }) => session.run(`SAVEPOINT waybill_heap; ${NO_INDEX}`)))
  try {
    const result = await work()
    await Promise.all(sessions.map(({ session, facts }) => checkNotReplaced(session, facts)))
    return result
  } finally {
    // A connection that was lost or stopped has no settings to put back.
    const back = (session: Session) => session.run('ROLLBACK TO SAVEPOINT waybill_heap; RELEASE SAVEPOINT waybill_heap').catch(() => {})
    await Promise.all(heap.map(({ session }) => back(session)))
  }
}

/**
 * Holds the rows that came through the key's index against those in the heap, under the same snapshot. Costs one more scan that sends nothing.
 * @throws SEGMENT_INCOMPLETE when the index lists more or fewer
 */
export async function checkIndexComplete(
  sides: readonly { side: SnapshotSide; facts: TableFacts; rows: bigint }[],
  plan: TablePlan,
): Promise<void> {
  const open = sides.map(({ side, facts }) => [[side.main], facts] as const)
  await withoutIndexes(open, () => Promise.all(sides.map(({ side, rows }) => checkSide(side, rows, plan))))
}

async function checkSide({ main, side }: SnapshotSide, rows: bigint, plan: TablePlan): Promise<void> {
  const [[found]] = (await main.rows(`SELECT count(*)::text FROM (${rowsSql(plan, side)}) AS heap`)) as [[string]]
  if (BigInt(found) === rows) return
  throw new WaybillError(
    'SEGMENT_INCOMPLETE',
    `The ${side} table ${plan[side].object} holds ${found} rows, but the unique index of its key lists ${rows}: the index is damaged. REINDEX the table, then compare again; the extension amcheck says more.`,
  )
}
