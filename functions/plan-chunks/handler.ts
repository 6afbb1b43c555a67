import { artifactOf } from '../../layers/core/artifacts.ts'
import { grouped } from '../../layers/core/count-words.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { type ItemsResult, readEvent, type TaskEvent, taskEvent } from '../../layers/core/flow/event.ts'
import { planOf } from '../../layers/core/flow/project-artifacts.ts'
import { jsonLines, keyOf, placeOf, type StoringDeps, storeOnce } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import { CHUNKS_PER_TASK, PAIRS_PER_TASK } from '../../layers/core/scale/estimate.ts'
import { mostItems } from '../../layers/core/scale/limits.ts'
import type { Plan } from '../../layers/core/schemas/plan.ts'
import { type Chunk, chunk as chunkSchema } from '../../layers/core/schemas/work.ts'
import { connectorOptions, using } from '../work/connections.ts'
import { plannedEnds } from '../work/planned-ends.ts'

type Deps = StoringDeps & ProjectDeps & Pick<Ports, 'connectors' | 'projects' | 'secrets'>

/**
 * Cuts the tables into chunks. The list belongs to the plan, not to the run: checkpoints in the target are kept by chunk id, so a second
 * list with other ranges under the same ids would lose rows or copy them twice. A resumed run uses the first one.
 */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<ItemsResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await deps.projects.get(project_id)
    const plan = await planOf(deps.artifacts, project)
    const planSha256 = artifactOf(project, 'migration_plan').sha256
    const pointer = await storeOnce(deps, keyOf(project_id, 'chunks', planSha256.slice(0, 32), 'jsonl'), 'application/x-ndjson', async () =>
      jsonLines(withRoom(plan, await cut(deps, plan))),
    )
    await advance(deps, project_id, {
      actor: 'waybill/plan-chunks',
      action: 'CHUNKS_PLANNED',
      subject_sha256: pointer.sha256,
      artifacts: { chunks: pointer },
      details: { plan_sha256: planSha256 },
    })
    return { project_id, run_id, items: { ...pointer, ...placeOf(pointer), parallelism: plan.execution.parallelism } }
  }
}

async function cut(deps: Deps, plan: Plan): Promise<Chunk[]> {
  const options = connectorOptions(deps, plan, plan.execution.statement_timeout_ms)
  const { source } = await plannedEnds(deps, plan, options)
  return using(deps.connectors.source(source.systemType, source.url, options), async (opened) => {
    const chunks: Chunk[] = []
    for (const table of plan.tables) {
      const step = plan.steps.find((each) => each.kind === 'copy_table' && each.table_id === table.table_id)
      if (step === undefined) throw new WaybillError('PLAN_INVALID', `the plan has no step that copies ${table.table_id}`)
      const ranges = await opened.chunks(table, plan.execution.batch_size)
      checkCover(table.table_id, ranges)
      for (const [at, range] of ranges.entries()) {
        chunks.push(chunkSchema.parse({ chunk_id: chunkId(table.table_id, at), step_id: step.step_id, table_id: table.table_id, range }))
      }
    }
    return chunks
  })
}

/** @throws TOO_LARGE when a Map could not give its answer, of the copy or of the comparison behind it: before anything is copied */
function withRoom(plan: Plan, chunks: Chunk[]): Chunk[] {
  const [mostChunks, mostTables] = [mostItems(CHUNKS_PER_TASK), mostItems(PAIRS_PER_TASK)]
  if (plan.tables.length > mostTables)
    throw new WaybillError(
      'TOO_LARGE',
      `the plan has ${grouped(plan.tables.length)} tables, and one run compares at most ${grouped(mostTables)}; nothing was copied. Split the migration into several.`,
    )
  if (chunks.length > mostChunks) {
    const rows = Math.ceil((plan.execution.batch_size * chunks.length) / mostChunks)
    throw new WaybillError(
      'TOO_LARGE',
      `${grouped(chunks.length)} chunks are more than the ${grouped(mostChunks)} that one run copies; nothing was copied. Raise execution_config.batch_size to ${rows} rows or more, or split the migration, and plan again.`,
    )
  }
  return chunks
}

/** A slug of at most 80 characters whatever the table is called. */
function chunkId(tableId: string, at: number): string {
  const name = tableId.length <= 60 ? tableId : `${tableId.slice(0, 40)}-${sha256(tableId).slice(0, 16)}`
  return `${name}-c${String(at + 1).padStart(6, '0')}`
}

/** From 0 to the open end without gap or overlap: a row outside every range would never be copied. */
function checkCover(tableId: string, ranges: readonly Chunk['range'][]): void {
  const gapless = ranges.every((range, at) => range.from === (at === 0 ? '0' : ranges[at - 1]!.to))
  if (ranges.length === 0 || !gapless || ranges.at(-1)!.to !== null) {
    throw new WaybillError('CHUNK_INCOMPLETE', `the chunks of ${tableId} do not cover it from end to end; nothing was copied`)
  }
}
