import { grouped } from './count-words.ts'
import { NIGHT_ACTIONS } from './nights/count.ts'
import { newestMerging } from './recorded-reports.ts'
import { moment } from './report/markup.ts'
import type { AuditEntry } from './schemas/governance.ts'
import type { Outcome } from './schemas/outcome.ts'
import type { CheckResult, ReconReport } from './schemas/recon.ts'

/** What the newest comparison found, where it is another than the one that was proven. `at`: when it had ended. */
export type NewestComparison = { run_id: string; at: string; found: 'equal' | 'differs' | 'undecided'; says: string }

/** The entry of the newest comparison, by the audit log; null where that is the one that the outcome is about, or where nothing was compared. */
export function comparedSince(entries: readonly AuditEntry[], outcome: Outcome): AuditEntry | null {
  const newest = newestMerging(entries)
  return newest === null || newest.subject_sha256 === outcome.inputs.recon_report_sha256 ? null : newest
}

type Compared = {
  report: ReconReport
  /** Of that run; null where they were not completed, or not yet. */
  checks: readonly CheckResult[] | null
  /** Of the run that was proven; null where nothing was. */
  proven: readonly CheckResult[] | null
  entries: readonly AuditEntry[]
}

/**
 * Rows decide first, then checks that did hold when the proof was made, then what the night is recorded as. A check that was not run did not
 * hold: rows that agree without their checks decide nothing.
 */
export function newestComparison({ report, checks, proven, entries }: Compared): NewestComparison {
  const about = { run_id: report.run_id, at: report.finished_at }
  if (report.verdict === 'fail') return { ...about, found: 'differs', says: differences(report) }
  if (report.verdict !== 'pass')
    return { ...about, found: 'undecided', says: `could not be decided: ${report.reasons[0] ?? 'not said why.'}` }
  if (checks === null) return { ...about, found: 'undecided', says: notChecked(report, entries) }
  const lost = proven === null ? [] : lostChecks(checks, proven)
  const failed = lost.find(({ verdict }) => verdict === 'fail')
  if (failed !== undefined)
    return { ...about, found: 'differs', says: `found every row in both, but a check no longer holds: ${failed.explanation}` }
  const night = entries.findLast(({ action, details }) => details.run_id === report.run_id && OF_NIGHTS.has(action))
  const why = night?.details.reason ?? ''
  if (night?.action === NIGHT_ACTIONS.mismatch) return { ...about, found: 'differs', says: `was no clean night: ${why}` }
  if (night?.action === NIGHT_ACTIONS.undecided || lost[0] !== undefined)
    return { ...about, found: 'undecided', says: `could not be decided: ${lost[0]?.explanation ?? why}` }
  return { ...about, found: 'equal', says: 'found source and target equal, row by row.' }
}

/** Checks that do not hold now, each as it is now, and did not already fail when the proof was made; and those that held then and were not run. */
function lostChecks(checks: readonly CheckResult[], proven: readonly CheckResult[]): CheckResult[] {
  const before = new Map(proven.map(({ check_id, verdict }) => [check_id, verdict]))
  const now = new Set(checks.map(({ check_id }) => check_id))
  const missing = proven.filter(({ check_id, verdict }) => verdict === 'pass' && !now.has(check_id)).map(notRun)
  return [...checks, ...missing]
    .filter(({ severity }) => severity === 'CRITICAL' || severity === 'ERROR')
    .filter(({ verdict }) => verdict === 'fail' || verdict === 'inconclusive')
    .filter(({ check_id }) => before.get(check_id) !== 'fail' && before.get(check_id) !== 'inconclusive')
}

const notRun = (held: CheckResult): CheckResult => ({
  ...held,
  verdict: 'inconclusive',
  explanation: `The check ${held.check_id} held when the proof was made, and was not run.`,
})

function notChecked({ run_id }: ReconReport, entries: readonly AuditEntry[]): string {
  const failed = entries.findLast(({ action, details }) => action === 'RECONCILIATION_FAILED' && details.run_id === run_id)
  const found = 'found every row in both, and its checks were not completed'
  return failed === undefined ? `${found}, or are not yet.` : `${found}: ${failed.details.reason ?? 'not said why.'}`
}

const OF_NIGHTS: ReadonlySet<string> = new Set([NIGHT_ACTIONS.mismatch, NIGHT_ACTIONS.undecided])

function differences({ tables, reasons }: ReconReport): string {
  const sum = (kind: 'missing' | 'extra' | 'changed') => grouped(tables.reduce((all, table) => all + BigInt(table[kind]), 0n).toString())
  const failed = tables.filter(({ verdict }) => verdict === 'fail')
  const rows = tables.some(({ missing, extra, changed }) => [missing, extra, changed].some((count) => count !== '0'))
  const where = `${failed.length} of ${tables.length} ${tables.length === 1 ? 'table' : 'tables'}`
  return rows
    ? `found that they differ: ${sum('missing')} rows missing, ${sum('extra')} extra, ${sum('changed')} changed, in ${where}.`
    : `found that they differ in ${where}: ${reasons[0] ?? 'not said why.'}`
}

/** When a proof was made. */
export const madeAt = ({ proof_certificate }: Outcome): string => moment(proof_certificate.proof_timestamp)

/** What was found since, in a sentence; and that a proof, where there is one, which no longer holds did hold when it was made. */
export function newestInWords({ run_id, at, found, says }: NewestComparison, outcome: Outcome | null): string {
  const sentence = `The newest comparison (${run_id}, ${moment(Date.parse(at))}) ${says}`
  if (found === 'equal' || outcome?.proof_certificate.proof_status !== 'VALID') return sentence
  return `${sentence} The proof of ${madeAt(outcome)} was valid for its moment; ${found === 'differs' ? 'it no longer says what is so' : 'whether it still holds is not known'}.`
}
