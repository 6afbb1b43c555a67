import { checkLink } from '../../layers/core/approval-link.ts'
import type { NoticeKind } from '../../layers/core/approval-page/notice.ts'
import { moment } from '../../layers/core/approval-page/visible-text.ts'
import { isWaybillError } from '../../layers/core/errors.ts'
import { linkFields } from '../../layers/core/flow/asking.ts'
import { DECISION_SUBJECT, SUBJECTS } from '../../layers/core/flow/subject.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { slug } from '../../layers/core/schemas/common.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'

export type OpeningDeps = Pick<Ports, 'approvals' | 'projects' | 'clock' | 'keys'>

/** Either a request this link may see and decide now, or the notice that says why not. `request` is there once one was found. */
export type Opening =
  | { open: true; request: ApprovalRequest; project: ProjectRecord }
  | { open: false; why: NoticeKind; details: string[]; request: ApprovalRequest | null }

/** `/approvals/<approval_id>` → the id, or null for any other path. */
export function approvalIdOf(path: string): string | null {
  const match = /^\/approvals\/([^/]+)$/.exec(path)
  const id = slug.safeParse(match?.[1])
  return id.success ? id.data : null
}

/** Looks a request up and checks the link for it. Reads only. */
export async function opening(deps: OpeningDeps, approvalId: string, token: string): Promise<Opening> {
  const request = await find(deps, approvalId)
  const shut = (why: NoticeKind, details: string[] = []): Opening => ({ open: false, why, details, request })
  if (request === null) return shut('unknown')
  try {
    checkLink(await deps.keys.link(), linkFields(request), token, deps.clock.now())
  } catch (error) {
    if (isWaybillError(error) && error.code === 'APPROVAL_REFUSED') return shut('bad-link')
    // Somebody who decided in time reads what was decided, also after the expiry.
    if (isWaybillError(error) && error.code === 'APPROVAL_EXPIRED')
      return request.status === 'DECIDED' ? shut('decided', [decided(request)]) : shut('expired')
    throw error
  }
  if (request.status === 'DECIDED') return shut('decided', [decided(request)])
  const project = await deps.projects.get(request.project_id)
  const { artifact } = request.transition === null ? DECISION_SUBJECT : SUBJECTS[request.transition]
  if (project.artifacts[artifact]?.sha256 !== request.subject.sha256) return shut('changed')
  const states = request.transition === null ? ['DISCOVERED', 'PLAN_DRAFTED'] : [request.transition.split('->')[0]]
  if (!states.includes(project.state)) return shut('over', [`The migration is now in the state ${project.state}.`])
  const rejected = (await deps.approvals.requests(request.group_id)).find((other) => other.decision === 'REJECTED')
  if (rejected) return shut('over', [`${rejected.approver} rejected it on ${moment(rejected.decided_at ?? '')}.`])
  return { open: true, request, project }
}

function decided(request: ApprovalRequest): string {
  return `${request.approver} decided on ${moment(request.decided_at ?? '')}: ${(request.decision ?? '').toLowerCase()}.`
}

async function find(deps: OpeningDeps, approvalId: string): Promise<ApprovalRequest | null> {
  try {
    return await deps.approvals.request(approvalId)
  } catch (error) {
    if (isWaybillError(error) && error.code === 'NOT_FOUND') return null
    throw error
  }
}
