import { bpsStatus, COMPONENT_NAMES, componentScore, composite, WEIGHTS } from './breakdown-score.ts'
import type { LooseDocument } from './loose-document.ts'
import { decisionOf } from './rollback.ts'

const DRIFT = 'drift_analysis_report'
const VERDICT = 'rollback_verdict'
/** The factor of documents that do not name theirs. */
const DEFAULT_SCALE = 50

export function* driftFaults(document: LooseDocument): Generator<string> {
  const at = `${DRIFT}/drift_summary`
  const parts = ['critical_drift_events', 'warning_drift_events', 'info_drift_events'].map((name) => document.number(`${at}/${name}`))
  const total = document.number(`${at}/total_drift_events`)
  const sum = parts.reduce<number>((events, part) => events + (part ?? 0), 0)
  if (total !== undefined && total !== sum) yield `/${at}/total_drift_events: the parts add up to ${sum}, not ${total}`
  if (document.text(`${at}/overall_drift_status`) === 'CLEAN' && (parts[0] ?? 0) + (parts[1] ?? 0) > 0) {
    yield `/${at}/overall_drift_status: CLEAN although there are critical or warning events`
  }
  const temporal = `${DRIFT}/temporal_drift_analysis`
  const source = document.number(`${temporal}/source_ingestion_rate_records_per_second`)
  const target = document.number(`${temporal}/target_ingestion_rate_records_per_second`)
  const variance = document.number(`${temporal}/rate_variance`)
  if (source !== undefined && target !== undefined && variance !== undefined) {
    const larger = Math.max(source, target)
    const expected = larger === 0 ? 0 : Math.abs(source - target) / larger
    if (Math.abs(variance - expected) > 2e-6)
      yield `/${temporal}/rate_variance: rates of ${source} and ${target} do not vary by ${variance}`
  }
  const ks = document.number(`${DRIFT}/data_drift_analysis/distribution_analysis/kolmogorov_smirnov_statistic`)
  const match = document.flag(`${DRIFT}/data_drift_analysis/distribution_analysis/distribution_match`)
  if (ks !== undefined && match !== undefined && match !== (ks === 0)) {
    yield `/${DRIFT}/data_drift_analysis/distribution_analysis/distribution_match: ${match} with a statistic of ${ks}`
  }
}

export function* scoreFaults(document: LooseDocument): Generator<string> {
  const scores: number[] = []
  for (const name of COMPONENT_NAMES) {
    const at = `${VERDICT}/bps_component_breakdown/${name}`
    const weight = document.number(`${at}/weight`)
    const severity = document.number(`${at}/severity`)
    const occurrence_rate = document.number(`${at}/occurrence_rate`)
    const stated = document.number(`${at}/component_score`)
    if (weight !== undefined && weight !== WEIGHTS[name]) yield `/${at}/weight: the weight is ${WEIGHTS[name]}, not ${weight}`
    if (severity === undefined || occurrence_rate === undefined || stated === undefined) continue
    if (![severity, occurrence_rate].every((value) => value >= 0 && value <= 1)) {
      yield `/${at}: severity and occurrence_rate lie between 0 and 1`
      continue
    }
    const expected = componentScore(WEIGHTS[name], { severity, occurrence_rate })
    if (stated !== expected)
      yield `/${at}/component_score: ${WEIGHTS[name]} × ${severity} × ${occurrence_rate} is ${expected}, not ${stated}`
    scores.push(expected)
  }
  yield* compositeFaults(document, scores)
}

function* compositeFaults(document: LooseDocument, scores: readonly number[]): Generator<string> {
  const current = document.number(`${VERDICT}/bps_current`)
  const stated = document.number(`${VERDICT}/bps_composite_calculation`)
  const scale = document.number(`${VERDICT}/bps_scale`) ?? DEFAULT_SCALE
  if (stated !== undefined) {
    const complete = scores.length === COMPONENT_NAMES.length && scale > 0
    if (!complete) yield `/${VERDICT}/bps_composite_calculation: ${stated} without all six components`
    else if (stated !== composite(scores, scale)) {
      yield `/${VERDICT}/bps_composite_calculation: ${scale} times the sum of the components is ${composite(scores, scale)}, not ${stated}`
    }
  }
  if (current !== stated) yield `/${VERDICT}/bps_current: ${current} is not the composite, ${stated}`
  const verified = document.number('bps_verified')
  if (verified !== undefined && verified !== current) yield `/bps_verified: ${verified} is not the score of this document, ${current}`
  const warning = document.number(`${VERDICT}/bps_threshold_warning`)
  const critical = document.number(`${VERDICT}/bps_threshold_critical`)
  const status = document.text(`${VERDICT}/bps_status`)
  if (current !== undefined && warning !== undefined && critical !== undefined) {
    const expected = bpsStatus(current, warning, critical)
    if (status !== expected) yield `/${VERDICT}/bps_status: a score of ${current} is ${expected}, not ${status}`
  }
  yield* decisionFaults(document, status)
}

function* decisionFaults(document: LooseDocument, status: string | undefined): Generator<string> {
  const decision = document.text(`${VERDICT}/rollback_decision`)
  const proof = document.text('proof_certificate/proof_status')
  if (decision === undefined || proof === undefined) return
  const bps = status === 'NOMINAL' || status === 'WARNING' || status === 'CRITICAL' ? status : null
  const expected = decisionOf(proof, bps)
  if (decision !== expected)
    yield `/${VERDICT}/rollback_decision: ${decision} although the proof is ${proof} and the score ${status ?? 'not measured'}: ${expected}`
}
