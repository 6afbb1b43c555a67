import type { OutcomeInput } from './assembly.ts'
import {
  countFigure,
  difference,
  type Figure,
  fromScaled,
  percentile,
  ratio,
  rounded,
  toScaled,
  Unmeasured,
  unmeasured,
} from './figures.ts'

/** Above this the worker's machine, not the databases, is likely to set the pace. */
export const SATURATION_THRESHOLD = 0.8

/** Seconds between two instants, in milliseconds' precision. */
export function secondsBetween(startedAt: string, finishedAt: string): number {
  return fromScaled(BigInt(Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt))), 3)
}

/** Milliseconds each newly copied chunk took; chunks found already done took none and are left out. */
export function chunkDurations({ executionReport }: OutcomeInput): number[] {
  return executionReport.chunks
    .filter((chunk) => !chunk.already_done)
    .map((chunk) => Math.max(0, Date.parse(chunk.finished_at) - Date.parse(chunk.started_at)))
}

/** `differing` is null while the reconciliation has not decided. */
export function serviceLevelDraft(input: OutcomeInput, differing: bigint | null, source: bigint, bps: Figure<number>) {
  const { slo } = input.plan
  const actual = actualPerformance(input, differing, source)
  const verdicts = [actual.duration_compliance, actual.error_rate_compliance, actual.latency_p99_compliance, actual.availability_compliance]
  const lacking = verdicts.find((verdict) => verdict instanceof Unmeasured)
  const met = verdicts.filter((verdict) => verdict === true).length
  const failed = verdicts.includes(false)
  return {
    migration_id: input.migrationId,
    compliance_timestamp: input.now.getTime(),
    slo_targets: { ...slo },
    actual_performance: actual,
    throughput_metrics: throughput(input),
    saturation_metrics: saturation(input),
    resource_utilization: resources(),
    compliance_summary: {
      all_slos_met: failed ? false : (lacking ?? true),
      slo_compliance_percentage: lacking ?? (met * 100) / verdicts.length,
      critical_slos_met: lacking ?? met,
      critical_slos_total: verdicts.length,
      overall_health_score: bps instanceof Unmeasured ? bps : difference(1, bps, 4),
    },
  }
}

function actualPerformance(input: OutcomeInput, differing: bigint | null, source: bigint) {
  const { slo, estimate } = input.plan
  const { executionReport: execution } = input
  const elapsed = secondsBetween(execution.started_at, execution.finished_at)
  const errorRate: Figure<number> =
    differing === null
      ? unmeasured('the reconciliation did not decide how many records differ')
      : source === 0n
        ? differing === 0n
          ? 0
          : 1
        : ratio(differing, source, 9, 'ceil')
  const durations = chunkDurations(input)
  const noChunks = unmeasured('no chunk was copied in this run')
  const latency = (share: number): Figure<number> => percentile(durations, share) ?? noChunks
  const p99 = latency(0.99)
  const failures = BigInt(execution.connection_failures)
  const attempts = failures + BigInt(execution.chunks.length)
  const availability: Figure<number> = attempts === 0n ? noChunks : ratio(attempts - failures, attempts, 6, 'floor')
  return {
    elapsed_basis: elapsedBasis(input),
    elapsed_time_seconds: elapsed,
    estimated_total_duration_seconds: estimate.seconds ?? unmeasured(estimate.reason ?? 'the plan holds no estimate'),
    duration_compliance: elapsed <= slo.max_duration_seconds,
    duration_headroom_seconds: difference(slo.max_duration_seconds, elapsed, 3),
    error_rate_observed: errorRate,
    error_rate_compliance: errorRate instanceof Unmeasured ? errorRate : errorRate <= slo.max_error_rate,
    error_rate_headroom: errorRate instanceof Unmeasured ? errorRate : difference(slo.max_error_rate, errorRate, 9),
    latency_basis: latencyBasis(durations.length),
    latency_p50_ms: latency(0.5),
    latency_p95_ms: latency(0.95),
    latency_p99_ms: p99,
    latency_p99_compliance: p99 instanceof Unmeasured ? p99 : p99 <= slo.max_latency_p99_ms,
    latency_p99_headroom_ms: p99 instanceof Unmeasured ? p99 : difference(slo.max_latency_p99_ms, p99, 3),
    availability_observed: availability,
    availability_compliance: availability instanceof Unmeasured ? availability : availability >= slo.availability_target,
    availability_headroom: availability instanceof Unmeasured ? availability : difference(availability, slo.availability_target, 6),
  }
}

