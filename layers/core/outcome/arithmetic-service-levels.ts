import type { LooseDocument } from './loose-document.ts'

const SLO = 'performance_slo_compliance'
const TIMELINE = 'execution_timeline'
const PHASES = ['phase_initialization', 'phase_data_transfer', 'phase_validation'] as const

/** Half of the last decimal that a figure of this size is printed with. */
function near(stated: number, expected: number, tolerance: number): boolean {
  return Math.abs(stated - expected) <= tolerance
}

/** actual, target, headroom, whether it complies, and whether more is better. */
const LEVELS = [
  ['elapsed_time_seconds', 'max_duration_seconds', 'duration', 'duration_headroom_seconds', 1e-3],
  ['error_rate_observed', 'max_error_rate', 'error_rate', 'error_rate_headroom', 1e-9],
  ['latency_p99_ms', 'max_latency_p99_ms', 'latency_p99', 'latency_p99_headroom_ms', 1e-3],
  ['availability_observed', 'availability_target', 'availability', 'availability_headroom', 1e-6],
] as const

export function* serviceLevelFaults(document: LooseDocument): Generator<string> {
  const at = `${SLO}/actual_performance`
  let met = 0
  let judged = 0
  for (const [actualName, targetName, name, headroomName, tolerance] of LEVELS) {
    const actual = document.number(`${at}/${actualName}`)
    const target = document.number(`${SLO}/slo_targets/${targetName}`)
    const complies = document.flag(`${at}/${name}_compliance`)
    if (complies !== undefined) judged += 1
    if (complies === true) met += 1
    if (actual === undefined || target === undefined) continue
    const more = name === 'availability'
    const left = more ? actual - target : target - actual
    const headroom = document.number(`${at}/${headroomName}`)
    if (headroom !== undefined && !near(headroom, left, tolerance)) {
      yield `/${at}/${headroomName}: ${more ? `${actual} − ${target}` : `${target} − ${actual}`} is not ${headroom}`
    }
    if (complies !== undefined && complies !== left >= 0) yield `/${at}/${name}_compliance: ${complies} with ${actual} against ${target}`
  }
  const [p50, p95, p99] = ['p50', 'p95', 'p99'].map((name) => document.number(`${at}/latency_${name}_ms`))
  if (p50 !== undefined && p95 !== undefined && p99 !== undefined && !(p50 <= p95 && p95 <= p99)) {
    yield `/${at}: latency percentiles ${p50}, ${p95}, ${p99} do not ascend`
  }
  yield* summaryFaults(document, met, judged)
  yield* throughputFaults(document)
  yield* saturationFaults(document)
}

function* summaryFaults(document: LooseDocument, met: number, judged: number): Generator<string> {
  const at = `${SLO}/compliance_summary`
  const total = document.number(`${at}/critical_slos_total`)
  const stated = document.number(`${at}/critical_slos_met`)
  if (stated !== undefined && stated !== met) yield `/${at}/critical_slos_met: ${met} of ${judged} comply, not ${stated}`
  const percentage = document.number(`${at}/slo_compliance_percentage`)
  if (percentage !== undefined && total !== undefined && total > 0 && !near(percentage, (met * 100) / total, 0.005)) {
    yield `/${at}/slo_compliance_percentage: ${met} of ${total} is not ${percentage} percent`
  }
  const all = document.flag(`${at}/all_slos_met`)
  if (all === true && total !== undefined && met !== total) yield `/${at}/all_slos_met: true with ${met} of ${total}`
  const health = document.number(`${at}/overall_health_score`)
  const score = document.number('rollback_verdict/bps_current')
  if (health !== undefined && score !== undefined && !near(health, 1 - score, 5e-5)) {
    yield `/${at}/overall_health_score: 1 − ${score} is not ${health}`
  }
}

