import { keyOf, storeJsonOnce } from '../../layers/core/flow/storing.ts'
import type { Plan } from '../../layers/core/schemas/plan.ts'
import type { Policy } from '../../layers/core/schemas/policy.ts'
import { type ChecksReport, checksReport, type Distribution } from '../../layers/core/schemas/recon.ts'
import type { WorkerTask } from '../../layers/core/schemas/work.ts'
import { passBarrier } from '../work/authorisation.ts'
import { connectorOptions, using } from '../work/connections.ts'
import { type LeasedDeps, leased } from '../work/lease.ts'
import { whileAsPlanned, whileTargetsAreTables } from '../work/planned-declarations.ts'
import { plannedEnds } from '../work/planned-ends.ts'
import { type WorkContext, worker } from '../work/working.ts'

/** Runs the plan's checks on both sides, reading only, and stores the checks report of this run. */
export const createHandler = worker('run-checks', (deps: LeasedDeps, task, context) => leased(deps, task, context, runChecks))

async function runChecks(deps: LeasedDeps, task: WorkerTask, context: WorkContext): Promise<void> {
  const { plan, planSha256, policy } = await passBarrier(deps, task.project_id, 'read', task.ids)
  const key = keyOf(task.project_id, 'checks_report', task.run_id)
  if ((await deps.artifacts.find(key)) !== null) return
  const startedAt = deps.clock.now().toISOString()
  const options = connectorOptions(deps, plan, plan.execution.statement_timeout_ms, context.signal)
  const { source, target } = await plannedEnds(deps, plan, options)
  context.progress({ worker: 'run-checks', checks: String(plan.checks.length) })
  const check = () => using(deps.connectors.checker(source, target, options), (checker) => checker.run(plan.tables, plan.checks))
  const found = await whileTargetsAreTables(deps, plan.tables, target, options, () =>
    whileAsPlanned(deps, plan, plan.tables, source, options, check),
  )
  context.signal.throwIfAborted()
  const report: ChecksReport = {
    schema: 'waybill/checks-report/v1',
    project_id: task.project_id,
    run_id: task.run_id,
    plan_sha256: planSha256,
    started_at: startedAt,
    finished_at: deps.clock.now().toISOString(),
    ...found,
    distributions: found.distributions.map((distribution) => withoutPersonalData(distribution, plan, policy)),
  }
  await storeJsonOnce(deps, key, () => checksReport.parse(report))
}

/** The smallest and largest value of a column of personal data are somebody's values: left out unless the policy allows them. */
function withoutPersonalData(distribution: Distribution, plan: Plan, policy: Policy): Distribution {
  const column = plan.tables
    .find((table) => table.table_id === distribution.table_id)
    ?.columns.find((each) => each.target === distribution.column)
  if (policy.pii.values_in_evidence || column?.pii !== true) return distribution
  const hidden = 'Smallest and largest values of personal data are not shown.'
  return {
    ...distribution,
    source_min: null,
    source_max: null,
    target_min: null,
    target_max: null,
    reason: distribution.reason === null ? hidden : `${distribution.reason} ${hidden}`,
  }
}
