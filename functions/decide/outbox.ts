import { getJson } from '../../layers/core/artifacts.ts'
import { isWaybillError } from '../../layers/core/errors.ts'
import { atOnce } from '../../layers/core/flow/at-once.ts'
import { type DecisionAnswers, decisionAnswers } from '../../layers/core/flow/decision-answers.ts'
import { keyOf, storeJsonOnce } from '../../layers/core/flow/storing.ts'
import { DECISION_SUBJECT } from '../../layers/core/flow/subject.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance } from '../../layers/core/project-service.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import { standingOf } from '../work/separation-of-duties.ts'
import type { InvitingDeps } from './invitation.ts'
import { complete, type SettleDeps } from './settlement.ts'
import { completePlanWithdrawal, completeWithdrawal } from './withdrawal.ts'

export type OutboxDeps = SettleDeps & Pick<Ports, 'projects' | 'anchors' | 'tasks' | 'log'> & InvitingDeps

/** How many groups were told, and what kept others from it: those stay in the outbox for the next time. */
export type Telling = { told: number; failures: unknown[] }

/**
 * Tells the state machine every outcome it was not told yet: of one project (also decisions a crash left half-way), or of all open groups in
 * which nobody is waited for. Idempotent; call it as often as you like. One group that cannot be told keeps no other from it.
 */
export async function tellOutcomes(deps: OutboxDeps, projectId?: string): Promise<Telling> {
  const groups =
    projectId === undefined ? (await deps.approvals.untold()).map(({ group_id }) => group_id) : await ownGroups(deps, projectId)
  const telling: Telling = { told: 0, failures: [] }
  for (const groupId of groups) {
    try {
      telling.told += (await tell(deps, groupId, projectId !== undefined)) ? 1 : 0
    } catch (error) {
      telling.failures.push(error)
      deps.log.warn('an outcome could not be told and stays in the outbox', {
        group_id: groupId,
        error: error instanceof Error ? error.name : 'unknown',
      })
    }
  }
  return telling
}

/** Completes what a crash left half-way in a project. @returns its groups that were not told */
async function ownGroups(deps: OutboxDeps, projectId: string): Promise<string[]> {
  const requests = await deps.approvals.byProject(projectId)
  if (requests.length > 0) await completePlanWithdrawal(deps, await deps.projects.get(projectId))
  for (const request of requests) {
    await complete(deps, request)
    await completeWithdrawal(deps, request)
  }
  const groups = [...new Set(requests.map((request) => request.group_id))]
  const told = await atOnce(groups, (groupId) => deps.approvals.toldAt(groupId))
  return groups.filter((_, at) => told[at] === null)
}

/** @param waited also a group in which somebody has not decided: what was decided elsewhere may count in it */
async function tell(deps: OutboxDeps, groupId: string, waited: boolean): Promise<boolean> {
  const requests = await deps.approvals.requests(groupId)
  const [first] = requests
  if (first === undefined || !(waited || isSettled(requests))) return false
  // A decision counts once the log has it; a process that died may have left one without its entry.
  for (const request of requests) await complete(deps, request)
  const decision = first.kind === 'decisions' ? await answered(deps, requests) : await approved(deps, first)
  if (decision === null) return false
  const group = await deps.approvals.group(groupId)
  if (group.told_at !== null) return false
  try {
    await deps.tasks.succeed(group.task_token, { decision })
  } catch (error) {
    // A spent token: the machine was told before a crash, or the state timed out. Either way there is nobody left to tell.
    if (!isWaybillError(error) || error.code !== 'NOT_FOUND') throw error
  }
  await deps.approvals.told(groupId, deps.clock.now().toISOString())
  return true
}

/** Somebody said no, or somebody of each role has decided. */
function isSettled(asked: readonly ApprovalRequest[]): boolean {
  const filled = new Set(asked.filter(({ decision }) => decision === 'APPROVED' || decision === 'ANSWERED').map(({ role }) => role))
  return (
    asked.every((request) => request.status === 'DECIDED' || filled.has(request.role)) ||
    asked.some((request) => request.decision === 'REJECTED')
  )
}

/** Over all statements about this transition and subject, not only this group's: an earlier link's approval counts too. */
async function approved(deps: OutboxDeps, request: ApprovalRequest): Promise<'APPROVED' | 'REJECTED' | null> {
  if (request.transition === null) return null
  const project = await deps.projects.get(request.project_id)
  const standing = await standingOf(deps, project, request.transition, request.subject.sha256)
  if (standing === null) return 'REJECTED'
  return standing.refused.length > 0 ? 'REJECTED' : standing.approved ? 'APPROVED' : null
}

/** Answers become an artifact of the project before the machine goes on. */
async function answered(deps: OutboxDeps, requests: readonly ApprovalRequest[]): Promise<'ANSWERED' | 'REJECTED' | null> {
  if (requests.some((request) => request.decision === 'REJECTED')) return 'REJECTED'
  const request = requests.find((each) => each.decision === 'ANSWERED')
  if (request === undefined || request.decided_at === null) return null
  const project = await deps.projects.get(request.project_id)
  // What was asked has changed since, and is asked again: an answer to other questions counts for nothing.
  if (project.artifacts[DECISION_SUBJECT.artifact]?.sha256 !== request.subject.sha256) return 'ANSWERED'
  const before = project.artifacts.decision_answers
  const earlier = before === undefined ? [] : (await getJson(deps.artifacts, before, decisionAnswers)).answers
  const now = request.answers.map((answer) => ({ ...answer, answered_by: request.approver }))
  const document: DecisionAnswers = {
    schema: 'waybill/decision-answers/v1',
    project_id: request.project_id,
    approval_id: request.approval_id,
    answered_at: request.decided_at,
    subject_sha256: request.subject.sha256,
    answers: [...earlier.filter((answer) => !now.some((own) => own.decision_id === answer.decision_id)), ...now],
  }
  const pointer = await storeJsonOnce(deps, keyOf(request.project_id, 'decision_answers', request.approval_id), () => document)
  await advance(deps, request.project_id, {
    actor: request.approver,
    action: 'DECISIONS_ANSWERED',
    subject_sha256: request.subject.sha256,
    artifacts: { decision_answers: pointer },
    details: Object.fromEntries(request.answers.slice(0, 50).map(({ decision_id, choice }) => [decision_id.slice(0, 64), choice])),
  })
  return 'ANSWERED'
}
