import type { Comparison, Emit } from './comparison.ts'
import { allOrNone } from './comparison.ts'
import { copyOut } from './copy-stream.ts'
import { keyOrder } from './key-order.ts'
import { lockstep } from './lockstep.ts'
import type { Differ } from './row-difference.ts'
import { mergeRows } from './row-merge.ts'
import { type Bound, rangeSql, segmentBounds } from './segment-bounds.ts'
import type { SnapshotSide } from './snapshot.ts'
import type { TableFacts } from './table-facts.ts'
import { rowsSql, type TablePlan } from './table-plan.ts'

export type CompareInput = {
  plan: TablePlan
  header: Uint8Array
  make: Differ
  emit: Emit
  mask: (value: string | null) => string | null
  onRows: (rows: bigint) => void
  /** Ends every reading connection of both sides. */
  stop: () => void
}

/** Compares two PostgreSQL tables by key ranges, both sides at once, on as many lanes as there are connections a side. */
export async function compareOrdered(
  input: CompareInput & { source: SnapshotSide; target: SnapshotSide; facts: TableFacts },
): Promise<Comparison> {
  const { plan, source, target } = input
  const bounds = await segmentBounds(source.main, plan, input.facts, plan.recon.segments)
  const count = bounds.length + 1
  const lanes = Math.min(source.sessions.length, target.sessions.length, count)
  const read = (side: SnapshotSide, lane: number, from: number, to: number) => {
    const keys = plan[side.side].keys
    const range = rangeSql(keys, bounds[from - 1] ?? null, bounds[to - 1] ?? null)
    const sql = `${rowsSql(plan, side.side, range)} ORDER BY ${keys.join(', ')}`
    return copyOut(side.sessions[lane]!, sql, `reading the ${side.side} table ${plan[side.side].object}`)
  }
  const results = await allOrNone(
    Array.from({ length: lanes }, (_, lane) => {
      const from = Math.floor((lane * count) / lanes)
      const to = Math.floor(((lane + 1) * count) / lanes)
      return lockstep({
        ...input,
        bounds,
        from,
        to,
        source: read(source, lane, from, to),
        target: read(target, lane, from, to),
        describe: (index) => rangeText(bounds, index, input.mask),
      })
    }),
    input.stop,
  )
  const order = keyOrder(plan.columns.slice(0, plan.keyWidth))
  for (const index of results.flatMap((result) => result.reread)) {
    const rows = (side: SnapshotSide) => read(side, 0, index, index + 1).chunks
    await allOrNone([mergeRows(rows(source), rows(target), order, input.make, index, input.emit)], input.stop)
  }
  return {
    segmentsExpected: count,
    segments: results.flatMap((result) => result.segments),
    sourceRows: results.reduce((sum, result) => sum + result.sourceRows, 0n),
    targetRows: results.reduce((sum, result) => sum + result.targetRows, 0n),
  }
}

function rangeText(bounds: readonly Bound[], index: number, mask: (value: string | null) => string | null): string {
  const show = (bound: Bound | undefined) => (bound === undefined ? '…' : bound.text.map((value) => mask(value) ?? 'NULL').join(', '))
  return `[${show(bounds[index - 1])}; ${show(bounds[index])})`.slice(0, 512)
}
