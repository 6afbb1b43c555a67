import { newestSince } from '../../functions/work/newest-comparison.ts'
import { getJson } from '../../layers/core/artifacts.ts'
import { grouped } from '../../layers/core/count-words.ts'
import { WEIGHT_WORDS, weightOf } from '../../layers/core/finding-weight.ts'
import { findJson, keyOf } from '../../layers/core/flow/storing.ts'
import { leftOfTable } from '../../layers/core/left-behind.ts'
import { leftInTarget } from '../../layers/core/left-in-target.ts'
import { takesCorrectedSpec } from '../../layers/core/lifecycle.ts'
import { madeAt, type NewestComparison, newestInWords } from '../../layers/core/newest-comparison.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { blocks } from '../../layers/core/rules/index.ts'
import { type Finding, findings as findingsSchema } from '../../layers/core/schemas/finding.ts'
import { type Outcome, outcome as outcomeSchema } from '../../layers/core/schemas/outcome.ts'
import { type Plan, plan as planSchema } from '../../layers/core/schemas/plan.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { type ChecksReport, checksReport, type Mismatch, type ReconReport, reconReport } from '../../layers/core/schemas/recon.ts'
import { equalInWords, toleranceSentences } from '../../layers/core/tolerance/claim.ts'
import { apart } from '../alike.ts'
import { columns, type Terminal, visible } from '../terminal.ts'
import { printSchemaWarnings, schemaWarnings } from './schema-warnings.ts'

/**
 * `findings`: what keeps the plan from being signed, where that is why the project failed. `newest`: what was found since the proof was made;
 * null where the newest comparison is the one that was proven. `recon` is the newest, `checks` are those of the proof.
 */
export type Measured = {
  plan: Plan | null
  outcome: Outcome | null
  recon: ReconReport | null
  checks: ChecksReport | null
  findings: Finding[]
  newest: NewestComparison | null
}

type Reading = Pick<Ports, 'artifacts' | 'audit'>

export async function measured(ports: Reading, project: ProjectRecord): Promise<Measured> {
  const { migration_plan: plan, recon_report: recon, findings } = project.artifacts
  const { outcome, checks, report, newest } = await provenAndSince(ports, project)
  return {
    plan: plan ? await getJson(ports.artifacts, plan, planSchema) : null,
    outcome,
    recon: report ?? (recon ? await getJson(ports.artifacts, recon, reconReport) : null),
    checks,
    newest,
    findings:
      findings && project.failure?.code === 'FAIL'
        ? (await getJson(ports.artifacts, findings, findingsSchema)).findings.filter(blocks)
        : [],
  }
}

/** The outcome that is proven; null where nothing is. */
export async function provenOutcome({ artifacts }: Pick<Ports, 'artifacts'>, project: ProjectRecord): Promise<Outcome | null> {
  const { outcome } = project.artifacts
  return outcome === undefined ? null : getJson(artifacts, outcome, outcomeSchema)
}

/** What was proven, and what was found since; `report` is that of the newest comparison, where it is another than the one that was proven. */
export async function provenAndSince(
  ports: Reading,
  project: ProjectRecord,
): Promise<Pick<Measured, 'outcome' | 'checks' | 'newest'> & { report: ReconReport | null }> {
  const outcome = await provenOutcome(ports, project)
  if (outcome === null) return { outcome: null, checks: null, report: null, newest: null }
  const checks = await findJson(ports.artifacts, keyOf(project.project_id, 'checks_report', outcome.run_id), checksReport)
  return { outcome, checks, ...((await newestSince(ports, project.project_id, outcome)) ?? { report: null, newest: null }) }
}

/** Whether what was proven still stands: the newest comparison decides. Null where nothing was proven, or where that one was not decided. */
export function proofValid({ outcome, newest }: Measured): boolean | null {
  if (outcome === null || newest?.found === 'undecided') return null
  return newest?.found !== 'differs' && outcome.proof_certificate.proof_formula_evaluation.PROOF_VALID
}

export type ProofStatus = Outcome['proof_certificate']['proof_status']

/** What is to be said of the proof now: the newest comparison decides. */
export function proofStatus({ outcome, newest }: Measured): ProofStatus | null {
  if (outcome === null) return null
  if (newest === null || newest.found === 'equal') return outcome.proof_certificate.proof_status
  return newest.found === 'differs' ? 'INVALID' : 'INCONCLUSIVE'
}

const SHOWN = 20

export function mismatchText(mismatch: Mismatch): string {
  const parts = [
    ...mismatch.key,
    ...mismatch.columns.map((cell) => ({ column: cell.column, value: mismatch.kind === 'missing' ? cell.source : cell.target })),
  ]
  const changed =
    mismatch.kind === 'changed'
      ? mismatch.columns.map((cell) => `${cell.column}: ${apart(cell.source, cell.target, String).join(' → ')}`)
      : null
  const row = changed
    ? [...mismatch.key.map((part) => `${part.column}=${part.value}`), ...changed]
    : parts.map((part) => `${part.column}=${part.value ?? 'NULL'}`)
  return `${mismatch.kind.padEnd(7)} ${row.map(visible).join('  ')}  (${mismatch.source_count} in the source, ${mismatch.target_count} in the target)`
}

