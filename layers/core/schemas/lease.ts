import { z } from 'zod'
import { count, instant, slug } from './common.ts'

/** Who may reconcile a project now. `fence` is greater than that of every holder before, and equal for as long as one holder has it. */
export const lease = z.strictObject({
  project_id: slug,
  /** The execution that holds it. */
  holder: z.string().min(1).max(256),
  fence: count,
  expires_at: instant,
})
export type Lease = z.infer<typeof lease>
