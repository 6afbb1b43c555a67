import { artifactOf } from '../../layers/core/artifacts.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { atOnce } from '../../layers/core/flow/at-once.ts'
import { leasedEvent, readEvent, type TaskEvent, type TaskResult } from '../../layers/core/flow/event.ts'
import { artifactBytes, planOf } from '../../layers/core/flow/project-artifacts.ts'
import { findJson, keyOf, type StoringDeps, storeJsonOnce, storeOnce } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import type { ArtifactPointer, Verdict } from '../../layers/core/schemas/common.ts'
import { comparedUnder, type EndIdentities } from '../../layers/core/schemas/identity.ts'
import { type ReconReport, reconReport, type TableResult, tableResult } from '../../layers/core/schemas/recon.ts'
import { segmentItem } from '../../layers/core/schemas/work.ts'
import { sameSystem } from '../../layers/core/system-identity.ts'
import { ENDS, MAX_DIFFERENCES } from '../hash-segments/segment-work.ts'
import { underFence } from '../work/lease.ts'
import { type VouchedDeps, vouchedRecord } from '../work/vouched-record.ts'
import { readLines, workKey } from '../work/working.ts'

const ACTOR = 'waybill/merge-segments'

type Deps = StoringDeps & ProjectDeps & VouchedDeps & Partial<Pick<Ports, 'log'>>

/** Joins the results of all pairs. Expected = completed, each once, or SEGMENT_INCOMPLETE. `decision` is the verdict. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id, fence } = readEvent(leasedEvent, input)
    const project = await vouchedRecord(deps, project_id, ACTOR)
    underFence(fence)(project)
    const plan = await planOf(deps.artifacts, project)
    const planSha256 = artifactOf(project, 'migration_plan').sha256
    const items = readLines(await artifactBytes(deps.artifacts, project, `segments.${run_id}`), segmentItem)
    const results: TableResult[] = []
    const lost: string[] = []
    const found = await atOnce(items, (item) =>
      findJson(deps.artifacts, workKey(project_id, run_id, 'hash-segments', item.item_id), tableResult),
    )
    for (const [at, item] of items.entries()) {
      const result = found[at] ?? null
      if (result !== null && result.table_id === item.table_id && result.segments.length === result.segments_expected) results.push(result)
      // An inconclusive pair says itself why its segments are not all there; any other with too few is not a result.
      else if (result !== null && result.table_id === item.table_id && result.verdict === 'inconclusive') results.push(result)
      else lost.push(item.item_id)
    }
    const compared = new Set(results.map((result) => result.table_id))
    const uncompared = plan.tables.filter((table) => !compared.has(table.table_id)).map((table) => table.table_id)
    if (lost.length > 0 || uncompared.length > 0 || compared.size !== results.length) {
      const names = [...new Set([...lost, ...uncompared])]
      throw new WaybillError(
        'SEGMENT_INCOMPLETE',
        `${names.length} of ${items.length} table pairs have no complete result: ${names.slice(0, 5).join(', ')}. Start the reconciliation again.`,
      )
    }
    const identities = { source: plan.source.identity, target: plan.target.identity }
    await checkBindings(deps, project_id, run_id, results, { ...identities, plan_sha256: planSha256 })
    const differences = await differencesOf(deps, project_id, run_id, results)
    const { verdict, reasons } = judge(results)
    const report: ReconReport = {
      schema: 'waybill/recon-report/v1',
      project_id,
      run_id,
      plan_sha256: planSha256,
      identities,
      started_at: results.map((result) => result.started_at).sort()[0]!,
      finished_at: results
        .map((result) => result.finished_at)
        .sort()
        .at(-1)!,
      items_expected: items.length,
      items_completed: results.length,
      tables: results,
      differences,
      verdict,
      reasons,
    }
    // Once more before anything is stored: what lies in the store, others list.
    underFence(fence)(await deps.projects.get(project_id))
    const pointer = await storeJsonOnce(deps, keyOf(project_id, 'recon_report', run_id), () => reconReport.parse(report))
    await advance(deps, project_id, {
      actor: ACTOR,
      action: 'RECONCILIATION_MERGED',
      subject_sha256: pointer.sha256,
      artifacts: {
        recon_report: pointer,
        [`recon_report.${run_id}`]: pointer,
        ...(differences === null ? {} : { [`differences.${run_id}`]: differences }),
      },
      set: underFence(fence),
      details: { run_id, verdict, tables: String(results.length) },
    })
    deps.log?.info('reconciled', { metrics: { Mismatches: results.reduce((sum, each) => sum + mismatchesOf(each), 0) } })
    return { project_id, run_id, decision: verdict }
  }
}

const mismatchesOf = ({ missing, extra, changed }: TableResult) => Number(BigInt(missing) + BigInt(extra) + BigInt(changed))

/** Every pair was compared under this plan, in this run and in the very systems of the plan. @throws EVIDENCE_INVALID */
async function checkBindings(
  deps: Deps,
  projectId: string,
  runId: string,
  results: readonly TableResult[],
  planned: EndIdentities & { plan_sha256: string },
): Promise<void> {
  const refuse = (what: string) => {
    throw new WaybillError('EVIDENCE_INVALID', `${what}. Start the reconciliation again.`)
  }
  const stored = await atOnce(results, ({ table_id }) =>
    findJson(deps.artifacts, workKey(projectId, runId, 'hash-segments', table_id, ENDS), comparedUnder),
  )
  for (const [at, { table_id }] of results.entries()) {
    const met = stored[at] ?? null
    if (met === null || !sameSystem(met.source, planned.source) || !sameSystem(met.target, planned.target))
      return refuse(`${table_id} was not compared in the systems of the plan`)
    if (met.plan_sha256 !== planned.plan_sha256 || met.run_id !== runId || met.table_id !== table_id)
      return refuse(`the result stored for ${table_id} was made under another plan or in another run`)
  }
}

