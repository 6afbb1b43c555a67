import type { Replay } from './evidence/lifecycle-replay.ts'
import type { Verdict } from './schemas/common.ts'
import type { AuditEntry } from './schemas/governance.ts'

/** A reconciliation report: its run, the digest of its bytes, and what it came to. */
export type MergedReport = { run_id: string; sha256: string; verdict: Verdict }

/**
 * Where the audit log does not say the same of a comparison as its report does, in sentences. Threat: the project record names the report of
 * a run, and every function that changes a project can write that record; the log named digest and verdict when the segments were merged.
 * Every such entry of the run must agree, so that a second one appended later makes nothing true.
 */
export function mergedFaults(entries: readonly AuditEntry[], { run_id, sha256, verdict }: MergedReport): string[] {
  const said = mergingOf(entries, run_id)
  if (said.length === 0) return [`the audit log does not record that the comparison of run ${run_id} was merged`]
  return said
    .filter((entry) => entry.subject_sha256 !== sha256 || entry.details.verdict !== verdict)
    .map(({ seq }) => `audit entry ${seq} records another comparison of run ${run_id} than this one, which says ${verdict}`)
}

/**
 * Where a comparison is recorded as merged more than once, in sentences. A change and its entry land in one write, so nobody honest records one again. Threat: whoever may
 * append could repeat an old comparison that agreed, and it would be the newest in place of one that did not.
 */
export function repeatedMergings(entries: readonly AuditEntry[]): string[] {
  const runs = new Set<string>()
  const reports = new Set<string>()
  return entries
    .filter(({ action }) => action === 'RECONCILIATION_MERGED')
    .flatMap(({ seq, details, subject_sha256 }) => {
      const [run, report] = [details.run_id ?? '', subject_sha256 ?? '']
      const again = runs.has(run) || reports.has(report)
      runs.add(run)
      reports.add(report)
      return again ? [`audit entry ${seq} records the comparison of run ${run}, or its report, a second time`] : []
    })
}

/** The entry of the comparison that was merged last; null where none was. Only where `repeatedMergings` names none is it the newest. */
export function newestMerging(entries: readonly AuditEntry[]): AuditEntry | null {
  return entries.findLast(({ action }) => action === 'RECONCILIATION_MERGED') ?? null
}

/** Every entry by which the comparison of a run was merged, in order. */
export function mergingOf(entries: readonly AuditEntry[], runId: string): AuditEntry[] {
  return entries.filter(({ action, details }) => action === 'RECONCILIATION_MERGED' && details.run_id === runId)
}

/** The digests of the checks by which a run was closed, one an entry: null where the entry names none. */
function closedWith(entries: readonly AuditEntry[], runId: string): { seq: number; sha256: string | null }[] {
  return entries
    .filter(({ action, details }) => action === 'RECONCILIATION_CLOSED' && details.run_id === runId)
    .map(({ seq, details }) => ({ seq, sha256: details.checks_report_sha256 ?? null }))
}

/** The digest of the checks of a run, by the log; null where it names none, or not one and the same in every entry that closed the run. */
export function checksRecorded(entries: readonly AuditEntry[], runId: string): string | null {
  const [first, ...more] = closedWith(entries, runId)
  return first === undefined || more.some(({ sha256 }) => sha256 !== first.sha256) ? null : first.sha256
}

/**
 * Where the audit log does not name these checks as those by which their run was closed, in sentences. Threat: a report of checks is signed only
 * where it was proven; whoever exchanges another, in the store or in a pack, would otherwise decide what the newest comparison found.
 */
export function checksFaults(entries: readonly AuditEntry[], { run_id, sha256 }: Pick<MergedReport, 'run_id' | 'sha256'>): string[] {
  const closed = closedWith(entries, run_id)
  if (closed.length === 0) return [`the audit log does not record that run ${run_id} was closed with its checks`]
  return closed
    .filter((entry) => entry.sha256 !== sha256)
    .map((entry) => `audit entry ${entry.seq} closed run ${run_id} with ${entry.sha256 === null ? 'no checks' : 'other checks than these'}`)
}

/** The digest of the execution report by which the plan counts as executed; null where the log names none. */
export function executionRecorded({ passed }: Pick<Replay, 'passed'>): string | null {
  return passed.get('PLANNED->EXECUTED')?.subject_sha256 ?? null
}
