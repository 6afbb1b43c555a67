import type { BpsBreakdown, BpsComponent } from '../schemas/outcome.ts'
import { type Figure, fromScaled, type Rounding, scaledRatio, toScaled, Unmeasured, unmeasured } from './figures.ts'

/**
 * The breakdown point score: how much of a migration went wrong, 0 to 1.
 *
 *   component_score = weight × severity × occurrence_rate, rounded half up to 6 decimals
 *   composite       = min(1, scale × Σ component_score), rounded half up to 4 decimals
 *
 * Everything is computed in exact decimals, because the rounding steps decide: the example of the golden test gives 0.0847 with them
 * and 0.0846 without.
 *
 * Severity and occurrence, from measured figures only; each rule never falls when its figures get worse:
 *
 * | component | severity | occurrence rate |
 * |---|---|---|
 * | data loss | 1 when any record is missing or extra | (missing + extra) ÷ source records, rounded up |
 * | schema drift | worst difference not planned: CRITICAL 1, ERROR 0.7, WARNING 0.03, INFO 0.01 | such differences ÷ columns compared, rounded up |
 * | latency breach | 0.04 × how far the slowest chunk, or the whole copy, lies beyond its target (1 at twice the target) | late chunks ÷ chunks; 1 when the whole copy is late |
 * | connection failure | 0.04 when every chunk was completed in the end, else 1 | failures ÷ (failures + chunks), rounded up |
 * | checksum mismatch | 1 when any segment differs or any record changed | the larger of differing segments ÷ segments and changed ÷ source records |
 * | ordering violation | 1 when the sequence is broken | violations ÷ source records, rounded up |
 *
 * Why the small severities: under the default scale and thresholds a minor difference, lateness, or failures that were recovered can
 * each by themselves warn (0.04 × 0.15 × 50 = 0.3) but not throw away a copy that is right; together they can.
 *
 * A component that was not measured makes the composite unmeasured: an unknown risk is not a small one.
 */
export const WEIGHTS = {
  data_loss_contribution: 0.3,
  schema_drift_contribution: 0.2,
  latency_breach_contribution: 0.15,
  connection_failure_contribution: 0.15,
  checksum_mismatch_contribution: 0.12,
  ordering_violation_contribution: 0.08,
} as const
export type ComponentName = keyof typeof WEIGHTS
export const COMPONENT_NAMES = Object.keys(WEIGHTS) as ComponentName[]

const DRIFT_SEVERITY = { CRITICAL: 1, ERROR: 0.7, WARNING: 0.03, INFO: 0.01 } as const
const LATE = 0.04
const RECOVERED = 0.04

export type Risk = { severity: number; occurrence_rate: number }

/** What the rules read. Null where a comparison did not finish; the reason goes with the component. */
export type Measurements = {
  records: { source: bigint; missing: bigint; extra: bigint; changed: bigint; segments: bigint; segments_differing: bigint } | Unmeasured
  drift: { severities: readonly (keyof typeof DRIFT_SEVERITY)[]; columns: number } | Unmeasured
  latency: { chunk_ms: readonly number[]; target_ms: number; elapsed_seconds: number; target_seconds: number }
  connections: { failures: bigint; chunks: bigint; all_completed: boolean }
  /** Zero violations where nothing has an order. */
  ordering: { violations: bigint; source: bigint } | Unmeasured
}

const MICRO = 6
const NONE: Risk = { severity: 0, occurrence_rate: 0 }

/** A share of a whole, at most 1, in 6 decimals. Of an empty whole anything is all of it. */
function share(part: bigint, whole: bigint, rounding: Rounding): number {
  if (part === 0n) return 0
  if (whole === 0n || part >= whole) return 1
  return fromScaled(scaledRatio(part, whole, MICRO, rounding), MICRO)
}

function atMostOne(value: number): number {
  return value >= 1 ? 1 : fromScaled(toScaled(value, MICRO), MICRO)
}

export function risks(measured: Measurements): Record<ComponentName, Figure<Risk>> {
  const { records, drift, latency, connections, ordering } = measured
  return {
    data_loss_contribution: records instanceof Unmeasured ? records : dataLoss(records),
    schema_drift_contribution: drift instanceof Unmeasured ? drift : schemaDrift(drift),
    latency_breach_contribution: latencyBreach(latency),
    connection_failure_contribution: connectionFailure(connections),
    checksum_mismatch_contribution: records instanceof Unmeasured ? records : checksumMismatch(records),
    ordering_violation_contribution: ordering instanceof Unmeasured ? ordering : orderingViolation(ordering),
  }
}

