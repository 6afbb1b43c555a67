import { canMove, canResume, gateOf } from '../lifecycle.ts'
import { recordDigest } from '../record-digest.ts'
import type { AuditEntry } from '../schemas/governance.ts'
import type { GatedTransition } from '../schemas/policy.ts'
import { type LifecycleState, lifecycleState, type ProjectRecord } from '../schemas/project.ts'

export type Replay = {
  /** Where the project stood after the last entry. */
  state: LifecycleState
  /** Of its record then; 0 where no entry opened a project. */
  revision: number
  /** Gated transitions that were made, in order; every one needs its approvals. */
  gates: GatedTransition[]
  /** The entry by which each of them was made last. */
  passed: Map<GatedTransition, AuditEntry>
  reached: Set<LifecycleState>
  /** The entry that changed the state last; null before the first. Nothing vouches for it until an anchor lies over it. */
  lastChange: AuditEntry | null
  /** The entry that tells of the newest revision; null before the first. */
  told: AuditEntry | null
  faults: string[]
}

/**
 * Follows the state changes that an audit chain records, and names every one that the lifecycle does not have. An entry lands in one write with
 * the revision of the record that it tells of, so an honest log has every revision once, in order. Threat: appending takes no key. An entry for any
 * other revision than the next is a fault and changes nothing: it stops the project, and neither moves it nor takes anything back.
 */
export function replayLifecycle(entries: readonly AuditEntry[]): Replay {
  const replay: Replay = {
    state: 'CREATED',
    revision: 0,
    gates: [],
    passed: new Map(),
    reached: new Set(['CREATED']),
    lastChange: null,
    told: null,
    faults: [],
  }
  let failedFrom: LifecycleState | null = null
  for (const entry of entries) {
    const to = lifecycleState.safeParse(entry.details.to)
    if (!to.success) continue
    if (entry.details.revision !== String(replay.revision + 1)) {
      replay.faults.push(
        `audit entry ${entry.seq} changes the project under ${revisionOf(entry)}, and the next one was ${replay.revision + 1}: it was not written with the project`,
      )
      continue
    }
    replay.revision += 1
    replay.told = entry
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
    // What an approved plan wrote would be forgotten with it.
    const forgets = to.data === 'CREATED' && replay.reached.has('PLANNED')
    if (!allowed || forgets)
      replay.faults.push(`audit entry ${entry.seq} moves the project from ${replay.state} to ${to.data}, which the lifecycle does not have`)
    const gate = gateOf(origin, to.data)
    if (gate !== null) {
      replay.gates.push(gate)
      replay.passed.set(gate, entry)
    }
    if (to.data === 'FAILED') failedFrom = origin
    replay.state = to.data
    replay.reached.add(to.data)
  }
  return replay
}

/** The fault of a last state change that no anchor lies over, or none: nothing vouches for it, and it could have been appended by anybody. */
export function unanchoredFaults({ lastChange }: Replay, anchored: readonly number[]): string[] {
  if (lastChange === null || anchored.some((sequence) => sequence >= lastChange.seq)) return []
  return [`the change to ${lastChange.details.to} (entry ${lastChange.seq}) was not anchored`]
}

/**
 * Where a project's record says something else than its log, in sentences; they are written together. Threat: whoever edits the row and neither its state nor its revision chooses
 * what the project's functions read next: its plan, its proof, its author.
 * @param stored null where there is no record
 */
export function disagreement(stored: ProjectRecord | null, replay: Replay): string[] {
  const revision = stored?.revision ?? 0
  if (revision !== replay.revision)
    return [`the project is stored in revision ${revision}, the chain leaves it in revision ${replay.revision}`]
  if (stored === null) return []
  if (stored.state !== replay.state) return [`the project is stored as ${stored.state}, the chain leaves it in ${replay.state}`]
  return replay.told?.details.change_sha256 === recordDigest(stored)
    ? []
    : [`what is stored as revision ${revision} of the project is not what audit entry ${replay.told?.seq} tells of it`]
}

/** For a sentence: what stands there may be anything. */
function revisionOf({ details }: AuditEntry): string {
  return /^\d{1,9}$/.test(details.revision ?? '') ? `revision ${details.revision}` : 'no revision'
}
