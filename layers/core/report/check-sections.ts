import { counted, grouped } from '../count-words.ts'
import { WEIGHT_WORDS, type Weight, weightOf } from '../finding-weight.ts'
import type { FindingSeverity, Verdict } from '../schemas/common.ts'
import type { SchemaChange } from '../schemas/outcome.ts'
import { html, type Markup, name } from './markup.ts'
import type { ReportModel } from './model.ts'
import { notMeasured } from './verdict-sections.ts'

const LOOKS: Readonly<Record<Weight, string>> = {
  pass: 'pass',
  accepted: 'warn',
  fail: 'fail',
  undecided: 'inconclusive',
  warning: 'warn',
  note: 'note',
  'not-applicable': 'none',
}

/** A finding as it weighs; what stands in the way also with its severity. */
export function weightMark(finding: { verdict: Verdict; severity: FindingSeverity }, accepted = false): Markup {
  const weight = weightOf(finding, accepted)
  const blocking = weight === 'fail' || weight === 'undecided'
  return html`<span class="mark ${LOOKS[weight]}">${WEIGHT_WORDS[weight]}${blocking ? ` (${finding.severity})` : ''}</span>`
}

/** Every check of the plan, also those that were not run, and what was accepted. */
export function checkTable({ plan, checks, outcome }: ReportModel): Markup {
  const accepted = new Set(outcome.findings.filter((finding) => finding.accepted).map((finding) => finding.id))
  const run = checks.checks.map(
    (check) => html`<tr><td>${weightMark(check, accepted.has(check.check_id))}</td>
<td>${check.kind.replaceAll('_', ' ')}</td><td>${name(check.where)}</td><td class="wide">${check.explanation}</td><td class="n">${Object.entries(
      check.figures,
    ).map(
      ([figure, value], index) =>
        html`${index > 0 ? html`<br>` : ''}${figure.replaceAll('_', ' ')} ${value === null ? notMeasured() : html`<b>${grouped(value)}</b>`}`,
    )}</td></tr>`,
  )
  const seen = new Set(checks.checks.map((check) => check.check_id))
  const notRun = plan.checks.filter(({ check_id }) => !seen.has(check_id))
  const missing = notRun.map(
    ({ check_id, request }) =>
      html`<tr><td><span class="mark none">not run</span></td><td>${request.kind.replaceAll('_', ' ')}</td><td>${name(request.table)}</td><td class="wide">The plan asks for <code>${check_id}</code>; no result came back.</td><td></td></tr>`,
  )
  if (run.length + missing.length === 0) return html`<h2>Checks</h2><div class="card">The plan asks for no further checks.</div>`
  return html`<h2>Checks</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Checks"><table><thead><tr><th>Verdict</th><th>Check</th><th>Where</th><th>What was found</th><th class="n">Figures</th></tr></thead><tbody>${run}${missing}</tbody></table></div>
${accepted.size > 0 ? html`<p class="small soft">“Accepted”: the signed plan allows this state. It is shown because agreed is not the same as absent.</p>` : ''}`
}

export function driftSection({ outcome }: ReportModel): Markup {
  const { drift_summary: totals, schema_drift_analysis: schema, data_drift_analysis: data } = outcome.drift_analysis_report
  const lists = [
    schema.column_additions,
    schema.column_removals,
    schema.column_type_changes,
    schema.constraint_changes,
    schema.index_changes,
    schema.partition_changes,
    schema.other_changes,
  ]
  const changes = lists.flat()
  const unplanned = changes.filter((change) => !change.planned)
  return html`<h2>Drift</h2>
<p>${driftWords(totals, changes.length - unplanned.length)}</p>
${unplanned.length > 0 ? changeTable('Not planned', unplanned) : ''}
${
  changes.length > unplanned.length
    ? html`<details class="card"><summary>Planned differences</summary>${changeTable(
        'Planned',
        changes.filter((change) => change.planned),
      )}</details>`
    : ''
}
${distributions(data.columns)}`
}

/** How many differences, how many of them in the way of the proof, and what the others mean. */
function driftWords(totals: ReportModel['outcome']['drift_analysis_report']['drift_summary'], planned: number): string {
  const { total_drift_events: total, critical_drift_events: grave, overall_drift_status: status } = totals
  const drifted = `${counted(total, 'difference')} that the plan did not ask for; ${grouped(planned)} that it did.`
  if (total === 0 || status === 'INCONCLUSIVE') return drifted
  if (grave === 0) return `${drifted} None of them makes the proof fail; warnings count towards the score.`
  return `${drifted} ${grouped(grave)} of them ${grave === 1 ? 'makes' : 'make'} consistency fail; warnings count towards the score.`
}

function changeTable(label: string, changes: readonly SchemaChange[]): Markup {
  const side = (value: string | undefined) =>
    value === undefined ? html`<span class="soft">nothing</span>` : html`<bdi><code>${value}</code></bdi>`
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table><thead><tr><th>${label}</th><th>Where</th><th>Source</th><th>Target</th></tr></thead><tbody>${changes.map(
    (change) =>
      html`<tr><td>${change.kind.replaceAll('_', ' ')} ${change.planned ? '' : weightMark({ verdict: 'fail', severity: change.severity })}</td><td>${name(change.where)}</td><td>${side(change.source)}</td><td>${side(change.target)}</td></tr>`,
  )}</tbody></table></div>`
}

type ColumnDrift = ReportModel['outcome']['drift_analysis_report']['data_drift_analysis']['columns'][number]

function distributions(columns: readonly ColumnDrift[]): Markup {
  if (columns.length === 0) return html`<p>${notMeasured('distributions not measured')}</p>`
  const value = (figure: string | number | null) => (figure === null ? notMeasured() : grouped(figure))
  const pair = (source: string | number | null, target: string | number | null) =>
    source !== null && source === target ? value(source) : html`${value(source)} → ${value(target)}`
  return html`<h3>Distributions</h3>
<div class="scroll" tabindex="0" role="region" aria-label="Distributions"><table><thead><tr><th>Column</th><th class="n">Kolmogorov–Smirnov</th><th>Smallest</th><th>Largest</th><th class="n">NULLs</th><th class="n">Distinct</th><th class="n">Outliers</th></tr></thead><tbody>${columns.map(
    (column) =>
      html`<tr><td>${name(`${column.table_id}.${column.column}`)}</td><td class="n">${column.kolmogorov_smirnov_statistic ?? notMeasured()}</td><td>${pair(column.source_min, column.target_min)}</td><td>${pair(column.source_max, column.target_max)}</td><td class="n">${pair(column.source_nulls, column.target_nulls)}</td><td class="n">${pair(column.source_distinct, column.target_distinct)}</td><td class="n">${pair(column.source_outliers, column.target_outliers)}</td></tr>`,
  )}</tbody></table></div>
<p class="small soft">One value: the same on both sides. Two: source → target. A statistic of 0 means equal distributions.</p>`
}
