import { z } from 'zod'
import { findingSeverity, sha256Hex, slug, verdict } from './common.ts'

export const VALIDATORS = [
  'type-coercion-validator',
  'hashing-validator',
  'sampling-validator',
  'tolerance-validator',
  'approval-validator',
  'signed-plan-validator',
] as const

/** One validator's result. `what` is one sentence a tech lead understands; `remedy` says what would make it pass. */
export const finding = z.strictObject({
  rule_id: z.enum(VALIDATORS),
  verdict,
  severity: findingSeverity,
  what: z.string().min(1).max(2000),
  /** JSON pointer into the plan; '' is the whole plan. */
  where: z.string().max(512),
  remedy: z.string().max(1000),
})
export type Finding = z.infer<typeof finding>

export const findings = z.strictObject({
  schema: z.literal('waybill/findings/v1'),
  project_id: z.string(),
  plan_sha256: z.string(),
  validators: z.array(z.enum(VALIDATORS)),
  verdict,
  findings: z.array(finding),
  /** Findings that would keep the plan from being signed, and the signed waiver because of which they do not. */
  waived: z.array(z.strictObject({ finding_id: slug, waiver_sha256: sha256Hex })).optional(),
})
export type Findings = z.infer<typeof findings>
