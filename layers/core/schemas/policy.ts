import { z } from 'zod'
import { email, role, slug } from './common.ts'
import { people } from './people.ts'
import { transform } from './spec.ts'

/** Lifecycle transitions that need people. */
export const gatedTransition = z.enum([
  'PLAN_DRAFTED->PLANNED',
  'PLANNED->EXECUTED',
  'PR_CREATED->PARALLEL_VALIDATED',
  'PARALLEL_VALIDATED->CUTOVER_READY',
  'CUTOVER_READY->CUTOVER_DONE',
])
export type GatedTransition = z.infer<typeof gatedTransition>

const hours = z.int().min(1).max(8760)

/** Reminders, delegation, escalation, and how people prove who they are. */
export const asking = z.strictObject({
  /** Every `after_hours` hours without a decision, `at_most` times a person. */
  reminders: z.strictObject({ after_hours: hours, at_most: z.int().min(1).max(20) }).optional(),
  /** Roles whose approver may hand a request on to another person, and how often one request may be handed on. */
  delegation: z.strictObject({ roles: z.array(role), at_most: z.int().min(1).max(8) }).optional(),
  /** Who is invited too when somebody has not decided after `after_hours`, by role. */
  escalation: z.strictObject({ after_hours: hours, people: z.array(z.strictObject({ role, email })) }).optional(),
  /** Roles whose approval counts only with a passkey signature over the subject digest. */
  passkey_roles: z.array(role).optional(),
})
export type Asking = z.infer<typeof asking>

/**
 * Which findings of the validators a person may take responsibility for. Left out: none. Never what is CRITICAL, and never what the
 * hashing, approval or signed-plan validator found: signatures and proofs rest on those.
 */
const waiving = z.strictObject({
  /** Who may; a role that approves neither the plan nor its execution, so that nobody excuses what they let pass themselves. */
  role,
  rules: z.array(z.enum(['type-coercion-validator', 'sampling-validator', 'tolerance-validator'])).min(1),
  severities: z.array(z.enum(['ERROR'])).min(1),
  /** How long a waiver may count at most. */
  max_days: z.int().min(1).max(365),
})

/** Versioned rules. Its digest is in every signed plan: a changed policy makes every plan not yet executed stale. */
export const policy = z.strictObject({
  schema: z.literal('waybill/policy/v1'),
  version: z.string().min(1).max(64),
  approvals: z.record(gatedTransition, z.array(role).min(1)),
  people: people.optional(),
  /** How people are asked. Left out: once, in person, by link alone. */
  asking: asking.optional(),
  waivers: waiving.optional(),
  plan_ttl_hours: z.int().min(1).max(8760),
  approval_ttl_hours: z.int().min(1).max(8760),
  clean_runs_required: z.int().min(0).max(365),
  tolerances: z.strictObject({
    max_absolute: z.string(),
    max_relative: z.string(),
    max_time_ms: z.int().min(0),
    max_mismatched_rows: z.int().min(0),
  }),
  sampling: z.strictObject({ full_required: z.boolean(), min_rows: z.int().min(0) }),
  encryption: z.strictObject({ require_tls_outside_loopback: z.boolean() }),
  pii: z.strictObject({
    /** Column names that suggest personal data, as lower-case fragments. */
    name_fragments: z.array(z.string().min(2).max(32)),
    mask_required: z.boolean(),
    values_in_evidence: z.boolean(),
  }),
  bps: z.strictObject({
    scale: z.number().positive(),
    warning: z.number().min(0).max(1),
    critical: z.number().min(0).max(1),
  }),
  retention_days: z.int().min(1).max(36_500),
})
export type Policy = z.infer<typeof policy>

/** `type_coercion_rulebook.json` */
export const typeCoercionRulebook = z.strictObject({
  schema: z.literal('waybill/type-coercion-rulebook/v1'),
  version: z.string().min(1).max(64),
  rules: z.array(
    z.strictObject({
      id: slug,
      /** Base type names without modifiers; `*` is any. */
      from: z.array(z.string().min(1)),
      to: z.array(z.string().min(1)),
      transform: z.enum(transform.options.map((option) => option.shape.kind.value) as [string, ...string[]]),
      lossy: z.boolean(),
      /** A lossy or ambiguous rule applies only with an answered manual decision. */
      needs_decision: z.boolean(),
      says: z.string().max(500),
    }),
  ),
})
export type TypeCoercionRulebook = z.infer<typeof typeCoercionRulebook>

/** `hashing_spec.json` */
export const hashingSpec = z.strictObject({
  schema: z.literal('waybill/hashing-spec/v1'),
  version: z.string().min(1).max(64),
  algorithm: z.literal('SHA-256'),
  row_encodings: z.array(z.strictObject({ id: z.enum(['native', 'canonical']), version: z.int().min(1), says: z.string() })),
  /** How each built-in PostgreSQL type travels natively, by its printed name; whatever is in none of the lists and not built from them is refused. */
  native_types: z.strictObject({
    binary: z.array(z.string().min(1)),
    text: z.array(z.string().min(1)),
    built: z.record(z.string().min(1), z.string().min(1)),
    refused: z.record(z.string().min(1), z.string().min(1)),
  }),
  segment_digest: z.string(),
  bucket_digest: z.string(),
  merkle: z.strictObject({ leaf_prefix: z.literal('00'), node_prefix: z.literal('01'), says: z.string() }),
  session: z.record(z.string(), z.string()),
})
export type HashingSpec = z.infer<typeof hashingSpec>

export const archetype = z.strictObject({
  schema: z.literal('waybill/archetype/v1'),
  id: slug,
  title: z.string(),
  source_system_types: z.array(z.string()),
  target_system_types: z.array(z.string()),
  says: z.string(),
})
export type Archetype = z.infer<typeof archetype>
