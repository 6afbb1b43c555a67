import { type ComparisonWork, estimatedRows, type TablePair } from '../comparison.ts'
import { ESTIMATE_CONSTANTS } from '../estimate.ts'
import { namesInShort } from '../names-in-short.ts'
import type { ComparisonEstimate } from './comparison.ts'

/** Catalog queries, snapshot checks and the first rows of one table. */
const SECONDS_PER_TABLE = 0.05

/** What a full comparison would read on the larger side, and about how long it takes on `connections` connections a side. */
export function estimateComparison(
  work: readonly { pair: TablePair; work: Pick<ComparisonWork, 'recon'> }[],
  connections: number,
): ComparisonEstimate {
  let rows = 0n
  let bytes = 0n
  let seconds = 0
  const unknownRows: string[] = []
  const unknownBytes: string[] = []
  for (const { pair, work: item } of work) {
    const name = `${pair.source.schema}.${pair.source.name}`
    const sizes = [BigInt(pair.source.bytes), BigInt(pair.target.bytes)] as const
    const size = sizes[0] < sizes[1] ? sizes[1] : sizes[0]
    const count = estimatedRows(pair)
    if (count === 0n && size > 0n) unknownRows.push(name)
    if (size === 0n && [pair.source, pair.target].some((table) => table.kind === 'view' || table.kind === 'foreign'))
      unknownBytes.push(name)
    rows += count
    bytes += size
    const lanes = item.recon.mode === 'ordered' ? Math.min(connections, item.recon.segments) : 1
    seconds += SECONDS_PER_TABLE + Number(size) / ESTIMATE_CONSTANTS.reconcile_bytes_per_second / lanes
  }
  const reasons = [
    ...(unknownRows.length > 0 ? [`rows unknown, run ANALYZE: ${namesInShort(unknownRows)}`] : []),
    ...(unknownBytes.length > 0 ? [`size unknown, a view or foreign table: ${namesInShort(unknownBytes)}`] : []),
  ]
  return {
    tables: work.length,
    rows: unknownRows.length > 0 || unknownBytes.length > 0 ? null : String(rows),
    bytes: unknownBytes.length > 0 ? null : String(bytes),
    seconds: unknownBytes.length > 0 ? null : Number(seconds.toFixed(1)),
    reason: reasons.length > 0 ? reasons.join('; ') : null,
  }
}
