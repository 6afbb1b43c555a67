import { storeJsonOnce } from '../../layers/core/flow/storing.ts'
import { passBarrier } from '../work/authorisation.ts'
import { connectorOptions, using } from '../work/connections.ts'
import { whileAsPlanned } from '../work/planned-declarations.ts'
import { plannedEnds } from '../work/planned-ends.ts'
import { worker, workKey } from '../work/working.ts'

/** Creates the schemas and tables of the plan. Safe to run again: what this plan made already is left as it is. */
export const createHandler = worker('prepare-target', async (deps, task, context) => {
  const { plan, planSha256 } = await passBarrier(deps, task.project_id, 'write', task.ids)
  const options = connectorOptions(deps, plan, plan.execution.statement_timeout_ms, context.signal)
  const { source, target } = await plannedEnds(deps, plan, options)
  await whileAsPlanned(deps, plan, plan.tables, source, options, () =>
    using(deps.connectors.target(target.systemType, target.url, source, options), (opened) => opened.prepare(planSha256, plan.tables)),
  )
  await storeJsonOnce(deps, workKey(task.project_id, task.run_id, 'prepare-target', 'plan'), () => ({
    plan_sha256: planSha256,
    prepared_at: deps.clock.now().toISOString(),
  }))
})
