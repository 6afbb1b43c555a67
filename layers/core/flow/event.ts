import { z } from 'zod'
import { WaybillError } from '../errors.ts'
import { count, slug } from '../schemas/common.ts'
import { gatedTransition } from '../schemas/policy.ts'

/** What every Task state gives its function: names of things, never the things. */
export const taskEvent = z.object({ project_id: slug, run_id: slug })
export type TaskEvent = z.infer<typeof taskEvent>

/** Of states inside a reconciliation: the fence of its lease. */
export const leasedEvent = taskEvent.extend({ fence: count.optional() })

/** Of states that judge a reconciliation: which one. */
export const reconEvent = taskEvent.extend({ recon_run_id: slug })

/** Of waiting states. */
export const waitingEvent = taskEvent.extend({ task_token: z.string().min(1).max(4096) })
export const approvalEvent = waitingEvent.extend({ transition: gatedTransition })

/** Of RecordFailure: what was caught, or the decision that ends the run. */
export const failureEvent = taskEvent.extend({
  decision: z.string().max(64).nullish(),
  error: z.string().max(256).nullish(),
  cause: z.string().max(32_768).nullish(),
  scope: z.literal('reconciliation').nullish(),
  /** Set when StopWorkers failed. */
  workers: z.literal('not stopped').nullish(),
})

/** What a function hands back to the state machine. `decision` is the one field a Choice compares. */
export type TaskResult = { project_id: string; run_id: string; decision?: string }

/** Where a distributed Map reads its items, and how many workers may run at once. */
export type ItemsResult = TaskResult & {
  items: { uri: string; version_id: string; sha256: string; bucket: string; key: string; parallelism: number }
}

/** @throws BAD_INPUT */
export function readEvent<S extends z.ZodType>(schema: S, event: unknown): z.infer<S> {
  const parsed = schema.safeParse(event)
  if (parsed.success) return parsed.data
  const details = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  throw new WaybillError('BAD_INPUT', 'The state machine and this function do not agree about the input. Deploy both from one version.', {
    details,
  })
}
