import { getJson } from '../../layers/core/artifacts.ts'
import { isWaybillError } from '../../layers/core/errors.ts'
import { type DecisionAnswers, decisionAnswers } from '../../layers/core/flow/decision-answers.ts'
import { keyOf, storeJsonOnce } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance } from '../../layers/core/project-service.ts'
import type { ApprovalGroup, ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import { standingOf } from '../work/separation-of-duties.ts'
import type { InvitingDeps } from './invitation.ts'
import { complete, type SettleDeps } from './settlement.ts'
import { completePlanWithdrawal, completeWithdrawal } from './withdrawal.ts'

export type OutboxDeps = SettleDeps & Pick<Ports, 'projects' | 'anchors' | 'tasks' | 'log'> & InvitingDeps

/**
 * Tells the state machine every outcome it was not told yet: of one project (also decisions a crash left half-way), and of all groups
 * the store lists. Idempotent; call it as often as you like. A group that cannot be told now stays for the next time.
 * @returns how many groups were told
 */
export async function tellOutcomes(deps: OutboxDeps, projectId?: string): Promise<number> {
  const groups = new Map((await deps.approvals.untold()).map((group) => [group.group_id, group]))
  if (projectId !== undefined) {
    const requests = await deps.approvals.byProject(projectId)
    if (requests.length > 0) await completePlanWithdrawal(deps, await deps.projects.get(projectId))
    for (const request of requests) {
      await complete(deps, request)
      await completeWithdrawal(deps, request)
    }
    for (const id of new Set(requests.map((request) => request.group_id))) {
      if (!groups.has(id)) groups.set(id, await deps.approvals.group(id))
    }
  }
  let told = 0
  for (const group of groups.values()) {
    if (group.told_at !== null) continue
    try {
      told += (await tell(deps, group)) ? 1 : 0
    } catch (error) {
      deps.log.warn('an outcome could not be told and stays in the outbox', {
        group_id: group.group_id,
        error: error instanceof Error ? error.name : 'unknown',
      })
    }
  }
  return told
}

async function tell(deps: OutboxDeps, group: ApprovalGroup): Promise<boolean> {
  const requests = await deps.approvals.requests(group.group_id)
  const [first] = requests
  if (first === undefined) return false
  // A decision counts once the log has it; a process that died may have left one without its entry.
  for (const request of requests) await complete(deps, request)
  const decision = first.kind === 'decisions' ? await answered(deps, requests) : await approved(deps, first)
  if (decision === null) return false
  try {
    await deps.tasks.succeed(group.task_token, { decision })
  } catch (error) {
    // A spent token: the machine was told before a crash, or the state timed out. Either way there is nobody left to tell.
    if (!isWaybillError(error) || error.code !== 'NOT_FOUND') throw error
  }
  await deps.approvals.told(group.group_id, deps.clock.now().toISOString())
  return true
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
