import type { RollbackVerdict } from '../schemas/outcome.ts'
import type { OutcomeInput } from './assembly.ts'
import { bpsStatus, breakdown, type Measurements } from './breakdown-score.ts'
import { unplannedDifferences } from './check-findings.ts'
import { type Figure, Unmeasured, unmeasured } from './figures.ts'
import { type ComparedTable, type ProofDraft, sum } from './proof.ts'
import { chunkDurations, secondsBetween } from './service-levels.ts'

/** The plan may be stricter than the policy, never more lenient. */
export function thresholds({ policy, plan }: OutcomeInput): { warning: number; critical: number } {
  const critical = Math.min(policy.bps.critical, plan.rollback.bps_rollback_threshold)
  return { critical, warning: Math.min(policy.bps.warning, critical) }
}

export function measurements(input: OutcomeInput, tables: readonly ComparedTable[], proof: ProofDraft): Measurements {
  const { executionReport: execution, plan } = input
  const source = sum(tables, (result) => result.source_rows)
  const pending = 'the reconciliation did not decide'
  const undecided = proof.integrity_result.status === 'INCONCLUSIVE'
  const { ordering_result: ordering } = proof
  return {
    records: undecided
      ? unmeasured(pending)
      : {
          source,
          missing: sum(tables, (result) => result.missing),
          extra: sum(tables, (result) => result.extra),
          changed: sum(tables, (result) => result.changed),
          segments: BigInt(proof.tables.reduce((total, table) => total + table.tree_size, 0)),
          segments_differing: BigInt(proof.tables.reduce((total, table) => total + table.segments_differing, 0)),
        },
    drift:
      proof.consistency_result.schema_match instanceof Unmeasured
        ? proof.consistency_result.schema_match
        : {
            severities: unplannedDifferences(input.reconReport).map(({ severity }) => severity),
            columns: proof.consistency_result.column_count_target,
          },
    latency: {
      chunk_ms: chunkDurations(input),
      target_ms: plan.slo.max_latency_p99_ms,
      elapsed_seconds: secondsBetween(execution.started_at, execution.finished_at),
      target_seconds: plan.slo.max_duration_seconds,
    },
    connections: {
      failures: BigInt(execution.connection_failures),
      chunks: BigInt(execution.chunks.length),
      all_completed: execution.tables.every((table) => table.chunks_completed === table.chunks_expected),
    },
    ordering: orderingMeasured(ordering, source),
  }
}

function orderingMeasured(ordering: ProofDraft['ordering_result'], source: bigint): Measurements['ordering'] {
  if (ordering.status === 'NOT_APPLICABLE' || ordering.status === 'PASS') return { violations: 0n, source }
  const counted = ordering.ordering_violations
  if (ordering.status === 'INCONCLUSIVE') return unmeasured('the order was not decided')
  // A broken sequence that was not counted out is at least one violation.
  return { violations: counted instanceof Unmeasured ? 1n : BigInt(counted) || 1n, source }
}

/**
 * Why the proof overrides the score: the score speaks of shares, and one wrong record among a thousand million is a share no weight
 * makes visible. A copy that was compared and found wrong is therefore rolled back whatever its score; the score alone decides only
 * about copies that are right. Not decided is not wrong: such a copy is held for a person instead of thrown away.
 */
export function rollbackDraft(input: OutcomeInput, proof: ProofDraft, measured: Measurements) {
  const { warning, critical } = thresholds(input)
  const { components, composite } = breakdown(measured, input.policy.bps.scale)
  const status: Figure<'NOMINAL' | 'WARNING' | 'CRITICAL'> =
    composite instanceof Unmeasured ? composite : bpsStatus(composite, warning, critical)
  const { decision, rationale } = decide(proof, status, composite)
  const over = unmeasured('the run is over; nothing is left to checkpoint')
  return {
    migration_id: input.migrationId,
    verdict_timestamp: input.now.getTime(),
    rollback_decision: decision,
    rollback_decision_rationale: rationale,
    auto_rollback_enabled: input.plan.rollback.auto_rollback_enabled,
    preserve_source: true as const,
    bps_current: composite,
    bps_threshold_warning: warning,
    bps_threshold_critical: critical,
    bps_scale: input.policy.bps.scale,
    bps_status: status,
    bps_component_breakdown: components,
    bps_composite_calculation: composite,
    risk_assessment: riskAssessment(proof, status, measured),
    ...FOLLOW_UP[decision],
    next_checkpoint_records: over,
    estimated_completion_time_seconds: unmeasured('the run is over'),
  }
}

