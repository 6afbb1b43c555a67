import { sentence } from '../schema-comparison/summary.ts'
import type { OutcomeFinding, ResultStatus } from '../schemas/outcome.ts'
import type { Plan } from '../schemas/plan.ts'
import type { TableMapping } from '../schemas/proposal.ts'
import type { CheckResult, ChecksReport, ReconReport, TableResult } from '../schemas/recon.ts'
import { unmeasured } from './figures.ts'

/**
 * What the declared checks mean for the proof.
 *
 * Why an accepted orphan is a WARNING and no failed consistency: the plan that people signed says that this foreign key stays
 * unvalidated, so orphans are an agreed state of the source. They are listed with their figures in every document, because agreed is
 * not the same as absent.
 */
export type CheckVerdicts = {
  integrity: ResultStatus
  completeness: ResultStatus
  consistency: ResultStatus
  reasons: Record<'integrity' | 'completeness' | 'consistency', string[]>
  findings: OutcomeFinding[]
  /** Orphans, duplicates and the like that nobody accepted. Null when a check of that kind did not decide. */
  violations: bigint | null
  passed: number
  total: number
}

type Section = 'integrity' | 'completeness' | 'consistency'
const SECTION: Readonly<Record<string, Section>> = { sum: 'integrity', checksum: 'integrity', row_count: 'completeness' }

export function judgeChecks(plan: Plan, report: ChecksReport): CheckVerdicts {
  const status: Record<Section, ResultStatus> = { integrity: 'PASS', completeness: 'PASS', consistency: 'PASS' }
  const reasons: Record<Section, string[]> = { integrity: [], completeness: [], consistency: [] }
  const findings: OutcomeFinding[] = []
  let violations: bigint | null = 0n
  let passed = 0

  const results = judgedChecks(plan, report)
  for (const { result, accepted, standing } of results) {
    const section = SECTION[result.kind] ?? 'consistency'
    if (result.verdict === 'pass' || result.verdict === 'not-applicable') passed += 1
    if (result.verdict === 'pass') continue
    findings.push(findingOf(result, accepted))
    if (accepted || result.verdict === 'not-applicable') continue
    if (section === 'consistency') violations = result.verdict === 'fail' ? addViolations(violations, result) : null
    if (standing === 'holds') continue
    reasons[section].push(`check ${result.check_id}: ${result.explanation}`.slice(0, 1900))
    if (standing === 'fails') status[section] = 'FAIL'
    else if (status[section] === 'PASS') status[section] = 'INCONCLUSIVE'
  }
  return { ...status, reasons, findings, violations, passed, total: results.length }
}

export type JudgedCheck = {
  result: CheckResult
  /** It failed at orphans that the signed plan accepts. */
  accepted: boolean
  /** What it does to a proof: one that is accepted, or of WARNING or INFO, keeps none from holding. */
  standing: 'holds' | 'fails' | 'undecided'
}

/** Each check of a report, and each that the plan asks for and that is not in it, as a proof judges it. */
export function judgedChecks(plan: Plan, report: Pick<ChecksReport, 'checks'>): JudgedCheck[] {
  return withMissing(plan, report).map((result) => judgedCheck(plan, result))
}

export function judgedCheck(plan: Plan, result: CheckResult): JudgedCheck {
  const { verdict, severity } = result
  const accepted = verdict === 'fail' && acceptedOrphans(plan, result)
  const light = accepted || severity === 'WARNING' || severity === 'INFO'
  if (light || verdict === 'pass' || verdict === 'not-applicable') return { result, accepted, standing: 'holds' }
  return { result, accepted, standing: verdict === 'fail' ? 'fails' : 'undecided' }
}

