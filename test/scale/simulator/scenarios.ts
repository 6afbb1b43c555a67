import type { Workload } from '../../../layers/core/scale/estimate.ts'
import type { Scenario } from './simulate.ts'
import type { VirtualTable } from './virtual-systems.ts'

export type Named = { name: string; words: string; scenario: Scenario }

/** So many tables, of so many rows and bytes in all. */
export function equalTables(count: number, rows: bigint, bytes: bigint): VirtualTable[] {
  const [each, size] = [rows / BigInt(count), bytes / BigInt(count)]
  return Array.from({ length: count }, (_, at) => ({ name: `orders_${String(at + 1).padStart(5, '0')}`, rows: each, bytes: size }))
}

const BILLION = 1_000_000_000n
const TERABYTE = 1_000_000_000_000n

/** What docs/scale.md is about. Of each kind of task one is done by its real handler, further ones are counted like it. */
export const LARGE: readonly Named[] = [
  { name: 'one-table', words: '1 table', scenario: { tables: equalTables(1, BILLION, TERABYTE), parallelism: 64, real: 1 } },
  { name: 'many-workers', words: '1,280 tables', scenario: { tables: equalTables(1280, BILLION, TERABYTE), parallelism: 64, real: 1 } },
  { name: 'many-tables', words: '10,000 tables', scenario: { tables: equalTables(10_000, BILLION, TERABYTE), parallelism: 64, real: 1 } },
]

/** Small sizes that the model's coefficients are fitted on; every task is done by its handler. */
export const SMALL: readonly Scenario[] = [
  { tables: equalTables(1, 100_000n, 10_000_000n), parallelism: 4 },
  { tables: equalTables(1, 4_000_000n, 400_000_000n), parallelism: 4 },
  { tables: equalTables(2, 6_000_000n, 600_000_000n), parallelism: 4 },
  { tables: equalTables(3, 9_000_000n, 900_000_000n), parallelism: 4 },
  { tables: equalTables(20, 200_000n, 20_000_000n), parallelism: 4 },
  { tables: equalTables(21, 210_000n, 21_000_000n), parallelism: 4 },
  { tables: equalTables(60, 600_000n, 60_000_000n), parallelism: 4 },
]

/** The same as the estimate is asked about it. */
export function workloadOf({ tables, parallelism }: Scenario): Workload {
  return { tables: tables.map((table) => ({ ...table, keyed: true })), parallelism, rowsPerChunk: 500_000 }
}
