import type { SegmentMemory } from '../../core/connector.ts'
import type { Comparison, Emit } from './comparison.ts'
import { allOrNone } from './comparison.ts'
import { copyOut } from './copy-stream.ts'
import { checkIndexComplete } from './heap-scan.ts'
import { keyOrder } from './key-order.ts'
import { type LaneResult, lockstep } from './lockstep.ts'
import { pushedDigests, pushedLane } from './push-down.ts'
import type { Differ } from './row-difference.ts'
import { mergeRows } from './row-merge.ts'
import { rangeSql, rangeText, segmentBounds } from './segment-bounds.ts'
import { countInRanges, earlierSegments, type Run, rowsOf, runsOf, SEGMENTS_A_RUN, tableMemory } from './segment-memory.ts'
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
  /** Equal segments that outlive the process; left out: none do. */
  memory?: SegmentMemory | undefined
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
  const choose = () => segmentBounds(source.main, plan, input.facts, plan.recon.segments)
  const memory = input.memory === undefined ? null : await tableMemory(input.memory, plan, input.header, { source, target }, choose)
  const bounds = memory === null ? await choose() : memory.bounds
  const count = bounds.length + 1
  const describe = (index: number) => rangeText(bounds, index, input.mask)
  const earlier = (memory?.earlier ?? []).map((segment) => ({ ...segment, range: describe(segment.index) }))
  const lanes = Math.min(source.sessions.length, target.sessions.length, count)
  const read = (side: SnapshotSide, lane: number, { from, to }: Run) => {
    const keys = plan[side.side].keys
    const range = rangeSql(keys, bounds[from - 1] ?? null, bounds[to - 1] ?? null)
    const sql = `${rowsSql(plan, side.side, range)} ORDER BY ${keys.join(', ')}`
    return copyOut(side.sessions[lane]!, sql, `reading the ${side.side} table ${plan[side.side].object}`)
  }
  const pushed = input.method === 'push-down' || (input.method === 'auto' && (await farAway([source, target])))
  const compareRun = async (run: Run, lane: number): Promise<LaneResult> => {
    if (pushed) {
      const digests = (side: SnapshotSide) =>
        pushedDigests(
          side.sessions[lane]!,
          plan,
          side.side,
          input.header,
          bounds,
          run.from,
          run.to,
          side === source ? input.onRows : () => {},
        )
      return pushedLane(digests(source), digests(target), describe)
    }
    return lockstep({ ...input, bounds, ...run, source: read(source, lane, run), target: read(target, lane, run), describe })
  }
  const longest = memory === null ? Math.ceil(count / lanes) : SEGMENTS_A_RUN
  const runs = runsOf(count, new Set(earlier.map((segment) => segment.index)), longest)
  const work = async (lane: number): Promise<LaneResult[]> => {
    const done: LaneResult[] = []
    for (let run = runs.shift(); run !== undefined; run = runs.shift()) {
      const result = await compareRun(run, lane)
      await memory?.remember(result.segments, [source.sessions[lane]!, target.sessions[lane]!])
      done.push(result)
    }
    return done
  }
  const results = (
    await allOrNone(
      Array.from({ length: lanes }, (_, lane) => work(lane)),
      input.stop,
    )
  ).flat()
  const sourceRows = results.reduce((sum, result) => sum + result.sourceRows, 0n)
  const targetRows = results.reduce((sum, result) => sum + result.targetRows, 0n)
  await checkIndexComplete(
    [
      { side: source, facts: input.facts, rows: sourceRows + (await countInRanges(source, plan, bounds, earlier)) },
      { side: target, facts: input.targetFacts, rows: targetRows + (await countInRanges(target, plan, bounds, earlier)) },
    ],
    plan,
  )
  const order = keyOrder(plan.columns.slice(0, plan.keyWidth))
  for (const index of results.flatMap((result) => result.reread)) {
    const rows = (side: SnapshotSide) => read(side, 0, { from: index, to: index + 1 }).chunks
    await allOrNone([mergeRows(rows(source), rows(target), order, input.make, index, input.emit)], input.stop)
  }
  return {
    method: pushed ? 'push-down' : 'stream',
    segmentsExpected: count,
    segments: [...results.flatMap((result) => result.segments), ...earlier.map(({ compared_at: _, ...segment }) => segment)].sort(
      (a, b) => a.index - b.index,
    ),
    sourceRows: sourceRows + rowsOf(earlier, 'source_rows'),
    targetRows: targetRows + rowsOf(earlier, 'target_rows'),
    ...(earlier.length === 0 ? {} : { earlier: earlierSegments(earlier) }),
  }
}
