import { canonicalJson } from '../../layers/core/canonical-json.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { findJson, storeJsonOnce, storeOnce } from '../../layers/core/flow/storing.ts'
import { comparedUnder } from '../../layers/core/schemas/identity.ts'
import type { Plan } from '../../layers/core/schemas/plan.ts'
import { tableResult } from '../../layers/core/schemas/recon.ts'
import { segmentItem, type WorkerTask } from '../../layers/core/schemas/work.ts'
import { withheldDifference } from '../../layers/core/withheld-literals.ts'
import { passBarrier } from '../work/authorisation.ts'
import { connectorOptions, using } from '../work/connections.ts'
import { type LeasedDeps, leased } from '../work/lease.ts'
import { whileAsPlanned, whileTargetsAreTables } from '../work/planned-declarations.ts'
import { plannedEnds } from '../work/planned-ends.ts'
import { itemsOf, type WorkContext, worker, workKey } from '../work/working.ts'
import { maskFor } from './masking.ts'
import { connectionsOf, ENDS, MAX_DIFFERENCES } from './segment-work.ts'

/** Compares the table pairs it is given under one snapshot a side, and stores one result and one differences file a pair. */
export const createHandler = worker('hash-segments', (deps: LeasedDeps, task, context) => leased(deps, task, context, compareTables))

async function compareTables(deps: LeasedDeps, task: WorkerTask, context: WorkContext): Promise<void> {
  const items = await itemsOf(deps, task, `segments.${task.run_id}`, segmentItem, (item) => item.item_id)
  const tableIds = items.map((item) => item.table_id)
  const { plan, planSha256, policy } = await passBarrier(deps, task.project_id, 'read', tableIds)
  const key = (itemId: string, extension = 'json') => workKey(task.project_id, task.run_id, 'hash-segments', itemId, extension)
  const missing: typeof items = []
  for (const item of items) if ((await findJson(deps.artifacts, key(item.item_id), tableResult)) === null) missing.push(item)
  if (missing.length === 0) return

  const options = connectorOptions(deps, plan, plan.execution.statement_timeout_ms, context.signal)
  const { source, target, identities } = await plannedEnds(deps, plan, options)
  const lines = new Map<string, string[]>(missing.map((item) => [item.table_id, []]))
  const work = workOf(
    plan,
    missing.map((item) => item.table_id),
  )
  const tables = work.map(({ mapping }) => mapping)
  const compare = async (stillAsPlanned: () => Promise<void>) => {
    const compared = await using(deps.connectors.reconciler(source, target, options), async (reconciler) =>
      reconciler.reconcile(work, {
        hashingSpecSha256: plan.rulebooks.hashing_spec_sha256,
        connections: connectionsOf(plan),
        statementTimeoutMs: plan.execution.statement_timeout_ms,
        mask: await maskFor(deps, policy),
        onMismatch: (tableId, mismatch) => {
          const of = lines.get(tableId)
          if (of !== undefined && of.length < MAX_DIFFERENCES) of.push(canonicalJson({ table_id: tableId, ...mismatch }))
        },
        onProgress: (tableId, rows) => context.progress({ worker: 'hash-segments', table_id: tableId, rows: rows.toString() }),
        signal: context.signal,
      }),
    )
    await stillAsPlanned()
    return compared
  }
  const results = await whileTargetsAreTables(deps, tables, target, options, () =>
    whileAsPlanned(deps, plan, tables, source, options, compare),
  )
  context.signal.throwIfAborted()
  for (const item of missing) {
    const found = results.filter((result) => result.table_id === item.table_id)
    const [result, ...more] = found
    // A pair without a result was not compared, and one with two was compared to nobody knows what.
    if (result === undefined || more.length > 0)
      throw new WaybillError('SEGMENT_INCOMPLETE', `${item.table_id} has ${found.length} results; one was expected`)
    const text = (lines.get(item.table_id) ?? []).map((line) => `${line}\n`).join('')
    // Differences first: a stored result says that everything of its pair is stored.
    await storeOnce(deps, key(item.item_id, 'jsonl'), 'application/x-ndjson', () => Buffer.from(text))
    const under = { ...identities, plan_sha256: planSha256, run_id: task.run_id, table_id: item.table_id }
    await storeJsonOnce(deps, key(item.item_id, ENDS), () => comparedUnder.parse(under))
    const declared = policy.pii.values_in_evidence ? result.schema_differences : result.schema_differences.map(withheldDifference)
    await storeJsonOnce(deps, key(item.item_id), () => tableResult.parse({ ...result, schema_differences: declared }))
    context.progress({ worker: 'hash-segments', table_id: item.table_id, rows: result.source_rows, done: 'true' })
  }
}

function workOf(plan: Plan, tableIds: readonly string[]) {
  return tableIds.map((tableId) => {
    const mapping = plan.tables.find((table) => table.table_id === tableId)
    const recon = plan.recon.tables.find((table) => table.table_id === tableId)
    if (mapping === undefined || recon === undefined)
      throw new WaybillError('PLAN_INVALID', `the plan does not say how to compare ${tableId}`)
    return { mapping, recon }
  })
}
