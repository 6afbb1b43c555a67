import type { Role } from './schemas/common.ts'
import type { ApprovalPredicate } from './schemas/governance.ts'
import type { GatedTransition, Policy } from './schemas/policy.ts'
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
 * do not count; what the person reviewed must be exactly what is gated now.
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
  const sittings = sittingsOf(bound, about.author, reasons)
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

/** Approvals that may count: decided APPROVED, and not by the author. */
export function sittingsOf(statements: readonly ApprovalPredicate[], author: string, reasons: string[] = []): Sitting[] {
  return statements
    .filter((statement) => statement.decision === 'APPROVED')
    .filter((statement) => {
      if (!samePerson(statement.approver, author)) return true
      reasons.push(`${statement.approver} is the author; nobody approves their own plan`)
      return false
    })
    .map(({ transition, role, approver }) => ({ gate: transition, role, email: approver }))
}
