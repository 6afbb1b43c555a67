import { digestOf } from './canonical-json.ts'
import { counted, grouped } from './count-words.ts'
import { NIGHT_ACTIONS } from './nights/count.ts'
import { type JudgedCheck, judgedCheck, judgedChecks } from './outcome/check-findings.ts'
import { checksFaults, newestMerging } from './recorded-reports.ts'
import { moment } from './report/markup.ts'
import type { AuditEntry } from './schemas/governance.ts'
import type { Outcome } from './schemas/outcome.ts'
import type { Plan } from './schemas/plan.ts'
import type { CheckResult, ChecksReport, ReconReport } from './schemas/recon.ts'

/** What the newest comparison found, where it is another than the one that was proven. `at`: when it had ended. */
export type NewestComparison = { run_id: string; at: string; found: 'equal' | 'differs' | 'undecided'; says: string }

/** The newest comparison with its report, which is null where log and store disagree about it. */
export type Since = { newest: NewestComparison; report: ReconReport | null }

/** The entry of the newest comparison, by the audit log; null where that is the one that the outcome is about, or where nothing was compared. */
export function comparedSince(entries: readonly AuditEntry[], outcome: Outcome): AuditEntry | null {
  const newest = newestMerging(entries)
  return newest === null || newest.subject_sha256 === outcome.inputs.recon_report_sha256 ? null : newest
}

type Compared = {
  /** The plan that was signed; what it accepts is accepted of every comparison under it. */
  plan: Plan
  report: ReconReport
  /** Of that run, to be those that the log names; null where they were not completed, or not yet. */
  checks: ChecksReport | null
  /** Of the run that was proven; null where nothing was. */
  proven: ChecksReport | null
  entries: readonly AuditEntry[]
}

/**
 * Rows decide first, then checks that did hold when the proof was made, then what the night is recorded as. A check holds where the proof says so: one
 * judgement is asked for both. A check that was not run did not hold: rows that agree without their checks decide nothing.
 */
export function newestComparison({ plan, report, checks, proven, entries }: Compared): NewestComparison {
  const about = { run_id: report.run_id, at: report.finished_at }
  const undecided = (why: string): NewestComparison => ({ ...about, found: 'undecided', says: `could not be decided: ${why}` })
  if (report.verdict === 'fail') return { ...about, found: 'differs', says: differences(report) }
  if (report.verdict !== 'pass') return undecided(report.reasons[0] ?? 'not said why.')
  if (report.plan_sha256 !== digestOf(plan)) return undecided('It is about another plan than the one that was proven.')
  if (checks === null) return { ...about, found: 'undecided', says: notChecked(report, entries) }
  const [unnamed] = checksFaults(entries, { run_id: report.run_id, sha256: digestOf(checks) })
  if (unnamed !== undefined) return undecided(`${unnamed}.`)
  const lost = proven === null ? [] : lostChecks(plan, checks, proven)
  const failed = lost.find(({ standing }) => standing === 'fails')?.result
  if (failed !== undefined)
    return { ...about, found: 'differs', says: `found every row in both, but a check no longer holds: ${failed.explanation}` }
  const night = entries.findLast(({ action, details }) => details.run_id === report.run_id && OF_NIGHTS.has(action))
  const why = night?.details.reason ?? ''
  if (night?.action === NIGHT_ACTIONS.mismatch) return { ...about, found: 'differs', says: `was no clean night: ${why}` }
  if (night?.action === NIGHT_ACTIONS.undecided || lost[0] !== undefined) return undecided(lost[0]?.result.explanation ?? why)
  return { ...about, found: 'equal', says: 'found source and target equal, row by row.' }
}

/** Checks that do not hold now, each as it is now, and did not already fail when the proof was made; and those that held then and were not run. */
function lostChecks(plan: Plan, { checks }: ChecksReport, proven: ChecksReport): JudgedCheck[] {
  const before = new Map(proven.checks.map((check) => [check.check_id, judgedCheck(plan, check).standing]))
  const ran = new Set(checks.map(({ check_id }) => check_id))
  const missing = proven.checks.filter(({ check_id, verdict }) => verdict === 'pass' && !ran.has(check_id)).map(notRun)
  return judgedChecks(plan, { checks: [...checks, ...missing] }).filter(
    ({ result, standing }) => standing !== 'holds' && (before.get(result.check_id) ?? 'holds') === 'holds',
  )
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
  const where = `${grouped(failed.length)} of ${counted(tables.length, 'table')}`
  return rows
    ? `found that they differ: ${sum('missing')} rows missing, ${sum('extra')} extra, ${sum('changed')} changed, in ${where}.`
    : `found that they differ in ${where}: ${reasons[0] ?? 'not said why.'}`
}

/** What was found since, as a headline. */
export const SINCE_THEN: Readonly<Record<NewestComparison['found'], string>> = {
  equal: 'Since then: source and target are equal',
  differs: 'Since then: source and target differ',
  undecided: 'Since then: not decided',
}

/** When a proof was made. */
export const madeAt = ({ proof_certificate }: Outcome): string => moment(proof_certificate.proof_timestamp)

/** What was found since, in a sentence; and that a proof, where there is one, which no longer holds did hold when it was made. */
export function newestInWords({ run_id, at, found, says }: NewestComparison, outcome: Outcome | null): string {
  const sentence = `The newest comparison (${run_id}, ${moment(Date.parse(at))}) ${says}`
  if (found === 'equal' || outcome?.proof_certificate.proof_status !== 'VALID') return sentence
  return `${sentence} The proof of ${madeAt(outcome)} was valid for its moment; ${found === 'differs' ? 'it no longer says what is so' : 'whether it still holds is not known'}.`
}
