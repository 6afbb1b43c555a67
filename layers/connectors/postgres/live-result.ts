import type { LiveOptions } from '../../core/connector.ts'
import type { Mismatch, TableResult } from '../../core/schemas/recon.ts'

/** What reading differing keys again gave. */
export type Found = {
  keys: number
  settled: number
  reads: number
  /** Keys that stayed the same long enough, their rows as counted, and the first of them. */
  differing: number
  rows: { missing: bigint; extra: bigint; changed: bigint }
  first: Mismatch[]
  unsettled: number
  stableMs: number
  /** Why nothing was read again. */
  obstacle: string | null
}

const MISMATCHES_IN_RESULT = 1000

/** Counts one difference that is one. */
export function addDifference(found: Found, mismatch: Mismatch): void {
  const surplus = BigInt(mismatch.source_count) - BigInt(mismatch.target_count)
  if (mismatch.kind === 'changed') found.rows.changed++
  else if (surplus > 0n) found.rows.missing += surplus
  else found.rows.extra -= surplus
  if (found.first.length < MISMATCHES_IN_RESULT) found.first.push(mismatch)
}

/** The first comparison's result with what became of its differing keys. Equal only if every one of them was seen equal. */
export function liveResult(result: TableResult, found: Found, live: LiveOptions): TableResult {
  const unplanned = result.schema_differences.filter((difference) => !difference.planned && difference.severity !== 'INFO')
  const declaredUnlike = unplanned.some((difference) => difference.severity !== 'WARNING')
  const tally = found.rows
  return {
    ...result,
    missing: String(tally.missing),
    extra: String(tally.extra),
    changed: String(tally.changed),
    mismatches: found.first,
    severity: tally.missing + tally.extra > 0n ? 'Critical' : tally.changed > 0n ? 'Major' : unplanned.length > 0 ? 'Minor' : null,
    verdict: found.differing > 0 || declaredUnlike ? 'fail' : found.unsettled > 0 ? 'inconclusive' : 'pass',
    // The sentence about the first read speaks of rows that were in motion.
    reasons: [...words(found, live), ...result.reasons.filter((reason) => !reason.startsWith('Rows differ: '))],
    live: {
      keys: String(found.keys),
      settled: String(found.settled),
      differing: String(found.differing),
      unsettled: String(found.unsettled),
      reads: found.reads,
      deadline_ms: live.deadlineMs,
      stable_ms: found.stableMs,
    },
    finished_at: new Date().toISOString(),
  }
}

const keys = (count: number) => (count === 1 ? '1 key' : `${count} keys`)

function words(found: Found, live: LiveOptions): string[] {
  const { settled, differing, unsettled, reads, stableMs, obstacle } = found
  const times = reads === 1 ? 'once' : `${reads} times`
  if (obstacle !== null)
    return [`Unsettled: rows differ and may only be in motion, but ${obstacle}. This is not "equal", and not a difference shown.`]
  const said: string[] = []
  if (differing > 0) {
    const counts = (['missing', 'extra', 'changed'] as const).flatMap((kind) =>
      found.rows[kind] > 0n ? [`${found.rows[kind]} ${kind}`] : [],
    )
    said.push(`Rows differ: ${counts.join(', ')}; read again and unchanged on both sides for ${stableMs / 1000} s.`)
  }
  if (unsettled > 0)
    said.push(
      `Unsettled: ${keys(unsettled)} had neither become equal nor stayed the same for ${stableMs / 1000} s when the ${live.deadlineMs / 1000} s were over, read again ${times}.`,
    )
  if (settled > 0) {
    const others = differing + unsettled > 0 ? '' : 'Equal; '
    said.push(`${others}${keys(settled)} ${settled === 1 ? 'was' : 'were'} in motion and settled: read again until equal on both sides.`)
  }
  return said
}