function dataLoss({ source, missing, extra }: { source: bigint; missing: bigint; extra: bigint }): Risk {
  const lost = missing + extra
  return lost === 0n ? NONE : { severity: 1, occurrence_rate: share(lost, source, 'ceil') }
}

function schemaDrift({ severities, columns }: { severities: readonly (keyof typeof DRIFT_SEVERITY)[]; columns: number }): Risk {
  if (severities.length === 0) return NONE
  const severity = Math.max(...severities.map((name) => DRIFT_SEVERITY[name]))
  return { severity, occurrence_rate: share(BigInt(severities.length), BigInt(columns), 'ceil') }
}

function latencyBreach(latency: Measurements['latency']): Risk {
  const late = latency.chunk_ms.filter((duration) => duration > latency.target_ms)
  const beyond = late.length === 0 ? 0 : (Math.max(...late) - latency.target_ms) / latency.target_ms
  const overdue = Math.max(0, (latency.elapsed_seconds - latency.target_seconds) / latency.target_seconds)
  if (late.length === 0 && overdue === 0) return NONE
  const occurrence = overdue > 0 ? 1 : share(BigInt(late.length), BigInt(latency.chunk_ms.length), 'ceil')
  return { severity: atMostOne(LATE * Math.min(1, Math.max(beyond, overdue))), occurrence_rate: occurrence }
}

function connectionFailure({ failures, chunks, all_completed }: Measurements['connections']): Risk {
  if (failures === 0n && all_completed) return NONE
  const unfinished = all_completed ? 0n : 1n
  return { severity: all_completed ? RECOVERED : 1, occurrence_rate: share(failures + unfinished, failures + unfinished + chunks, 'ceil') }
}

function checksumMismatch(records: { source: bigint; changed: bigint; segments: bigint; segments_differing: bigint }): Risk {
  const { source, changed, segments, segments_differing } = records
  if (changed === 0n && segments_differing === 0n) return NONE
  const occurrence = Math.max(share(segments_differing, segments, 'ceil'), share(changed, source, 'ceil'))
  return { severity: 1, occurrence_rate: occurrence }
}

function orderingViolation({ violations, source }: { violations: bigint; source: bigint }): Risk {
  return violations === 0n ? NONE : { severity: 1, occurrence_rate: share(violations, source, 'ceil') }
}

/** weight × severity × occurrence_rate in 6 decimals, half up. */
export function componentScore(weight: number, risk: Risk): number {
  const product = toScaled(weight, MICRO) * toScaled(risk.severity, MICRO) * toScaled(risk.occurrence_rate, MICRO)
  const unit = 10n ** BigInt(2 * MICRO)
  return fromScaled((product + unit / 2n) / unit, MICRO)
}

/** min(1, scale × Σ scores) in 4 decimals, half up. */
export function composite(scores: readonly number[], scale: number): number {
  const sum = scores.reduce((total, score) => total + toScaled(score, MICRO), 0n)
  const tenThousandths = (sum * toScaled(scale, MICRO) + 50_000_000n) / 100_000_000n
  return tenThousandths >= 10_000n ? 1 : fromScaled(tenThousandths, 4)
}

export type BpsStatus = 'NOMINAL' | 'WARNING' | 'CRITICAL'

/** NOMINAL below `warning`, WARNING below `critical`, CRITICAL from there on. */
export function bpsStatus(score: number, warning: number, critical: number): BpsStatus {
  if (score >= critical) return 'CRITICAL'
  return score >= warning ? 'WARNING' : 'NOMINAL'
}

type Draft<T> = { [K in keyof T]: Figure<NonNullable<T[K]>> }

/** The breakdown and its composite; unmeasured components keep their reason. */
export function breakdown(
  measured: Measurements,
  scale: number,
): { components: Record<keyof BpsBreakdown, Draft<BpsComponent>>; composite: Figure<number> } {
  const found = risks(measured)
  const components = {} as Record<ComponentName, Draft<BpsComponent>>
  const scores: number[] = []
  const missing: string[] = []
  for (const name of COMPONENT_NAMES) {
    const risk = found[name]
    const weight = WEIGHTS[name]
    if (risk instanceof Unmeasured) {
      components[name] = { weight, severity: risk, occurrence_rate: risk, component_score: risk }
      missing.push(`${name}: ${risk.reason}`)
      continue
    }
    const score = componentScore(weight, risk)
    components[name] = { weight, ...risk, component_score: score }
    scores.push(score)
  }
  return {
    components,
    composite:
      missing.length === 0 ? composite(scores, scale) : unmeasured(`a component was not measured: ${missing.join('; ')}`.slice(0, 900)),
  }
}
