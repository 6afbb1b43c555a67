import { grouped } from '../count-words.ts'
import { lightDrift } from '../finding-weight.ts'
import { omissions } from '../left-behind.ts'
import type { Outcome, ResultStatus } from '../schemas/outcome.ts'
import { bytesInWords, duration, html, type Markup, moment, name } from './markup.ts'
import type { ReportModel } from './model.ts'

const TONE = { VALID: 'good', INVALID: 'bad', INCONCLUSIVE: 'warn' } as const

const STAMP = {
  VALID: html`<path d="M27 41l9 10 18-21" fill="none" stroke="currentColor" stroke-width="6" stroke-linecap="round" stroke-linejoin="round"/>`,
  INVALID: html`<path d="M28 28l24 24M52 28L28 52" fill="none" stroke="currentColor" stroke-width="6" stroke-linecap="round"/>`,
  INCONCLUSIVE: html`<path d="M40 24v20M40 54v1" fill="none" stroke="currentColor" stroke-width="6.5" stroke-linecap="round"/>`,
}

const HEADLINE = {
  VALID: 'Proven: nothing lost, nothing added, nothing changed',
  INVALID: 'Not proven: source and target differ',
  INCONCLUSIVE: 'Not decided: the comparison did not settle',
}

const WITHIN = 'Proven within tolerance: nothing lost, nothing added, nothing changed by more than the plan allows'

const PLANNED = 'Proven: of what the plan moves nothing lost, nothing added, nothing changed'

/** The one glance: proven or not, what follows, and the four figures people ask for first. */
export function summary({ plan, outcome, execution, state }: ReportModel): Markup {
  const proof = outcome.proof_certificate
  const { completeness_result: counts } = proof
  const bytes = execution.tables.reduce((sum, table) => sum + BigInt(table.bytes), 0n)
  const differing = proof.tables.reduce((sum, table) => sum + BigInt(table.missing) + BigInt(table.extra) + BigInt(table.changed), 0n)
  const consistency =
    proof.proof_status === 'INVALID' && proof.integrity_result.status === 'PASS' && proof.completeness_result.status === 'PASS'
  const held = proof.tables.some((table) => table.tolerances !== undefined)
  const omitted = omissions(plan)
  const headline = consistency
    ? 'Not proven: the data agrees, another requirement does not hold'
    : held && proof.proof_status === 'VALID'
      ? WITHIN
      : omitted.length > 0 && proof.proof_status === 'VALID'
        ? PLANNED
        : HEADLINE[proof.proof_status]
  return html`<section class="slip" aria-label="Verdict">
<div class="verdict ${TONE[proof.proof_status]}">
<svg class="stamp" viewBox="0 0 80 80" role="img" aria-label="${proof.proof_status}"><circle cx="40" cy="40" r="36" fill="none" stroke="currentColor" stroke-width="3"/><circle cx="40" cy="40" r="31" fill="none" stroke="currentColor" stroke-width="1" stroke-dasharray="1 3.9"/>${STAMP[proof.proof_status]}</svg>
<div><strong>${headline}</strong>
<p>${decisionInWords(outcome, state)} As of ${moment(proof.proof_timestamp)}.</p>${omitted.length === 0 ? '' : html`<p>By plan, not everything arrives as it was: ${omitted.join(', ')}.</p>`}</div>
</div>
<div class="facts">
<div><p class="kicker">Records</p><b>${counts.source_record_count === null ? notMeasured('not decided') : grouped(counts.source_record_count)}</b><span class="small soft">${counts.target_record_count === null ? 'the scan did not finish' : `${grouped(counts.target_record_count)} in the target`}</span></div>
<div><p class="kicker">Differing</p><b>${proof.integrity_result.status === 'INCONCLUSIVE' ? notMeasured('not decided') : grouped(differing)}</b><span class="small soft">${confidence(
    outcome,
  )}</span></div>
<div><p class="kicker">Copied</p><b>${bytesInWords(bytes)}</b><span class="small soft">in ${duration(outcome.execution_timeline.phase_data_transfer.duration_ms)}</span></div>
<div><p class="kicker">Score</p><b>${outcome.rollback_verdict.bps_current ?? notMeasured('not measured')}</b><span class="small soft">${outcome.rollback_verdict.bps_status ?? 'a component is unknown'}</span></div>
</div>
</section>`
}

function confidence({ proof_certificate: proof }: Outcome): string {
  const value = proof.proof_formula_evaluation.proof_confidence
  return value === null ? 'no confidence to state' : `confidence ${value}`
}

function decisionInWords({ rollback_verdict: verdict }: Outcome, state: ReportModel['state']): Markup {
  const decision = {
    CONTINUE: 'Decision: continue.',
    CONTINUE_WITH_MONITORING: 'Decision: continue, watched closely.',
    HOLD: 'Decision: hold until a person decides.',
    ROLLBACK:
      state === 'ROLLED_BACK'
        ? 'The target was rolled back: the tables of the plan were dropped, with everything in them. The source was never touched.'
        : 'Decision: roll back. The source is untouched.',
  }[verdict.rollback_decision]
  return html`${decision} ${sentenceCase(verdict.rollback_decision_rationale)}.`
}

