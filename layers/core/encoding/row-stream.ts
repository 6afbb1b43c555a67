import type { TableMapping } from '../schemas/proposal.ts'

/**
 * Rows of one table pair's side, for sides that are not PostgreSQL: whole row frames of canonical values (see `row-frame.ts`,
 * `canonical-value.ts`), in any order, one field per mapped column in the mapping's order, transforms and filter applied.
 */
export type RowStream = {
  /** Each chunk holds a whole number of frames, best 64 KiB or more at a time; a chunk is not changed after it was handed over. */
  chunks: AsyncIterable<Uint8Array>
  /** Rows that the reader counted, known once `chunks` ended; must equal the number of frames. */
  rows(): bigint
}

/** A side that can be read any number of times, each time the same rows. */
export type RowSide = {
  /** What was read, in words that identify it: for files their paths, sizes and digests. */
  snapshot(mapping: TableMapping): Promise<string>
  /** @throws NOT_FOUND, NOT_REPRESENTABLE, STREAM_TRUNCATED (also from the iteration) */
  read(mapping: TableMapping, signal: AbortSignal): Promise<RowStream>
  close(): Promise<void>
}
