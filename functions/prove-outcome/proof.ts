import { artifactOf, getJson } from '../../layers/core/artifacts.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { planOf } from '../../layers/core/flow/project-artifacts.ts'
import { JSON_TYPE, keyOf, type StoringDeps, storeJsonOnce, storeOnce } from '../../layers/core/flow/storing.ts'
import { assembleOutcome } from '../../layers/core/outcome/assembly.ts'
import { certificateStatement } from '../../layers/core/outcome/certificate-statement.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ArtifactPointer } from '../../layers/core/schemas/common.ts'
import { type Outcome, outcome as outcomeSchema } from '../../layers/core/schemas/outcome.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { checksReport } from '../../layers/core/schemas/recon.ts'
import { signStatement } from '../../layers/core/statement.ts'
import { mergedReport, recordedExecution } from '../work/recorded-reports.ts'
import { signedPolicy } from '../work/signed-policy.ts'

export type ProofDeps = StoringDeps & Pick<Ports, 'audit' | 'signers' | 'trust'>
export type Proof = {
  outcome: Outcome
  pointers: { outcome: ArtifactPointer; proof_certificate: ArtifactPointer; checks_report: ArtifactPointer }
}

/**
 * What one reconciliation run proves, as a signed document. The same run gives the same document again.
 * Reports are taken as the audit log names them, never as the project record does.
 * @throws SEGMENT_INCOMPLETE when the run has no checks report, EVIDENCE_INVALID when the reports contradict each other or the audit log,
 * PLAN_NOT_AUTHORISED when the signed plan is not the project's
 */
export async function proveRun(deps: ProofDeps, project: ProjectRecord, reconRunId: string): Promise<Proof> {
  const { artifacts } = deps
  const id = project.project_id
  const checks = await artifacts.find(keyOf(id, 'checks_report', reconRunId))
  if (checks === null)
    throw new WaybillError(
      'SEGMENT_INCOMPLETE',
      `The checks of run ${reconRunId} were not completed, so nothing is proven. Start the reconciliation again.`,
    )
  const pointer = await storeJsonOnce(deps, keyOf(id, 'outcome', reconRunId), async () => {
    const { report } = await mergedReport(deps, id, reconRunId)
    return assembleOutcome({
      migrationId: project.migration_id,
      plan: await planOf(artifacts, project),
      planSha256: artifactOf(project, 'migration_plan').sha256,
      policy: await signedPolicy(deps, project),
      executionReport: await recordedExecution(deps, id),
      reconReport: report,
      checksReport: await getJson(artifacts, checks, checksReport),
      auditEntries: await deps.audit.read(id),
      now: deps.clock.now(),
    })
  })
  const outcome = await getJson(artifacts, pointer, outcomeSchema)
  const certificate = await storeOnce(deps, keyOf(id, 'proof_certificate', reconRunId, 'dsse.json'), JSON_TYPE, async () => {
    return (await signStatement(deps.signers.evidence, certificateStatement(outcome))).bytes
  })
  return { outcome, pointers: { outcome: pointer, proof_certificate: certificate, checks_report: checks } }
}

export function isProven(outcome: Outcome): boolean {
  return outcome.proof_certificate.proof_formula_evaluation.PROOF_VALID && outcome.proof_certificate.proof_status === 'VALID'
}
