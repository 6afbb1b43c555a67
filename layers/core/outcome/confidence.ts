import { type Figure, unmeasured } from './figures.ts'

/**
 * Every row under SHA-256: two different tables with equal roots would be a collision, whose chance for n digests is below n² ÷ 2^257.
 * For any n a machine can reach that is far below 10^-6, so the field is capped at six nines, the most its format shows.
 */
export const FULL_CONFIDENCE = 0.999999
export const FULL_CONFIDENCE_BASIS =
  'every record digested with SHA-256; 1 − n² ÷ 2^257, the collision bound for n digests, capped at the six decimals of this field'

/**
 * n sampled records without a difference: the chance that a share of p differing records would have shown itself, 1 − (1 − p)^n,
 * rounded down to six decimals and capped like a full comparison.
 */
export function samplingConfidence(n: number, p: number): number {
  if (!(n > 0) || !(p > 0)) return 0
  // 1 − (1 − p)^n without cancelling for small p.
  const confidence = -Math.expm1(n * Math.log1p(-Math.min(p, 1)))
  return Math.min(FULL_CONFIDENCE, Math.floor(confidence * 1e6) / 1e6)
}

export function sampledConfidence(
  sampling: { rows: number; seed: string },
  available: bigint,
  maxRelative: string,
): { confidence: Figure<number>; basis: string } {
  const n = available < BigInt(sampling.rows) ? Number(available) : sampling.rows
  const p = Number(maxRelative)
  const basis = `n = ${n} records sampled by key hash, tolerance p = ${maxRelative}, seed ${JSON.stringify(sampling.seed)}; 1 − (1 − p)^n`
  if (!(p > 0)) return { confidence: unmeasured('a tolerance of 0 cannot be shown by a sample; compare every record'), basis }
  return { confidence: samplingConfidence(n, p), basis }
}
