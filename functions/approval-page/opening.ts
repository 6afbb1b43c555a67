import { checkLink, checkRegistration } from '../../layers/core/approval-link.ts'
import type { NoticeKind } from '../../layers/core/approval-page/notice.ts'
import { moment } from '../../layers/core/approval-page/visible-text.ts'
import { isWaybillError } from '../../layers/core/errors.ts'
import { linkFields } from '../../layers/core/flow/asking.ts'
import { DECISION_SUBJECT, SUBJECTS } from '../../layers/core/flow/subject.ts'
import type { ChecksMacs, Ports } from '../../layers/core/ports.ts'
import { slug } from '../../layers/core/schemas/common.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { executionBegun } from '../work/withdrawable.ts'

export type OpeningDeps = Pick<Ports, 'approvals' | 'projects' | 'clock'> & ChecksMacs<'approvalLink' | 'registrationLink'>

/**
 * Either a request this link may see and decide now, or the notice that says why not. `request` is there once one was found,
 * `withdrawable` where the link is the right one and its approval can still be taken back.
 */
export type Opening =
  | { open: true; request: ApprovalRequest; project: ProjectRecord }
  | { open: false; why: NoticeKind; details: string[]; request: ApprovalRequest | null; withdrawable?: ProjectRecord }

/** `/approvals/<approval_id>` → the id, or null for any other path. */
export function approvalIdOf(path: string, folder = 'approvals'): string | null {
  const match = /^\/([a-z]+)\/([^/]+)$/.exec(path)
  const id = slug.safeParse(match?.[1] === folder ? match[2] : undefined)
  return id.success ? id.data : null
}

/** Looks a request up and checks the link for it, or the one that registers a passkey. Reads only. @throws where a link cannot be checked */
export async function opening(
  deps: OpeningDeps,
  approvalId: string,
  token: string,
  folder: 'approvals' | 'passkeys' = 'approvals',
): Promise<Opening> {
  const request = await find(deps, approvalId)
  const shut = (why: NoticeKind, details: string[] = []): Opening => ({ open: false, why, details, request })
  if (request === null) return shut('unknown')
  try {
    if (folder === 'approvals') await checkLink(deps.macCheckers.approvalLink, linkFields(request), token, deps.clock.now())
    else await checkRegistration(deps.macCheckers.registrationLink, linkFields(request), token, deps.clock.now())
  } catch (error) {
    if (isWaybillError(error) && error.code === 'APPROVAL_REFUSED') return shut('bad-link')
    // Somebody who decided in time reads what was decided, also after the expiry.
    if (!isWaybillError(error) || error.code !== 'APPROVAL_EXPIRED') throw error
    if (request.status === 'PENDING') return shut('expired', await wayForward(deps, request))
  }
  if (request.status === 'DECIDED') return afterDecision(deps, request, shut)
  const project = await deps.projects.get(request.project_id)
  const { artifact } = request.transition === null ? DECISION_SUBJECT : SUBJECTS[request.transition]
  if (project.artifacts[artifact]?.sha256 !== request.subject.sha256) return shut('changed')
  const states = request.transition === null ? ['DISCOVERED', 'PLAN_DRAFTED'] : [request.transition.split('->')[0]]
  if (!states.includes(project.state)) return shut('over', [`The migration is now in the state ${project.state}.`])
  const group = await deps.approvals.requests(request.group_id)
  const rejected = group.find((other) => other.decision === 'REJECTED')
  if (rejected) return shut('over', [`${rejected.approver} rejected it on ${moment(rejected.decided_at ?? '')}.`])
  const filled = group.find((other) => other.role === request.role && (other.decision === 'APPROVED' || other.decision === 'ANSWERED'))
  if (filled) return shut('over', [`${filled.approver} decided in this role on ${moment(filled.decided_at ?? '')}.`])
  return { open: true, request, project }
}

async function afterDecision(
  deps: OpeningDeps,
  request: ApprovalRequest,
  shut: (why: NoticeKind, details: string[]) => Opening,
): Promise<Opening> {
  if (request.decision === 'DELEGATED') {
    const next = (await deps.approvals.requests(request.group_id)).find((other) => other.delegated_by?.at(-1) === request.approver)
    return shut('handed-on', [`${next?.approver ?? 'Somebody else'} was asked in your place on ${moment(request.decided_at ?? '')}.`])
  }
  if (request.decision === 'WITHDRAWN') return shut('withdrawn', [])
  const details = [`${request.approver} decided on ${moment(request.decided_at ?? '')}: ${(request.decision ?? '').toLowerCase()}.`]
  const project = await deps.projects.get(request.project_id)
  if (!(await withdrawable(deps, request, project))) return shut('decided', details)
  return { open: false, why: 'decided', details, request, withdrawable: project }
}

/**
 * An approval can be taken back until the data moves: on the plan while that very plan waits, on the execution while others are still
 * asked. Afterwards only a rejection of a later step, or a rollback, helps.
 */
async function withdrawable(deps: Pick<Ports, 'approvals'>, request: ApprovalRequest, project: ProjectRecord): Promise<boolean> {
  // Every withdrawal makes the next id two characters longer.
  if (request.decision !== 'APPROVED' || request.approval_id.length > 60) return false
  if (request.transition !== 'PLAN_DRAFTED->PLANNED' && request.transition !== 'PLANNED->EXECUTED') return false
  if (project.state !== 'PLAN_DRAFTED' && project.state !== 'PLANNED') return false
  if (project.artifacts[SUBJECTS[request.transition].artifact]?.sha256 !== request.subject.sha256) return false
  return !(await executionBegun(deps, project))
}

async function wayForward(deps: OpeningDeps, request: ApprovalRequest): Promise<string[]> {
  const project = await deps.projects.get(request.project_id)
  return [
    `It was open until ${moment(request.expires_at)}. What to do: write to ${project.author}, who wrote the plan, and ask for the step to be started again. Approvals that others gave in time stay valid for the same plan.`,
  ]
}

async function find(deps: OpeningDeps, approvalId: string): Promise<ApprovalRequest | null> {
  try {
    return await deps.approvals.request(approvalId)
  } catch (error) {
    if (isWaybillError(error) && error.code === 'NOT_FOUND') return null
    throw error
  }
}
