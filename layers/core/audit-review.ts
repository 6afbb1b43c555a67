import { followsRule } from './action-rules.ts'
import { anchorFaults, chainFaults } from './audit-chain.ts'
import { isWaybillError } from './errors.ts'
import { disagreement, replayLifecycle, unanchoredFaults } from './evidence/lifecycle-replay.ts'
import type { TrustRoot } from './ports.ts'
import { type AuditAnchor, type AuditEntry, auditAnchor } from './schemas/governance.ts'
import type { LifecycleState, ProjectRecord } from './schemas/project.ts'
import { openPredicate } from './statement.ts'

export type AuditReview = {
  faults: string[]
  anchors: AuditAnchor[]
  /** Where the chain leaves the project. */
  state: LifecycleState
  /** Entries behind the newest anchor: cutting exactly these off would not be noticed. */
  unanchored: number
}

/**
 * A project's audit log judged as a whole: the chain, every anchor under the trusted keys, the moves it records, the reasoning of each
 * entry. Sentences in the order in which a reader should hear them.
 * @param anchors DSSE envelopes, each with a name for sentences
 * @param reasonings SHA-256 of every reasoning an agent wrote; null when they cannot be looked up
 * @param stored what the project's record says, read together with the entries; null when there is none to compare
 */
export function reviewAudit(input: {
  projectId: string
  entries: readonly AuditEntry[]
  anchors: readonly { name: string; bytes: Uint8Array }[]
  trust: TrustRoot
  reasonings: ReadonlySet<string> | null
  stored: ProjectRecord | null
}): AuditReview {
  const faults = chainFaults(input.entries)
  if (input.entries.some(({ project_id }) => project_id !== input.projectId))
    faults.push(`the chain is not that of project ${input.projectId}`)
  const anchors = input.anchors.flatMap(({ name, bytes }) => {
    try {
      const { predicate, statement } = openPredicate(bytes, input.trust, 'anchor', auditAnchor)
      if (statement.subject.some(({ digest }) => digest.sha256 !== predicate.head_sha256))
        faults.push(`the anchor ${name} is about another entry than it names`)
      return [predicate]
    } catch (error) {
      if (!isWaybillError(error)) throw error
      faults.push(`the anchor ${name} does not hold: ${error.message}`)
      return []
    }
  })
  faults.push(...anchorFaults(input.entries, anchors))
  const anchored = anchors.map(({ sequence }) => sequence)
  const newest = Math.max(-1, ...anchored)
  const replay = replayLifecycle(input.entries)
  faults.push(...replay.faults, ...unanchoredFaults(replay, anchored))
  if (input.stored !== null) faults.push(...disagreement(input.stored, replay))
  for (const entry of input.entries) {
    const why = reasoningFault(entry, input.reasonings)
    if (why !== null) faults.push(`entry ${entry.seq} (${entry.action}) ${why}`)
  }
  return { faults, anchors, state: replay.state, unanchored: Math.max(0, input.entries.length - 1 - newest) }
}

/** A reasoning is either the rule's, which recomputes, or one that was written and kept. */
function reasoningFault(entry: AuditEntry, written: ReadonlySet<string> | null): string | null {
  if (entry.reasoning_sha256 === null) return 'gives no reasoning'
  if (followsRule(entry)) return null
  if (written === null || written.has(entry.reasoning_sha256)) return null
  return 'names a reasoning that is nowhere'
}
