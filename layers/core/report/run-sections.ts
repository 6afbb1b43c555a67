import { grouped } from '../count-words.ts'
import { COMPONENT_NAMES } from '../outcome/breakdown-score.ts'
import { duration, html, type Markup, moment, name } from './markup.ts'
import type { ReportModel } from './model.ts'
import { nightSection } from './night-section.ts'
import { notMeasured } from './verdict-sections.ts'

const percent = (share: number) => `${Math.round(Math.min(1, Math.max(0, share)) * 10_000) / 100}%`

const COMPONENT_WORDS: Record<(typeof COMPONENT_NAMES)[number], string> = {
  data_loss_contribution: 'Data loss',
  schema_drift_contribution: 'Schema drift',
  latency_breach_contribution: 'Latency breach',
  connection_failure_contribution: 'Connection failure',
  checksum_mismatch_contribution: 'Checksum mismatch',
  ordering_violation_contribution: 'Ordering violation',
}

/** The score against its thresholds, and what it is made of. */
export function scoreSection({ outcome }: ReportModel): Markup {
  const verdict = outcome.rollback_verdict
  const score = verdict.bps_current
  const tone = verdict.bps_status === 'CRITICAL' ? 'bad' : verdict.bps_status === 'NOMINAL' ? 'good' : 'warn'
  const top = Math.max(0.5, Math.ceil((score ?? 0) * 10) / 10)
  const bars = COMPONENT_NAMES.map((component) => {
    const { component_score: own, weight, severity, occurrence_rate } = verdict.bps_component_breakdown[component]
    const scaled = own === null ? null : own * verdict.bps_scale
    return html`<div class="row"><span class="label">${COMPONENT_WORDS[component]}</span>${
      scaled === null
        ? html`<span class="track none"></span>`
        : html`<span class="track"><i class="${scaled >= verdict.bps_threshold_critical ? 'bad' : ''}" style="width:${percent(scaled / top)}"></i></span>`
    }<span class="value n small">${own === null ? notMeasured() : own === 0 && severity === 0 ? '0' : html`${own} <span class="soft">= ${weight} × ${severity} × ${occurrence_rate}</span>`}</span></div>`
  })
  return html`<h2>Breakdown point score</h2>
<div class="card"><div class="bars"><div class="row"><span class="label"><b>Score</b></span>${
    score === null
      ? html`<span class="track tall none"></span>`
      : html`<span class="track tall"><i class="${tone}" style="width:${percent(score / top)}"></i><s style="left:${percent(verdict.bps_threshold_warning / top)}"></s><s style="left:${percent(verdict.bps_threshold_critical / top)}"></s></span>`
  }<span class="value n"><b>${score ?? notMeasured()}</b> ${verdict.bps_status ?? ''}</span></div>
<div class="row"><span class="label soft small">thresholds</span><span class="axis"><span style="left:0">0</span><span style="left:${percent(verdict.bps_threshold_warning / top)}">${verdict.bps_threshold_warning}</span><span style="left:${percent(verdict.bps_threshold_critical / top)}">${verdict.bps_threshold_critical}</span><span class="end" style="left:100%">${top}</span></span><span></span></div>
${bars}</div>
<p class="small soft">The score is ${verdict.bps_scale} times the sum of the components, at most 1. It weighs shares; a copy that is known to be wrong is rolled back whatever its score.</p></div>`
}

export function serviceLevels({ outcome }: ReportModel): Markup {
  const {
    actual_performance: actual,
    slo_targets: targets,
    throughput_metrics: throughput,
    saturation_metrics: saturation,
  } = outcome.performance_slo_compliance
  const levels: [string, number | null, number, boolean | null, (value: number) => string][] = [
    [
      'Duration',
      actual.elapsed_time_seconds,
      targets.max_duration_seconds,
      actual.duration_compliance,
      (value) => duration(Math.round(value * 1000)),
    ],
    ['Error rate', actual.error_rate_observed, targets.max_error_rate, actual.error_rate_compliance, (value) => String(value)],
    [
      'Chunk latency, 99th percentile',
      actual.latency_p99_ms,
      targets.max_latency_p99_ms,
      actual.latency_p99_compliance,
      (value) => duration(value),
    ],
    [
      'Unavailability',
      actual.availability_observed === null ? null : 1 - actual.availability_observed,
      1 - targets.availability_target,
      actual.availability_compliance,
      (value) => `${Number((value * 100).toFixed(4))} %`,
    ],
  ]
  const bars = levels.map(([label, value, target, complies, format]) => {
    const words = value === null ? notMeasured() : html`${format(value)} <span class="soft">of ${format(target)}</span>`
    const share = value === null ? 0 : target === 0 ? Number(value > 0) : value / target
    return html`<div class="row"><span class="label">${label}</span>${value === null ? html`<span class="track none"></span>` : html`<span class="track"><i class="${complies ? 'good' : 'bad'}" style="width:${percent(share)}"></i></span>`}<span class="value n small">${words} ${complies === null ? '' : complies ? html`<span class="mark pass">met</span>` : html`<span class="mark fail">missed</span>`}</span></div>`
  })
  const machine: [string, number | null][] = [
    ['CPU', saturation.cpu_saturation_ratio],
    ['memory', saturation.memory_saturation_ratio],
    ['network', saturation.network_saturation_ratio],
    ['disk', saturation.disk_io_saturation_ratio],
  ]
  return html`<h2>Service levels</h2>
<div class="card"><div class="bars">${bars}</div>
<p class="small">Throughput ${throughput.throughput_records_per_second === null ? notMeasured() : html`<b class="n">${grouped(Math.round(throughput.throughput_records_per_second))}</b> records a second`} · worker: ${machine.map(
    ([label, value], index) =>
      html`${index > 0 ? ', ' : ''}${label} ${value === null ? notMeasured() : html`<b class="n">${Math.round(value * 100)} %</b>`}`,
  )}</p>
<p class="small soft">Duration and throughput: ${actual.elapsed_basis}. Chunk latency: ${actual.latency_basis}.</p></div>`
}

