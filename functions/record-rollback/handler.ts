import { getJson } from '../../layers/core/artifacts.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { keyOf } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import { rollbackReport } from '../roll-back-target/handler.ts'

type Deps = ProjectDeps & Pick<Ports, 'projects' | 'artifacts'>

/** Records what the worker removed. The project is ROLLED_BACK. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const pointer = await deps.artifacts.find(keyOf(project_id, 'rollback_report', run_id))
    if (pointer === null)
      throw new WaybillError(
        'NOT_FOUND',
        `There is no rollback report of run ${run_id}; what lies in the target is not known. Start the run again.`,
      )
    const report = await getJson(deps.artifacts, pointer, rollbackReport)
    const rows = report.tables.reduce((total, table) => total + BigInt(table.rows), 0n)
    await advance(deps, project_id, {
      to: 'ROLLED_BACK',
      actor: 'waybill/record-rollback',
      action: 'TARGET_ROLLED_BACK',
      subject_sha256: pointer.sha256,
      artifacts: { rollback_report: pointer },
      details: { tables: String(report.tables.length), rows: rows.toString(), outcome_sha256: report.outcome_sha256 },
    })
    return { project_id, run_id }
  }
}
