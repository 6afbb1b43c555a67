import { role as roleSchema } from './schemas/common.ts'
import type { ApprovalPredicate, AuditEntry } from './schemas/governance.ts'
import { gatedTransition } from './schemas/policy.ts'

/**
 * The decisions of a project as its statements and its audit log tell them together. Threat: whoever may delete files takes away a statement
 * that says no; the log, which cannot be shortened behind its anchors, still says it. So a withdrawal or a rejection counts from either, and
 * an approval whose request the log says was handed on counts for nothing. An entry needs no key: from the log come only reasons to refuse.
 *
 * @param statements predicates whose signatures were checked
 * @param log the whole audit chain of the project
 */
export function asLogged(statements: readonly ApprovalPredicate[], log: readonly AuditEntry[]): ApprovalPredicate[] {
  const handedOn = new Set(log.filter(isHandOver).map((entry) => entry.details.approval_id))
  const counting = statements.filter((each) => each.decision !== 'APPROVED' || !handedOn.has(each.approval_id))
  const withdrawn = new Set(log.filter((entry) => entry.action === 'APPROVAL_WITHDRAWN').map((entry) => entry.details.approval_id))
  const takenBack = counting
    .filter((each) => each.decision === 'APPROVED' && withdrawn.has(each.approval_id))
    .map((each): ApprovalPredicate => ({ ...each, decision: 'WITHDRAWN', withdraws: each.approval_id }))
  const known = new Set(statements.filter((each) => each.decision === 'REJECTED').map(aboutWhat))
  const rejections = log.flatMap((entry) => rejectionIn(entry) ?? []).filter((each) => !known.has(aboutWhat(each)))
  return [...counting, ...takenBack, ...rejections]
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
