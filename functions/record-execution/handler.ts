import { artifactOf, getJson } from '../../layers/core/artifacts.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { atOnce } from '../../layers/core/flow/at-once.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { artifactBytes, planOf } from '../../layers/core/flow/project-artifacts.ts'
import { findJson, keyOf, listed, type StoringDeps, storeJsonOnce } from '../../layers/core/flow/storing.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import type { Plan } from '../../layers/core/schemas/plan.ts'
import { chunk as chunkSchema, type ExecutionReport, executionReport, type Saturation } from '../../layers/core/schemas/work.ts'
import { type ChunkWork, chunkWork } from '../copy-chunk/chunk-work.ts'
import { type VouchedDeps, vouchedRecord } from '../work/vouched-record.ts'
import { failuresPrefix, readLines, type WorkFailure, workFailure, workKey } from '../work/working.ts'

const ACTOR = 'waybill/record-execution'

type Deps = StoringDeps & ProjectDeps & VouchedDeps

/** Every planned chunk completed exactly once, or CHUNK_INCOMPLETE. The project is EXECUTED. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await vouchedRecord(deps, project_id, ACTOR)
    const plan = await planOf(deps.artifacts, project)
    const planSha256 = artifactOf(project, 'migration_plan').sha256
    const expected = readLines(await artifactBytes(deps.artifacts, project, 'chunks'), chunkSchema)
    const found = await atOnce(expected, (item) =>
      findJson(deps.artifacts, workKey(project_id, run_id, 'copy-chunk', item.chunk_id), chunkWork),
    )
    const work: ChunkWork[] = []
    const lost: string[] = []
    for (const [at, item] of expected.entries()) {
      const done = found[at] ?? null
      const same =
        done !== null && done.plan_sha256 === planSha256 && done.result.chunk_id === item.chunk_id && done.result.table_id === item.table_id
      if (same) work.push(done)
      else lost.push(item.chunk_id)
    }
    if (lost.length > 0 || new Set(expected.map((item) => item.chunk_id)).size !== expected.length) {
      throw new WaybillError(
        'CHUNK_INCOMPLETE',
        `${lost.length} of ${expected.length} chunks were not completed: ${lost.slice(0, 5).join(', ')}. Start the run again; what is done is not copied twice.`,
      )
    }
    const failures = await failuresOf(deps, project_id, run_id)
    const report = reportOf(project_id, plan, planSha256, work, failures)
    const pointer = await storeJsonOnce(deps, keyOf(project_id, 'execution_report', run_id), () => executionReport.parse(report))
    await advance(deps, project_id, {
      to: 'EXECUTED',
      actor: ACTOR,
      action: 'PLAN_EXECUTED',
      subject_sha256: pointer.sha256,
      artifacts: { execution_report: pointer },
      details: { plan_sha256: planSha256, chunks: String(work.length), rows: sum(work.map((each) => each.result.rows)) },
    })
    return { project_id, run_id }
  }
}

async function failuresOf(deps: Deps, projectId: string, runId: string): Promise<WorkFailure[]> {
  const found = await listed(deps.artifacts, failuresPrefix(projectId, runId))
  return Promise.all(found.map(({ pointer }) => getJson(deps.artifacts, pointer, workFailure)))
}

function reportOf(
  projectId: string,
  plan: Plan,
  planSha256: string,
  work: readonly ChunkWork[],
  failures: readonly WorkFailure[],
): ExecutionReport {
  const results = work.map((each) => each.result)
  const byTable = Map.groupBy(results, (result) => result.table_id)
  const byStart = results.map((result) => result.started_at).sort()
  const byEnd = results.map((result) => result.finished_at).sort()
  return {
    schema: 'waybill/execution-report/v1',
    project_id: projectId,
    plan_sha256: planSha256,
    started_at: byStart[0]!,
    finished_at: byEnd.at(-1)!,
    tables: plan.tables.map((table) => {
      const own = byTable.get(table.table_id) ?? []
      const chunks = String(own.length)
      return {
        table_id: table.table_id,
        rows: sum(own.map((r) => r.rows)),
        bytes: sum(own.map((r) => r.bytes)),
        chunks_expected: chunks,
        chunks_completed: chunks,
      }
    }),
    chunks: results,
    // Attempts that could say that they failed; one that was killed outright left no trace to count.
    retries: String(failures.filter((failure) => failure.worker === 'copy-chunk').length),
    connection_failures: String(failures.filter((failure) => failure.error === 'CONNECTION_FAILED').length),
    saturation: highest(work.map((each) => each.saturation)),
  }
}

/** The highest measurement of any worker: the tightest spot is what limits. */
function highest(all: readonly Saturation[]): Saturation {
  const top = (pick: (one: Saturation) => number | null) => {
    const measured = all.map(pick).filter((value) => value !== null)
    return measured.length === 0 ? null : Math.max(...measured)
  }
  return {
    cpu_ratio: top((one) => one.cpu_ratio),
    memory_ratio: top((one) => one.memory_ratio),
    network_ratio: top((one) => one.network_ratio),
    disk_io_ratio: top((one) => one.disk_io_ratio),
    reason: all.find((one) => one.reason !== null)?.reason ?? null,
  }
}

function sum(counts: readonly string[]): string {
  return counts.reduce((total, count) => total + BigInt(count), 0n).toString()
}
