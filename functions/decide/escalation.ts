import { isWaybillError } from '../../layers/core/errors.ts'
import { record } from '../../layers/core/ledger.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import type { Asking } from '../../layers/core/schemas/policy.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { barredFromJoining } from '../work/separation-of-duties.ts'
import type { SignedPolicyDeps } from '../work/signed-policy.ts'
import { escalated, escalatedId, type InvitingDeps, invite } from './invitation.ts'

type EscalationDeps = InvitingDeps & SignedPolicyDeps & Pick<Ports, 'approvals'>

/** Invites the person whom the policy names for the role, once; the first one stays invited. */
export async function escalate(
  deps: EscalationDeps,
  project: ProjectRecord,
  request: ApprovalRequest,
  rule: NonNullable<Asking['escalation']>,
): Promise<void> {
  const named = rule.people.find((person) => person.role === request.role)
  if (named === undefined || request.escalated_from !== undefined) return
  const next: ApprovalRequest = {
    ...request,
    approval_id: escalatedId(request.approval_id),
    approver: named.email,
    created_at: deps.clock.now().toISOString(),
    delegated_by: [],
    escalated_from: request.approver,
  }
  const chain = await deps.audit.read(project.project_id)
  const done = (action: string) => chain.some((entry) => entry.action === action && entry.details.approval_id === request.approval_id)
  if (done('APPROVAL_ESCALATED') || done('ESCALATION_REFUSED')) return
  const there = await isThere(deps, next.approval_id)
  const barred = there ? null : await barredFromJoining(deps, request, project, named.email)
  if (barred !== null) {
    await record(deps, project.project_id, {
      actor: 'waybill',
      action: 'ESCALATION_REFUSED',
      subject_sha256: request.subject.sha256,
      details: { approval_id: request.approval_id, role: request.role, from: request.approver, to: named.email, why: barred },
    })
    return
  }
  // There already and not entered: by a process that is about to say so, or by one that died, which `inviteMissed` makes good.
  if (!there && (await joined(deps, next))) await invite(deps, project, escalated(request, next))
}

async function isThere(deps: EscalationDeps, approvalId: string): Promise<boolean> {
  return deps.approvals.request(approvalId).then(
    () => true,
    (error: unknown) => {
      if (isWaybillError(error) && error.code === 'NOT_FOUND') return false
      throw error
    },
  )
}

async function joined(deps: EscalationDeps, request: ApprovalRequest): Promise<boolean> {
  try {
    await deps.approvals.join(request)
    return true
  } catch (error) {
    if (isWaybillError(error) && error.code === 'ALREADY_EXISTS') return false
    throw error
  }
}
