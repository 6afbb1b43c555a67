import { z } from 'zod'
import { findingSeverity, sha256Hex, slug } from './common.ts'
import { toleranceResult } from './recon.ts'

/**
 * `outcome.json`: what a migration came to, every figure measured.
 *
 * Why counts have two forms: they are JSON numbers up to 2^53 − 1 and decimal text above, so that no reader loses a row to a double;
 * each value has exactly one form, so the bytes stay canonical.
 * Why `not_measured`: a figure nobody measured is null, and the reason stands under its JSON pointer. A null without a reason, and a
 * reason without a null, are both refused.
 */
const largeCount = z
  .string()
  .regex(/^[1-9][0-9]{15,38}$/, 'a count above 9007199254740991, in text')
  .refine((text) => !/^[0-9]+$/.test(text) || BigInt(text) > BigInt(Number.MAX_SAFE_INTEGER), 'a count that fits a JSON number must be one')
export const countFigure = z.union([z.int().min(0), largeCount])
/** A count that may be negative: target minus source. */
export const deltaFigure = z.union([z.int(), z.string().regex(/^-?[1-9][0-9]{15,38}$/)])
const ratio = z.number().min(0).max(1)
const figure = z.number()
/** Milliseconds since 1970 in UTC. */
const epochMs = z.int().min(0)
const text = z.string().max(2000)

export const resultStatus = z.enum(['PASS', 'FAIL', 'INCONCLUSIVE', 'NOT_APPLICABLE'])
export type ResultStatus = z.infer<typeof resultStatus>

/** One table's part in the proof. `tree_size` and the roots are of the RFC 6962 tree over its segment digests. */
export const tableProof = z.strictObject({
  table_id: slug,
  source_object: z.string().max(1200),
  target_object: z.string().max(300),
  source_record_count: countFigure,
  target_record_count: countFigure,
  missing: countFigure,
  extra: countFigure,
  changed: countFigure,
  tree_size: z.int().min(0),
  segments_differing: z.int().min(0),
  /** Columns that are not under the roots: how far their values are apart. A table with any is equal within these, not equal. */
  tolerances: z.array(toleranceResult).min(1).optional(),
  source_root: sha256Hex,
  target_root: sha256Hex,
  status: resultStatus,
  reasons: z.array(text),
})
export type TableProof = z.infer<typeof tableProof>

const firstOrLast = z.record(z.string(), text).nullable()

