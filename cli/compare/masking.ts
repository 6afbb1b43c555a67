import { hash, randomBytes } from 'node:crypto'
import type { Mismatch, TableResult } from '../../layers/core/schemas/recon.ts'
import { withheldDifference } from '../../layers/core/withheld-literals.ts'

export type Mask = (value: string | null) => string | null

export const raw: Mask = (value) => value

/**
 * Each value as a fingerprint under a key that lives and dies with this run: equal values look equal within the run, and nobody can guess
 * them back or hold two runs against each other. NULL stays NULL: it names no one.
 */
export function maskOfThisRun(key: Uint8Array = randomBytes(32)): Mask {
  const fingerprint = hmacSha256(key)
  return (value) => (value === null ? null : `hmac:${fingerprint(value).slice(0, 24)}`)
}

/** HMAC-SHA-256 (RFC 2104) by one-shot hashes: a million differences would leave as many objects of a stateful HMAC to collect. */
function hmacSha256(key: Uint8Array): (value: string) => string {
  const padded = (byte: number) => Buffer.alloc(64, byte).map((pad, i) => pad ^ (key[i] ?? 0))
  const [inner, outer] = [padded(0x36), padded(0x5c)]
  return (value) =>
    hash('sha256', Buffer.concat([outer, hash('sha256', Buffer.concat([inner, Buffer.from(value, 'utf8')]), 'buffer')]), 'hex')
}

export function maskedMismatch(mismatch: Mismatch, mask: Mask): Mismatch {
  return {
    ...mismatch,
    key: mismatch.key.map(({ column, value }) => ({ column, value: mask(value) })),
    columns: mismatch.columns.map(({ column, source, target }) => ({ column, source: mask(source), target: mask(target) })),
  }
}

/** A result without any value: of rows (differences, bounds of key ranges, first and last of a sequence, smallest and largest) or in declarations. */
export function maskedResult(result: TableResult, mask: Mask): TableResult {
  const { ordering } = result
  return {
    ...result,
    mismatches: result.mismatches.map((mismatch) => maskedMismatch(mismatch, mask)),
    schema_differences: result.schema_differences.map(withheldDifference),
    segments:
      result.mode === 'bucketed'
        ? result.segments
        : result.segments.map((segment) => ({ ...segment, range: `range ${segment.index + 1} of ${result.segments_expected}` })),
    ordering: ordering && {
      ...ordering,
      first_source: mask(ordering.first_source),
      first_target: mask(ordering.first_target),
      last_source: mask(ordering.last_source),
      last_target: mask(ordering.last_target),
    },
    aggregates: result.aggregates.map((aggregate) =>
      aggregate.kind === 'min' || aggregate.kind === 'max'
        ? { ...aggregate, source: mask(aggregate.source), target: mask(aggregate.target) }
        : aggregate,
    ),
  }
}
