import { getJson } from '../../layers/core/artifacts.ts'
import { digestOf } from '../../layers/core/canonical-json.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import { findJson, keyOf, listed } from '../../layers/core/flow/storing.ts'
import { comparedSince, type NewestComparison, newestComparison, type Since } from '../../layers/core/newest-comparison.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { newestMerging, repeatedMergings } from '../../layers/core/recorded-reports.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'
import type { Outcome } from '../../layers/core/schemas/outcome.ts'
import { type Plan, plan as planSchema } from '../../layers/core/schemas/plan.ts'
import { type ChecksReport, checksReport, type ReconReport } from '../../layers/core/schemas/recon.ts'
import { mergedReport, type RecordedDeps } from './recorded-reports.ts'

/**
 * What the comparison of a run found: its rows, and the checks that held when `outcome` was proven. Whoever says or decides by the newest
 * comparison asks here, so that no two of them can say different things of it.
 * @param outcome what is proven; null where nothing is, and then no check can be lost
 * @param log the audit log
 * @throws NOT_FOUND where the run was not merged, EVIDENCE_INVALID where store, proof and log disagree
 */
export async function comparisonFound(
  deps: RecordedDeps,
  projectId: string,
  runId: string,
  outcome: Outcome | null,
  log: readonly AuditEntry[],
): Promise<{ report: ReconReport; found: NewestComparison }> {
  const { report } = await mergedReport(deps, projectId, runId, log)
  const [repeated] = repeatedMergings(log)
  if (repeated !== undefined) {
    const says = `could not be told: ${repeated}`
    return { report, found: { run_id: runId, at: report.finished_at, found: 'undecided', says } }
  }
  const plan = await planUnder(deps, projectId, outcome?.inputs.plan_sha256 ?? report.plan_sha256)
  const checks = await findJson(deps.artifacts, keyOf(projectId, 'checks_report', runId), checksReport)
  const proven = outcome === null ? null : await provenChecks(deps, projectId, outcome)
  return { report, found: newestComparison({ plan, report, checks, proven, entries: log }) }
}

/**
 * What was found since a proof was made; null where the newest comparison is the one that was proven. Where log and store disagree it is undecided,
 * and there is no report: nothing is known of it then, and certainly not that the proof still holds.
 */
export async function newestSince(deps: RecordedDeps, projectId: string, outcome: Outcome): Promise<Since | null> {
  const log = await deps.audit.read(projectId)
  const [repeated] = repeatedMergings(log)
  const last = newestMerging(log)
  if (repeated !== undefined && last !== null) return unknown(last, repeated)
  const since = comparedSince(log, outcome)
  const runId = since?.details.run_id
  if (since === null || runId === undefined) return null
  try {
    const { report, found } = await comparisonFound(deps, projectId, runId, outcome, log)
    return { report, newest: found }
  } catch (error) {
    if (!isWaybillError(error) || !UNKNOWN.includes(error.code)) throw error
    return unknown(since, error.message)
  }
}

const UNKNOWN: readonly string[] = ['EVIDENCE_INVALID', 'NOT_FOUND']
const unknown = ({ at, details }: AuditEntry, why: string): Since => ({
  report: null,
  newest: { run_id: details.run_id ?? 'unknown', at, found: 'undecided', says: `could not be told: ${why}` },
})

/** The plan of that digest, from among all that were made: a comparison is judged by the plan that was proven, whichever is the newest. */
async function planUnder(deps: Pick<Ports, 'artifacts'>, projectId: string, digest: string): Promise<Plan> {
  const made = await listed(deps.artifacts, `projects/${projectId}/migration_plan/`)
  const named = made.find(({ pointer }) => pointer.sha256 === digest)
  if (named === undefined)
    throw new WaybillError(
      'EVIDENCE_INVALID',
      'The plan that was proven is not among those stored. Find out who took it away, then start the reconciliation again.',
    )
  return getJson(deps.artifacts, named.pointer, planSchema)
}

/** The checks that a proof is made of, by the digest that it names. @throws EVIDENCE_INVALID where they are not there, or others are */
async function provenChecks(
  deps: Pick<Ports, 'artifacts'>,
  projectId: string,
  { run_id, inputs }: Pick<Outcome, 'run_id' | 'inputs'>,
): Promise<ChecksReport> {
  const found = await findJson(deps.artifacts, keyOf(projectId, 'checks_report', run_id), checksReport)
  if (found === null || digestOf(found) !== inputs.checks_report_sha256)
    throw new WaybillError(
      'EVIDENCE_INVALID',
      `The checks stored of run ${run_id} are not those that its proof was made of. Find out who wrote them, then start the reconciliation again.`,
    )
  return found
}
