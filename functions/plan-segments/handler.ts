import { artifactOf } from '../../layers/core/artifacts.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { type ItemsResult, leasedEvent, readEvent, type TaskEvent } from '../../layers/core/flow/event.ts'
import { planOf } from '../../layers/core/flow/project-artifacts.ts'
import { jsonLines, keyOf, keysIn, placeOf, type StoringDeps, storeOnce } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import type { SegmentItem } from '../../layers/core/schemas/work.ts'
import { isComparable, whyNotComparable } from '../work/comparable.ts'
import { underFence } from '../work/lease.ts'

type Deps = StoringDeps & ProjectDeps & Pick<Ports, 'projects'>

/** What the id of a reconciliation run begins with; a long one is shortened, so that there is room for its number. */
export function reconciliationRun(runId: string): string {
  return runId.length <= 48 ? runId : sha256(runId).slice(0, 32)
}

/** Opens a reconciliation run of its own id, `<run>-r<n>`, and lists every table pair of the plan. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<ItemsResult> => {
    const { project_id, run_id, fence } = readEvent(leasedEvent, input)
    const project = await deps.projects.get(project_id)
    underFence(fence)(project)
    if (!isComparable(project)) throw new WaybillError('ILLEGAL_TRANSITION', whyNotComparable(project))
    const plan = await planOf(deps.artifacts, project)
    const planSha256 = artifactOf(project, 'migration_plan').sha256
    const items: SegmentItem[] = plan.tables.map((table) => ({ item_id: table.table_id, table_id: table.table_id }))
    // An interrupted opening leaves an unused number behind, never a shared one.
    const taken = await keysIn(deps.artifacts, `projects/${project_id}/segments/`)
    const recon = `${reconciliationRun(run_id)}-r${taken.length + 1}`
    const pointer = await storeOnce(deps, keyOf(project_id, 'segments', recon, 'jsonl'), 'application/x-ndjson', () => jsonLines(items))
    await advance(deps, project_id, {
      actor: 'waybill/plan-segments',
      action: 'RECONCILIATION_OPENED',
      subject_sha256: pointer.sha256,
      artifacts: { [`segments.${recon}`]: pointer },
      set: underFence(fence),
      details: { run_id: recon, plan_sha256: planSha256, tables: String(items.length) },
    })
    return { project_id, run_id: recon, items: { ...pointer, ...placeOf(pointer), parallelism: plan.execution.parallelism } }
  }
}
