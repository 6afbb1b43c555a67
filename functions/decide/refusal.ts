import type { NoticeKind } from '../../layers/core/approval-page/notice.ts'
import { record } from '../../layers/core/ledger.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'

/**
 * Refusals of one request that are written down. Threat: whoever once saw its address, without a link that opens it, could fill the audit log,
 * which is read at every step and is part of the evidence.
 */
const MOST = 100

/** Before the link was seen to be the right one, nobody knows who it was: the invited person is not blamed. */
const UNKNOWN: readonly NoticeKind[] = ['bad-link', 'bad-origin']

/** Enters an attempt that was refused, and of very many the first ones. */
export async function recordRefusal(
  deps: Pick<Ports, 'audit' | 'clock'>,
  request: ApprovalRequest,
  action: 'DECISION_REFUSED' | 'PASSKEY_REFUSED',
  why: NoticeKind,
): Promise<void> {
  const chain = await deps.audit.read(request.project_id)
  const earlier = chain.filter((entry) => entry.action === action && entry.details.approval_id === request.approval_id).length
  if (earlier >= MOST) return
  const last = earlier === MOST - 1 ? { more: 'further attempts at this request are refused and not recorded' } : {}
  await record(deps, request.project_id, {
    actor: UNKNOWN.includes(why) ? 'unknown' : request.approver,
    action,
    subject_sha256: request.subject.sha256,
    details: { approval_id: request.approval_id, role: request.role, why, ...last },
  })
}
