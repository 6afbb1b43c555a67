import type { Target } from '../../layers/core/connector.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { findJson, storeJsonOnce } from '../../layers/core/flow/storing.ts'
import { type Chunk, chunk as chunkSchema } from '../../layers/core/schemas/work.ts'
import { passBarrier } from '../work/authorisation.ts'
import { connectorOptions, using } from '../work/connections.ts'
import { whileAsPlanned } from '../work/planned-declarations.ts'
import { plannedEnds } from '../work/planned-ends.ts'
import { measureSaturation } from '../work/saturation.ts'
import { itemsOf, type WorkContext, worker, workKey } from '../work/working.ts'
import { type ChunkWork, chunkWork } from './chunk-work.ts'

/** Copies the chunks it is given, one after another; each commits with its checkpoint or not at all. */
export const createHandler = worker('copy-chunk', async (deps, task, context) => {
  const measured = measureSaturation()
  const chunks = await itemsOf(deps, task, 'chunks', chunkSchema, (item) => item.chunk_id)
  const tableIds = [...new Set(chunks.map((item) => item.table_id))]
  const { plan, planSha256 } = await passBarrier(deps, task.project_id, 'write', tableIds)
  const key = (item: Chunk) => workKey(task.project_id, task.run_id, 'copy-chunk', item.chunk_id)
  const left: Chunk[] = []
  for (const item of chunks) if ((await findJson(deps.artifacts, key(item), chunkWork)) === null) left.push(item)
  if (left.length === 0) return

  const options = connectorOptions(deps, plan, plan.execution.statement_timeout_ms, context.signal)
  const { source, target } = await plannedEnds(deps, plan, options)
  const tables = plan.tables.filter((table) => left.some((item) => item.table_id === table.table_id))
  await whileAsPlanned(deps, plan, tables, source, options, (stillAsPlanned) =>
    using(deps.connectors.target(target.systemType, target.url, source, options), async (opened) => {
      for (const item of left) {
        context.signal.throwIfAborted()
        const table = tables.find((each) => each.table_id === item.table_id)
        if (table === undefined) throw new WaybillError('PLAN_NOT_AUTHORISED', `the table of chunk ${item.chunk_id} is not in the plan`)
        const result = await copied(opened, planSha256, table, item, context)
        await stillAsPlanned()
        const document: ChunkWork = { schema: 'waybill/chunk-work/v1', plan_sha256: planSha256, result, saturation: measured() }
        await storeJsonOnce(deps, key(item), () => document)
      }
    }),
  )
})

async function copied(target: Target, planSha256: string, table: Parameters<Target['copy']>[1], item: Chunk, context: WorkContext) {
  const about = { worker: 'copy-chunk', table_id: item.table_id, chunk_id: item.chunk_id }
  const result = await target.copy(planSha256, table, item, (rows) => context.progress({ ...about, rows: rows.toString() }))
  if (result.chunk_id !== item.chunk_id || result.table_id !== item.table_id) {
    throw new WaybillError('CHUNK_INCOMPLETE', `the connector answered for ${result.chunk_id} when ${item.chunk_id} was asked`)
  }
  context.progress({ ...about, rows: result.rows, done: 'true' })
  return result
}
