import { namesInShort } from '../names-in-short.ts'
import { BEAT_SECONDS } from '../schemas/progress.ts'
import { type Against, against } from './limits.ts'
import { type Counts, countsFor, overheadsFor, type Run, reachedBy, type Size } from './model.ts'
import { type Billed, type CostLine, PRICES_OF, priced, rounded } from './prices.ts'
import { ASSUMED_SCAN_BYTES_PER_SECOND, copySeconds, MEASURED, PROFILED_BYTES, reconcileSeconds } from './throughput.ts'

/** One table as the source's catalog knows it; null where it does not know. */
export type TableSize = { name: string; rows: bigint | null; bytes: bigint | null; keyed: boolean }
export type Workload = { tables: readonly TableSize[]; parallelism: number; rowsPerChunk: number }

/** As the state machines batch, and as the workers of production are. Tests hold them to both. */
export const CHUNKS_PER_TASK = 4
export const PAIRS_PER_TASK = 20
export const WORKER = { vcpu: 2, gigabytes: 8 } as const
/** Fargate bills a task a minute at least. A task renews its lease and says how far it is. */
const LEAST_TASK_SECONDS = 60
const RENEW_SECONDS = 300

/** One run. `seconds`: from the first function to the last, without people and nights that are waited for. Figures are null with the estimate's reason. */
export type RunEstimate = {
  run: Run
  seconds: number | null
  usd: number | null
  transitions: number | null
  tasks: number | null
  lines: CostLine[]
}
export type ScaleEstimate = {
  schema: 'waybill/scale-estimate/v1'
  region: string
  prices_of: string
  tables: number
  rows: string | null
  bytes: string | null
  chunks: number | null
  parallelism: number
  /** The whole migration with both of its reconciliations, and one more reconciliation, as each night. */
  migration: RunEstimate
  reconciliation: RunEstimate
  limits: Against[]
  /** What the figures rest on. */
  basis: string[]
  /** Why figures are null, when they are. */
  reason: string | null
}

const told = (line: string) => line.replaceAll(' |', ',')

const BASIS: readonly string[] = [
  `Reconciling: ${told(MEASURED.keyedRows.line)} s; ${told(MEASURED.keyedBytes.line)} s; whichever is slower by row or byte (${MEASURED.keyedRows.file}).`,
  `Without a key: ${told(MEASURED.keylessRows.line)} s (${MEASURED.keylessRows.file}).`,
  `Copying: ${MEASURED.copy.rows.toLocaleString('en')} rows in ${MEASURED.copy.seconds} s over two connections (${MEASURED.copy.file}).`,
  `Measured on two x86 processors shared with both servers; workers in an account have ${WORKER.vcpu} ARM processors of their own, which was not measured.`,
  `Profiles and checks: servers that read ${ASSUMED_SCAN_BYTES_PER_SECOND / 1_000_000} MB a second from their disks. Assumed, not measured.`,
  'Requests, transitions and time besides data: counted by the simulator, which runs the state machines and handlers themselves (docs/scale.md).',
  `Prices: list, ${PRICES_OF.region}, ${PRICES_OF.year}. Data transfer, the databases, stored bytes, logs and interface endpoints are not in it.`,
]

/**
 * What a migration of these tables would ask of AWS, how long it would take and what it would cost. Figures that nothing supports are null, and
 * `reason` says why. Both ends are taken to be as large as the source.
 */
export function estimateScale(workload: Workload): ScaleEstimate {
  const unknown = workload.tables.filter(({ rows, bytes }) => rows === null || bytes === null).map(({ name }) => name)
  const common = {
    schema: 'waybill/scale-estimate/v1' as const,
    region: PRICES_OF.region,
    prices_of: PRICES_OF.year,
    tables: workload.tables.length,
    parallelism: workload.parallelism,
    basis: [...BASIS],
  }
  if (unknown.length > 0) {
    const reason = `The source does not say how large these tables are (run ANALYZE): ${namesInShort(unknown)}.`
    const nothing = { seconds: null, usd: null, transitions: null, tasks: null, lines: [] }
    return {
      ...common,
      rows: null,
      bytes: null,
      chunks: null,
      migration: { run: 'migration', ...nothing },
      reconciliation: { run: 'reconciliation', ...nothing },
      limits: against(reachedBy(null, workload.parallelism, WORKER.vcpu), reason),
      reason,
    }
  }
  const tables = workload.tables.map(({ rows, bytes, keyed }) => ({ rows: rows ?? 0n, bytes: bytes ?? 0n, keyed }))
  const sum = (of: 'rows' | 'bytes') => tables.reduce((total, table) => total + table[of], 0n)
  const size = sizeOf(workload)
  return {
    ...common,
    rows: String(sum('rows')),
    bytes: String(sum('bytes')),
    chunks: size.chunks,
    migration: runEstimate('migration', size, tables, workload),
    reconciliation: runEstimate('reconciliation', size, tables, workload),
    limits: against(reachedBy(size, workload.parallelism, WORKER.vcpu)),
    reason: null,
  }
}

