import { WaybillError } from '../../core/errors.ts'
import type { Session } from './session.ts'
import type { SnapshotSide } from './snapshot.ts'
import type { TableFacts } from './table-facts.ts'
import { rowsSql, type TablePlan } from './table-plan.ts'

const NO_INDEX = ['enable_indexscan', 'enable_indexonlyscan', 'enable_bitmapscan'].map((name) => `SET LOCAL ${name} = off`).join('; ')

/**
 * Runs `work` while these sessions read tables from the heap alone: a row that a damaged index does not list would otherwise be a row nobody
 * compared. Views are left as they are: the way their rows are found is their own.
 * @throws what `work` throws
 */
export async function withoutIndexes<T>(sides: readonly (readonly [readonly Session[], TableFacts])[], work: () => Promise<T>): Promise<T> {
  const heap = sides.flatMap(([sessions, { kind }]) => (kind === 'v' ? [] : sessions))
  await Promise.all(heap.map((session) => session.run(`SAVEPOINT waybill_heap; ${NO_INDEX}`)))
  try {
    return await work()
  } finally {
    // A connection that was lost or stopped has no settings to put back.
    const back = (session: Session) => session.run('ROLLBACK TO SAVEPOINT waybill_heap; RELEASE SAVEPOINT waybill_heap').catch(() => {})
    await Promise.all(heap.map(back))
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
