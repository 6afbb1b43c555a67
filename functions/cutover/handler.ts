import { outstanding } from '../../layers/core/approvals.ts'
import { artifactOf } from '../../layers/core/artifacts.ts'
import { asLogged } from '../../layers/core/decision-log.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { atOnce } from '../../layers/core/flow/at-once.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { artifactBytes, artifactJson } from '../../layers/core/flow/project-artifacts.ts'
import { signedStatements } from '../../layers/core/flow/statements.ts'
import { listed } from '../../layers/core/flow/storing.ts'
import { nightsOfParallelRun } from '../../layers/core/nights/shown.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import { decidedWhile, PROVING, type Proof, proofSubjects, type Subject } from '../../layers/core/proof-subjects.ts'
import { newestMerging, repeatedMergings } from '../../layers/core/recorded-reports.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'
import { outcomePredicate, outcome as outcomeSchema } from '../../layers/core/schemas/outcome.ts'
import type { GatedTransition, Policy } from '../../layers/core/schemas/policy.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { openPredicate } from '../../layers/core/statement.ts'
import { isProven } from '../prove-outcome/proof.ts'
import { type BarrierDeps, passBarrier } from '../work/authorisation.ts'
import { comparisonFound } from '../work/newest-comparison.ts'
import { nightEvidence } from '../work/night-evidence.ts'
import { mergedReport } from '../work/recorded-reports.ts'

const ACTOR = 'waybill/cutover'

type Deps = BarrierDeps & ProjectDeps & Pick<Ports, 'projects' | 'artifacts' | 'trust' | 'policy'>

/**
 * Records the handover, after checking everything once more, now: plan and approvals at the barrier, the proof's signature and content,
 * the newest reconciliation, the nights of the parallel run, and the approvals of all three gates since. The project is CUTOVER_DONE.
 */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await deps.projects.get(project_id)
    const { policy } = await passBarrier(deps, project_id, 'read', [], ACTOR)
    const log = await deps.audit.read(project_id)
    const faults = [
      ...(await proofFaults(deps, project, log)),
      ...(await nightFaults(deps, project, policy, log)),
      ...(await approvalFaults(deps, project, policy, log)),
    ]
    if (faults.length > 0) {
      throw new WaybillError('PLAN_NOT_AUTHORISED', `The cutover was not made: ${faults[0]}`, { details: faults })
    }
    const plan = artifactOf(project, 'cutover_plan')
    await advance(deps, project_id, {
      to: 'CUTOVER_DONE',
      actor: ACTOR,
      action: 'CUTOVER_DONE',
      subject_sha256: plan.sha256,
      // A comparison that was merged since, or anything else that moved the project, was not judged: everything is judged again.
      set: (stored) => {
        if (stored.revision === project.revision) return {}
        throw new WaybillError('CONFLICT', `Project ${project_id} was changed by others while its cutover was judged; try again.`)
      },
      details: { proof_sha256: artifactOf(project, 'proof_certificate').sha256 },
    })
    return { project_id, run_id }
  }
}

async function proofFaults(deps: Deps, project: ProjectRecord, log: readonly AuditEntry[]): Promise<string[]> {
  const faults: string[] = []
  const pointer = artifactOf(project, 'outcome')
  const certificate = await artifactBytes(deps.artifacts, project, 'proof_certificate')
  const { statement, predicate } = openPredicate(certificate, deps.trust, 'outcome', outcomePredicate)
  const outcome = await artifactJson(deps.artifacts, project, 'outcome', outcomeSchema)
  if (statement.subject.length !== 1 || statement.subject[0]?.digest.sha256 !== pointer.sha256)
    faults.push('the outcome is not the one that was signed')
  if (!isProven(outcome) || predicate.proof_status !== 'VALID') faults.push('the newest proof is not valid')
  if (outcome.inputs.plan_sha256 !== artifactOf(project, 'migration_plan').sha256) faults.push('the proof is about another plan')
  const proven = log.findLast(({ action }) => PROVING.includes(action))
  if (proven?.subject_sha256 !== artifactOf(project, 'proof_certificate').sha256)
    faults.push('the proof is not the newest that the audit log records')
  const compared = await mergedReport(deps, project.project_id, predicate.run_id, log)
  if (outcome.inputs.recon_report_sha256 !== compared.sha256) faults.push('the proof is about another comparison than the one recorded')
  // Before it is asked which is the newest: a repeated entry would be it.
  faults.push(...repeatedMergings(log))
  const newest = newestMerging(log)?.details.run_id ?? predicate.run_id
  if (newest === predicate.run_id) {
    if (compared.report.verdict !== 'pass') faults.push(`the newest comparison (${newest}) came to ${compared.report.verdict}`)
    return faults
  }
  const { found } = await comparisonFound(deps, project.project_id, newest, outcome, log)
  if (found.found !== 'equal') faults.push(`the newest comparison (${newest}) ${found.says}`)
  return faults
}

/** Threat: the count in the project record, and the entry that calls the parallel run complete, take no key. */
async function nightFaults(deps: Deps, project: ProjectRecord, policy: Policy, log: readonly AuditEntry[]): Promise<string[]> {
  const { project_id: projectId } = project
  const clean = nightsOfParallelRun(log, await nightEvidence(deps, projectId, log), artifactOf(project, 'migration_plan').sha256)
  const required = policy.clean_runs_required
  return clean >= required ? [] : [`the parallel run showed ${clean} clean nights, and ${required} are asked for`]
}

/** The three gates since, each about what it was about when people decided: the proof that was the newest then, and the plan of the cutover. */
async function approvalFaults(deps: Deps, project: ProjectRecord, policy: Policy, log: readonly AuditEntry[]): Promise<string[]> {
  const { project_id: projectId, author } = project
  const [signed, proofs] = await Promise.all([signedStatements(deps, projectId), certificatesOf(deps, projectId)])
  const proven = (gate: Parameters<typeof proofSubjects>[0]) => {
    const passed = log.findLast(({ details }) => details.to === gate.split('->')[1] && details.from !== details.to)
    return passed === undefined ? [] : proofSubjects(gate, log, proofs, passed.seq)
  }
  const gates: readonly [GatedTransition, readonly Subject[]][] = [
    ['PR_CREATED->PARALLEL_VALIDATED', proven('PR_CREATED->PARALLEL_VALIDATED')],
    ['PARALLEL_VALIDATED->CUTOVER_READY', proven('PARALLEL_VALIDATED->CUTOVER_READY')],
    ['CUTOVER_READY->CUTOVER_DONE', [{ sha256: artifactOf(project, 'cutover_plan').sha256, from: -1, until: log.length }]],
  ]
  return gates.flatMap(([transition, subjects]) => {
    const standings = subjects.map((subject) => {
      const statements = asLogged(signed, decidedWhile(log, subject))
      return outstanding(policy, transition, statements, { author, subjectSha256: subject.sha256, projectId })
    })
    return standings.some((standing) => standing.approved)
      ? []
      : [`${transition} is not approved: ${standings.at(-1)?.reasons[0] ?? 'no proof that holds was the newest when people decided'}`]
  })
}

/** Every certificate of the project that is authentic. */
async function certificatesOf(deps: Deps, projectId: string): Promise<Proof[]> {
  const stored = await listed(deps.artifacts, `projects/${projectId}/proof_certificate/`)
  return atOnce(stored, async ({ pointer }) => {
    const { predicate } = openPredicate(await deps.artifacts.get(pointer), deps.trust, 'outcome', outcomePredicate)
    return { sha256: pointer.sha256, run_id: predicate.run_id, valid: predicate.proof_status === 'VALID' }
  })
}
