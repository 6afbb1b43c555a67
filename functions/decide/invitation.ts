import type { Occasion } from '../../layers/core/flow/approval-mail.ts'
import { type LinksDeps, sendLinks } from '../../layers/core/flow/asking.ts'
import { type Happening, record } from '../../layers/core/ledger.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'

const HOUR_MS = 3_600_000
/** A minute and a bit: longer than a process that lives takes between two writes. */
const MOMENT_HOURS = 0.02

/** The one request that stands in for another under the policy's escalation, and the one that asks again after a withdrawal. */
export const escalatedId = (approvalId: string): string => `${approvalId}-e`
export const againId = (approvalId: string): string => `${approvalId}-r`

export type InvitingDeps = LinksDeps & Pick<Ports, 'audit' | 'clock'>

/** How somebody came into a group that was open already, and who did that. */
export type Joining = { request: ApprovalRequest; occasion: Occasion; actor: string; action: string; details: Record<string, string> }

/**
 * Mails the link, then enters the invitation in the audit log. In this order: an entry stands for a mail that went out, and what has no entry
 * is invited again by `chase`. A crash between the two sends a second mail with the same link; the other order could leave somebody unasked.
 */
export async function invite(
  deps: InvitingDeps,
  project: ProjectRecord,
  { request, occasion, actor, action, details }: Joining,
): Promise<void> {
  await sendLinks(deps, project, request, occasion)
  const happening: Happening = {
    actor,
    action,
    subject_sha256: request.subject.sha256,
    details: { role: request.role, ...details, to: request.approver, new_approval_id: request.approval_id },
  }
  await record(deps, project.project_id, happening)
}

/** What is entered when `from` hands its request on to `request`. */
export function handedOn(from: ApprovalRequest, request: ApprovalRequest): Joining {
  return {
    request,
    occasion: { kind: 'delegated', by: from.approver },
    actor: from.approver,
    action: 'REQUEST_DELEGATED',
    details: { approval_id: from.approval_id, chain: (request.delegated_by ?? []).join(', ') },
  }
}

/** What is entered when the policy invites `request` in the place of `from`. */
export function escalated(from: ApprovalRequest, request: ApprovalRequest): Joining {
  return {
    request,
    occasion: { kind: 'escalated', from: from.approver },
    actor: 'waybill',
    action: 'APPROVAL_ESCALATED',
    details: { approval_id: from.approval_id, from: from.approver },
  }
}

/** What is entered when the approver of `from`, who withdrew, is asked again. */
export function askedAgain(from: ApprovalRequest, request: ApprovalRequest): Joining {
  return {
    request,
    occasion: { kind: 'withdrawn' },
    actor: 'waybill',
    action: 'APPROVER_ASKED_AGAIN',
    details: { approval_id: from.approval_id },
  }
}

/**
 * Somebody who joined a group and whose invitation was never entered: the process died in between. After a moment, so that one that lives is
 * not overtaken.
 */
export async function inviteMissed(
  deps: InvitingDeps,
  project: ProjectRecord,
  request: ApprovalRequest,
  asked: readonly ApprovalRequest[],
): Promise<void> {
  const joining = joiningOf(request, asked)
  if (joining === null || hoursSince(deps, request.created_at) < MOMENT_HOURS) return
  const chain = await deps.audit.read(project.project_id)
  if (!chain.some((entry) => entry.details.new_approval_id === request.approval_id)) await invite(deps, project, joining)
}

/** How a request came into its group; null where it was there from the start. */
function joiningOf(request: ApprovalRequest, asked: readonly ApprovalRequest[]): Joining | null {
  const from = (holds: (other: ApprovalRequest) => boolean) =>
    asked.find((other) => other.approval_id !== request.approval_id && holds(other))
  const withdrawn = from((other) => other.decision === 'WITHDRAWN' && request.approval_id === againId(other.approval_id))
  if (withdrawn) return askedAgain(withdrawn, request)
  const delegator = request.delegated_by?.at(-1)
  const handed = from((other) => other.decision === 'DELEGATED' && other.role === request.role && other.approver === delegator)
  if (handed) return handedOn(handed, request)
  const silent = from((other) => request.approval_id === escalatedId(other.approval_id))
  return silent ? escalated(silent, request) : null
}

/** Hours, with their fraction, since an instant. */
export function hoursSince(deps: Pick<Ports, 'clock'>, instant: string): number {
  return (deps.clock.now().getTime() - Date.parse(instant)) / HOUR_MS
}