function sentenceCase(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

export function notMeasured(words = 'not measured'): Markup {
  return html`<span class="mark none">${words}</span>`
}

const MARKS: Record<string, [string, string]> = {
  PASS: ['pass', 'Pass'],
  FAIL: ['fail', 'Fail'],
  INCONCLUSIVE: ['inconclusive', 'Not decided'],
  NOT_APPLICABLE: ['none', 'Not applicable'],
  pass: ['pass', 'pass'],
  fail: ['fail', 'fail'],
  inconclusive: ['inconclusive', 'not decided'],
  'not-applicable': ['none', 'not applicable'],
}

export function mark(status: ResultStatus | 'pass' | 'fail' | 'inconclusive' | 'not-applicable'): Markup {
  const [tone, words] = MARKS[status]!
  return html`<span class="mark ${tone}">${words}</span>`
}

export function head({ title, outcome, plan, state }: ReportModel): Markup {
  return html`<header>
<p class="kicker">Waybill · migration report</p>
<h1>${name(title)}</h1>
<p class="soft small">Migration <code>${outcome.proof_certificate.migration_id}</code> · project <code>${outcome.project_id}</code>, ${state} when this was written · run <code>${outcome.run_id}</code> · plan ${plan.plan_version} by ${name(plan.author)} · ${moment(outcome.timestamp)}</p>
</header>`
}

/** I, C, K and O, each with what it was judged by. */
export function fourResults({ outcome }: ReportModel): Markup {
  const { integrity_result: i, completeness_result: c, consistency_result: k, ordering_result: o } = outcome.proof_certificate
  const drift = lightDrift(outcome)
  const held = outcome.proof_certificate.tables.reduce((columns, table) => columns + (table.tolerances?.length ?? 0), 0)
  const cards: [string, string, ResultStatus, Markup, readonly string[]][] = [
    [
      'I',
      'Integrity',
      i.status,
      html`${i.status === 'INCONCLUSIVE' ? '' : i.verification_method === 'FULL_CHECKSUM' ? (held === 0 ? 'Every record digested with SHA-256 on both sides.' : `Every record digested with SHA-256 on both sides, but for ${held} ${held === 1 ? 'column' : 'columns'} held to a tolerance value by value.`) : 'A sample of records digested with SHA-256.'} ${i.sample_records_passed === null ? notMeasured('not decided') : html`<b class="n">${grouped(i.sample_records_passed)}</b> of <span class="n">${grouped(i.sample_records_verified ?? 0)}</span> agree${held === 0 ? '' : ' within tolerance'}.`}`,
      i.reasons,
    ],
    [
      'C',
      'Completeness',
      c.status,
      c.missing_records === null || c.extra_records === null
        ? notMeasured('not decided')
        : html`<b class="n">${grouped(c.missing_records)}</b> missing, <b class="n">${grouped(c.extra_records)}</b> extra; counted by the scan itself.`,
      c.reasons,
    ],
    [
      'K',
      'Consistency',
      k.status,
      k.status === 'INCONCLUSIVE'
        ? notMeasured('not decided')
        : html`${k.type_mismatches} types differ from the plan; ${k.constraint_violations === null ? notMeasured('constraints not decided') : html`<b class="n">${grouped(k.constraint_violations)}</b> ${k.status === 'PASS' && BigInt(k.constraint_violations) > 0n ? 'violations that only warn' : 'unaccepted violations'}.`}${k.status === 'PASS' && drift !== null ? html` ${drift} Listed below, under Drift.` : ''}`,
      k.reasons,
    ],
    [
      'O',
      'Ordering',
      o.status,
      o.status === 'NOT_APPLICABLE'
        ? html`No table of the plan has an order key.`
        : html`${o.ordering_violations === null || o.status === 'INCONCLUSIVE' ? notMeasured('not decided') : html`<b class="n">${grouped(o.ordering_violations)}</b> records out of order`}${o.order_key === null ? '' : html` by ${name(o.order_key)}`}.`,
      o.status === 'NOT_APPLICABLE' ? [] : o.reasons,
    ],
  ]
  return html`<h2>The four results</h2>
<div class="results">${cards.map(
    ([letter, title, status, says, reasons]) =>
      html`<section class="result ${MARKS[status]![0]}"><p class="kicker">${letter}</p><h3>${title}</h3>${mark(status)}<p>${says}</p>${
        reasons.length > 0 && status !== 'PASS'
          ? html`<ul class="small">${reasons.slice(0, 4).map((reason) => html`<li>${reason}</li>`)}</ul>`
          : ''
      }</section>`,
  )}</div>
<p class="small soft">The proof is valid when all of them hold: I ∧ C ∧ K ∧ O. “Not applicable” needs a reason and never stands for “not run”.</p>`
}
