import { z } from 'zod'
import { artifactPointer, count, instant, sha256Hex, slug } from './common.ts'

/** One range of copying: a line of `chunks.jsonl`. `range` is in the connector's own terms (for example PostgreSQL block numbers) and is re-checked by the worker. */
export const chunk = z.strictObject({
  chunk_id: slug,
  step_id: slug,
  table_id: slug,
  range: z.strictObject({ from: count, to: count.nullable() }),
})
export type Chunk = z.infer<typeof chunk>

/** One piece of reconciling: a line of `segments.jsonl`. A worker takes a batch of them under one snapshot per side. */
export const segmentItem = z.strictObject({ item_id: slug, table_id: slug })
export type SegmentItem = z.infer<typeof segmentItem>

/** What a worker is told: where its work lies, never the work itself. At most 8 KiB as JSON. */
export const workerTask = z.strictObject({
  worker: slug,
  project_id: slug,
  run_id: slug,
  /** `chunks.jsonl` or `segments.jsonl`; null for workers that act on the whole plan. */
  items: artifactPointer.nullable(),
  ids: z.array(slug).max(200),
  /** Of the lease that the work is done under; workers that no lease guards have none. */
  fence: count.optional(),
})
export type WorkerTask = z.infer<typeof workerTask>

export const chunkResult = z.strictObject({
  chunk_id: slug,
  table_id: slug,
  rows: count,
  bytes: count,
  started_at: instant,
  finished_at: instant,
  /** True when the checkpoint was already there and nothing was copied. */
  already_done: z.boolean(),
})
export type ChunkResult = z.infer<typeof chunkResult>

/** How hard the worker's machine worked. Null, with a reason, where it could not be measured. */
export const saturation = z.strictObject({
  cpu_ratio: z.number().nullable(),
  memory_ratio: z.number().nullable(),
  network_ratio: z.number().nullable(),
  disk_io_ratio: z.number().nullable(),
  reason: z.string().nullable(),
})
export type Saturation = z.infer<typeof saturation>

export const executionReport = z.strictObject({
  schema: z.literal('waybill/execution-report/v1'),
  project_id: slug,
  plan_sha256: sha256Hex,
  started_at: instant,
  finished_at: instant,
  tables: z.array(z.strictObject({ table_id: slug, rows: count, bytes: count, chunks_expected: count, chunks_completed: count })),
  chunks: z.array(chunkResult),
  retries: count,
  connection_failures: count,
  saturation,
})
export type ExecutionReport = z.infer<typeof executionReport>
