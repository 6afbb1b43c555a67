import type { Plan } from './schemas/plan.ts'
import type { LifecycleState, ProjectRecord } from './schemas/project.ts'
import { quoteQualified } from './sql-text.ts'

/** States from which a failed project may have tables in the target; before them nothing was prepared there. */
const WRITTEN: readonly LifecycleState[] = ['PLANNED', 'EXECUTED', 'RECONCILED', 'PR_CREATED', 'PARALLEL_VALIDATED', 'CUTOVER_READY']

/** `says`: sentences for a person. `sql`: the statement that removes the tables, for whoever owns the target; null where nobody knows which of them Waybill made. */
export type Left = { says: string; sql: string | null }

type Standing = Pick<ProjectRecord, 'project_id' | 'state' | 'failed_from' | 'failure' | 'artifacts'>

/** Whether a project that was rejected, or stands still failed, may have left something in the target. */
export function leavesTables({ state, failed_from, failure, artifacts }: Omit<Standing, 'project_id'>): boolean {
  if (artifacts.chunks === undefined || failure?.code === 'TARGET_NOT_EMPTY') return false
  return state === 'REJECTED' || (state === 'FAILED' && failed_from !== null && WRITTEN.includes(failed_from))
}

/**
 * What such a project left there and how it is removed: nothing is removed because somebody said no, or because a run stopped. Null where nothing is left.
 * Threat: a table of a planned name may be somebody else's, and be the very reason why the copy stopped; a statement that drops it is given only behind a
 * copy that ended, which made every table itself.
 */
export function leftInTarget(project: Standing, plan: Plan): Left | null {
  if (!leavesTables(project)) return null
  const names = plan.tables.map(({ target }) => `${target.schema}.${target.name}`)
  const tables = `${names.length === 1 ? 'the table' : `${names.length} tables:`} ${names.slice(0, 10).join(', ')}${names.length > 10 ? `, and ${names.length - 10} more` : ''}`
  const resumed = project.state === 'FAILED' ? `"waybill resume ${project.project_id}" goes on with it. ` : 'Nothing removes it by itself. '
  if (project.artifacts.execution_report === undefined)
    return {
      says: `The copy did not end: the target may hold some of its tables, with some of the rows, out of ${tables}. ${resumed}The table waybill.object in the target lists which of them Waybill made; any other is somebody else’s.`,
      sql: null,
    }
  return {
    says: `What was copied stays in the target, in ${tables}. ${resumed}To remove it, the owner of the target drops the tables, with everything anybody put into them.`,
    // Without CASCADE: what others built on these tables stops it.
    sql: `DROP TABLE IF EXISTS ${plan.tables.map(({ target }) => quoteQualified(target)).join(', ')};`,
  }
}
