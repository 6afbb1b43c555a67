import { readEvent, reconEvent, type TaskEvent, type TaskResult } from '../../layers/core/flow/event.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import { isProven, type ProofDeps, proveRun } from '../prove-outcome/proof.ts'
import { storeReports } from '../prove-outcome/report-files.ts'
import { signedPolicy } from '../work/signed-policy.ts'

type Deps = ProofDeps & ProjectDeps & Pick<Ports, 'projects' | 'trust' | 'approvals'>

/**
 * Judges one parallel run with a proof of its own. `decision`: CLEAN_ENOUGH (the project is PARALLEL_VALIDATED), MORE, or DRIFT for
 * anything but a valid proof: a run that could not decide is not clean.
 */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id, recon_run_id } = readEvent(reconEvent, input)
    const project = await deps.projects.get(project_id)
    const { outcome, pointers } = await proveRun(deps, project, recon_run_id)
    const mark = `parallel_run.${recon_run_id}`
    const details = { run_id: recon_run_id, proof_status: outcome.proof_certificate.proof_status }
    const checks = { [`checks_report.${recon_run_id}`]: pointers.checks_report }
    if (!isProven(outcome)) {
      // The proof people approved stays the project's; the one that failed lies beside it under its run.
      await advance(deps, project_id, {
        actor: 'waybill/record-parallel-run',
        action: 'PARALLEL_RUN_DRIFTED',
        subject_sha256: pointers.outcome.sha256,
        artifacts: { [mark]: pointers.outcome, ...checks },
        details,
      })
      return { project_id, run_id, decision: 'DRIFT' }
    }
    const reports = await storeReports(deps, project, outcome, recon_run_id)
    const counted = await advance(deps, project_id, {
      actor: 'waybill/record-parallel-run',
      action: 'PARALLEL_RUN_CLEAN',
      subject_sha256: pointers.proof_certificate.sha256,
      artifacts: { [mark]: pointers.outcome, ...pointers, ...checks, ...reports },
      set: (stored) => ({ clean_runs: stored.clean_runs + 1 }),
      details,
    })
    const { clean_runs_required: required } = await signedPolicy(deps, project)
    if (counted.clean_runs < required) return { project_id, run_id, decision: 'MORE' }
    await advance(deps, project_id, {
      to: 'PARALLEL_VALIDATED',
      actor: 'waybill/record-parallel-run',
      action: 'PARALLEL_RUN_COMPLETE',
      subject_sha256: pointers.proof_certificate.sha256,
      details: { clean_runs: String(counted.clean_runs), required: String(required) },
    })
    return { project_id, run_id, decision: 'CLEAN_ENOUGH' }
  }
}