type Decision = RollbackVerdict['rollback_decision']

const FOLLOW_UP = {
  CONTINUE: { recommended_action: 'PROCEED', monitoring_intensity: 'STANDARD' },
  CONTINUE_WITH_MONITORING: { recommended_action: 'PROCEED_WITH_MONITORING', monitoring_intensity: 'ELEVATED' },
  HOLD: { recommended_action: 'RECONCILE_AGAIN', monitoring_intensity: 'ELEVATED' },
  ROLLBACK: { recommended_action: 'ROLL_BACK', monitoring_intensity: 'MAXIMUM' },
} as const satisfies Record<Decision, unknown>

/** The decision that follows from a proof and a score; `arithmeticFaults` recomputes it with the same rule. */
export function decisionOf(proofStatus: string, bps: 'NOMINAL' | 'WARNING' | 'CRITICAL' | null): Decision {
  if (proofStatus === 'INVALID' || bps === 'CRITICAL') return 'ROLLBACK'
  if (proofStatus !== 'VALID' || bps === null) return 'HOLD'
  return bps === 'WARNING' ? 'CONTINUE_WITH_MONITORING' : 'CONTINUE'
}

function decide(
  proof: ProofDraft,
  status: Figure<'NOMINAL' | 'WARNING' | 'CRITICAL'>,
  composite: Figure<number>,
): { decision: Decision; rationale: string } {
  const bps = status instanceof Unmeasured ? null : status
  const decision = decisionOf(proof.proof_status, bps)
  const score = composite instanceof Unmeasured ? 'the score was not measured' : `score ${composite}, ${bps}`
  const results = (['integrity', 'completeness', 'consistency', 'ordering'] as const).map(
    (name) => [name, proof[`${name}_result`].status] as const,
  )
  const named = (wanted: string) => results.filter(([, is]) => is === wanted).map(([name]) => name)
  const rationale =
    proof.proof_status === 'INVALID'
      ? `${named('FAIL').join(', ')} failed: a copy known to be wrong is rolled back whatever its score (${score})`
      : decision === 'ROLLBACK'
        ? `the score reached the critical threshold (${score})`
        : decision === 'HOLD'
          ? `${named('INCONCLUSIVE').join(', ') || 'the score'} could not be decided: a person decides after another reconciliation (${score})`
          : decision === 'CONTINUE_WITH_MONITORING'
            ? `everything is proven; the score calls for monitoring (${score})`
            : `everything is proven (${score})`
  return { decision, rationale }
}

function riskAssessment(proof: ProofDraft, status: Figure<'NOMINAL' | 'WARNING' | 'CRITICAL'>, measured: Measurements) {
  const integrity = { VALID: 'MINIMAL', INVALID: 'HIGH', INCONCLUSIVE: 'UNKNOWN' } as const
  const operational = { NOMINAL: 'LOW', WARNING: 'ELEVATED', CRITICAL: 'HIGH' } as const
  const late =
    measured.latency.elapsed_seconds > measured.latency.target_seconds ||
    measured.latency.chunk_ms.some((ms) => ms > measured.latency.target_ms)
  return {
    data_integrity_risk: integrity[proof.proof_status],
    operational_risk: status instanceof Unmeasured ? ('UNKNOWN' as const) : operational[status],
    slo_compliance_risk: late ? ('HIGH' as const) : ('LOW' as const),
    recovery_capability: unmeasured(
      'no roll-back ran before this document; that the source is left alone and the target can be undone is planned, not measured',
    ),
  }
}
