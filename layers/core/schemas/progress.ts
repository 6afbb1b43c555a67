import { z } from 'zod'
import { count, instant, slug } from './common.ts'

/** How far one task of a worker is, as it said itself. For people who watch: nothing is decided by it, and it is no evidence. */
export const workProgress = z.strictObject({
  project_id: slug,
  run_id: slug,
  worker: slug,
  /** The first item of the task, or `plan` for a worker that acts on the whole plan. */
  part: slug,
  /** Items of the task. */
  items: count,
  /** The table that is worked on, once there is one. */
  table_id: slug.nullable(),
  /** Rows so far, of all items of the task. */
  rows: count,
  state: z.enum(['working', 'done', 'failed']),
  started_at: instant,
  /** When the worker was last heard of. One that works says so every `BEAT_SECONDS`. */
  beat_at: instant,
})
export type WorkProgress = z.infer<typeof workProgress>

/** A worker not heard of for three of these is probably gone; the state machine finds out by itself and starts another. */
export const BEAT_SECONDS = 15
