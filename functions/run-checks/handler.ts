import { keyOf, storeJsonOnce } from '../../layers/core/flow/storing.ts'
import { type ChecksReport, checksReport } from '../../layers/core/schemas/recon.ts'
import { passBarrier } from '../work/authorisation.ts'
import { connectorOptions, resolveEnds, using } from '../work/connections.ts'
import { worker } from '../work/working.ts'

/** Runs the plan's checks on both sides, reading only, and stores the checks report of this run. */
export const createHandler = worker('run-checks', async (deps, task, context) => {
  const { plan, planSha256 } = await passBarrier(deps, task.project_id, 'read', task.ids)
  const key = keyOf(task.project_id, 'checks_report', task.run_id)
  if ((await deps.artifacts.find(key)) !== null) return
  const startedAt = deps.clock.now().toISOString()
  const { source, target } = await resolveEnds(deps, plan)
  const options = connectorOptions(plan, plan.execution.statement_timeout_ms, context.signal)
  context.progress({ worker: 'run-checks', checks: String(plan.checks.length) })
  const found = await using(deps.connectors.checker(source, target, options), (checker) => checker.run(plan.tables, plan.checks))
  context.signal.throwIfAborted()
  const report: ChecksReport = {
    schema: 'waybill/checks-report/v1',
    project_id: task.project_id,
    run_id: task.run_id,
    plan_sha256: planSha256,
    started_at: startedAt,
    finished_at: deps.clock.now().toISOString(),
    ...found,
  }
  await storeJsonOnce(deps, key, () => checksReport.parse(report))
})