/** Below this many chunks, the nearest rank of the 99th percentile is the last: the slowest chunk. */
const CHUNKS_FOR_P99 = 100

function latencyBasis(chunks: number): string {
  if (chunks === 0) return 'no chunk was copied in this run'
  const few = chunks < CHUNKS_FOR_P99 ? `; with fewer than ${CHUNKS_FOR_P99} chunks, the 99th percentile is the slowest of them` : ''
  return `n = ${chunks} chunks copied in this run, each from start to end on the clock of the worker that copied it; nearest rank${few}`
}

function elapsedBasis({ executionReport }: Pick<OutcomeInput, 'executionReport'>): string {
  const { chunks } = executionReport
  const done = chunks.filter((chunk) => chunk.already_done).length
  const earlier = done === 0 ? '' : `, ${done} of them found already done`
  return `from the first start to the last end of ${chunks.length} chunks${earlier}, on the clocks of the workers that copied them: waiting in between counts, preparing and finishing the target does not`
}

function throughput({ executionReport }: OutcomeInput) {
  const records = executionReport.tables.reduce((total, table) => total + BigInt(table.rows), 0n)
  const seconds = secondsBetween(executionReport.started_at, executionReport.finished_at)
  const noTarget = unmeasured('the migration spec sets no throughput target')
  return {
    throughput_basis: `the records of all ${executionReport.chunks.length} chunks ÷ processing_time_seconds, which is ${elapsedBasis({ executionReport })}`,
    records_processed: countFigure(records),
    processing_time_seconds: seconds,
    throughput_records_per_second:
      seconds === 0 ? unmeasured('the copy took less than a millisecond') : ratio(records * 1000n, toScaled(seconds, 3), 1, 'half-up'),
    throughput_target_records_per_second: noTarget,
    throughput_compliance: noTarget,
    throughput_headroom_ratio: noTarget,
  }
}

function saturation({ executionReport }: OutcomeInput) {
  const { cpu_ratio, memory_ratio, network_ratio, disk_io_ratio, reason } = executionReport.saturation
  const four = [cpu_ratio, memory_ratio, network_ratio, disk_io_ratio]
  const why = unmeasured(reason ?? 'the worker could not measure this')
  const complete = four.every((value) => value !== null)
  const overall = complete ? rounded(four.reduce((total, value) => total + value, 0) / 4, 4) : null
  return {
    cpu_saturation_ratio: cpu_ratio ?? why,
    memory_saturation_ratio: memory_ratio ?? why,
    network_saturation_ratio: network_ratio ?? why,
    disk_io_saturation_ratio: disk_io_ratio ?? why,
    overall_saturation_ratio: overall ?? why,
    saturation_threshold: SATURATION_THRESHOLD,
    saturation_compliance: overall === null ? why : overall <= SATURATION_THRESHOLD,
    saturation_headroom: overall === null ? why : difference(SATURATION_THRESHOLD, overall, 4),
  }
}

function resources() {
  const why = unmeasured('the worker reports ratios of what it was given, not amounts')
  return {
    cpu_cores_allocated: why,
    cpu_cores_utilized_avg: why,
    memory_gb_allocated: why,
    memory_gb_utilized_avg: why,
    network_bandwidth_mbps_allocated: why,
    network_bandwidth_mbps_utilized_avg: why,
    disk_iops_allocated: why,
    disk_iops_utilized_avg: why,
  }
}
