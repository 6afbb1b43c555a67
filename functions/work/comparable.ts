import type { LifecycleState } from '../../layers/core/schemas/project.ts'

/** States in which there is something to compare: the plan was executed, and what it wrote is still there. */
export const COMPARABLE: readonly LifecycleState[] = [
  'EXECUTED',
  'RECONCILED',
  'PR_CREATED',
  'PARALLEL_VALIDATED',
  'CUTOVER_READY',
  'CUTOVER_DONE',
  'EVIDENCE_COMPLETE',
]
