import { z } from 'zod'
import { artifactPointer, count, email, instant, slug } from './common.ts'

export const LIFECYCLE_STATES = [
  'CREATED',
  'DISCOVERED',
  'PLAN_DRAFTED',
  'PLANNED',
  'EXECUTED',
  'RECONCILED',
  'PR_CREATED',
  'PARALLEL_VALIDATED',
  'CUTOVER_READY',
  'CUTOVER_DONE',
  'EVIDENCE_COMPLETE',
  'REJECTED',
  'ROLLED_BACK',
  'FAILED',
] as const
export const lifecycleState = z.enum(LIFECYCLE_STATES)
export type LifecycleState = z.infer<typeof lifecycleState>

/** One migration of one scope. Artifacts are listed by logical name; the newest of each counts. */
export const projectRecord = z.strictObject({
  project_id: slug,
  /** Grows by one with every write; the store refuses a write that expects another. */
  revision: z.int().min(1),
  state: lifecycleState,
  /** The state to resume from when FAILED. */
  failed_from: lifecycleState.nullable(),
  failure: z.strictObject({ code: z.string().max(64), reason: z.string().max(2000), at: instant }).nullable(),
  title: z.string().max(200),
  migration_id: z.string().max(64),
  author: email,
  archetype_id: slug,
  plan_version: z.int().min(0),
  /** Clean nights counted for the parallel run. */
  clean_runs: z.int().min(0),
  /** The newest fence of its lease: what a reconciliation with a smaller one found is not taken. Absent until the first one. */
  recon_fence: count.optional(),
  created_at: instant,
  updated_at: instant,
  artifacts: z.record(z.string().regex(/^[a-z][a-z0-9_.-]{0,79}$/), artifactPointer),
})
export type ProjectRecord = z.infer<typeof projectRecord>