/** Checks of the plan that no report mentions were not run, and not run is not passed. */
function withMissing(plan: Plan, report: Pick<ChecksReport, 'checks'>): CheckResult[] {
  const seen = new Set(report.checks.map((check) => check.check_id))
  const absent = plan.checks
    .filter(({ check_id }) => !seen.has(check_id))
    .map(
      ({ check_id, request }): CheckResult => ({
        check_id,
        kind: request.kind,
        where: request.table,
        verdict: 'inconclusive',
        severity: request.severity,
        figures: {},
        explanation: 'the plan asks for this check and it was not run',
      }),
    )
  return [...report.checks, ...absent]
}

/** A table as checks and foreign keys may name it: by name, by id, or with its schema. */
function namesTable(table: TableMapping, name: string): boolean {
  return [table.target.name, table.table_id, `${table.target.schema}.${table.target.name}`].includes(name)
}

/**
 * True when the signed plan leaves exactly this foreign key unvalidated, and the target has no more orphans than the source had:
 * people accepted the state of the source, not losses on the way.
 */
function acceptedOrphans(plan: Plan, result: CheckResult): boolean {
  if (result.kind !== 'foreign_key') return false
  const request = plan.checks.find((check) => check.check_id === result.check_id)?.request
  if (request?.kind !== 'foreign_key') return false
  const [orphans, before] = [countOf(result, 'orphan_rows'), countOf(result, 'source_orphan_rows')]
  if (orphans !== null && before !== null && orphans > before) return false
  const same = (a: readonly string[], b: readonly string[]) => JSON.stringify(a) === JSON.stringify(b)
  const referenced = (name: string) => plan.tables.find((table) => namesTable(table, name))?.table_id ?? name
  return plan.tables
    .filter((table) => namesTable(table, request.table))
    .flatMap((table) => table.foreign_keys)
    .some(
      (key) =>
        key.enforcement !== 'enforced' &&
        same(key.columns, request.columns) &&
        referenced(key.references.table) === referenced(request.references.table) &&
        same(key.references.columns, request.references.columns),
    )
}

function countOf(result: CheckResult, figure: string): bigint | null {
  const value = result.figures[figure]
  return typeof value === 'string' && /^[0-9]+$/.test(value) ? BigInt(value) : null
}

/** The figures in which checks count what breaks a rule. */
const VIOLATIONS = ['orphan_rows', 'surplus_rows', 'below_min', 'above_max']

function addViolations(sum: bigint | null, result: CheckResult): bigint | null {
  if (sum === null) return null
  const counted = VIOLATIONS.flatMap((figure) => countOf(result, figure) ?? [])
  return sum + (counted.length === 0 ? 1n : counted.reduce((total, count) => total + count, 0n))
}

function findingOf(result: CheckResult, accepted: boolean): OutcomeFinding {
  const figures = Object.fromEntries(
    Object.entries(result.figures).map(([name, value]) => [name, value ?? unmeasured(result.explanation || 'the check gave no figure')]),
  )
  return {
    id: result.check_id,
    severity: accepted ? 'WARNING' : result.severity,
    verdict: result.verdict,
    where: result.where,
    what: accepted ? `${result.explanation} Accepted: the signed plan leaves this foreign key unvalidated.` : result.explanation,
    accepted,
    figures: figures as OutcomeFinding['figures'],
  }
}

export type UnplannedDifference = TableResult['schema_differences'][number] & { table_id: string }

export function unplannedDifferences(recon: ReconReport): UnplannedDifference[] {
  return recon.tables.flatMap((table) =>
    table.schema_differences.filter((difference) => !difference.planned).map((difference) => ({ ...difference, table_id: table.table_id })),
  )
}

/** Differences of WARNING and INFO do not fail consistency; they are shown. */
export function differenceFindings(recon: ReconReport): OutcomeFinding[] {
  return unplannedDifferences(recon).map((difference, index) => ({
    id: `schema-${difference.kind}-${index}`,
    severity: difference.severity,
    verdict: 'fail',
    where: difference.where,
    what: `${sentence(difference)} The plan does not ask for it.`,
    accepted: false,
    figures: {},
  }))
}
