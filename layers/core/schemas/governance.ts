import { z } from 'zod'
import { artifactPointer, email, instant, role, sha256Hex, slug } from './common.ts'
import { gatedTransition } from './policy.ts'

/** Base64url without padding, as WebAuthn gives bytes to a page. */
const base64url = z.string().regex(/^[A-Za-z0-9_-]+$/, 'base64url without padding')

/**
 * What an authenticator signed for one approval. Complete: whoever has the approval statement can check it again with nothing but
 * SHA-256 and ECDSA.
 */
export const passkeyAssertion = z.strictObject({
  credential_id: base64url.max(1400),
  /** SPKI PEM of the passkey, P-256. */
  public_key: z.string().max(400),
  /** The host that the passkey is bound to. */
  rp_id: z.string().min(1).max(253),
  origin: z.string().min(1).max(300),
  client_data_json: base64url.max(4096),
  authenticator_data: base64url.max(2048),
  /** ECDSA, DER. */
  signature: base64url.max(200),
})
export type PasskeyAssertion = z.infer<typeof passkeyAssertion>

/** Who an identity provider says that somebody is. */
export const signedInPerson = z.strictObject({ issuer: z.string().min(1).max(500), subject: z.string().min(1).max(255) })

/** The predicate of an approval statement: one person's decision in one role on one transition, bound to what that person saw. */
export const approvalPredicate = z.strictObject({
  approval_id: slug,
  project_id: slug,
  transition: gatedTransition,
  role,
  approver: email,
  /** `WITHDRAWN` takes back the approval named by `withdraws`. */
  decision: z.enum(['APPROVED', 'REJECTED', 'WITHDRAWN']),
  reason: z.string().max(2000),
  decided_at: instant,
  /** SHA-256 of exactly what was reviewed; also the statement's subject. */
  subject_sha256: sha256Hex,
  subject_name: z.string().max(200),
  /** How the person was identified, in words: an invited address, an OIDC session, a passkey. */
  identified_by: z.enum(['invited-address', 'oidc', 'passkey', 'local-command']),
  withdraws: slug.optional(),
  /** Who handed this on, first to last, where the approver was not invited first. */
  delegated_by: z.array(email).min(1).max(8).optional(),
  /** In whose place the approver was invited, because that person had not decided in time. */
  escalated_from: email.optional(),
  oidc: signedInPerson.optional(),
  passkey: passkeyAssertion.optional(),
  /** Random: from the digest of an approval that is withheld nobody can tell whose it is by trying addresses. */
  salt: slug.optional(),
})
export type ApprovalPredicate = z.infer<typeof approvalPredicate>

/** The predicate of a passkey statement: whose it is. Its subject is the SPKI PEM of the passkey. */
export const passkeyPredicate = z.strictObject({
  email,
  credential_id: base64url.max(1400),
  public_key: z.string().max(400),
  rp_id: z.string().min(1).max(253),
  registered_at: instant,
  /** The request whose registration link was used. */
  approval_id: slug,
})
export type PasskeyPredicate = z.infer<typeof passkeyPredicate>

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
  /** What findings were waived by: the statements, the people, and until when all of them count. Nothing is executed after that. */
  waivers: z.strictObject({ sha256: z.array(sha256Hex).min(1), people: z.array(email).min(1), until: instant }).optional(),
  /** Random: from the digest of a signature that is withheld nobody can tell who wrote the plan by trying addresses. */
  salt: slug.optional(),
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
  /** `DELEGATED`: handed on to another person. `WITHDRAWN`: approved once, and taken back. Neither decides anything. */
  decision: z.enum(['APPROVED', 'REJECTED', 'ANSWERED', 'DELEGATED', 'WITHDRAWN']).nullable(),
  reason: z.string().max(2000),
  answers: z.array(z.strictObject({ decision_id: slug, choice: slug })),
  decided_at: instant.nullable(),
  /** The signed approval statement, once decided. */
  statement: artifactPointer.nullable(),
  /** Who handed this on, first to last. */
  delegated_by: z.array(email).max(8).optional(),
  /** The person in whose place this one was invited too. */
  escalated_from: email.optional(),
  /** For the mail alone, whoever gets it and however late: when the proof that is decided on was made; the ids of the first open questions. */
  proof_made_at: instant.optional(),
  questions: z.strictObject({ count: z.int().min(1), ids: z.array(slug).min(1).max(20) }).optional(),
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
/** A group whose state machine may still wait, without the token that tells it. */
export const openGroup = approvalGroup.pick({ group_id: true, project_id: true, expires_at: true })
export type OpenGroup = z.infer<typeof openGroup>
