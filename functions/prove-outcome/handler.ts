import { readEvent, reconEvent, type TaskEvent, type TaskResult } from '../../layers/core/flow/event.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import type { Outcome } from '../../layers/core/schemas/outcome.ts'
import { type VouchedDeps, vouchedRecord } from '../work/vouched-record.ts'
import { isProven, type ProofDeps, proveRun } from './proof.ts'
import { storeReports } from './report-files.ts'

const ACTOR = 'waybill/prove-outcome'

type Deps = ProofDeps & ProjectDeps & VouchedDeps & Pick<Ports, 'approvals'>

/** Proves the copy, or disproves it. The project is RECONCILED; `decision` is CONTINUE, ROLLBACK or HOLD. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id, recon_run_id } = readEvent(reconEvent, input)
    const project = await vouchedRecord(deps, project_id, ACTOR)
    const { outcome, pointers } = await proveRun(deps, project, recon_run_id)
    const reports = await storeReports(deps, project, outcome, recon_run_id)
    const decision = decisionOf(outcome)
    const { proof_certificate, rollback_verdict } = outcome
    await advance(deps, project_id, {
      ...(project.state === 'RECONCILED' ? {} : { to: 'RECONCILED' as const }),
      actor: ACTOR,
      action: 'OUTCOME_PROVEN',
      subject_sha256: pointers.proof_certificate.sha256,
      artifacts: { ...pointers, [`checks_report.${recon_run_id}`]: pointers.checks_report, ...reports },
      details: {
        run_id: recon_run_id,
        outcome_sha256: pointers.outcome.sha256,
        proof_status: proof_certificate.proof_status,
        rollback_decision: rollback_verdict.rollback_decision,
        decision,
      },
    })
    // An earlier attempt may have died before the anchor of its change.
    if (project.state === 'RECONCILED') await deps.anchors.anchor(project_id)
    return { project_id, run_id, decision }
  }
}

/** Nothing goes on without a valid proof, whatever the score says; nothing is rolled back by itself unless the plan allows it. */
export function decisionOf(outcome: Outcome): 'CONTINUE' | 'ROLLBACK' | 'HOLD' {
  const { rollback_decision, auto_rollback_enabled } = outcome.rollback_verdict
  if (rollback_decision === 'ROLLBACK') return auto_rollback_enabled ? 'ROLLBACK' : 'HOLD'
  if (!isProven(outcome)) return 'HOLD'
  return rollback_decision === 'CONTINUE' || rollback_decision === 'CONTINUE_WITH_MONITORING' ? 'CONTINUE' : 'HOLD'
}