export const proofCertificate = z.strictObject({
  migration_id: z.string().min(1).max(80),
  proof_status: z.enum(['VALID', 'INVALID', 'INCONCLUSIVE']),
  proof_timestamp: epochMs,
  tables: z.array(tableProof),
  integrity_result: z.strictObject({
    status: resultStatus,
    /** SHA-256 over the canonical JSON of [{root, table_id, tree_size}], by table_id. */
    source_checksum: sha256Hex,
    target_checksum: sha256Hex,
    match_confidence: ratio.nullable(),
    /** Where the confidence comes from: the digest's collision bound, or n sampled rows at tolerance p. */
    confidence_basis: text,
    checksum_algorithm: z.literal('SHA256'),
    verification_method: z.enum(['FULL_CHECKSUM', 'SAMPLED_CHECKSUM']),
    sample_records_verified: countFigure.nullable(),
    sample_records_passed: countFigure.nullable(),
    sample_pass_rate: ratio.nullable(),
    reasons: z.array(text),
  }),
  completeness_result: z.strictObject({
    status: resultStatus,
    source_record_count: countFigure.nullable(),
    target_record_count: countFigure.nullable(),
    record_count_delta: deltaFigure.nullable(),
    /** Source records without a counterpart, and target records without one. */
    missing_records: countFigure.nullable(),
    extra_records: countFigure.nullable(),
    completeness_ratio: ratio.nullable(),
    null_handling_mode: z.literal('STRICT'),
    null_violations: countFigure.nullable(),
    reasons: z.array(text),
  }),
  consistency_result: z.strictObject({
    status: resultStatus,
    schema_match: z.boolean().nullable(),
    source_schema_hash: sha256Hex.nullable(),
    target_schema_hash: sha256Hex.nullable(),
    drift_detected: z.boolean().nullable(),
    /** NONE: any difference not planned fails. BELOW_ERROR: CRITICAL and ERROR fail, WARNING and INFO become findings. */
    drift_tolerance: z.enum(['NONE', 'BELOW_ERROR']),
    column_count_source: z.int().min(0),
    column_count_target: z.int().min(0),
    type_mismatches: z.int().min(0),
    constraint_violations: countFigure.nullable(),
    reasons: z.array(text),
  }),
  ordering_result: z.strictObject({
    status: resultStatus,
    order_key: z.string().nullable(),
    sequence_preserved: z.boolean().nullable(),
    ordering_violations: countFigure.nullable(),
    first_record_source: firstOrLast,
    first_record_target: firstOrLast,
    last_record_source: firstOrLast,
    last_record_target: firstOrLast,
    reasons: z.array(text),
  }),
  /** 1 proven, 0 not proven (failed or inconclusive), null not applicable. */
  proof_formula_evaluation: z.strictObject({
    I_t_integrity: z.literal([0, 1]),
    C_t_completeness: z.literal([0, 1]),
    K_t_consistency: z.literal([0, 1]),
    O_t_ordering: z.literal([0, 1]).nullable(),
    PROOF_VALID: z.boolean(),
    proof_confidence: ratio.nullable(),
  }),
})

/** What a reader must see even when the proof holds: accepted orphans, failed minor checks, planned differences of weight. */
export const outcomeFinding = z.strictObject({
  id: z.string().max(200),
  severity: findingSeverity,
  verdict: z.enum(['pass', 'fail', 'inconclusive', 'not-applicable']),
  where: z.string().max(512),
  what: text,
  accepted: z.boolean(),
  figures: z.record(z.string(), z.string().nullable()),
})
export type OutcomeFinding = z.infer<typeof outcomeFinding>

const schemaChange = z.strictObject({
  kind: z.string().max(32),
  where: z.string().max(512),
  source: z.string().optional(),
  target: z.string().optional(),
  severity: findingSeverity,
  planned: z.boolean(),
})
export type SchemaChange = z.infer<typeof schemaChange>

export const driftAnalysisReport = z.strictObject({
  migration_id: z.string().min(1).max(80),
  analysis_timestamp: epochMs,
  /** Events are differences that the plan did not ask for. ERROR counts as critical. */
  drift_summary: z.strictObject({
    total_drift_events: z.int().min(0),
    critical_drift_events: z.int().min(0),
    warning_drift_events: z.int().min(0),
    info_drift_events: z.int().min(0),
    overall_drift_status: z.enum(['CLEAN', 'WARNING', 'CRITICAL', 'INCONCLUSIVE']),
  }),
  schema_drift_analysis: z.strictObject({
    source_schema_version: z.string().nullable(),
    target_schema_version: z.string().nullable(),
    version_match: z.boolean().nullable(),
    column_additions: z.array(schemaChange),
    column_removals: z.array(schemaChange),
    column_type_changes: z.array(schemaChange),
    constraint_changes: z.array(schemaChange),
    index_changes: z.array(schemaChange),
    partition_changes: z.array(schemaChange),
    other_changes: z.array(schemaChange),
  }),
  data_drift_analysis: z.strictObject({
    /** Of the order key when exactly one table has one; every measured column stands in `columns`. */
    statistical_summary: z.strictObject({
      source_min_timestamp: z.string().nullable(),
      source_max_timestamp: z.string().nullable(),
      target_min_timestamp: z.string().nullable(),
      target_max_timestamp: z.string().nullable(),
      source_null_count: countFigure.nullable(),
      target_null_count: countFigure.nullable(),
      source_distinct_values: countFigure.nullable(),
      target_distinct_values: countFigure.nullable(),
    }),
    /** The largest statistic over the measured columns; they match when it is 0. */
    distribution_analysis: z.strictObject({
      kolmogorov_smirnov_statistic: ratio.nullable(),
      distribution_match: z.boolean().nullable(),
      outlier_count_source: countFigure.nullable(),
      outlier_count_target: countFigure.nullable(),
    }),
    columns: z.array(
      z.strictObject({
        table_id: slug,
        column: z.string(),
        kolmogorov_smirnov_statistic: ratio.nullable(),
        source_min: z.string().nullable(),
        source_max: z.string().nullable(),
        target_min: z.string().nullable(),
        target_max: z.string().nullable(),
        source_nulls: countFigure.nullable(),
        target_nulls: countFigure.nullable(),
        source_distinct: countFigure.nullable(),
        target_distinct: countFigure.nullable(),
        source_outliers: countFigure.nullable(),
        target_outliers: countFigure.nullable(),
      }),
    ),
  }),
  temporal_drift_analysis: z.strictObject({
    source_ingestion_rate_records_per_second: figure.nullable(),
    target_ingestion_rate_records_per_second: figure.nullable(),
    /** |source − target| ÷ the larger of the two. */
    rate_variance: ratio.nullable(),
    temporal_alignment: z.enum(['PERFECT', 'ALIGNED', 'DIVERGENT']).nullable(),
  }),
})

