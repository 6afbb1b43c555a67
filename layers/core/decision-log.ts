import { role as roleSchema } from './schemas/common.ts'
import type { ApprovalPredicate, AuditEntry } from './schemas/governance.ts'
import { gatedTransition } from './schemas/policy.ts'

/** A statement whose signature was checked; `sha256` is the digest of its envelope, byte for byte. */
export type SignedDecision = { sha256: string; predicate: ApprovalPredicate }

/**
 * The decisions of a project as its statements and its audit log tell them together. An approval counts when both say it: its signature, and
 * an entry DECISION_TAKEN that names this very statement. Threat: whoever holds the approval key alone signs approvals that nobody was asked
 * for; and a process that died before its entry had decided nothing yet. What speaks against a step counts from either: whoever may delete
 * files takes away a statement that says no, and the log, which cannot be shortened behind its anchors, still says it.
 *
 * @param log the whole audit chain of the project, or the part of it that may count
 */
export function asLogged(signed: readonly SignedDecision[], log: readonly AuditEntry[]): ApprovalPredicate[] {
  const known = signed.filter(({ predicate }) => predicate.decision === 'REJECTED').map(({ predicate }) => aboutWhat(predicate))
  const uncounted = new Set(notLogged(signed, log))
  const counting = signed.map(({ predicate }) => predicate).filter((each) => !uncounted.has(each))
  const withdrawn = new Set(log.filter((entry) => entry.action === 'APPROVAL_WITHDRAWN').map((entry) => entry.details.approval_id))
  const takenBack = counting
    .filter((each) => each.decision === 'APPROVED' && withdrawn.has(each.approval_id))
    .map((each): ApprovalPredicate => ({ ...each, decision: 'WITHDRAWN', withdraws: each.approval_id }))
  const rejections = log.flatMap((entry) => rejectionIn(entry) ?? []).filter((each) => !known.includes(aboutWhat(each)))
  return [...counting, ...takenBack, ...rejections]
}

/** Approvals that the log says were handed on, or does not know. */
export function notLogged(signed: readonly SignedDecision[], log: readonly AuditEntry[]): ApprovalPredicate[] {
  const handedOn = new Set(log.filter(isHandOver).map((entry) => entry.details.approval_id))
  const taken = new Set(log.filter((entry) => entry.action === 'DECISION_TAKEN').map(whatWasTaken))
  return signed
    .filter(({ sha256, predicate }) => {
      if (predicate.decision !== 'APPROVED') return false
      return handedOn.has(predicate.approval_id) || !taken.has(whatWasSigned(sha256, predicate))
    })
    .map(({ predicate }) => predicate)
}

export function unknownToTheLog({ approver, role, transition }: ApprovalPredicate): string {
  return `the audit log knows no approval of ${transition} by ${approver} as ${role} that was not handed on`
}

function whatWasTaken({ actor, subject_sha256, details }: AuditEntry): string {
  return JSON.stringify([details.statement_sha256, details.approval_id, details.decision, details.transition, actor, subject_sha256])
}

function whatWasSigned(sha256: string, { approval_id, transition, approver, subject_sha256 }: ApprovalPredicate): string {
  return JSON.stringify([sha256, approval_id, 'APPROVED', transition, approver, subject_sha256])
}

function isHandOver({ action, details }: AuditEntry): boolean {
  return action === 'REQUEST_DELEGATED' || (action === 'DECISION_TAKEN' && details.decision === 'DELEGATED')
}

const aboutWhat = ({ approver, transition, subject_sha256 }: ApprovalPredicate) => JSON.stringify([approver, transition, subject_sha256])

/** The rejection that an entry records, of a person or of the author who withdrew the plan; null for every other entry. */
function rejectionIn(entry: AuditEntry): ApprovalPredicate | null {
  const { action, actor, at, details, project_id, subject_sha256 } = entry
  const rejects = action === 'PLAN_WITHDRAWN' || (action === 'DECISION_TAKEN' && details.decision === 'REJECTED')
  const transition = gatedTransition.safeParse(details.transition)
  if (!rejects || !transition.success || subject_sha256 === null) return null
  const role = roleSchema.safeParse(details.role)
  return {
    approval_id: details.approval_id ?? `a-entry-${entry.seq}`,
    project_id,
    transition: transition.data,
    role: role.success ? role.data : 'migration_lead',
    approver: actor,
    decision: 'REJECTED',
    reason: details.reason ?? '',
    decided_at: at,
    subject_sha256,
    subject_name: '',
    identified_by: 'invited-address',
  }
}
