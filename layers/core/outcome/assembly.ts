import { digestOf } from '../canonical-json.ts'
import { WaybillError } from '../errors.ts'
import type { AuditEntry } from '../schemas/governance.ts'
import { type Outcome, outcome } from '../schemas/outcome.ts'
import type { Plan } from '../schemas/plan.ts'
import type { Policy } from '../schemas/policy.ts'
import type { ChecksReport, ReconReport } from '../schemas/recon.ts'
import type { ExecutionReport } from '../schemas/work.ts'
import { arithmeticFaults } from './arithmetic.ts'
import { differenceFindings, judgeChecks } from './check-findings.ts'
import { driftDraft } from './drift.ts'
import { settle, Unmeasured } from './figures.ts'
import { comparedTables, proofDraft, sum } from './proof.ts'
import { measurements, rollbackDraft } from './rollback.ts'
import { serviceLevelDraft } from './service-levels.ts'
import { timelineOf } from './timeline.ts'

/** Everything an outcome is computed from; the same input always gives the same document, so a verifier can compute it again. */
export type OutcomeInput = {
  /** The user's name for the migration; the project id where there is none. */
  migrationId: string
  plan: Plan
  planSha256: string
  policy: Policy
  executionReport: ExecutionReport
  reconReport: ReconReport
  checksReport: ChecksReport
  /** The project's chain as it stands when the outcome is made. */
  auditEntries: readonly AuditEntry[]
  now: Date
}

/**
 * The outcome document of one reconciled run.
 * @throws EVIDENCE_INVALID when the reports are not about this plan and one run, or when the document would contradict itself
 */
export function assembleOutcome(input: OutcomeInput): Outcome {
  refuseStrangers(input)
  const tables = comparedTables(input)
  const checks = judgeChecks(input.plan, input.checksReport)
  const proof = proofDraft(input, tables, checks)
  const undecided = proof.integrity_result.status === 'INCONCLUSIVE'
  const rollback = rollbackDraft(input, proof, measurements(input, tables, proof))
  const differing = ['missing', 'extra', 'changed'] as const
  const records = undecided ? null : differing.reduce((total, kind) => total + sum(tables, (result) => result[kind]), 0n)
  const now = input.now.getTime()
  const timeline = timelineOf(input, proof, checks)
  const draft = {
    schema: 'waybill/outcome/v1',
    synthesis_id: `${input.plan.project_id}/${input.reconReport.run_id}`,
    logic_id: 'waybill',
    bps_verified: rollback.bps_current,
    model_stack: ['waybill/outcome/v1', 'waybill/recon-report/v1', 'waybill/hashing-spec/v1', 'waybill/policy/v1'],
    processing_ms: Math.max(0, now - timeline.phase_initialization.start_timestamp),
    timestamp: now,
    project_id: input.plan.project_id,
    run_id: input.reconReport.run_id,
    inputs: {
      plan_sha256: input.planSha256,
      policy_sha256: digestOf(input.policy),
      execution_report_sha256: digestOf(input.executionReport),
      recon_report_sha256: digestOf(input.reconReport),
      checks_report_sha256: digestOf(input.checksReport),
    },
    proof_certificate: proof,
    findings: [...differenceFindings(input.reconReport), ...checks.findings],
    drift_analysis_report: driftDraft(input, proof.consistency_result.schema_match instanceof Unmeasured),
    rollback_verdict: rollback,
    performance_slo_compliance: serviceLevelDraft(
      input,
      records,
      sum(tables, (result) => result.source_rows),
      rollback.bps_current,
    ),
    execution_timeline: timeline,
    audit_trail: {
      migration_id: input.migrationId,
      audit_entries: input.auditEntries.map((entry) => ({
        timestamp: Date.parse(entry.at),
        event_type: entry.action,
        actor: entry.actor,
        details: detailsText(entry.details),
        seq: entry.seq,
        entry_sha256: entry.entry_sha256,
      })),
    },
  }
  const { document, reasons } = settle(draft)
  const parsed = outcome.safeParse({ ...(document as object), not_measured: reasons })
  const faults = parsed.success
    ? arithmeticFaults(parsed.data)
    : parsed.error.issues.map((issue) => `${issue.path.join('/')}: ${issue.message}`)
  if (!parsed.success || faults.length > 0) {
    throw new WaybillError('EVIDENCE_INVALID', 'the reports give an outcome that contradicts itself; it is not emitted', {
      details: faults,
    })
  }
  return parsed.data
}

function detailsText(details: Readonly<Record<string, string>>): string {
  const parts = Object.keys(details)
    .sort()
    .map((key) => `${key}: ${details[key]}`)
  return parts.join('; ').slice(0, 1900)
}

function refuseStrangers({ plan, planSha256, policy, executionReport, reconReport, checksReport }: OutcomeInput): void {
  const faults: string[] = []
  if (digestOf(plan) !== planSha256) faults.push('the plan is not the one its digest names')
  if (digestOf(policy) !== plan.policy.sha256) faults.push('the policy is not the one the plan was made under')
  for (const [name, report] of Object.entries({ executionReport, reconReport, checksReport })) {
    if (report.plan_sha256 !== planSha256) faults.push(`the ${name} is about another plan`)
    if (report.project_id !== plan.project_id) faults.push(`the ${name} is about another project`)
  }
  if (checksReport.run_id !== reconReport.run_id) faults.push('the checksReport is of another run than the reconReport')
  if (faults.length > 0) throw new WaybillError('EVIDENCE_INVALID', 'the reports do not belong to this plan', { details: faults })
}