export const bpsComponent = z.strictObject({
  weight: ratio,
  severity: ratio.nullable(),
  occurrence_rate: ratio.nullable(),
  /** weight × severity × occurrence_rate, rounded half up to 6 decimals. */
  component_score: ratio.nullable(),
})
export type BpsComponent = z.infer<typeof bpsComponent>

export const bpsBreakdown = z.strictObject({
  data_loss_contribution: bpsComponent,
  schema_drift_contribution: bpsComponent,
  latency_breach_contribution: bpsComponent,
  connection_failure_contribution: bpsComponent,
  checksum_mismatch_contribution: bpsComponent,
  ordering_violation_contribution: bpsComponent,
})
export type BpsBreakdown = z.infer<typeof bpsBreakdown>

export const rollbackVerdict = z.strictObject({
  migration_id: z.string().min(1).max(80),
  verdict_timestamp: epochMs,
  /** HOLD: neither proven nor refuted; a person decides after another reconciliation. */
  rollback_decision: z.enum(['CONTINUE', 'CONTINUE_WITH_MONITORING', 'HOLD', 'ROLLBACK']),
  rollback_decision_rationale: text,
  /** True when the plan lets Waybill roll back without asking. The source is preserved either way. */
  auto_rollback_enabled: z.boolean(),
  preserve_source: z.literal(true),
  bps_current: ratio.nullable(),
  bps_threshold_warning: ratio,
  bps_threshold_critical: ratio,
  bps_scale: figure.positive(),
  bps_status: z.enum(['NOMINAL', 'WARNING', 'CRITICAL']).nullable(),
  bps_component_breakdown: bpsBreakdown,
  bps_composite_calculation: ratio.nullable(),
  risk_assessment: z.strictObject({
    data_integrity_risk: z.enum(['MINIMAL', 'HIGH', 'UNKNOWN']),
    operational_risk: z.enum(['LOW', 'ELEVATED', 'HIGH', 'UNKNOWN']),
    slo_compliance_risk: z.enum(['LOW', 'HIGH', 'UNKNOWN']),
    /** FULL once a roll-back was seen to undo everything. Null before one ran: that it would is planned, not measured. */
    recovery_capability: z.literal('FULL').nullable(),
  }),
  recommended_action: z.enum(['PROCEED', 'PROCEED_WITH_MONITORING', 'RECONCILE_AGAIN', 'ROLL_BACK']),
  monitoring_intensity: z.enum(['STANDARD', 'ELEVATED', 'MAXIMUM']),
  next_checkpoint_records: countFigure.nullable(),
  estimated_completion_time_seconds: figure.nullable(),
})
export type RollbackVerdict = z.infer<typeof rollbackVerdict>

