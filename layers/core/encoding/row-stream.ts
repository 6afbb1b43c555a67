import type { TableMapping } from '../schemas/proposal.ts'

/**
 * Rows of one table pair's side, for sides that are not PostgreSQL: whole row frames (see `row-frame.ts`) of canonical values
 * (`canonical-value.ts`), or of native ones where the reader was asked for them, in any order, one field per mapped column in the mapping's
 * order, transforms and filter applied.
 */
export type RowStream = {
  /** Each chunk holds a whole number of frames, best 64 KiB or more at a time, and stays as it is until the next is asked for; PostgreSQL's stay longer. */
  chunks: AsyncIterable<Uint8Array>
  /** Rows that the reader counted, known once `chunks` ended; must equal the number of frames. */
  rows(): bigint
}

/**
 * The bytes of a field in the native encoding, by what PostgreSQL sends for the type. `numeric`: with the declared scale, or without trailing
 * zeros where there is none. `blanks: 'padding'`: blanks at the end are not part of the text.
 */
export type NativeForm =
  | {
      wire:
        | 'bool'
        | 'bytea'
        | 'date'
        | 'float4'
        | 'float8'
        | 'int2'
        | 'int4'
        | 'int8'
        | 'interval'
        | 'jsonb'
        | 'time'
        | 'timestamp'
        | 'timestamptz'
        | 'uuid'
    }
  | { wire: 'numeric'; scale: number | null }
  | { wire: 'utf8'; blanks: 'text' | 'padding' }

/** A side that can be read any number of times, each time the same rows. */
export type RowSide = {
  /** What was read, in words that identify it: for files their paths, sizes and digests. */
  snapshot(mapping: TableMapping): Promise<string>
  /**
   * The PostgreSQL type whose native form the values of each mapped column have, such as `numeric(18,4)`; null for a column that has none. Absent
   * where the side knows the canonical encoding only. @throws NOT_FOUND, NOT_REPRESENTABLE
   */
  forms?(mapping: TableMapping): Promise<readonly (string | null)[]>
  /**
   * Canonical rows; native ones where `forms` says which form each mapped column is wanted in.
   * @throws NOT_FOUND, NOT_REPRESENTABLE, STREAM_TRUNCATED (also from the iteration)
   */
  read(mapping: TableMapping, signal: AbortSignal, forms?: readonly NativeForm[]): Promise<RowStream>
  close(): Promise<void>
}
