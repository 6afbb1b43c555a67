import { digestOf } from '../../core/canonical-json.ts'
import type { RememberedBound, RememberedSegment, SegmentMemory } from '../../core/connector.ts'
import { decodeFrame } from '../../core/encoding/row-frame.ts'
import { asker } from './ask.ts'
import { readIdentity } from './identity.ts'
import { keyOrder } from './key-order.ts'
import { type Bound, boundLiteral, rangeSql } from './segment-bounds.ts'
import type { Session } from './session.ts'
import type { SnapshotSide } from './snapshot.ts'
import { readDefinition, tableIdentity } from './table-definition.ts'
import { rowsSql, type TablePlan } from './table-plan.ts'

/**
 * Segments read by one statement when equal ones are to be remembered. A stream is known to be whole only at its end, so nothing of it is
 * remembered before; this much is what a killed process has to read again, for each connection.
 */
export const SEGMENTS_A_RUN = 16

export type Run = { from: number; to: number }

/** Segments that are not `done`, in runs of at most `most`; the same few long runs as there are lanes when nothing is to be remembered. */
export function runsOf(count: number, done: ReadonlySet<number>, most: number): Run[] {
  const runs: Run[] = []
  for (let index = 0; index < count; index++) {
    if (done.has(index)) continue
    const last = runs.at(-1)
    if (last !== undefined && last.to === index && index - last.from < most) last.to++
    else runs.push({ from: index, to: index + 1 })
  }
  return runs
}

/** What one table pair remembers, bound to its identity. */
export type TableMemory = {
  bounds: readonly Bound[]
  earlier: readonly RememberedSegment[]
  /** Keeps the equal ones of a run that was read to its end on these connections. */
  remember(segments: readonly Omit<RememberedSegment, 'compared_at'>[], read: readonly Session[]): Promise<void>
}

/**
 * What was kept of this very table by an earlier run, or a new beginning with `choose`n bounds. What was kept is somebody's file: it is used
 * only if its bounds are keys of this table in ascending order.
 */
export async function tableMemory(
  memory: SegmentMemory,
  plan: TablePlan,
  header: Uint8Array,
  sides: { source: SnapshotSide; target: SnapshotSide },
  choose: () => Promise<Bound[]>,
): Promise<TableMemory> {
  const { table_id } = plan.mapping
  const identity = await identityOf(plan, header, sides)
  const recalled = memory.recall(table_id, identity)
  const known = recalled === null ? null : boundsOf(recalled.bounds, plan)
  const bounds = known ?? (await choose())
  if (known === null) {
    memory.begin(
      table_id,
      identity,
      bounds.map(({ frame, text }) => ({ frame: frame.toString('base64'), text: [...text] })),
    )
  }
  const earlier = new Map<number, RememberedSegment>()
  for (const segment of known === null ? [] : recalled!.segments) {
    const equal = segment.source_sha256 === segment.target_sha256 && segment.source_rows === segment.target_rows
    if (equal && segment.index <= bounds.length) earlier.set(segment.index, segment)
  }
  return {
    bounds,
    earlier: [...earlier.values()],
    async remember(segments, read) {
      const equal = segments.filter((one) => one.source_sha256 === one.target_sha256)
      if (equal.length === 0) return
      // What was read under another setting is not to be believed later either.
      await Promise.all(read.map((session) => session.checkPinned()))
      const compared_at = new Date().toISOString()
      memory.remember(
        table_id,
        equal.map(({ index, source_rows, target_rows, source_sha256, target_sha256 }) => ({
          index,
          source_rows,
          target_rows,
          source_sha256,
          target_sha256,
          compared_at,
        })),
      )
    },
  }
}

/**
 * Both databases, both relations with all that defines their rows, what is read of them and how it is digested: if any of it changes, no digest of before counts. How many
 * segments are wanted is not in it: that follows an estimate, and the bounds that were kept are used as they are.
 */
async function identityOf(plan: TablePlan, header: Uint8Array, sides: { source: SnapshotSide; target: SnapshotSide }): Promise<string> {
  const end = async (side: 'source' | 'target') => {
    const { main } = sides[side]
    const identity = await readIdentity(main, asker(main, `asking which database the ${side} is`))
    const table = side === 'source' ? plan.mapping.source : plan.mapping.target
    const definition = await readDefinition((sql) => main.rows(sql), table)
    return { table: tableIdentity(identity, definition), rows: rowsSql(plan, side), keys: [...plan[side].keys] }
  }
  const columns = plan.columns.map(({ name, type, wire }) => ({ name, type, wire }))
  return digestOf({
    header: Buffer.from(header).toString('hex'),
    columns,
    source: await end('source'),
    target: await end('target'),
  })
}

function boundsOf(remembered: readonly RememberedBound[], plan: TablePlan): Bound[] | null {
  const keyColumns = plan.columns.slice(0, plan.keyWidth)
  const order = keyOrder(keyColumns)
  try {
    const bounds = remembered.map(({ frame, text }) => ({
      frame: Buffer.from(frame, 'base64'),
      text,
      literals: text.map((value, i) => boundLiteral(value, keyColumns[i]!)),
    }))
    const whole = bounds.every((bound) => bound.text.length === plan.keyWidth && decodeFrame(bound.frame).length === plan.keyWidth)
    const ascending = bounds.every((bound, i) => i === 0 || order.compare(bounds[i - 1]!.frame, 0, bound.frame, 0) < 0)
    return whole && ascending ? bounds : null
  } catch {
    return null
  }
}

export function rowsOf(segments: readonly RememberedSegment[], side: 'source_rows' | 'target_rows'): bigint {
  return segments.reduce((sum, segment) => sum + BigInt(segment[side]), 0n)
}

/** How many segments are of earlier runs, and from when to when. */
export function earlierSegments(segments: readonly RememberedSegment[]): { segments: number; first: string; last: string } {
  const times = segments.map((segment) => segment.compared_at).sort()
  return { segments: segments.length, first: times[0]!, last: times.at(-1)! }
}

/**
 * Rows that one side's index of the key lists now in segments that are not read again: without them the index could not be held against the
 * heap. Costs a count through the index.
 */
export async function countInRanges(
  side: SnapshotSide,
  plan: TablePlan,
  bounds: readonly Bound[],
  segments: readonly { index: number }[],
): Promise<bigint> {
  const others = new Set(Array.from({ length: bounds.length + 1 }, (_, i) => i))
  for (const { index } of segments) others.delete(index)
  const ranges = runsOf(bounds.length + 1, others, bounds.length + 1)
  if (ranges.length === 0) return 0n
  await side.main.run('SAVEPOINT waybill_index; SET LOCAL enable_seqscan = off')
  let rows = 0n
  for (const { from, to } of ranges) {
    const range = rangeSql(plan[side.side].keys, bounds[from - 1] ?? null, bounds[to - 1] ?? null)
    const [[found]] = (await side.main.rows(`SELECT count(*)::text FROM (${rowsSql(plan, side.side, range)}) AS listed`)) as [[string]]
    rows += BigInt(found)
  }
  await side.main.run('ROLLBACK TO SAVEPOINT waybill_index; RELEASE SAVEPOINT waybill_index')
  return rows
}
