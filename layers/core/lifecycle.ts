import { WaybillError } from './errors.ts'
import type { Role } from './schemas/common.ts'
import { type GatedTransition, gatedTransition, type Policy } from './schemas/policy.ts'
import type { LifecycleState, ProjectRecord } from './schemas/project.ts'

/**
 * Every move a project may make; what is not here is illegal.
 * PLANNED goes back to PLAN_DRAFTED when its plan is stale: another one is made, and everybody is asked anew.
 * REJECTED, ROLLED_BACK and EVIDENCE_COMPLETE are ends: evidence may still be added there, but the state keeps saying what happened.
 * A rollback is possible from the moment the target may hold rows of ours until cutover; afterwards others write there.
 */
const MOVES: Readonly<Record<LifecycleState, readonly LifecycleState[]>> = {
  CREATED: ['DISCOVERED', 'FAILED'],
  DISCOVERED: ['PLAN_DRAFTED', 'REJECTED', 'FAILED'],
  PLAN_DRAFTED: ['PLANNED', 'REJECTED', 'FAILED'],
  PLANNED: ['PLAN_DRAFTED', 'EXECUTED', 'REJECTED', 'ROLLED_BACK', 'FAILED'],
  EXECUTED: ['RECONCILED', 'ROLLED_BACK', 'FAILED'],
  RECONCILED: ['PR_CREATED', 'ROLLED_BACK', 'FAILED'],
  PR_CREATED: ['PARALLEL_VALIDATED', 'REJECTED', 'ROLLED_BACK', 'FAILED'],
  PARALLEL_VALIDATED: ['CUTOVER_READY', 'REJECTED', 'ROLLED_BACK', 'FAILED'],
  CUTOVER_READY: ['CUTOVER_DONE', 'REJECTED', 'ROLLED_BACK', 'FAILED'],
  CUTOVER_DONE: ['EVIDENCE_COMPLETE', 'FAILED'],
  EVIDENCE_COMPLETE: [],
  REJECTED: [],
  ROLLED_BACK: [],
  FAILED: [],
}

/** True when the table has the move. FAILED has none of its own: use `canResume`. */
export function canMove(from: LifecycleState, to: LifecycleState): boolean {
  return MOVES[from].includes(to)
}

/** The states before a plan is signed. */
const UNPLANNED: readonly LifecycleState[] = ['CREATED', 'DISCOVERED', 'PLAN_DRAFTED']

/** A failed project goes back to where it failed, or straight to a state reachable from there; without a signed plan also to its beginning. */
export function canResume(failedFrom: LifecycleState, to: LifecycleState): boolean {
  if (to === 'CREATED') return UNPLANNED.includes(failedFrom)
  return failedFrom !== 'FAILED' && (to === failedFrom || (to !== 'FAILED' && canMove(failedFrom, to)))
}

/** Whether a corrected spec may take the place of a project's: it failed, and no plan of it was ever signed. */
export function takesCorrectedSpec({
  state,
  failed_from,
  plan_version,
}: Pick<ProjectRecord, 'state' | 'failed_from' | 'plan_version'>): boolean {
  return state === 'FAILED' && failed_from !== null && plan_version === 0 && canResume(failed_from, 'CREATED')
}

/** @throws ILLEGAL_TRANSITION */
export function move(from: LifecycleState, to: LifecycleState): void {
  if (canMove(from, to)) return
  const possible = MOVES[from].length === 0 ? 'nowhere' : `to ${MOVES[from].join(', ')}`
  throw new WaybillError('ILLEGAL_TRANSITION', `a project cannot go from ${from} to ${to}; from ${from} it goes ${possible}`)
}

/** The gated transition between two states, or null when no people are needed. */
export function gateOf(from: LifecycleState, to: LifecycleState): GatedTransition | null {
  const gate = gatedTransition.safeParse(`${from}->${to}`)
  return gate.success ? gate.data : null
}

/** The gated transition that comes next in a state, or null. */
export function nextGate(state: LifecycleState): GatedTransition | null {
  return gatedTransition.options.find((transition) => transition.startsWith(`${state}->`)) ?? null
}

/** Roles that must approve a transition under a policy; empty where no people are needed. */
export function approvalsFor(policy: Policy, from: LifecycleState, to: LifecycleState): readonly Role[] {
  const gate = gateOf(from, to)
  return gate === null ? [] : policy.approvals[gate]
}