function* throughputFaults(document: LooseDocument): Generator<string> {
  const at = `${SLO}/throughput_metrics`
  const records = document.count(`${at}/records_processed`)
  const seconds = document.number(`${at}/processing_time_seconds`)
  const rate = document.number(`${at}/throughput_records_per_second`)
  if (records !== undefined && seconds !== undefined && rate !== undefined) {
    if (seconds <= 0 || !near(rate, Number(records) / seconds, 0.051)) {
      yield `/${at}/throughput_records_per_second: ${records} records in ${seconds} s are not ${rate} per second`
    }
  }
  const target = document.number(`${at}/throughput_target_records_per_second`)
  const headroom = document.number(`${at}/throughput_headroom_ratio`)
  if (rate !== undefined && target !== undefined && headroom !== undefined && !near(headroom, rate / target, 0.0051)) {
    yield `/${at}/throughput_headroom_ratio: ${rate} ÷ ${target} is not ${headroom}`
  }
  const transferred = document.count(`${TIMELINE}/phase_data_transfer/records_transferred`)
  if (records !== undefined && transferred !== undefined && records !== transferred) {
    yield `/${at}/records_processed: ${records}, but the timeline says that ${transferred} were transferred`
  }
}

function* saturationFaults(document: LooseDocument): Generator<string> {
  const at = `${SLO}/saturation_metrics`
  const names = ['cpu', 'memory', 'network', 'disk_io'] as const
  const ratios = names.map((name) => document.number(`${at}/${name}_saturation_ratio`))
  const overall = document.number(`${at}/overall_saturation_ratio`)
  const threshold = document.number(`${at}/saturation_threshold`)
  if (overall !== undefined) {
    const known = ratios.filter((ratio) => ratio !== undefined)
    const mean = known.reduce((sum, ratio) => sum + ratio, 0) / known.length
    if (known.length < 4 || !near(overall, mean, 5.1e-5))
      yield `/${at}/overall_saturation_ratio: ${overall} is not the mean of the four ratios`
  }
  if (overall !== undefined && threshold !== undefined) {
    const headroom = document.number(`${at}/saturation_headroom`)
    if (headroom !== undefined && !near(headroom, threshold - overall, 5.1e-5))
      yield `/${at}/saturation_headroom: ${threshold} − ${overall} is not ${headroom}`
    const complies = document.flag(`${at}/saturation_compliance`)
    if (complies !== undefined && complies !== overall <= threshold)
      yield `/${at}/saturation_compliance: ${complies} with ${overall} against ${threshold}`
  }
  const resources = `${SLO}/resource_utilization`
  const pairs = [
    ['cpu_cores', 'cpu'],
    ['memory_gb', 'memory'],
    ['network_bandwidth_mbps', 'network'],
    ['disk_iops', 'disk_io'],
  ] as const
  for (const [name, ratioName] of pairs) {
    const allocated = document.number(`${resources}/${name}_allocated`)
    const used = document.number(`${resources}/${name}_utilized_avg`)
    const share = document.number(`${at}/${ratioName}_saturation_ratio`)
    if (allocated !== undefined && used !== undefined && share !== undefined && !near(used, allocated * share, allocated * 0.005)) {
      yield `/${resources}/${name}_utilized_avg: ${share} of ${allocated} is not ${used}`
    }
  }
}

export function* durationFaults(document: LooseDocument): Generator<string> {
  let previousEnd = Number.NEGATIVE_INFINITY
  for (const name of PHASES) {
    const at = `${TIMELINE}/${name}`
    const start = document.number(`${at}/start_timestamp`)
    const end = document.number(`${at}/end_timestamp`)
    const duration = document.number(`${at}/duration_ms`)
    if (start === undefined || end === undefined) continue
    if (end < start) yield `/${at}/end_timestamp: the phase ends before it starts`
    if (duration !== undefined && duration !== end - start) yield `/${at}/duration_ms: ${end} − ${start} is ${end - start}, not ${duration}`
    if (start < previousEnd) yield `/${at}/start_timestamp: the phase starts before the one before it ended`
    previousEnd = end
  }
  yield* progressFaults(document)
  yield* secondsFaults(document)
  yield* wholeFaults(document)
}

