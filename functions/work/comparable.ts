import type { LifecycleState, ProjectRecord } from '../../layers/core/schemas/project.ts'

/** States in which there is something to compare: the plan was executed, and what it wrote is still there. */
const COMPARABLE: readonly LifecycleState[] = [
  'EXECUTED',
  'RECONCILED',
  'PR_CREATED',
  'PARALLEL_VALIDATED',
  'CUTOVER_READY',
  'CUTOVER_DONE',
  'EVIDENCE_COMPLETE',
]

/**
 * A cutover that was refused for what the newest comparison found stands FAILED until a newer one finds source and target equal: that one must be
 * possible there.
 */
export function isComparable({ state, failed_from }: Pick<ProjectRecord, 'state' | 'failed_from'>): boolean {
  return COMPARABLE.includes(state) || (state === 'FAILED' && failed_from === 'CUTOVER_READY')
}

/** Why a project in no such state is not compared, and what helps, as one sentence. */
export function whyNotComparable(project: Pick<ProjectRecord, 'project_id' | 'state' | 'artifacts'>): string {
  const { project_id, state, artifacts } = project
  const is = `the project is ${state}`
  if (state === 'FAILED') return `Not compared: ${is} and has to be taken up first: waybill resume ${project_id}.`
  if (state === 'ROLLED_BACK') return `Not compared: ${is}, so the target holds nothing of it.`
  if (artifacts.execution_report === undefined)
    return `Not compared: ${is}, and nothing was copied${state === 'REJECTED' ? ' to the end before that' : ' yet'}.`
  return `Not compared: ${is}, so nobody answers for it any more; what was copied stays in the target, and "waybill report ${project_id}" says where. "waybill compare" holds the two databases against each other without a plan.`
}
