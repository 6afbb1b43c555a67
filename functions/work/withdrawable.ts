import { artifactOf } from '../../layers/core/artifacts.ts'
import { approvalKey } from '../../layers/core/flow/project-artifacts.ts'
import { SUBJECTS } from '../../layers/core/flow/subject.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { GatedTransition } from '../../layers/core/schemas/policy.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'

type PlanGate = Extract<GatedTransition, 'PLAN_DRAFTED->PLANNED' | 'PLANNED->EXECUTED'>

const stands = (project: ProjectRecord) => (project.state === 'FAILED' ? project.failed_from : project.state)

/** True once the state machine was told that this plan may be carried out. */
export async function executionBegun(deps: Pick<Ports, 'approvals'>, project: ProjectRecord): Promise<boolean> {
  // Planned again because the signed plan was stale: what was told about that one says nothing about this one.
  if (stands(project) === 'PLAN_DRAFTED') return false
  const signed = project.artifacts[SUBJECTS['PLANNED->EXECUTED'].artifact]?.sha256
  const asked = (await deps.approvals.byProject(project.project_id)).filter(
    (each) => each.transition === 'PLANNED->EXECUTED' && each.subject.sha256 === signed,
  )
  for (const id of new Set(asked.map((each) => each.group_id))) {
    if ((await deps.approvals.toldAt(id)) !== null) return true
  }
  return false
}

/** The gate that a rejection by the author stops now; null before there is a plan and once it is being carried out. */
export async function gateOfWithdrawal(deps: Pick<Ports, 'approvals'>, project: ProjectRecord): Promise<PlanGate | null> {
  const state = stands(project)
  const gate = state === 'PLAN_DRAFTED' ? 'PLAN_DRAFTED->PLANNED' : state === 'PLANNED' ? 'PLANNED->EXECUTED' : null
  return gate === null || (await executionBegun(deps, project)) ? null : gate
}

/** The id of the statement that withdraws a plan; write-once under it, so that a plan is withdrawn once. */
export function planWithdrawalId(project: ProjectRecord, gate: GatedTransition): string {
  return `a-withdrawn-${artifactOf(project, SUBJECTS[gate].artifact).sha256.slice(0, 40)}`
}

export async function withdrawnAlready(deps: Pick<Ports, 'artifacts'>, project: ProjectRecord, gate: GatedTransition): Promise<boolean> {
  return (await deps.artifacts.find(approvalKey(project.project_id, planWithdrawalId(project, gate)))) !== null
}