/** What a reconciliation found: each pair of tables, the first rows that differ, and what differs in the schemas. */
export function printRecon(terminal: Terminal, recon: ReconReport): void {
  const rows = recon.tables.map((table) => [
    visible(`${table.source_object} → ${table.target_object}`),
    grouped(table.source_rows),
    grouped(table.target_rows),
    `${table.segments.length} of ${table.segments_expected}`,
    table.verdict === 'pass' ? equalInWords(table) : table.verdict,
  ])
  terminal.out(`\n${columns([['table', 'source rows', 'target rows', 'segments', 'verdict'], ...rows], new Set([1, 2, 3]))}`)
  for (const table of recon.tables)
    for (const sentence of toleranceSentences(table)) terminal.out(`  ${visible(`${table.target_object}: ${sentence}`)}`)
  for (const mismatch of recon.tables.flatMap((table) => table.mismatches).slice(0, SHOWN)) terminal.out(`  ${mismatchText(mismatch)}`)
  printSchemaWarnings(terminal, schemaWarnings(recon))
}

/** What the newest comparison found, in a sentence, under a headline where it is not that source and target are equal. */
export function printNewest(terminal: Terminal, newest: NewestComparison, outcome: Outcome | null): void {
  if (newest.found === 'differs') terminal.out(terminal.paint(['bold', 'red'], '\nSOURCE AND TARGET DIFFER NOW.'))
  if (newest.found === 'undecided')
    terminal.out(terminal.paint(['bold', 'yellow'], '\nNOT DECIDED: the newest comparison came to no result.'))
  terminal.out(visible(newestInWords(newest, outcome)))
}

/** The result in a screenful: rows, differences, checks that a person must know of, whether it is proven, and what stays in the target. */
export function printSummary(terminal: Terminal, project: ProjectRecord, figures: Measured): void {
  printVerdict(terminal, project, figures)
  const left = figures.plan === null ? null : leftInTarget(project, figures.plan)
  if (left !== null) terminal.out([left.says, ...(left.sql === null ? [] : [`  ${left.sql}`])].map(visible).join('\n'))
}

function printVerdict(terminal: Terminal, project: ProjectRecord, { plan, outcome, recon, checks, findings, newest }: Measured): void {
  if (recon !== null) printRecon(terminal, recon)
  const accepted = new Set(outcome?.findings.filter((finding) => finding.accepted).map(({ id }) => id))
  for (const check of checks?.checks ?? []) {
    const weight = weightOf(check, accepted.has(check.check_id))
    if (weight === 'pass') continue
    const blocking = weight === 'fail' || weight === 'undecided'
    const words = `${WEIGHT_WORDS[weight]}${blocking ? ` (${check.severity})` : ''}`
    terminal.out(`${terminal.paint(weight === 'fail' ? 'red' : 'yellow', words)}  ${visible(check.explanation)}`)
  }
  if (project.failure !== null) terminal.out(`${terminal.paint('red', project.failure.code)}  ${visible(project.failure.reason)}`)
  for (const { severity, where, what, remedy } of findings)
    terminal.out(`  ${severity} ${visible(where)}  ${visible(what)} ${visible(remedy)}`)
  if (outcome === null) {
    terminal.out(`\nThe project is ${project.state}. Nothing was proven.`)
    if (takesCorrectedSpec(project))
      terminal.out(
        visible(
          `No plan was signed, so another spec may take its place: correct the spec and run it again under the same migration_id. "waybill resume ${project.project_id}" tries the same spec again.`,
        ),
      )
    return
  }
  for (const table of plan?.tables ?? []) {
    const left = leftOfTable(plan!, table)
    if (left !== null) terminal.out(visible(`${table.target.schema}.${table.target.name}: ${left}`))
  }
  const formula = outcome.proof_certificate.proof_formula_evaluation
  const bps = outcome.rollback_verdict
  const four = [
    ['integrity', formula.I_t_integrity],
    ['completeness', formula.C_t_completeness],
    ['consistency', formula.K_t_consistency],
    ['ordering', formula.O_t_ordering],
  ] as const
  const words = four.map(([name, holds]) => `${name} ${holds === null ? 'not applicable' : holds === 1 ? 'holds' : 'FAILS'}`).join(', ')
  const stands = newest === null || newest.found === 'equal'
  if (newest !== null && !stands) printNewest(terminal, newest, outcome)
  else if (formula.PROOF_VALID) terminal.out(terminal.paint(['bold', 'green'], `\nPROOF VALID, made ${madeAt(outcome)}: ${words}.`))
  else terminal.out(terminal.paint(['bold', 'red'], `\nPROOF NOT VALID, made ${madeAt(outcome)}: ${words}.`))
  if (newest !== null && stands) printNewest(terminal, newest, outcome)
  terminal.out(
    `BPS ${bps.bps_current ?? 'not measured'} (${bps.bps_status ?? 'not measured'}), verdict ${bps.rollback_decision}; the project is ${project.state}.`,
  )
  if (project.state === 'FAILED' && bps.rollback_decision === 'ROLLBACK' && bps.auto_rollback_enabled)
    terminal.out(
      `That source and target differ is decided; the roll-back is still open. See to what stopped it (${project.failure?.code ?? 'above'}), then "waybill resume ${project.project_id}" compares once more and rolls back what still differs.`,
    )
}
