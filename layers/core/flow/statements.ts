import { asLogged, type SignedDecision } from '../decision-log.ts'
import { sha256 } from '../digest.ts'
import { isWaybillError } from '../errors.ts'
import type { Ports } from '../ports.ts'
import { type ApprovalPredicate, approvalPredicate } from '../schemas/governance.ts'
import { openPredicate } from '../statement.ts'
import { approvalStatements } from './project-artifacts.ts'

/**
 * What people signed in a project, signatures checked, together with what the audit log says was approved, rejected, withdrawn or handed
 * on. A statement that does not hold counts for nothing, nor does an approval that the log does not know.
 */
export async function acceptedStatements(
  deps: Pick<Ports, 'artifacts' | 'audit' | 'trust'>,
  projectId: string,
): Promise<ApprovalPredicate[]> {
  return asLogged(await signedStatements(deps, projectId), await deps.audit.read(projectId))
}

/** What people signed in a project, signatures checked, whatever the log says of it. */
export async function signedStatements(deps: Pick<Ports, 'artifacts' | 'trust'>, projectId: string): Promise<SignedDecision[]> {
  const envelopes = await approvalStatements(deps.artifacts, projectId)
  return envelopes.flatMap((bytes) => {
    const predicate = readApproval(bytes, deps.trust)
    return predicate !== null && predicate.project_id === projectId ? [{ sha256: sha256(bytes), predicate }] : []
  })
}

/** The predicate of one approval statement, or null when signature, shape or subject do not hold. */
export function readApproval(bytes: Uint8Array, trust: Ports['trust']): ApprovalPredicate | null {
  try {
    const { statement, predicate } = openPredicate(bytes, trust, 'approval', approvalPredicate)
    const [subject, ...more] = statement.subject
    return more.length === 0 && subject?.digest.sha256 === predicate.subject_sha256 ? predicate : null
  } catch (error) {
    if (isWaybillError(error) && error.code === 'EVIDENCE_INVALID') return null
    throw error
  }
}
