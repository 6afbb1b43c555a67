import type { LifecycleState, ProjectRecord } from '../../layers/core/schemas/project.ts'
import { isComparable } from './comparable.ts'

/**
 * `write`: everything must hold, now. `read`: comparing what was executed; expiry and a newer policy do not matter, all else does.
 * `undo`: removing what this plan wrote. It may be needed just because the plan has expired or the policy has changed, so it is judged
 * as `read` is: an authentic plan with all its approvals. A plan nobody approved wrote nothing, so there is nothing of it to remove.
 */
export type Purpose = 'write' | 'read' | 'undo'

type Where = Pick<ProjectRecord, 'state' | 'failed_from'>

const UNDOABLE: readonly LifecycleState[] = ['PLANNED', 'EXECUTED', 'RECONCILED', 'PR_CREATED', 'PARALLEL_VALIDATED', 'CUTOVER_READY']

const STANDS_FOR: Readonly<Record<Purpose, (project: Where) => boolean>> = {
  write: ({ state }) => state === 'PLANNED',
  read: isComparable,
  undo: ({ state }) => UNDOABLE.includes(state),
}

const WHY_NOT: Readonly<Record<Purpose, string>> = {
  write: 'a plan is carried out where it is planned, and once',
  read: 'only what was copied, and is still there, is compared',
  undo: 'only what was copied is removed, and nothing once others write to the target',
}

/** Why the project stands where this purpose may not act, in a clause for people; null where it may. */
export function standsWrong(project: Where, purpose: Purpose): string | null {
  return STANDS_FOR[purpose](project) ? null : `the project is in the state ${project.state}, and ${WHY_NOT[purpose]}`
}
