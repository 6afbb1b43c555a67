import { canMove, canResume, gateOf } from '../lifecycle.ts'
import type { AuditEntry } from '../schemas/governance.ts'
import type { GatedTransition } from '../schemas/policy.ts'
import { type LifecycleState, lifecycleState } from '../schemas/project.ts'

export type Replay = {
  /** Where the project stood after the last entry. */
  state: LifecycleState
  /** Gated transitions that were made, in order; every one needs its approvals. */
  gates: GatedTransition[]
  /** When each of them was made last. */
  passedAt: Map<GatedTransition, string>
  reached: Set<LifecycleState>
  faults: string[]
}

/** Follows the state changes that an audit chain records, and names every one that the lifecycle does not have. */
export function replayLifecycle(entries: readonly AuditEntry[]): Replay {
  const undone = new Set(entries.filter((entry) => entry.action === 'CHANGE_NOT_MADE').map((entry) => entry.details.entry))
  const replay: Replay = { state: 'CREATED', gates: [], passedAt: new Map(), reached: new Set(['CREATED']), faults: [] }
  let failedFrom: LifecycleState | null = null
  for (const entry of entries) {
    const to = lifecycleState.safeParse(entry.details.to)
    if (!to.success || undone.has(String(entry.seq))) continue
    const from = lifecycleState.safeParse(entry.details.from)
    if (from.success && from.data !== replay.state) {
      replay.faults.push(`audit entry ${entry.seq} says that the project was ${from.data}, it was ${replay.state}`)
    }
    if (to.data === replay.state) continue
    const origin: LifecycleState = replay.state === 'FAILED' && failedFrom !== null ? failedFrom : replay.state
    const allowed: boolean =
      replay.state === 'FAILED' ? failedFrom !== null && canResume(failedFrom, to.data) : canMove(replay.state, to.data)
    if (!allowed)
      replay.faults.push(`audit entry ${entry.seq} moves the project from ${replay.state} to ${to.data}, which the lifecycle does not have`)
    const gate = gateOf(origin, to.data)
    if (gate !== null) {
      replay.gates.push(gate)
      replay.passedAt.set(gate, entry.at)
    }
    if (to.data === 'FAILED') failedFrom = origin
    replay.state = to.data
    replay.reached.add(to.data)
  }
  return replay
}
