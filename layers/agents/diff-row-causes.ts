import type { TableResult } from '../core/schemas/recon.ts'
import type { ValueCause } from './diff-value-causes.ts'

/** More than one row in a thousand is no longer a few rows. */
const FEW = 1000n

/** Causes that whole rows and their multiplicities show. */
export function rowCauses(result: TableResult): ValueCause[] {
  const missing = BigInt(result.missing)
  const extra = BigInt(result.extra)
  const changed = BigInt(result.changed)
  const source = BigInt(result.source_rows)
  const target = BigInt(result.target_rows)
  const { mismatches } = result
  const found: ValueCause[] = []

  if (source > 0n && target === 0n) {
    found.push({ cause: 'Nothing was loaded, or the target was emptied.', evidence: 'The target has no row at all.', confidence: 0.95 })
    return found
  }
  found.push(...lostRange(result))

  const copies = mismatches.filter((mismatch) => mismatch.kind !== 'changed')
  if (
    copies.length > 0 &&
    extra === 0n &&
    copies.every((mismatch) => BigInt(mismatch.source_count) > 1n && mismatch.target_count === '1')
  ) {
    found.push({
      cause: 'Duplicates were removed on their way.',
      evidence: `Each of ${copies.length} differing rows occurs several times in the source and once in the target.`,
      confidence: 0.95,
    })
  }
  const doubled = copies.filter(
    (mismatch) => mismatch.source_count !== '0' && BigInt(mismatch.target_count) === 2n * BigInt(mismatch.source_count),
  )
  if (doubled.length > 0 && doubled.length === copies.length && missing === 0n) {
    const whole = target === 2n * source
    found.push({
      cause: whole
        ? 'The table was loaded twice.'
        : 'Rows were loaded twice: a chunk ran again without its checkpoint, or somebody copied rows.',
      evidence: `Each of ${doubled.length} differing rows occurs twice as often in the target.`,
      confidence: whole ? 0.95 : 0.85,
    })
  }
  if (changed === 0n && missing > 0n && missing === extra) {
    found.push({
      cause: 'Rows were changed, not lost: each looks like one missing and one extra row, because no key pairs them.',
      evidence: `${missing} rows are missing and as many are extra.`,
      confidence: result.mode === 'bucketed' ? 0.8 : 0.5,
    })
  }
  if (extra > 0n && missing === 0n && changed === 0n && doubled.length === 0) {
    found.push({
      cause: 'Something else writes to the target, or it was not empty.',
      evidence: `${extra} rows are only in the target, and none is missing.`,
      confidence: 0.7,
    })
  }
  const total = missing + extra + changed
  const segments = new Set(mismatches.map((mismatch) => mismatch.segment))
  const scattered = segments.size > 1 || mismatches.length === 1
  if (total > 0n && total * FEW <= source && scattered && found.length === 0) {
    found.push({
      cause: 'Single rows were changed, deleted or added in the target after it was loaded, or in the source while it was live.',
      evidence: `${total} of ${source} rows differ, in ${segments.size} places.`,
      confidence: 0.7,
    })
  }
  return found
}

/** Neighbouring key ranges that are empty in the target: what a chunk that was never copied leaves. Buckets have no neighbours. */
function lostRange(result: TableResult): ValueCause[] {
  if (result.mode !== 'ordered' || result.segments.length < 2) return []
  const empty = result.segments
    .filter((segment) => segment.source_rows !== '0' && segment.target_rows === '0')
    .map((segment) => segment.index)
  const [first] = empty
  const last = empty.at(-1)
  if (first === undefined || last === undefined || last - first !== empty.length - 1) return []
  const atEnd = last === Math.max(...result.segments.map((segment) => segment.index))
  return [
    {
      cause: atEnd
        ? 'Copying stopped early: the end of the table never arrived.'
        : 'A chunk was lost: one contiguous range of keys never arrived.',
      evidence: `Segments ${first} to ${last} have rows in the source and none in the target; the others have rows on both sides.`,
      confidence: 0.9,
    },
  ]
}
