import { z } from 'zod'
import { sha256Hex } from '../../layers/core/schemas/common.ts'
import { chunkResult, saturation } from '../../layers/core/schemas/work.ts'

/** What a copy worker leaves for RecordExecution, one file a chunk. */
export const chunkWork = z.strictObject({
  schema: z.literal('waybill/chunk-work/v1'),
  plan_sha256: sha256Hex,
  result: chunkResult,
  saturation,
})
export type ChunkWork = z.infer<typeof chunkWork>
