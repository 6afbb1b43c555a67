import { mergedFaults, mergingOf } from '../recorded-reports.ts'
import type { AuditEntry } from '../schemas/governance.ts'
import type { NightRecord } from '../schemas/night.ts'
import type { ReconReport } from '../schemas/recon.ts'
import { cleanNights, parallelRunApprovedAt, type RecordedNight, recordedNights } from './count.ts'

/** What nights leave behind besides the log. Whoever may append to the log can write none of it. */
export type NightEvidence = {
  /** Kept records, by the digest of their bytes. */
  records: ReadonlyMap<string, NightRecord>
  /** Comparisons, by their run. */
  reports: ReadonlyMap<string, { sha256: string; report: ReconReport }>
  /** Runs with an authentic certificate that says VALID, each with the digest of the plan it names. */
  proven: ReadonlyMap<string, string>
}

/** Clocks of two machines of Waybill may differ by this much. */
const CLOCK_DIFFERENCE_MS = 10_000
const HOUR_MS = 3_600_000
/** A night is called by the day on which its window ends, in a time zone between -12:00 and +14:00; it may begin on the day before. */
const EARLIEST_MS = -(24 + 14) * HOUR_MS
const LATEST_MS = (24 + 12) * HOUR_MS

/**
 * The nights of a parallel run, in the log's order: those recorded since people approved it, under one plan. Threat: an entry takes no key, so a
 * clean night counts only with its kept record, which the entry names by digest; with a comparison that was merged after the approval and
 * before the entry, passed, and is the record's; and with a valid certificate of that very run. One run is one night, begun after the
 * approval, in the night it is called by and not in the future. Any other result stays as it is said: it takes nights away and adds none.
 *
 * @param until the present, or when the parallel run was called complete
 */
export function shownNights(entries: readonly AuditEntry[], evidence: NightEvidence, planSha256: string, until: Date): RecordedNight[] {
  const since = parallelRunApprovedAt(entries)
  const approval = entries.find(({ seq }) => seq === since)
  if (approval === undefined) return []
  const bySeq = new Map(entries.map((entry) => [entry.seq, entry]))
  const nightOfRun = new Map<string, string>()
  return recordedNights(entries).filter((recorded) => {
    if (recorded.seq <= since || recorded.plan_sha256 !== planSha256) return false
    if (recorded.result !== 'clean') return true
    const shown = isShown(recorded, bySeq.get(recorded.seq)!, approval, entries, evidence, until)
    if (!shown || (nightOfRun.get(recorded.run_id) ?? recorded.night) !== recorded.night) return false
    nightOfRun.set(recorded.run_id, recorded.night)
    return true
  })
}

/** How many clean nights stood when the parallel run was called complete: those of the entries before the first one that says so. */
export function nightsOfParallelRun(entries: readonly AuditEntry[], evidence: NightEvidence, planSha256: string): number {
  const opened = entries.findIndex(({ details }) => details.to === 'PARALLEL_VALIDATED')
  const complete = entries[opened]
  if (complete === undefined) return 0
  return cleanNights(shownNights(entries.slice(0, opened), evidence, planSha256, new Date(complete.at))).nights.size
}

function isShown(
  { night, run_id, plan_sha256 }: RecordedNight,
  entry: AuditEntry,
  approval: AuditEntry,
  entries: readonly AuditEntry[],
  { records, reports, proven }: NightEvidence,
  until: Date,
): boolean {
  const record = records.get(entry.subject_sha256 ?? '')
  const compared = reports.get(run_id)
  if (record === undefined || compared === undefined || proven.get(run_id) !== plan_sha256) return false
  const own = record.night === night && record.run_id === run_id && record.plan_sha256 === plan_sha256 && record.result === 'clean'
  if (!own || record.project_id !== entry.project_id || record.compared?.recon_report_sha256 !== compared.sha256) return false
  const { report, sha256 } = compared
  const passed = report.verdict === 'pass' && report.plan_sha256 === plan_sha256 && report.project_id === entry.project_id
  if (!passed || mergedFaults(entries, { run_id, sha256, verdict: report.verdict }).length > 0) return false
  const merged = mergingOf(entries, run_id)[0]
  if (merged === undefined || merged.seq <= approval.seq || merged.seq >= entry.seq) return false
  const day = Date.parse(`${night}T00:00:00Z`)
  const opened = Date.parse(record.opened_at)
  const inItsNight = opened >= day + EARLIEST_MS && opened <= day + LATEST_MS
  return inItsNight && inOrder([approval.at, record.opened_at, merged.at, record.recorded_at, until.toISOString()])
}

/** Each not before the one before it, as far as clocks agree. */
function inOrder(instants: readonly string[]): boolean {
  const times = instants.map((each) => Date.parse(each))
  return times.every((time, at) => at === 0 || time >= times[at - 1]! - CLOCK_DIFFERENCE_MS)
}
