import { sideRoot } from '../encoding/segment-digest.ts'
import type { ResultStatus } from '../schemas/outcome.ts'
import type { SegmentDigest, TableResult } from '../schemas/recon.ts'
import { rowsBeyond, toleranceFaults } from '../tolerance/claim.ts'

/**
 * A table's verdict, worked out again from its segment digests and counts. Nothing is taken from the verdict the worker wrote, save
 * that an `inconclusive` stays one: whoever could not decide cannot be overruled into a pass.
 */
export type TableRecomputation = {
  integrity: ResultStatus
  completeness: ResultStatus
  segments_differing: number
  /** True when every expected segment is there exactly once. */
  complete: boolean
  reasons: string[]
  /** Places where the result contradicts itself; a document with one of them is not to be believed. */
  faults: string[]
}

/** The RFC 6962 root of one side, its leaves as the engine frames them, in index order. */
export function segmentRoot(segments: readonly SegmentDigest[], side: 'source' | 'target'): string {
  return sideRoot(sideOf(segments, side))
}

/** One after another: a table may have a hundred thousand. */
function* sideOf(segments: readonly SegmentDigest[], side: 'source' | 'target') {
  for (const segment of segments.toSorted((a, b) => a.index - b.index)) {
    yield { index: segment.index, rows: BigInt(segment[`${side}_rows`]), sha256: segment[`${side}_sha256`] }
  }
}

/** Null for digests or counts that no segment can have; they have no root. */
function rootOrNull(segments: readonly SegmentDigest[], side: 'source' | 'target'): string | null {
  try {
    return segmentRoot(segments, side)
  } catch {
    return null
  }
}

function sumOfRows(segments: readonly SegmentDigest[], side: 'source' | 'target'): bigint {
  return segments.reduce((sum, segment) => sum + BigInt(segment[`${side}_rows`]), 0n)
}

export function recomputeTable(result: TableResult): TableRecomputation {
  const reasons = [...result.reasons]
  const indexes = new Set(result.segments.map((segment) => segment.index))
  const complete =
    result.segments.length === result.segments_expected &&
    indexes.size === result.segments_expected &&
    [...indexes].every((index) => index < result.segments_expected)
  const differing = result.segments.filter(
    (segment) => segment.source_sha256 !== segment.target_sha256 || segment.source_rows !== segment.target_rows,
  ).length
  const [missing, extra, changed] = [BigInt(result.missing), BigInt(result.extra), BigInt(result.changed)]
  const [sourceRows, targetRows] = [BigInt(result.source_rows), BigInt(result.target_rows)]
  const faults = complete ? contradictions(result, differing) : []
  if (!complete) reasons.push(`${indexes.size} of ${result.segments_expected} segments were completed`)

  const decided = complete && (result.verdict === 'pass' || result.verdict === 'fail')
  const aggregates = result.aggregates.map((aggregate) => aggregate.verdict)
  const rowsDiffer = differing > 0 || missing + extra + changed > 0n || result.source_root !== result.target_root
  let integrity: ResultStatus = 'PASS'
  if (!decided) integrity = 'INCONCLUSIVE'
  else if (rowsDiffer || aggregates.includes('fail') || faults.length > 0) integrity = 'FAIL'
  else if (aggregates.includes('inconclusive')) integrity = 'INCONCLUSIVE'

  let completeness: ResultStatus = 'PASS'
  if (!decided) completeness = 'INCONCLUSIVE'
  else if (sourceRows !== targetRows || missing + extra > 0n || faults.length > 0) completeness = 'FAIL'

  if (decided && rowsDiffer) {
    reasons.push(`${differing} of ${result.segments.length} segments differ: ${missing} missing, ${extra} extra, ${changed} changed`)
  }
  if (decided && sourceRows !== targetRows) reasons.push(`${sourceRows} source records, ${targetRows} target records`)
  return { integrity, completeness, segments_differing: differing, complete, reasons, faults }
}

function contradictions(result: TableResult, differing: number): string[] {
  const faults: string[] = []
  const say = (what: string) => faults.push(what)
  for (const side of ['source', 'target'] as const) {
    const root = rootOrNull(result.segments, side)
    if (root !== result[`${side}_root`]) say(`the ${side} root is not the Merkle root of its ${result.segments.length} segment digests`)
    const sum = sumOfRows(result.segments, side)
    if (String(sum) !== result[`${side}_rows`]) say(`the segments hold ${sum} ${side} records, the result says ${result[`${side}_rows`]}`)
  }
  if (result.verdict === 'inconclusive') return faults
  const kept = BigInt(result.source_rows) - BigInt(result.missing)
  const arrived = BigInt(result.target_rows) - BigInt(result.extra)
  if (kept !== arrived) {
    say(`${result.source_rows} source − ${result.missing} missing is not ${result.target_rows} target − ${result.extra} extra records`)
  }
  const differences = BigInt(result.missing) + BigInt(result.extra) + BigInt(result.changed)
  if (result.verdict === 'pass' && (differing > 0 || differences > 0n)) say('the verdict is pass although segments or records differ')
  if (differing > 0 && differences === 0n) say(`${differing} segments differ but no differing record is counted`)
  // Only a value beyond a tolerance makes a changed row whose digests are equal.
  const beyond = differences === BigInt(result.changed) ? rowsBeyond(result.tolerances) : 0n
  if (differing === 0 && differences > beyond) say(`${differences} differing records are counted but every segment digest is equal`)
  return [...faults, ...toleranceFaults(result)]
}