export const performanceSloCompliance = z.strictObject({
  migration_id: z.string().min(1).max(80),
  compliance_timestamp: epochMs,
  slo_targets: z.strictObject({
    max_duration_seconds: figure,
    max_error_rate: figure,
    max_latency_p99_ms: figure,
    availability_target: figure,
  }),
  /** Duration and latency are of the copy; a batch is a chunk. Error rate: differing records ÷ source records. */
  actual_performance: z.strictObject({
    /** From which instants on which clocks `elapsed_time_seconds` comes. */
    elapsed_basis: text,
    elapsed_time_seconds: figure,
    estimated_total_duration_seconds: figure.nullable(),
    duration_compliance: z.boolean(),
    duration_headroom_seconds: figure,
    error_rate_observed: figure.nullable(),
    error_rate_compliance: z.boolean().nullable(),
    error_rate_headroom: figure.nullable(),
    /** What one latency is, and over how many chunks the percentiles are taken. */
    latency_basis: text,
    latency_p50_ms: figure.nullable(),
    latency_p95_ms: figure.nullable(),
    latency_p99_ms: figure.nullable(),
    latency_p99_compliance: z.boolean().nullable(),
    latency_p99_headroom_ms: figure.nullable(),
    availability_observed: figure.nullable(),
    availability_compliance: z.boolean().nullable(),
    availability_headroom: figure.nullable(),
  }),
  throughput_metrics: z.strictObject({
    /** What is divided by what. */
    throughput_basis: text,
    records_processed: countFigure,
    processing_time_seconds: figure,
    throughput_records_per_second: figure.nullable(),
    throughput_target_records_per_second: figure.nullable(),
    throughput_compliance: z.boolean().nullable(),
    throughput_headroom_ratio: figure.nullable(),
  }),
  saturation_metrics: z.strictObject({
    cpu_saturation_ratio: figure.nullable(),
    memory_saturation_ratio: figure.nullable(),
    network_saturation_ratio: figure.nullable(),
    disk_io_saturation_ratio: figure.nullable(),
    /** The mean of the four, and only when all four were measured. */
    overall_saturation_ratio: figure.nullable(),
    saturation_threshold: figure,
    saturation_compliance: z.boolean().nullable(),
    saturation_headroom: figure.nullable(),
  }),
  resource_utilization: z.strictObject({
    cpu_cores_allocated: figure.nullable(),
    cpu_cores_utilized_avg: figure.nullable(),
    memory_gb_allocated: figure.nullable(),
    memory_gb_utilized_avg: figure.nullable(),
    network_bandwidth_mbps_allocated: figure.nullable(),
    network_bandwidth_mbps_utilized_avg: figure.nullable(),
    disk_iops_allocated: figure.nullable(),
    disk_iops_utilized_avg: figure.nullable(),
  }),
  compliance_summary: z.strictObject({
    all_slos_met: z.boolean().nullable(),
    slo_compliance_percentage: figure.nullable(),
    critical_slos_met: z.int().min(0).nullable(),
    critical_slos_total: z.int().min(0),
    /** 1 − bps_current. */
    overall_health_score: ratio.nullable(),
  }),
})

const phaseStatus = z.enum(['COMPLETED', 'IN_PROGRESS', 'FAILED'])
const phaseEvent = z.strictObject({ event_type: z.string().max(64), timestamp: epochMs, details: text })
const phase = { start_timestamp: epochMs, end_timestamp: epochMs, duration_ms: z.int().min(0), status: phaseStatus }

