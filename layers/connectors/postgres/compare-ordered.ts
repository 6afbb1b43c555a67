import type { Comparison, Emit } from './comparison.ts'
import { allOrNone } from './comparison.ts'
import { copyOut } from './copy-stream.ts'
import { checkIndexComplete } from './heap-scan.ts'
import { keyOrder } from './key-order.ts'
import { type LaneResult, lockstep } from './lockstep.ts'
import { type PushedSegment, pushedDigests } from './push-down.ts'
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

/** A side this many milliseconds away digests its own segments: then the network carries 32 bytes a segment instead of every row. */
const FAR_MS = 20
const PINGS = 3

async function farAway(sides: readonly SnapshotSide[]): Promise<boolean> {
  const nearest = await Promise.all(
    sides.map(async ({ main }) => {
      let best = Number.POSITIVE_INFINITY
      for (let i = 0; i < PINGS; i++) {
        const from = performance.now()
        await main.rows('SELECT 1')
        best = Math.min(best, performance.now() - from)
      }
      return best
    }),
  )
  return Math.max(...nearest) > FAR_MS
}

/** Compares two PostgreSQL tables by key ranges, both sides at once, on as many lanes as there are connections a side. */
export async function compareOrdered(
  input: CompareInput & {
    source: SnapshotSide
    target: SnapshotSide
    facts: TableFacts
    targetFacts: TableFacts
    method: 'auto' | 'stream' | 'push-down'
  },
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
  const pushed = input.method === 'push-down' || (input.method === 'auto' && (await farAway([source, target])))
  const describe = (index: number) => rangeText(bounds, index, input.mask)
  const results = await allOrNone(
    Array.from({ length: lanes }, (_, lane) => {
      const from = Math.floor((lane * count) / lanes)
      const to = Math.floor(((lane + 1) * count) / lanes)
      if (pushed) {
        const digests = (side: SnapshotSide) => pushedDigests(side.sessions[lane]!, plan, side.side, input.header, bounds, from, to)
        return pushedLane(digests(source), digests(target), describe, input.onRows)
      }
      return lockstep({
        ...input,
        bounds,
        from,
        to,
        source: read(source, lane, from, to),
        target: read(target, lane, from, to),
        describe,
      })
    }),
    input.stop,
  )
  const sourceRows = results.reduce((sum, result) => sum + result.sourceRows, 0n)
  const targetRows = results.reduce((sum, result) => sum + result.targetRows, 0n)
  await checkIndexComplete(
    [
      { side: source, facts: input.facts, rows: sourceRows },
      { side: target, facts: input.targetFacts, rows: targetRows },
    ],
    plan,
  )
  const order = keyOrder(plan.columns.slice(0, plan.keyWidth))
  for (const index of results.flatMap((result) => result.reread)) {
    const rows = (side: SnapshotSide) => read(side, 0, index, index + 1).chunks
    await allOrNone([mergeRows(rows(source), rows(target), order, input.make, index, input.emit)], input.stop)
  }
  return {
    method: pushed ? 'push-down' : 'stream',
    segmentsExpected: count,
    segments: results.flatMap((result) => result.segments),
    sourceRows,
    targetRows,
  }
}

async function pushedLane(
  sources: Promise<PushedSegment[]>,
  targets: Promise<PushedSegment[]>,
  describe: (index: number) => string,
  onRows: (rows: bigint) => void,
): Promise<LaneResult> {
  const [left, right] = await Promise.all([sources, targets])
  const total = (segments: readonly PushedSegment[]) => segments.reduce((sum, segment) => sum + segment.rows, 0n)
  onRows(total(left))
  const segments = left.map((source, i) => ({
    index: source.index,
    range: describe(source.index),
    source_rows: String(source.rows),
    target_rows: String(right[i]!.rows),
    source_sha256: source.sha256,
    target_sha256: right[i]!.sha256,
  }))
  const reread = segments.filter((segment) => segment.source_sha256 !== segment.target_sha256).map((segment) => segment.index)
  return { segments, sourceRows: total(left), targetRows: total(right), reread }
}

function rangeText(bounds: readonly Bound[], index: number, mask: (value: string | null) => string | null): string {
  const show = (bound: Bound | undefined) => (bound === undefined ? '…' : bound.text.map((value) => mask(value) ?? 'NULL').join(', '))
  return `[${show(bounds[index - 1])}; ${show(bounds[index])})`.slice(0, 512)
}
