import type { Mismatch, SegmentDigest } from '../../core/schemas/recon.ts'

/** `targetSegment`: where the target's row of a changed pair lies, when it is not the source's segment. */
export type Emit = (mismatch: Mismatch, targetSegment?: number) => void

/** What reading both sides of one table gave. */
export type Comparison = {
  method: 'stream' | 'push-down'
  segmentsExpected: number
  segments: SegmentDigest[]
  sourceRows: bigint
  targetRows: bigint
}

/** Runs tasks at once; when one fails the others are stopped, and all have ended before the first failure is thrown. */
export async function allOrNone<T>(tasks: readonly Promise<T>[], stop: () => void): Promise<T[]> {
  let first: { error: unknown } | undefined
  const settled = await Promise.allSettled(
    tasks.map((task) =>
      task.catch((error: unknown) => {
        // What the others say from now on is only that they were stopped.
        first ??= { error }
        stop()
        throw error
      }),
    ),
  )
  if (first !== undefined) throw first.error
  return settled.map((result) => (result as PromiseFulfilledResult<T>).value)
}