export function timeline({ outcome, nights }: ReportModel): Markup {
  const { phase_initialization, phase_data_transfer, phase_validation } = outcome.execution_timeline
  const phases = [
    ['Until the copy', phase_initialization],
    ['Copy', phase_data_transfer],
    ['Proof', phase_validation],
  ] as const
  const start = phase_initialization.start_timestamp
  const whole = Math.max(1, phase_validation.end_timestamp - start)
  return html`<h2>Timeline</h2>
<div class="card"><div class="bars">${phases.map(
    ([label, phase]) =>
      html`<div class="row"><span class="label">${label}</span><span class="track"><i style="left:${percent((phase.start_timestamp - start) / whole)};width:max(3px,${percent(phase.duration_ms / whole)});border-radius:.3rem"></i></span><span class="value n small">${duration(phase.duration_ms)} <span class="soft">from ${moment(phase.start_timestamp)}</span></span></div>`,
  )}</div></div>${nightSection(nights)}`
}

export function signOff({ approvals }: ReportModel): Markup {
  if (approvals.length === 0) return html`<h2>Sign-off</h2><div class="card">${notMeasured('nobody has decided yet')}</div>`
  return html`<h2>Sign-off</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Sign-off"><table><thead><tr><th>Role</th><th>Person</th><th>Decision</th><th>On</th><th>What was reviewed</th><th>Signed statement</th></tr></thead><tbody>${approvals.map(
    ({ predicate, statement_sha256 }) =>
      html`<tr><td>${predicate.role.replaceAll('_', ' ')}</td><td>${name(predicate.approver)}</td><td>${predicate.decision === 'APPROVED' ? html`<span class="mark pass">approved</span>` : html`<span class="mark fail">rejected</span>`}<br><span class="small soft">${moment(Date.parse(predicate.decided_at))}</span>${predicate.reason === '' ? '' : html`<br><span class="small">${predicate.reason}</span>`}</td><td>${predicate.transition.replace('->', ' → ')}</td><td>${name(predicate.subject_name)}<br><span class="digest">${predicate.subject_sha256}</span></td><td class="digest">${statement_sha256}</td></tr>`,
  )}</tbody></table></div>
<p class="small soft">This is what was decided when the proof was made. What was decided later, such as the cutover, is in <code>approvals/</code> of the evidence pack, and <code>waybill audit show</code> lists it.</p>`
}

export function closing({ outcome }: ReportModel): Markup {
  const reasons = Object.entries(outcome.not_measured)
  return html`<h2>How to verify this</h2>
<div class="card"><p>This page is a picture of signed documents. The evidence pack holds them; on any machine, offline:</p>
<pre>waybill verify evidence_pack
# or without Waybill: the commands in evidence_pack/VERIFY.md (openssl, sha256sum)</pre>
<p class="small">Plan <span class="digest">${outcome.inputs.plan_sha256}</span><br>Reconciliation report <span class="digest">${outcome.inputs.recon_report_sha256}</span><br>Source checksum <span class="digest">${outcome.proof_certificate.integrity_result.source_checksum}</span><br>Target checksum <span class="digest">${outcome.proof_certificate.integrity_result.target_checksum}</span></p></div>
<details class="card"><summary>What was not measured, and why (${reasons.length})</summary><ul class="small">${reasons.map(([pointer, reason]) => html`<li><code>${pointer}</code>: ${reason}</li>`)}</ul></details>`
}
