import type { AuditEntry } from './schemas/governance.ts'
import type { GatedTransition } from './schemas/policy.ts'

/** Entries that make a certificate the project's proof, the newest from there on; each names its digest and its run. */
export const PROVING: readonly string[] = ['OUTCOME_PROVEN', 'PARALLEL_RUN_CLEAN', 'PARALLEL_RUN_PROOF_TAKEN']

/** A certificate whose signature was checked; `sha256` is the digest of its envelope, byte for byte. */
export type Proof = { sha256: string; run_id: string; valid: boolean }

/** What a gate can be about, and the numbers of the entries between which it stood. */
export type Subject = { sha256: string; from: number; until: number }

/**
 * The proofs that approvals of a gate may be about: those that were the newest when people decided. A certificate of the project that another
 * one had replaced opens nothing.
 *
 * @param entries the whole audit chain
 * @param passed the number of the entry by which the gate was passed
 */
export function proofSubjects(
  gate: Extract<GatedTransition, 'PR_CREATED->PARALLEL_VALIDATED' | 'PARALLEL_VALIDATED->CUTOVER_READY'>,
  entries: readonly AuditEntry[],
  proofs: readonly Proof[],
  passed: number,
): Subject[] {
  const recorded = entries.filter(({ seq, action }) => seq < passed && PROVING.includes(action))
  const subjects = recorded.flatMap(({ seq, subject_sha256, details }, index): Subject[] => {
    const proof = proofs.find(({ sha256 }) => sha256 === subject_sha256)
    const holds = proof?.valid === true && proof.run_id === details.run_id
    return holds ? [{ sha256: proof.sha256, from: seq, until: recorded[index + 1]?.seq ?? passed }] : []
  })
  if (gate === 'PARALLEL_VALIDATED->CUTOVER_READY') return subjects.slice(-1)
  // Approved before the parallel runs, each of which made a newer proof; after a failure people are asked about the newest again.
  const opened = entries.findLast(({ seq, details }) => seq < passed && details.to === 'PR_CREATED' && details.from !== 'PR_CREATED')
  return subjects.filter(({ until }) => opened !== undefined && until > opened.seq)
}

/** The log without approvals that it records before their subject stood, after another one took its place, or after the step. */
export function decidedWhile(entries: readonly AuditEntry[], { from, until }: Subject): AuditEntry[] {
  return entries.filter(({ seq, action, details }) => {
    return action !== 'DECISION_TAKEN' || details.decision !== 'APPROVED' || (from < seq && seq < until)
  })
}
