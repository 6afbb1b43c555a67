import type { RowStream } from '../../core/encoding/row-stream.ts'
import { WaybillError } from '../../core/errors.ts'
import type { SegmentDigest } from '../../core/schemas/recon.ts'
import type { Emit } from './comparison.ts'
import { keyOrder } from './key-order.ts'
import type { Differ } from './row-difference.ts'
import { mergeRows } from './row-merge.ts'
import type { Bound } from './segment-bounds.ts'
import { partDigests, segmentCutter } from './segment-cutter.ts'
import type { TablePlan } from './table-plan.ts'

export type LockstepInput = {
  plan: TablePlan
  header: Uint8Array
  bounds: readonly Bound[]
  /** Segments of this lane: `from` up to, not including, `to`. */
  from: number
  to: number
  source: RowStream
  target: RowStream
  make: Differ
  emit: Emit
  describe: (index: number) => string
  onRows: (rows: bigint) => void
}

export type LaneResult = { segments: SegmentDigest[]; sourceRows: bigint; targetRows: bigint; reread: number[] }

/**
 * Reads both sides of a lane at once, segment by segment. A segment whose digests differ is merged from the bytes just read; one too
 * large to keep is listed in `reread`. @throws SEGMENT_INCOMPLETE when rows were read that no segment counted
 */
export async function lockstep(input: LockstepInput): Promise<LaneResult> {
  const { plan, header, bounds } = input
  const order = keyOrder(plan.columns.slice(0, plan.keyWidth))
  const left = segmentCutter(input.source, order, header)
  const right = segmentCutter(input.target, order, header)
  const segments: SegmentDigest[] = []
  const reread: number[] = []
  let sourceRows = 0n
  let targetRows = 0n
  for (let index = input.from; index < input.to; index++) {
    // The lane's last segment takes whatever the query still gives, and with it the end of the stream.
    const bound = index === input.to - 1 ? null : bounds[index]!.frame
    const [source, target] = await Promise.all([left.next(bound), right.next(bound)])
    const digests = partDigests(source, target, header)
    sourceRows += BigInt(source.rows)
    targetRows += BigInt(target.rows)
    segments.push({
      index,
      range: input.describe(index),
      source_rows: String(source.rows),
      target_rows: String(target.rows),
      source_sha256: digests.source,
      target_sha256: digests.target,
    })
    if (digests.source !== digests.target) {
      if (source.chunks === null || target.chunks === null) reread.push(index)
      else await mergeRows(source.chunks, target.chunks, order, input.make, index, input.emit)
    }
    input.onRows(BigInt(source.rows))
  }
  if (sourceRows !== input.source.rows() || targetRows !== input.target.rows()) {
    throw new WaybillError('SEGMENT_INCOMPLETE', 'Some rows that were read belong to no segment. Run the comparison again.')
  }
  return { segments, sourceRows, targetRows, reread }
}