export const executionTimeline = z.strictObject({
  phase_initialization: z.strictObject({ phase_name: z.literal('INITIALIZATION'), ...phase, events: z.array(phaseEvent) }),
  phase_data_transfer: z.strictObject({
    phase_name: z.literal('DATA_TRANSFER'),
    ...phase,
    batches_completed: countFigure,
    batches_total: countFigure,
    records_transferred: countFigure,
    records_total: countFigure.nullable(),
    transfer_progress_percentage: figure,
    events: z.array(phaseEvent),
  }),
  phase_validation: z.strictObject({
    phase_name: z.literal('VALIDATION'),
    ...phase,
    validation_checks_passed: z.int().min(0),
    validation_checks_total: z.int().min(0),
    events: z.array(phaseEvent),
  }),
})

export const outcomeAuditEntry = z.strictObject({
  timestamp: epochMs,
  event_type: z.string().max(64),
  actor: z.string().max(300),
  details: text,
  seq: z.int().min(0),
  entry_sha256: sha256Hex,
})

const shape = z.strictObject({
  schema: z.literal('waybill/outcome/v1'),
  synthesis_id: z.string().max(200),
  logic_id: z.literal('waybill'),
  bps_verified: ratio.nullable(),
  model_stack: z.array(z.string().max(100)),
  /** From the first step of the project to this document. */
  processing_ms: z.int().min(0),
  timestamp: epochMs,
  project_id: slug,
  run_id: slug,
  /** Digests of exactly what this document was computed from. */
  inputs: z.strictObject({
    plan_sha256: sha256Hex,
    policy_sha256: sha256Hex,
    execution_report_sha256: sha256Hex,
    recon_report_sha256: sha256Hex,
    checks_report_sha256: sha256Hex,
  }),
  proof_certificate: proofCertificate,
  findings: z.array(outcomeFinding),
  drift_analysis_report: driftAnalysisReport,
  rollback_verdict: rollbackVerdict,
  performance_slo_compliance: performanceSloCompliance,
  execution_timeline: executionTimeline,
  audit_trail: z.strictObject({ migration_id: z.string().min(1).max(80), audit_entries: z.array(outcomeAuditEntry) }),
  /** JSON pointer of every null in this document → why it is null. */
  not_measured: z.record(z.string().regex(/^\//), z.string().min(3).max(1000)),
})

/** JSON pointers (RFC 6901) of every null below `value`. */
export function nullPointers(value: unknown, at = ''): string[] {
  if (value === null) return [at]
  if (typeof value !== 'object') return []
  const entries: [string, unknown][] = Array.isArray(value) ? value.map((item, index) => [String(index), item]) : Object.entries(value)
  return entries.flatMap(([key, item]) => nullPointers(item, `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`))
}

export const outcome = shape.superRefine((document, context) => {
  const { not_measured: reasons, ...figures } = document
  const nulls = new Set(nullPointers(figures))
  for (const pointer of nulls) {
    if (!Object.hasOwn(reasons, pointer))
      context.addIssue({ code: 'custom', message: `${pointer} is null without a reason in not_measured` })
  }
  for (const pointer of Object.keys(reasons)) {
    if (!nulls.has(pointer)) context.addIssue({ code: 'custom', message: `not_measured explains ${pointer}, which is not null` })
  }
})
export type Outcome = z.infer<typeof outcome>

/** The predicate of a proof certificate's statement; its subject is `outcome.json`. The roots stand here so that the signature covers them by itself. */
export const outcomePredicate = z.strictObject({
  project_id: slug,
  run_id: slug,
  plan_sha256: sha256Hex,
  proof_status: z.enum(['VALID', 'INVALID', 'INCONCLUSIVE']),
  rollback_decision: z.enum(['CONTINUE', 'CONTINUE_WITH_MONITORING', 'HOLD', 'ROLLBACK']),
  tables: z.array(z.strictObject({ table_id: slug, tree_size: z.int().min(0), source_root: sha256Hex, target_root: sha256Hex })),
})
export type OutcomePredicate = z.infer<typeof outcomePredicate>
