import { z } from 'zod'
import { artifactOf, getJson } from '../../layers/core/artifacts.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { keyOf, storeJsonOnce } from '../../layers/core/flow/storing.ts'
import { count, instant, sha256Hex, slug } from '../../layers/core/schemas/common.ts'
import { outcome as outcomeSchema } from '../../layers/core/schemas/outcome.ts'
import { openPredicate } from '../../layers/core/statement.ts'
import { type Authorised, passBarrier } from '../work/authorisation.ts'
import { connectorOptions, using } from '../work/connections.ts'
import { plannedEnds } from '../work/planned-ends.ts'
import { type WorkerDeps, worker } from '../work/working.ts'

/** The project's artifact `rollback_report`. */
export const rollbackReport = z.strictObject({
  schema: z.literal('waybill/rollback-report/v1'),
  project_id: slug,
  run_id: slug,
  plan_sha256: sha256Hex,
  outcome_sha256: sha256Hex,
  started_at: instant,
  finished_at: instant,
  /** Rows that went with each table of the target, copied or not. The source is never touched. */
  tables: z.array(z.strictObject({ table_id: slug, rows: count })),
})
export type RollbackReport = z.infer<typeof rollbackReport>

/**
 * Drops the tables this plan made, with everything in them, unless they hold more rows than were copied. Besides the barrier it asks for a signed outcome about this very plan that says ROLLBACK, with
 * automatic rollback allowed by the plan: starting this worker by hand undoes nothing that was proven.
 */
export const createHandler = worker('roll-back-target', async (deps, task, context) => {
  const authorised = await passBarrier(deps, task.project_id, 'undo', task.ids)
  const { plan, planSha256 } = authorised
  const outcomeSha256 = await orderedBy(deps, authorised)
  const startedAt = deps.clock.now().toISOString()
  const options = connectorOptions(deps, plan, plan.execution.statement_timeout_ms, context.signal)
  const { source, target } = await plannedEnds(deps, plan, options)
  await storeJsonOnce(deps, keyOf(task.project_id, 'rollback_report', task.run_id), async () => {
    const tables = await using(deps.connectors.target(target.systemType, target.url, source, options), (opened) =>
      opened.rollBack(planSha256, plan.tables),
    )
    return rollbackReport.parse({
      schema: 'waybill/rollback-report/v1',
      project_id: task.project_id,
      run_id: task.run_id,
      plan_sha256: planSha256,
      outcome_sha256: outcomeSha256,
      started_at: startedAt,
      finished_at: deps.clock.now().toISOString(),
      tables,
    } satisfies RollbackReport)
  })
})

/** @returns the digest of the outcome that orders the rollback @throws PLAN_NOT_AUTHORISED */
async function orderedBy(deps: WorkerDeps, { project, planSha256 }: Authorised): Promise<string> {
  const refuse = (reason: string, cause?: unknown) =>
    new WaybillError('PLAN_NOT_AUTHORISED', `nothing was removed, because ${reason}`, { cause })
  try {
    const pointer = artifactOf(project, 'outcome')
    const certificate = await deps.artifacts.get(artifactOf(project, 'proof_certificate'))
    const { statement } = openPredicate(certificate, deps.trust, 'outcome', z.record(z.string(), z.unknown()))
    const outcome = await getJson(deps.artifacts, pointer, outcomeSchema)
    if (!statement.subject.some((subject) => subject.digest.sha256 === pointer.sha256))
      throw refuse('the outcome is not the one that was signed')
    if (outcome.project_id !== project.project_id || outcome.inputs.plan_sha256 !== planSha256)
      throw refuse('the outcome is about another plan')
    const { rollback_decision, auto_rollback_enabled } = outcome.rollback_verdict
    if (rollback_decision !== 'ROLLBACK' || !auto_rollback_enabled) throw refuse('the outcome does not order an automatic rollback')
    return pointer.sha256
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'PLAN_NOT_AUTHORISED') throw error
    throw refuse('there is no signed outcome that orders it', error)
  }
}
