import { canMove, canResume, gateOf } from '../lifecycle.ts'
import type { AuditEntry } from '../schemas/governance.ts'
import type { GatedTransition } from '../schemas/policy.ts'
import { type LifecycleState, lifecycleState } from '../schemas/project.ts'

export type Replay = {
  /** Where the project stood after the last entry. */
  state: LifecycleState
  /** Gated transitions that were made, in order; every one needs its approvals. */
  gates: GatedTransition[]
  /** The entry by which each of them was made last. */
  passed: Map<GatedTransition, AuditEntry>
  reached: Set<LifecycleState>
  /** The entry that changed the state last; null before the first. Nothing vouches for it until an anchor lies over it. */
  lastChange: AuditEntry | null
  faults: string[]
}

/**
 * Follows the state changes that an audit chain records, and names every one that the lifecycle does not have. Of several entries for one
 * revision of the project the first counts, save where `CHANGE_NOT_MADE` takes it back (see `takenBack`). Threat: whoever may append could
 * take the revisions to come with changes that change nothing, and every real move would be the second of its revision. So a move that is
 * passed over for such a change is a fault, until a later revision leads to the same state, or unless its writer said at once that it was not made.
 *
 * @param anchored sequence numbers of all entries that a signed anchor names
 */
export function replayLifecycle(entries: readonly AuditEntry[], anchored: readonly number[]): Replay {
  const undone = takenBack(entries, anchored)
  const lost = givenUp(entries, anchored)
  const replay: Replay = { state: 'CREATED', gates: [], passed: new Map(), reached: new Set(['CREATED']), lastChange: null, faults: [] }
  let failedFrom: LifecycleState | null = null
  /** Whether the change that took a revision moved the project. */
  const made = new Map<number, boolean>()
  let passedOver: AuditEntry[] = []
  for (const entry of entries) {
    const to = lifecycleState.safeParse(entry.details.to)
    if (!to.success || undone.has(entry.seq)) continue
    const revision = revisionOf(entry)
    if (revision === null) replay.faults.push(`audit entry ${entry.seq} changes the project and does not say which revision of it`)
    else if (made.has(revision)) {
      const moves = entry.details.from === replay.state && to.data !== replay.state
      if (moves && made.get(revision) === false && !lost.has(entry.seq)) passedOver.push(entry)
      continue
    } else made.set(revision, to.data !== replay.state || replay.lastChange === null)
    const from = lifecycleState.safeParse(entry.details.from)
    if (from.success && from.data !== replay.state) {
      replay.faults.push(`audit entry ${entry.seq} says that the project was ${from.data}, it was ${replay.state}`)
    }
    if (to.data === replay.state && replay.lastChange !== null) continue
    replay.lastChange = entry
    if (to.data === replay.state) continue
    const origin: LifecycleState = replay.state === 'FAILED' && failedFrom !== null ? failedFrom : replay.state
    const allowed: boolean =
      replay.state === 'FAILED' ? failedFrom !== null && canResume(failedFrom, to.data) : canMove(replay.state, to.data)
    if (!allowed)
      replay.faults.push(`audit entry ${entry.seq} moves the project from ${replay.state} to ${to.data}, which the lifecycle does not have`)
    const gate = gateOf(origin, to.data)
    if (gate !== null) {
      replay.gates.push(gate)
      replay.passed.set(gate, entry)
    }
    if (to.data === 'FAILED') failedFrom = origin
    passedOver = passedOver.filter(({ details }) => details.to !== to.data)
    replay.state = to.data
    replay.reached.add(to.data)
  }
  for (const { seq, details } of passedOver)
    replay.faults.push(
      `audit entry ${seq} moves the project under revision ${details.revision}, which a change that moved nothing had taken`,
    )
  return replay
}

/** The fault of a last state change that no anchor lies over, or none: nothing vouches for it, and it could have been appended by anybody. */
export function unanchoredFaults({ lastChange }: Replay, anchored: readonly number[]): string[] {
  if (lastChange === null || anchored.some((sequence) => sequence >= lastChange.seq)) return []
  return [`the change to ${lastChange.details.to} (entry ${lastChange.seq}) was not anchored`]
}

/**
 * Entries that were followed by no change. Threat: an entry needs no key, so whoever may append could take back every move of a project.
 * A writer that loses a race is entered before the winner, and the winner says so before the anchor of its own change. So `CHANGE_NOT_MADE`
 * counts only while no anchor lies over the entry it names, and only where a later entry took the same revision.
 */
function takenBack(entries: readonly AuditEntry[], anchored: readonly number[]): Set<number> {
  const undone = new Set<number>()
  for (const [at, { action, details }] of entries.entries()) {
    if (action !== 'CHANGE_NOT_MADE') continue
    const named = /^\d{1,9}$/.test(details.entry ?? '') ? Number(details.entry) : at
    const loser = entries[named]
    if (named >= at || loser === undefined || revisionOf(loser) === null || loser.details.revision !== details.revision) continue
    if (anchored.some((sequence) => named <= sequence && sequence < at)) continue
    const winner = entries
      .slice(named + 1, at)
      .find((entry) => entry.details.to !== undefined && entry.details.revision === details.revision && !undone.has(entry.seq))
    if (winner !== undefined) undone.add(named)
  }
  return undone
}

/** Entries whose own writer said that they were not made, before any anchor lay over them. */
function givenUp(entries: readonly AuditEntry[], anchored: readonly number[]): Set<number> {
  const named = entries
    .filter(({ action }) => action === 'CHANGE_NOT_MADE')
    .map(({ seq, details }) => ({ seq, entry: /^\d{1,9}$/.test(details.entry ?? '') ? Number(details.entry) : seq }))
  return new Set(named.filter(({ seq, entry }) => !anchored.some((at) => entry <= at && at < seq)).map(({ entry }) => entry))
}

/** The revision of the project that an entry's change made; null for an entry without a change. */
function revisionOf({ details }: AuditEntry): number | null {
  return details.to !== undefined && /^[1-9]\d{0,8}$/.test(details.revision ?? '') ? Number(details.revision) : null
}
