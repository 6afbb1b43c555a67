import { hash } from 'node:crypto'
import { decodeFrame, encodeFrame, FrameFields } from '../../core/encoding/row-frame.ts'
import { WaybillError } from '../../core/errors.ts'
import type { ToleranceResult } from '../../core/schemas/recon.ts'
import { bucketOf } from './bucket-digests.ts'
import { allOrNone, type Comparison, type Emit } from './comparison.ts'
import { copyOut } from './copy-stream.ts'
import type { Named } from './difference-tally.ts'
import { keyOrder } from './key-order.ts'
import { differ } from './row-difference.ts'
import { walkByKey } from './row-merge.ts'
import type { SnapshotSide } from './snapshot.ts'
import type { TablePlan } from './table-plan.ts'
import type { TolerantColumn } from './tolerance-column.ts'

export type TolerancePassInput = {
  plan: TablePlan
  source: SnapshotSide
  target: SnapshotSide
  /** What the digests gave, and how many rows they found to differ: with any of those, whole rows are read here, and named. */
  comparison: Comparison
  exact: Named
  mask: (value: string | null) => string | null
  emit: Emit
  stop: () => void
}

export type TolerancePass = {
  sourceRows: bigint
  targetRows: bigint
  /** Keys on both sides. */
  compared: bigint
  /** Of those, rows that differ outside the tolerant columns; null when they were not looked at, because no digest differs. */
  exactlyChanged: bigint | null
  missing: bigint
  extra: bigint
  columns: ToleranceResult[]
}

/**
 * The second pass of a table with tolerances: both sides in key order under the snapshot of the first pass, one row a side in memory. Every
 * differing row of the table is named here and only here, so that a row that differs in both ways is one difference.
 * @throws NOT_REPRESENTABLE when the key has no order that both sides share; SEGMENT_INCOMPLETE for keys that repeat or do not ascend
 */
export async function compareTolerant(input: TolerancePassInput): Promise<TolerancePass> {
  const { plan, exact, emit } = input
  const keys = plan.columns.slice(0, plan.keyWidth)
  const unordered = keys.find((column) => !column.ordered)
  if (unordered !== undefined) {
    throw new WaybillError(
      'NOT_REPRESENTABLE',
      `Key column ${JSON.stringify(unordered.name)} has a type without one order on both sides, and a tolerance needs rows in the order of their key. Name another key, or leave the tolerance out.`,
    )
  }
  // Buckets are found by the digest of the whole row, ranges by its place alone.
  const whole = plan.mode === 'bucketed' || exact.missing + exact.extra + exact.changed > 0n
  const digested = whole ? plan.columns : keys
  const make = differ([...digested, ...plan.tolerant.map(readable)], plan.keyWidth, input.mask)
  const place = plan.mode === 'ordered' ? byPlace(input.comparison) : byDigest(digested.length, plan.recon.segments)
  const tallies = plan.tolerant.map((column) => new ToleranceTally(column))
  // The same bytes are the same values only where both sides send one form.
  const sameForms = plan.tolerant.every((column) => column.wire === column.targetWire)
  const found = { compared: 0n, exactlyChanged: 0n, missing: 0n, extra: 0n }
  const read = (side: SnapshotSide) =>
    copyOut(side.main, toleranceSql(plan, side.side, whole), `reading the columns with a tolerance of the ${side.side} table`)
  const [left, right] = [read(input.source), read(input.target)]
  const [from, to] = [new FrameFields(), new FrameFields()]
  const walk = walkByKey(left.chunks, right.chunks, keyOrder(keys), {
    lone(kind, frame) {
      found[kind]++
      const segment = place(kind === 'missing' ? 'source' : 'target', frame)
      emit(make.lone(kind, frame, segment(), kind === 'missing' ? 1n : 0n, kind === 'extra' ? 1n : 0n))
    },
    both(before, after) {
      found.compared++
      const segment = place('source', before)
      const targetSegment = place('target', after)
      if (sameForms && before.equals(after)) {
        for (const tally of tallies) tally.same()
        return
      }
      from.read(before)
      to.read(after)
      const changed = digested.some((_, i) => !from.same(to, i))
      if (changed) found.exactlyChanged++
      let beyond = false
      for (const [i, tally] of tallies.entries()) {
        if (tally.add(from.field(digested.length + i), to.field(digested.length + i))) beyond = true
      }
      if (changed || beyond) emit(make.changed(before, after, segment()), targetSegment())
    },
  })
  await allOrNone([walk], input.stop)
  return {
    ...found,
    exactlyChanged: whole ? found.exactlyChanged : null,
    sourceRows: left.rows(),
    targetRows: right.rows(),
    columns: tallies.map((tally) => tally.result(found.compared)),
  }
}

