import type { NoticeKind } from '../../layers/core/approval-page/notice.ts'
import { record } from '../../layers/core/ledger.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ApprovalRequest, AuditEntry } from '../../layers/core/schemas/governance.ts'

/**
 * Refusals that are written down, of one request and each kind of visitor. Threat: whoever once saw its address, without a link that opens it,
 * could fill the audit log, which is read at every step and is part of the evidence; and, with one count for all, could use up what the
 * attempts of somebody with a genuine link are recorded by.
 */
const MOST = 100

/** Before the link was seen to be the right one, nobody knows who it was: the invited person is not blamed. */
const UNKNOWN: readonly NoticeKind[] = ['bad-link', 'bad-origin']

/** What somebody tried to decide on. `ids` name it in the audit log. */
export type Tried = { projectId: string; person: string; subjectSha256: string | null; ids: Readonly<Record<string, string>> }

export function triedOf(request: ApprovalRequest): Tried {
  return {
    projectId: request.project_id,
    person: request.approver,
    subjectSha256: request.subject.sha256,
    ids: { approval_id: request.approval_id, role: request.role },
  }
}

/** Enters an attempt that was refused, and of very many the first ones. */
export async function recordRefusal(
  deps: Pick<Ports, 'audit' | 'clock'>,
  tried: Tried,
  action: 'DECISION_REFUSED' | 'PASSKEY_REFUSED' | 'WAIVER_REFUSED' | 'PLAN_WITHDRAWAL_REFUSED',
  why: NoticeKind,
): Promise<void> {
  const actor = UNKNOWN.includes(why) ? 'unknown' : tried.person
  const same = ({ action: did, actor: who, subject_sha256, details }: AuditEntry) =>
    did === action &&
    (who === 'unknown') === (actor === 'unknown') &&
    subject_sha256 === tried.subjectSha256 &&
    Object.entries(tried.ids).every(([name, id]) => details[name] === id)
  const earlier = (await deps.audit.read(tried.projectId)).filter(same).length
  if (earlier >= MOST) return
  const last = earlier === MOST - 1 ? { more: 'further attempts at this request are refused and not recorded' } : {}
  await record(deps, tried.projectId, { actor, action, subject_sha256: tried.subjectSha256, details: { ...tried.ids, why, ...last } })
}
