/**
 * Speeds that were measured, each with the file and line it was read from, and the bytes of a row there (pg_table_size over rows). Nothing is assumed
 * to be faster than what was seen: of rows and bytes a second, whichever takes longer counts.
 */
export type Measured = { rows: number; seconds: number; bytesPerRow: number; file: string; line: string }

export const MEASURED = {
  /** Narrowest keyed rows: how many rows a second. */
  keyedRows: {
    rows: 5_000_000,
    seconds: 3.17,
    bytesPerRow: 60,
    file: 'bench/recon-results.md',
    line: 'accounts, 5,000,000 rows | equal, 1 connection a side | 3.17',
  },
  /** Keyed rows of 23 columns: how many bytes a second. */
  keyedBytes: {
    rows: 2_000_000,
    seconds: 5.18,
    bytesPerRow: 245,
    file: 'bench/recon-results.md',
    line: 'ledger, 2,000,000 rows | equal, 1 connection a side | 5.18',
  },
  keylessRows: {
    rows: 1_000_000,
    seconds: 5.88,
    bytesPerRow: 84,
    file: 'bench/recon-results.md',
    line: 'readings, 1,000,000 rows | equal, 1 connection a side | 5.88',
  },
  keylessBytes: {
    rows: 3_000_000,
    seconds: 8.81,
    bytesPerRow: 60,
    file: 'bench/recon-results.md',
    line: 'flights, 3,000,000 rows | equal, 1 connection a side | 8.81',
  },
  /** Two connections at once, so one has half of it. */
  copy: {
    rows: 3_000_000,
    seconds: 3.62,
    bytesPerRow: 60,
    file: 'bench/results.md',
    line: 'copy with transforms and checkpoints, against COPY out piped into COPY in | 1.92 × (3.62 s',
  },
} as const satisfies Record<string, Measured>

const COPYING_CONNECTIONS = 2

/** What a server reads from its disk to count and to profile. Assumed, not measured: the disk is the customer's. */
export const ASSUMED_SCAN_BYTES_PER_SECOND = 60_000_000

const rowsPerSecond = ({ rows, seconds }: Measured) => rows / seconds
const bytesPerSecond = ({ rows, seconds, bytesPerRow }: Measured) => (rows * bytesPerRow) / seconds

/** Bytes that are scanned for a profile, at most: a function has fifteen minutes for it. */
export const PROFILED_BYTES = 20_000_000_000

/** Seconds that one worker needs to compare a table of so many rows and bytes a side. */
export function reconcileSeconds(table: { rows: bigint; bytes: bigint; keyed: boolean }): number {
  const [byRows, byBytes] = table.keyed ? [MEASURED.keyedRows, MEASURED.keyedBytes] : [MEASURED.keylessRows, MEASURED.keylessBytes]
  return Math.max(Number(table.rows) / rowsPerSecond(byRows), Number(table.bytes) / bytesPerSecond(byBytes))
}

/** Seconds that one copying connection needs for so many rows and bytes. */
export function copySeconds(part: { rows: bigint; bytes: bigint }): number {
  const one = Math.max(Number(part.rows) / rowsPerSecond(MEASURED.copy), Number(part.bytes) / bytesPerSecond(MEASURED.copy))
  return one * COPYING_CONNECTIONS
}
