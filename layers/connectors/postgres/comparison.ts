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
  /** Segments among them that an earlier run found equal, and when. */
  earlier?: { segments: number; first: string; last: string }
}

/** What a reader must know who would take all segments for one moment. */
export function earlierWords({ earlier, segmentsExpected }: Comparison): string[] {
  if (earlier === undefined) return []
  const time = earlier.first === earlier.last ? earlier.first : `${earlier.first} to ${earlier.last}`
  return [
    `${earlier.segments} of ${segmentsExpected} segments were found equal by an earlier run (${time}) and not read again: rows changed in them since are not seen, and this is not one snapshot.`,
  ]
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
