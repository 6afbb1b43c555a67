import { verifyPasskey } from './passkey.ts'
import { passkeyHolders } from './passkey-holders.ts'
import { roleFault } from './role-holders.ts'
import type { Role } from './schemas/common.ts'
import type { ApprovalPredicate, ApprovalRequest } from './schemas/governance.ts'
import type { Asking, GatedTransition, Policy } from './schemas/policy.ts'
import { emptySeats, type Sitting, samePerson } from './separation.ts'

export { samePerson } from './separation.ts'

export type Standing = {
  /** Derived here, every time, from the statements; stored nowhere. */
  approved: boolean
  missing: Role[]
  /** Rejections bound to this subject; one is enough to refuse. */
  refused: { approver: string; role: Role; reason: string }[]
  /** Why it is not approved, in sentences; empty when it is. */
  reasons: string[]
}

/**
 * How a gated transition stands. `statements` are predicates whose signatures were already checked. They count by person, never by
 * file or signature: the same approval twice, or re-encoded, is one approval. Statements about another transition or another subject
 * do not count; what the person reviewed must be exactly what is gated now. An approval that was withdrawn does not count, nor one
 * without the passkey that the policy asks of its role.
 */
export function outstanding(
  policy: Policy,
  transition: GatedTransition,
  statements: readonly ApprovalPredicate[],
  about: { author: string; subjectSha256: string; projectId?: string },
): Standing {
  const reasons: string[] = []
  const here = statements.filter((statement) => statement.transition === transition)
  const bound = here.filter((statement) => {
    if (about.projectId !== undefined && statement.project_id !== about.projectId) {
      reasons.push(`${statement.approver} decided on another project, ${statement.project_id}`)
      return false
    }
    if (statement.subject_sha256 !== about.subjectSha256) {
      reasons.push(`${statement.approver} reviewed another version (${statement.subject_sha256.slice(0, 12)}…) than the one at hand`)
      return false
    }
    return true
  })
  const refused = bound
    .filter((statement) => statement.decision === 'REJECTED')
    .map(({ approver, role, reason }) => ({ approver, role, reason }))
  for (const { approver, role } of refused) reasons.push(`${approver} rejected it as ${role}`)
  const proven = bound.filter((statement) => {
    const fault = countingFault(policy, statement)
    if (fault !== null) reasons.push(fault)
    return fault === null
  })
  const sittings = sittingsOf(proven, about.author, reasons)
  const missing = emptySeats(
    policy.approvals[transition].map((role) => ({ gate: transition, role })),
    sittings,
  ).map((seat) => seat.role)
  for (const role of missing) {
    const filled = sittings.some((sitting) => sitting.role === role)
    reasons.push(
      filled ? `${role} is not filled by a person of its own: one person counts in one role` : `no ${role} approved ${transition}`,
    )
  }
  const approved = missing.length === 0 && refused.length === 0
  return { approved, missing, refused, reasons: approved ? [] : reasons }
}

/** Approvals that may count: decided APPROVED, not withdrawn, and not by the author. Whoever holds one passkey is one person. */
export function sittingsOf(statements: readonly ApprovalPredicate[], author: string, reasons: string[] = []): Sitting[] {
  const withdrawn = withdrawnIn(statements)
  const holder = passkeyHolders(statements, reasons)
  return statements
    .filter((statement) => statement.decision === 'APPROVED')
    .filter((statement) => {
      if (withdrawn.has(statement.approval_id)) {
        reasons.push(`${statement.approver} withdrew the approval as ${statement.role}`)
        return false
      }
      if (!samePerson(statement.approver, author)) return true
      reasons.push(`${statement.approver} is the author; nobody approves their own plan`)
      return false
    })
    .map(({ transition, role, approver }) => ({ gate: transition, role, email: holder(approver) }))
}

/** Approvals that their own approver took back. Somebody else's withdrawal takes nothing back. */
function withdrawnIn(statements: readonly ApprovalPredicate[]): Set<string> {
  const approvals = new Map(statements.filter((each) => each.decision === 'APPROVED').map((each) => [each.approval_id, each]))
  return new Set(
    statements.flatMap((statement) => {
      const taken = statement.decision === 'WITHDRAWN' && statement.withdraws !== undefined ? approvals.get(statement.withdraws) : undefined
      return taken !== undefined && taken.approver === statement.approver && taken.subject_sha256 === statement.subject_sha256
        ? [taken.approval_id]
        : []
    }),
  )
}

/** Why an approval does not count under this policy, whoever asked for it; null when it does. */
export function countingFault(policy: Policy, statement: ApprovalPredicate): string | null {
  if (statement.decision !== 'APPROVED') return null
  return roleFault(policy, statement.role, statement.approver) ?? passkeyFault(policy, statement)
}

/** Why an approval does not have the passkey signature that it claims, or that its role needs; null when nothing is wrong. */
function passkeyFault(policy: Policy, statement: ApprovalPredicate): string | null {
  const needed = policy.asking?.passkey_roles?.includes(statement.role) === true
  if (statement.passkey === undefined) {
    if (statement.identified_by === 'passkey')
      return `${statement.approver} is said to have signed with a passkey, and no signature is there`
    return needed ? `${statement.approver} approved as ${statement.role} without the passkey that the policy asks for` : null
  }
  const fault = verifyPasskey(statement.passkey, statement)
  return fault === null ? null : `the passkey signature of ${statement.approver} as ${statement.role} does not hold: ${fault}`
}

/**
 * True when the policy lets this role hand on, and this request was not handed on as often as it allows. Threat: whoever stole the link of a
 * role that needs a passkey hands it on to a mailbox of their own and registers a passkey there; so such a role is never handed on.
 */
export function mayDelegate(asking: Asking | undefined, request: ApprovalRequest): boolean {
  const rule = asking?.delegation
  if (asking?.passkey_roles?.includes(request.role) === true) return false
  return rule?.roles.includes(request.role) === true && (request.delegated_by?.length ?? 0) < rule.at_most
}
