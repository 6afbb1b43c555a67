import { z } from 'zod'
import { artifactPointer, email, instant, role, sha256Hex, slug } from './common.ts'
import { gatedTransition } from './policy.ts'

/** The predicate of an approval statement: one person's decision in one role on one transition, bound to what that person saw. */
export const approvalPredicate = z.strictObject({
  approval_id: slug,
  project_id: slug,
  transition: gatedTransition,
  role,
  approver: email,
  decision: z.enum(['APPROVED', 'REJECTED']),
  reason: z.string().max(2000),
  decided_at: instant,
  /** SHA-256 of exactly what was reviewed; also the statement's subject. */
  subject_sha256: sha256Hex,
  subject_name: z.string().max(200),
  /** How the person was identified, in words: an invited address, an OIDC session, a passkey. */
  identified_by: z.enum(['invited-address', 'oidc', 'passkey']),
})
export type ApprovalPredicate = z.infer<typeof approvalPredicate>

/** The predicate of a plan statement; its subject is the plan file. */
export const planPredicate = z.strictObject({
  project_id: slug,
  plan_version: z.int().min(1),
  policy_version: z.string(),
  policy_sha256: sha256Hex,
  type_coercion_sha256: sha256Hex,
  hashing_spec_sha256: sha256Hex,
  archetype_sha256: sha256Hex,
  findings_sha256: sha256Hex,
  author: email,
  expires_at: instant,
  signed_at: instant,
})
export type PlanPredicate = z.infer<typeof planPredicate>

/** One entry of a project's hash chain. `entry_sha256` is SHA-256 over the canonical JSON of all the other fields. */
export const auditEntry = z.strictObject({
  seq: z.int().min(0),
  prev_sha256: sha256Hex,
  project_id: slug,
  at: instant,
  actor: z.string().min(1).max(300),
  action: z.string().regex(/^[A-Z][A-Z0-9_]{2,63}$/),
  subject_sha256: sha256Hex.nullable(),
  reasoning_sha256: sha256Hex.nullable(),
  details: z.record(z.string().max(64), z.string().max(1000)),
  entry_sha256: sha256Hex,
})
export type AuditEntry = z.infer<typeof auditEntry>

/** Signed and stored under Object Lock at every state change: shows a cut tail or a rewritten chain. */
export const auditAnchor = z.strictObject({
  schema: z.literal('waybill/audit-anchor/v1'),
  project_id: slug,
  sequence: z.int().min(0),
  head_sha256: sha256Hex,
  count: z.int().min(1),
  anchored_at: instant,
})
export type AuditAnchor = z.infer<typeof auditAnchor>

/** What one person was asked. The task token lies here, encrypted, and nowhere else. */
export const approvalRequest = z.strictObject({
  approval_id: slug,
  project_id: slug,
  /** All requests of one waiting state share a group. */
  group_id: slug,
  kind: z.enum(['approval', 'decisions']),
  transition: gatedTransition.nullable(),
  role,
  approver: email,
  subject: artifactPointer,
  subject_name: z.string().max(200),
  created_at: instant,
  expires_at: instant,
  status: z.enum(['PENDING', 'DECIDED']),
  decision: z.enum(['APPROVED', 'REJECTED', 'ANSWERED']).nullable(),
  reason: z.string().max(2000),
  answers: z.array(z.strictObject({ decision_id: slug, choice: slug })),
  decided_at: instant.nullable(),
  /** The signed approval statement, once decided. */
  statement: artifactPointer.nullable(),
})
export type ApprovalRequest = z.infer<typeof approvalRequest>

export const approvalGroup = z.strictObject({
  group_id: slug,
  project_id: slug,
  /** Sealed by the adapter; never logged, never in a link. */
  task_token: z.string().min(1).max(4096),
  /** Set once the state machine accepted the outcome. */
  told_at: instant.nullable(),
  expires_at: instant,
})
export type ApprovalGroup = z.infer<typeof approvalGroup>