function* progressFaults(document: LooseDocument): Generator<string> {
  const at = `${TIMELINE}/phase_data_transfer`
  const done = document.count(`${at}/batches_completed`)
  const total = document.count(`${at}/batches_total`)
  const percentage = document.number(`${at}/transfer_progress_percentage`)
  if (done !== undefined && total !== undefined) {
    if (done > total) yield `/${at}/batches_completed: ${done} of ${total}`
    const expected = total === 0n ? 100 : (Number(done) * 100) / Number(total)
    if (percentage !== undefined && (!near(percentage, expected, 0.011) || (percentage === 100) !== (done === total))) {
      yield `/${at}/transfer_progress_percentage: ${done} of ${total} is not ${percentage} percent`
    }
    if (document.text(`${at}/status`) === 'COMPLETED' && done !== total) yield `/${at}/status: COMPLETED with ${done} of ${total} batches`
  }
  const passed = document.number(`${TIMELINE}/phase_validation/validation_checks_passed`)
  const checks = document.number(`${TIMELINE}/phase_validation/validation_checks_total`)
  if (passed !== undefined && checks !== undefined && passed > checks)
    yield `/${TIMELINE}/phase_validation/validation_checks_passed: ${passed} of ${checks}`
}

/** Times in seconds must be the copy's duration in the timeline, which is in milliseconds. */
function* secondsFaults(document: LooseDocument): Generator<string> {
  const duration = document.number(`${TIMELINE}/phase_data_transfer/duration_ms`)
  const whole = document.number('processing_ms')
  for (const pointer of [`${SLO}/actual_performance/elapsed_time_seconds`, `${SLO}/throughput_metrics/processing_time_seconds`]) {
    const seconds = document.number(pointer)
    if (seconds === undefined || duration === undefined || near(seconds * 1000, duration, 1)) continue
    const milliseconds = seconds === duration || seconds === whole
    yield milliseconds
      ? `/${pointer}: ${seconds} are milliseconds given as seconds; the copy took ${duration} ms`
      : `/${pointer}: ${seconds} s, but the copy took ${duration} ms`
  }
  const estimate = document.number('rollback_verdict/estimated_completion_time_seconds')
  if (estimate !== undefined && estimate > 0 && document.text('proof_certificate/proof_status') === 'VALID') {
    yield `/rollback_verdict/estimated_completion_time_seconds: ${estimate} s to go after a proof that is VALID`
  }
}

function* wholeFaults(document: LooseDocument): Generator<string> {
  const begin = document.number(`${TIMELINE}/phase_initialization/start_timestamp`)
  const end = document.number('timestamp')
  const processing = document.number('processing_ms')
  if (begin !== undefined && end !== undefined && processing !== undefined && processing !== Math.max(0, end - begin)) {
    yield `/processing_ms: ${end} − ${begin} is ${end - begin}, not ${processing}`
  }
  const named = new Set(migrationIds(document))
  if (named.size > 1) yield `/proof_certificate/migration_id: the sections name different migrations`
  let last = Number.NEGATIVE_INFINITY
  for (const [index] of document.list('audit_trail/audit_entries').entries()) {
    const at = document.number(`audit_trail/audit_entries/${index}/timestamp`)
    if (at !== undefined && at < last) yield `/audit_trail/audit_entries/${index}/timestamp: earlier than the entry before it`
    last = at ?? last
  }
}

function migrationIds(document: LooseDocument): string[] {
  const sections = ['proof_certificate', 'drift_analysis_report', 'rollback_verdict', SLO, 'audit_trail']
  return sections.flatMap((section) => {
    const value = document.text(`${section}/migration_id`)
    return value === undefined ? [] : [value]
  })
}