/** Chunks and tasks of a workload; a table of unknown size counts as one chunk. */
export function sizeOf({ tables, rowsPerChunk }: Workload): Size {
  const chunks = tables.reduce((total, { rows }) => total + Math.max(1, Math.ceil(Number(rows ?? 0n) / rowsPerChunk)), 0)
  return {
    tables: tables.length,
    chunks,
    copyTasks: Math.ceil(chunks / CHUNKS_PER_TASK),
    reconcileTasks: Math.ceil(tables.length / PAIRS_PER_TASK),
  }
}

type Sized = { rows: bigint; bytes: bigint; keyed: boolean }

function runEstimate(run: Run, size: Size, tables: readonly Sized[], { parallelism }: Workload): RunEstimate {
  const counts = countsFor(run, size)
  const bytes = tables.reduce((total, table) => total + Number(table.bytes), 0)
  const reading = tables.map(reconcileSeconds)
  const compared = reading.reduce((total, seconds) => total + seconds, 0)
  const copied = tables.reduce((total, table) => total + copySeconds(table), 0)
  const scanned = bytes / ASSUMED_SCAN_BYTES_PER_SECOND
  const profiledSeconds = Math.min(bytes, PROFILED_BYTES) / ASSUMED_SCAN_BYTES_PER_SECOND
  const times = run === 'migration' ? 2 : 1
  const data = times * (compared + scanned) + (run === 'migration' ? copied : 0)
  const taskSeconds = Math.max(counts.task_seconds + data, counts.tasks * LEAST_TASK_SECONDS)
  const overheads = overheadsFor(run, size)
  const sideBySide = (tasks: number, overhead: number, seconds: number, longest: number) => {
    const lanes = Math.max(1, Math.min(parallelism, tasks))
    return Math.max(longest, seconds / lanes) + Math.ceil(tasks / lanes) * overhead
  }
  const comparing = sideBySide(size.reconcileTasks, overheads.reconcileTask, compared, Math.max(...batches(reading))) + scanned
  const copying = run === 'migration' ? sideBySide(size.copyTasks, overheads.copyTask, copied, 0) + profiledSeconds : 0
  const seconds = overheads.alone + times * comparing + copying
  const { lines, usd } = priced(billed(counts, taskSeconds))
  return { run, seconds: rounded(seconds, 0), usd, transitions: rounded(counts.transitions, 0), tasks: rounded(counts.tasks, 0), lines }
}

/** Seconds of each task: the table pairs it compares are compared one after another. */
function batches(seconds: readonly number[]): number[] {
  return Array.from({ length: Math.ceil(seconds.length / PAIRS_PER_TASK) }, (_, at) =>
    seconds.slice(at * PAIRS_PER_TASK, (at + 1) * PAIRS_PER_TASK).reduce((total, each) => total + each, 0),
  )
}

/** Data takes time, and time is billed: containers, and the rows in which they say that they live. */
function billed(counts: Counts, taskSeconds: number): Record<Billed, number> {
  const { tasks, task_seconds: _seconds, ...requests } = counts
  const beats = 2 * tasks + taskSeconds / BEAT_SECONDS + taskSeconds / RENEW_SECONDS
  return {
    ...requests,
    dynamodb_write_units: requests.dynamodb_write_units + beats,
    fargate_vcpu_hours: (taskSeconds / 3600) * WORKER.vcpu,
    fargate_gigabyte_hours: (taskSeconds / 3600) * WORKER.gigabytes,
  }
}
