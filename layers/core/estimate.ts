import { namesInShort } from './names-in-short.ts'
import type { Catalog, Profile } from './schemas/catalog.ts'
import type { Plan } from './schemas/plan.ts'
import type { TableMapping } from './schemas/proposal.ts'

/**
 * What the estimate rests on. Speeds are for one connection on a machine with two processors, rounded down; prices are list prices of
 * AWS Fargate (Linux, x86) and Step Functions standard transitions in us-east-1, in dollars.
 */
export const ESTIMATE_CONSTANTS = {
  /** Source bytes read, sent and written in a second by one copying connection. */
  copy_bytes_per_second: 30_000_000,
  /** Bytes read and hashed in a second by one reconciling connection, on each side at once. */
  reconcile_bytes_per_second: 60_000_000,
  /** Starting states, sessions and the first container. */
  fixed_seconds: 60,
  /** The target holds about what the source holds, and is read once more to be reconciled. */
  vcpu_per_worker: 1,
  gigabytes_per_worker: 4,
  usd_per_vcpu_hour: 0.04048,
  usd_per_gigabyte_hour: 0.004445,
  usd_per_transition: 0.000025,
  /** Transitions of one batch of chunks or segments, retries left out; and of the rest of the pipeline. */
  transitions_per_batch: 6,
  transitions_fixed: 120,
} as const

export type Estimate = Plan['estimate']

export type EstimateInput = {
  tables: readonly TableMapping[]
  source: Catalog
  /** Counted rows are taken before estimated ones. */
  profile: Profile | null
  parallelism: number
  rowsPerChunk: number
}

/**
 * Rows, bytes, seconds and dollars of one copy and one reconciliation. An upper bound where rows are filtered.
 * A figure that nothing supports is null, and `reason` says why.
 */
export function estimateRun(input: EstimateInput): Estimate {
  let rows = 0n
  let bytes = 0n
  let batches = 0n
  const unknown: string[] = []
  for (const table of input.tables) {
    const size = tableSize(table, input)
    if (size === null) {
      unknown.push(table.table_id)
      continue
    }
    rows += size.rows
    bytes += size.bytes
    batches += 2n * (size.rows / BigInt(input.rowsPerChunk) + 1n)
  }
  if (unknown.length > 0) {
    return {
      rows: null,
      bytes: null,
      seconds: null,
      usd: null,
      reason: `The source does not say how large these tables are: ${namesInShort(unknown)}.`,
    }
  }
  const c = ESTIMATE_CONSTANTS
  const work = Number(bytes) / c.copy_bytes_per_second + Number(bytes) / c.reconcile_bytes_per_second
  const seconds = c.fixed_seconds + work / input.parallelism
  const hours = (c.fixed_seconds + work) / 3600
  const workers = hours * (c.vcpu_per_worker * c.usd_per_vcpu_hour + c.gigabytes_per_worker * c.usd_per_gigabyte_hour)
  const transitions = (Number(batches) * c.transitions_per_batch + c.transitions_fixed) * c.usd_per_transition
  return {
    rows: rows.toString(),
    bytes: bytes.toString(),
    seconds: rounded(seconds, 1),
    usd: rounded(workers + transitions, 4),
    reason: null,
  }
}

/** Null when the system gives nothing to go by: not analysed yet, or a file whose size is unknown. */
function tableSize(table: TableMapping, input: EstimateInput): { rows: bigint; bytes: bigint } | null {
  const same = (other: { schema: string; name: string }) => other.schema === table.source.schema && other.name === table.source.name
  const entry = input.source.tables.find(same)
  if (entry === undefined) return null
  const counted = input.profile?.tables.find(same)?.rows
  const bytes = BigInt(entry.bytes)
  const rows = BigInt(counted ?? entry.estimated_rows)
  // Bytes without rows: the system has never analysed the table. Rows without bytes: it does not tell sizes.
  if (counted === undefined && rows === 0n && bytes > 0n) return null
  if (rows > 0n && bytes === 0n) return null
  return { rows, bytes }
}

function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals))
}
