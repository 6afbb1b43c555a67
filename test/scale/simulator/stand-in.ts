import { chunkWork } from '../../../functions/copy-chunk/chunk-work.ts'
import { ENDS } from '../../../functions/hash-segments/segment-work.ts'
import { readLines, workKey } from '../../../functions/work/working.ts'
import { artifactOf } from '../../../layers/core/artifacts.ts'
import type { Connectors } from '../../../layers/core/connector.ts'
import { artifactBytes, planOf } from '../../../layers/core/flow/project-artifacts.ts'
import { storeJsonOnce, storeOnce } from '../../../layers/core/flow/storing.ts'
import type { Ports } from '../../../layers/core/ports.ts'
import type { Plan } from '../../../layers/core/schemas/plan.ts'
import type { TableMapping, TableRecon } from '../../../layers/core/schemas/proposal.ts'
import { type Chunk, chunk as chunkSchema, type WorkerTask } from '../../../layers/core/schemas/work.ts'

const NEVER = new AbortController().signal
const OPTIONS = { connectTimeoutMs: 0, statementTimeoutMs: 0, signal: NEVER }
const END = { systemType: 'POSTGRESQL', url: 'postgresql://source' }

type Known = {
  plan: Plan
  planSha256: string
  mappings: Map<string, TableMapping>
  recons: Map<string, TableRecon>
  chunks: Map<string, Chunk>
}

/**
 * Leaves what a task of one of the two Maps leaves behind, without reading for itself what each of them reads. A plan of ten thousand tables is read
 * by every worker; reading it five hundred times here would take an hour and count the same.
 */
export function standIn(ports: Ports, connectors: Connectors): (task: WorkerTask) => Promise<void> {
  let known: Promise<Known> | undefined
  const read = async (projectId: string): Promise<Known> => {
    const project = await ports.projects.get(projectId)
    const plan = await planOf(ports.artifacts, project)
    const chunks = readLines(await artifactBytes(ports.artifacts, project, 'chunks'), chunkSchema)
    return {
      plan,
      planSha256: artifactOf(project, 'migration_plan').sha256,
      mappings: new Map(plan.tables.map((each) => [each.table_id, each])),
      recons: new Map(plan.recon.tables.map((each) => [each.table_id, each])),
      chunks: new Map(chunks.map((each) => [each.chunk_id, each])),
    }
  }
  return async (task) => {
    known ??= read(task.project_id)
    const facts = await known
    await (task.worker === 'copy-chunk' ? copied(task, facts) : compared(task, facts))
  }

  async function copied(task: WorkerTask, { planSha256, mappings, chunks }: Known): Promise<void> {
    const target = await connectors.target('POSTGRESQL', 'postgresql://target', END, OPTIONS)
    for (const id of task.ids) {
      const chunk = chunks.get(id)!
      const table = mappings.get(chunk.table_id)!
      const result = await target.copy(planSha256, table, chunk, () => {})
      const saturation = { cpu_ratio: null, memory_ratio: null, network_ratio: null, disk_io_ratio: null, reason: 'not measured' }
      await storeJsonOnce(ports, workKey(task.project_id, task.run_id, 'copy-chunk', id), () =>
        chunkWork.parse({ schema: 'waybill/chunk-work/v1', plan_sha256: planSha256, result, saturation }),
      )
    }
  }

  async function compared(task: WorkerTask, { plan, planSha256, mappings, recons }: Known): Promise<void> {
    const reconciler = await connectors.reconciler(END, { ...END, url: 'postgresql://target' }, OPTIONS)
    const work = task.ids.map((id) => ({
      mapping: mappings.get(id)!,
      recon: recons.get(id)!,
    }))
    const results = await reconciler.reconcile(work, {
      hashingSpecSha256: plan.rulebooks.hashing_spec_sha256,
      connections: 1,
      statementTimeoutMs: 0,
      mask: (value) => value,
      onMismatch: () => {},
      onProgress: () => {},
      signal: NEVER,
    })
    for (const result of results) {
      const key = (extension?: string) => workKey(task.project_id, task.run_id, 'hash-segments', result.table_id, extension)
      await storeOnce(ports, key('jsonl'), 'application/x-ndjson', () => new Uint8Array())
      const { source, target } = plan
      const under = {
        source: source.identity,
        target: target.identity,
        plan_sha256: planSha256,
        run_id: task.run_id,
        table_id: result.table_id,
      }
      await storeJsonOnce(ports, key(ENDS), () => under)
      await storeJsonOnce(ports, key(), () => result)
    }
  }
}
