import { canonicalBytes } from '../canonical-json.ts'
import { sha256 } from '../digest.ts'
import { merkleOf } from '../evidence/derived-files.ts'
import { comparedSince, newestComparison } from '../newest-comparison.ts'
import { recomputeTable } from '../outcome/table-recomputation.ts'
import { checksRecorded, executionRecorded, mergedFaults, newestMerging, repeatedMergings } from '../recorded-reports.ts'
import type { ReconReport } from '../schemas/recon.ts'
import { identityInWords, sameSystem } from '../system-identity.ts'
import { unplannedTolerances } from '../tolerance/claim.ts'
import { cleanNightFaults } from './clean-nights.ts'
import type { Contents } from './contents.ts'
import { Faults, type OpenedPack } from './pack-reader.ts'

/** Roots, counts and verdicts of every reconciliation, worked out again from the segment digests. */
export function reconciliationFaults(pack: OpenedPack, contents: Contents, projectId: string): Faults {
  const faults = new Faults()
  const planSha256 = contents.plan === null ? null : sha256(contents.plan.bytes)
  if (contents.replay.reached.has('RECONCILED') && contents.recons.length === 0)
    faults.add('recon', 'no reconciliation report, although the project was reconciled')
  const runs = new Set<string>()
  for (const { path, bytes, report } of contents.recons) {
    if (path !== `recon/recon_report.${report.run_id}.json`) faults.add(path, `is the report of run ${report.run_id}`)
    if (runs.has(report.run_id)) faults.add(path, `a second report of run ${report.run_id}`)
    runs.add(report.run_id)
    if (report.plan_sha256 !== planSha256) faults.add(path, 'is about another plan')
    for (const side of ['source', 'target'] as const) {
      if (contents.plan !== null && !sameSystem(report.identities[side], contents.plan.value[side].identity))
        faults.add(path, `compares another ${side} than the plan's: ${identityInWords(report.identities[side])}`)
    }
    faults.all(path, mergedFaults(contents.entries, { run_id: report.run_id, sha256: sha256(bytes), verdict: report.verdict }))
    faults.all(path, verdictFaults(report, contents))
  }
  for (const { path, report } of [...contents.checks, ...(contents.execution ? [contents.execution] : [])]) {
    if (report.plan_sha256 !== planSha256) faults.add(path, 'is about another plan')
  }
  const checked = new Set<string>()
  for (const { path, bytes, report } of contents.checks) {
    const recorded = checksRecorded(contents.entries, report.run_id)
    if (recorded !== null && recorded !== sha256(bytes))
      faults.add(path, 'holds other checks than those by which the audit log closed the run')
    if (path !== `recon/checks_report.${report.run_id}.json`) faults.add(path, `is the checks report of run ${report.run_id}`)
    if (checked.has(report.run_id)) faults.add(path, `a second checks report of run ${report.run_id}`)
    checked.add(report.run_id)
  }
  for (const run of runs)
    if (!checked.has(run) && checksRecorded(contents.entries, run) !== null)
      faults.add('recon', `the checks by which the audit log closed run ${run} are not here`)
  if (contents.execution !== null && sha256(contents.execution.bytes) !== executionRecorded(contents.replay))
    faults.add(contents.execution.path, 'is not the execution that the audit log records')
  faults.all('audit/entries.jsonl', [...repeatedMergings(contents.entries), ...cutoverFaults(contents), ...cleanNightFaults(contents)])
  const stated = pack.files.get('merkle.json')
  const expected = canonicalBytes(merkleOf({ projectId, runs: contents.recons }))
  if (stated === undefined) faults.add('merkle.json', 'is missing')
  else if (!Buffer.from(expected).equals(stated)) faults.add('merkle.json', 'does not follow from the reconciliation reports')
  return faults
}

/** Nobody leaves the old system while the newest comparison does not agree: its rows, and the checks that held when the proof was made. */
function cutoverFaults({ plan, entries, replay, recons, checks, outcome }: Contents): string[] {
  const cutover = replay.passed.get('CUTOVER_READY->CUTOVER_DONE')
  if (cutover === undefined) return []
  const before = entries.slice(0, cutover.seq)
  const newest = newestMerging(before)
  if (newest === null) return []
  const { run_id, verdict } = newest.details
  const made = `the cutover was made although the newest comparison before it (run ${run_id})`
  if (verdict !== 'pass') return [`${made} came to ${verdict}`]
  if (outcome === null || comparedSince(before, outcome.value) === null) return []
  const report = recons.find(({ report }) => report.run_id === run_id)?.report
  if (report === undefined) return [`${made} is not in the pack`]
  if (plan === null) return [`${made} cannot be judged: the plan is not in the pack`]
  const checksOf = (run: string) => checks.find(({ report }) => report.run_id === run)?.report ?? null
  const { found, says } = newestComparison({
    plan: plan.value,
    report,
    checks: checksOf(report.run_id),
    proven: checksOf(outcome.value.run_id),
    entries: before,
  })
  return found === 'equal' ? [] : [`${made} ${says}`]
}

/** Where a report says more than its own figures allow. Saying less, such as `inconclusive`, is never a fault. */
function verdictFaults(report: ReconReport, { plan }: Contents): string[] {
  const faults: string[] = []
  for (const table of report.tables) {
    const recomputed = recomputeTable(table)
    faults.push(...recomputed.faults.map((fault) => `${table.table_id}: ${fault}`))
    const proven = recomputed.integrity === 'PASS' && recomputed.completeness === 'PASS'
    if (table.verdict === 'pass' && !proven)
      faults.push(`${table.table_id}: the verdict is pass, its figures give ${recomputed.integrity} and ${recomputed.completeness}`)
    if (plan !== null) {
      const planned = plan.value.recon.tables.find((candidate) => candidate.table_id === table.table_id)?.tolerances ?? []
      const mapping = plan.value.tables.find((candidate) => candidate.table_id === table.table_id)
      faults.push(...unplannedTolerances(table, planned, mapping).map((fault) => `${table.table_id}: ${fault}`))
    }
    if (plan !== null && table.hashing_spec_sha256 !== plan.value.rulebooks.hashing_spec_sha256)
      faults.push(`${table.table_id}: was digested under another hashing spec`)
  }
  if (report.verdict !== 'pass') return faults
  if (report.items_completed !== report.items_expected)
    faults.push(`the verdict is pass with ${report.items_completed} of ${report.items_expected} pieces completed`)
  for (const table of report.tables)
    if (table.verdict !== 'pass') faults.push(`the verdict is pass although ${table.table_id} is ${table.verdict}`)
  for (const mapping of plan?.value.tables ?? []) {
    if (!report.tables.some((table) => table.table_id === mapping.table_id))
      faults.push(`the verdict is pass although ${mapping.table_id} was not compared`)
  }
  return faults
}