/** One failed pair fails the report; one undecided pair leaves it undecided; only passes make a pass. */
function judge(results: readonly TableResult[]): { verdict: Verdict; reasons: string[] } {
  const not = (verdict: Verdict) => results.filter((result) => result.verdict === verdict)
  const failed = not('fail')
  const open = results.filter((result) => result.verdict !== 'pass' && result.verdict !== 'fail')
  const reasons = [...failed, ...open]
    .slice(0, 50)
    .map((result) => `${result.table_id}: ${result.verdict}. ${result.reasons.join(' ')}`.slice(0, 1000))
  const cut = failed.filter(
    (result) => [result.missing, result.extra, result.changed].reduce((all, n) => all + BigInt(n), 0n) > BigInt(MAX_DIFFERENCES),
  )
  reasons.push(...cut.map((result) => `${result.table_id}: the differences file holds the first ${MAX_DIFFERENCES}; the counts are exact.`))
  return { verdict: failed.length > 0 ? 'fail' : open.length > 0 || results.length === 0 ? 'inconclusive' : 'pass', reasons }
}

async function differencesOf(
  deps: Deps,
  projectId: string,
  runId: string,
  results: readonly TableResult[],
): Promise<ArtifactPointer | null> {
  const parts = await atOnce(results, async ({ table_id }) => {
    const pointer = await deps.artifacts.find(workKey(projectId, runId, 'hash-segments', table_id, 'jsonl'))
    if (pointer === null)
      throw new WaybillError('SEGMENT_INCOMPLETE', `the differences file of ${table_id} is missing. Start the reconciliation again.`)
    return deps.artifacts.get(pointer)
  })
  const bytes = Buffer.concat(parts)
  if (bytes.length === 0) return null
  return storeOnce(deps, keyOf(projectId, 'differences', runId, 'jsonl'), 'application/x-ndjson', () => bytes)
}