function readable(column: TolerantColumn) {
  const { name, wire, targetWire } = column
  return { name, wire, targetWire, same: (a: Uint8Array | null, b: Uint8Array | null) => column.judge(a, b).state !== 'beyond' }
}

/** Key columns, then (of whole rows) the other digested ones, then the tolerant ones, in byte order of the key. */
function toleranceSql(plan: TablePlan, side: 'source' | 'target', whole: boolean): string {
  const query = plan[side]
  const keys = plan.columns.slice(0, plan.keyWidth)
  const selected = [...(whole ? plan.columns : keys), ...plan.tolerant].map((column) => column[side])
  // By position: a bare name in ORDER BY would mean whichever selected expression happens to have it.
  const expressions = keys.map((column, i) => (column.wire === 'utf8' ? `(${column[side]}) COLLATE "C"` : String(i + 1)))
  const order = plan.mode === 'ordered' ? query.keys : expressions
  const where = query.where === null ? '' : ` WHERE ${query.where}`
  return `SELECT ${selected.join(', ')} FROM ${query.object} AS w${where} ORDER BY ${order.join(', ')}`
}

/** Tells the segment of a row, only if asked; to be called for every row of the side, in its order. */
type Place = (side: 'source' | 'target', frame: Buffer) => () => number

/** Ranges follow each other in key order, so the n-th row of a side lies in the segment that holds its n-th row. */
function byPlace({ segments }: Comparison): Place {
  const at = { source: { segment: 0, rows: 0n }, target: { segment: 0, rows: 0n } }
  return (side) => {
    const here = at[side]
    while (here.segment < segments.length && here.rows === BigInt(segments[here.segment]![`${side}_rows`])) {
      here.segment++
      here.rows = 0n
    }
    here.rows++
    const segment = Math.min(here.segment, segments.length - 1)
    return () => segment
  }
}

function byDigest(digested: number, buckets: number): Place {
  return (_, frame) => () => {
    const row = hash('sha256', encodeFrame(decodeFrame(frame).slice(0, digested)), 'buffer')
    return bucketOf(row.readUInt32BE(0), buckets)
  }
}

class ToleranceTally {
  readonly #column: TolerantColumn
  #equal = 0n
  #within = 0n
  #beyond = 0n
  #largest = 0n

  constructor(column: TolerantColumn) {
    this.#column = column
  }

  same(): void {
    this.#equal++
  }

  /** True when the pair is beyond the tolerance. */
  add(source: Uint8Array | null, target: Uint8Array | null): boolean {
    const judged = this.#column.judge(source, target)
    if (judged.state === 'equal') this.#equal++
    else if (judged.state === 'beyond') this.#beyond++
    else {
      this.#within++
      if (judged.units !== null && judged.units > this.#largest) this.#largest = judged.units
    }
    return judged.state === 'beyond'
  }

  result(compared: bigint): ToleranceResult {
    const { column, kind, value } = this.#column.tolerance
    return {
      column,
      kind,
      value,
      compared: String(compared),
      equal: String(this.#equal),
      within: String(this.#within),
      beyond: String(this.#beyond),
      largest: this.#within === 0n ? null : this.#column.scale.text(this.#largest),
    }
  }
}
