import { outstanding } from '../../layers/core/approvals.ts'
import { artifactOf } from '../../layers/core/artifacts.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { artifactBytes, artifactJson } from '../../layers/core/flow/project-artifacts.ts'
import { acceptedStatements } from '../../layers/core/flow/statements.ts'
import { listed } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import { outcomePredicate, outcome as outcomeSchema } from '../../layers/core/schemas/outcome.ts'
import type { Policy } from '../../layers/core/schemas/policy.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { reconReport } from '../../layers/core/schemas/recon.ts'
import { openPredicate } from '../../layers/core/statement.ts'
import { isProven } from '../prove-outcome/proof.ts'
import { type BarrierDeps, passBarrier } from '../work/authorisation.ts'

type Deps = BarrierDeps & ProjectDeps & Pick<Ports, 'projects' | 'artifacts' | 'trust' | 'policy'>

/**
 * Records the handover, after checking everything once more, now: plan and approvals at the barrier, the proof's signature and content,
 * the newest reconciliation, and the approvals of all three gates since. The project is CUTOVER_DONE.
 */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await deps.projects.get(project_id)
    if (project.state === 'CUTOVER_DONE') return { project_id, run_id }
    const { policy } = await passBarrier(deps, project_id, 'read', [])
    const faults = [...(await proofFaults(deps, project)), ...(await approvalFaults(deps, project, policy))]
    if (faults.length > 0) {
      throw new WaybillError('PLAN_NOT_AUTHORISED', `The cutover was not made: ${faults[0]}`, { details: faults })
    }
    const plan = artifactOf(project, 'cutover_plan')
    await advance(deps, project_id, {
      to: 'CUTOVER_DONE',
      actor: 'waybill/cutover',
      action: 'CUTOVER_DONE',
      subject_sha256: plan.sha256,
      details: { proof_sha256: artifactOf(project, 'proof_certificate').sha256 },
    })
    return { project_id, run_id }
  }
}

async function proofFaults(deps: Deps, project: ProjectRecord): Promise<string[]> {
  const faults: string[] = []
  const pointer = artifactOf(project, 'outcome')
  const certificate = await artifactBytes(deps.artifacts, project, 'proof_certificate')
  const { statement, predicate } = openPredicate(certificate, deps.trust, 'outcome', outcomePredicate)
  const outcome = await artifactJson(deps.artifacts, project, 'outcome', outcomeSchema)
  if (statement.subject.length !== 1 || statement.subject[0]?.digest.sha256 !== pointer.sha256)
    faults.push('the outcome is not the one that was signed')
  if (!isProven(outcome) || predicate.proof_status !== 'VALID') faults.push('the newest proof is not valid')
  if (outcome.inputs.plan_sha256 !== artifactOf(project, 'migration_plan').sha256) faults.push('the proof is about another plan')
  const newest = await artifactJson(deps.artifacts, project, 'recon_report', reconReport)
  if (newest.verdict !== 'pass') faults.push(`the newest reconciliation (${newest.run_id}) came to ${newest.verdict}`)
  return faults
}

/** Approvals of the first two gates may stand on an earlier proof: people approved the one there was. It must be one of this project's. */
async function approvalFaults(deps: Deps, project: ProjectRecord, policy: Policy): Promise<string[]> {
  const { project_id: projectId, author } = project
  const statements = await acceptedStatements(deps, projectId)
  const certificates = (await listed(deps.artifacts, `projects/${projectId}/proof_certificate/`)).map(({ pointer }) => pointer.sha256)
  const gates = [
    ['PR_CREATED->PARALLEL_VALIDATED', certificates],
    ['PARALLEL_VALIDATED->CUTOVER_READY', certificates],
    ['CUTOVER_READY->CUTOVER_DONE', [artifactOf(project, 'cutover_plan').sha256]],
  ] as const
  return gates.flatMap(([transition, subjects]) => {
    const standings = subjects.map((subjectSha256) => outstanding(policy, transition, statements, { author, subjectSha256, projectId }))
    return standings.some((standing) => standing.approved)
      ? []
      : [`${transition} is not approved: ${standings.at(-1)?.reasons[0] ?? 'nobody was asked'}`]
  })
}
