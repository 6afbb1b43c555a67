import { z } from 'zod'
import { SIGNING_PURPOSES } from '../names.ts'
import { count, instant, role, sha256Hex, slug, verdict } from './common.ts'
import { approvalPredicate } from './governance.ts'
import { gatedTransition } from './policy.ts'
import { lifecycleState } from './project.ts'

/** A path inside a pack: folders and files of letters, digits, `.`, `_` and `-`; never absolute, never `.` or `..`. */
export const packPath = z
  .string()
  .max(300)
  .regex(/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/, 'a path of letters, digits, . _ - and /')
  .refine((path) => path.split('/').every((part) => part !== '.' && part !== '..'), 'a path that stays inside the pack')

/** `sha256_manifest.json`: every file of a pack save itself and its signature. Exactly these, in path order. */
export const packManifest = z.strictObject({
  schema: z.literal('waybill/sha256-manifest/v1'),
  project_id: slug,
  files: z.array(z.strictObject({ path: packPath, sha256: sha256Hex, bytes: count })),
})
export type PackManifest = z.infer<typeof packManifest>

/** The predicate of the statement that seals a pack; its subject is `sha256_manifest.json`. */
export const packPredicate = z.strictObject({
  project_id: slug,
  files: count,
  state: lifecycleState,
  sealed_at: instant,
})
export type PackPredicate = z.infer<typeof packPredicate>

export const signingPurpose = z.enum(SIGNING_PURPOSES)

/** `keys/keys.json`: the public keys that signed, and who holds their private halves. A list, not a reason to trust them. */
export const packKeys = z.strictObject({
  schema: z.literal('waybill/pack-keys/v1'),
  keys: z.array(
    z.strictObject({
      purpose: signingPurpose,
      path: packPath,
      /** SHA-256 of the key's DER SubjectPublicKeyInfo. */
      fingerprint: sha256Hex,
      /** `local`: a file on the machine that ran the migration; whoever ran it could sign anything with it. */
      held_by: z.enum(['local', 'kms']),
      key_id: z.string().min(1).max(2048),
    }),
  ),
})
export type PackKeys = z.infer<typeof packKeys>

/** `merkle.json`: the RFC 6962 roots of every reconciled table, by run. */
export const merkleFile = z.strictObject({
  schema: z.literal('waybill/merkle/v1'),
  project_id: slug,
  runs: z.array(
    z.strictObject({
      run_id: slug,
      tables: z.array(z.strictObject({ table_id: slug, tree_size: z.int().min(0), source_root: sha256Hex, target_root: sha256Hex })),
    }),
  ),
})
export type MerkleFile = z.infer<typeof merkleFile>

/** `audit_chain.json`: what links plan, runs and approvals, each by digest. */
export const auditChainFile = z.strictObject({
  schema: z.literal('waybill/audit-chain/v1'),
  project_id: slug,
  state: lifecycleState,
  plan: z.strictObject({ plan_sha256: sha256Hex, signed_plan_sha256: sha256Hex.nullable() }).nullable(),
  runs: z.array(
    z.strictObject({
      run_id: slug,
      plan_sha256: sha256Hex,
      recon_report_sha256: sha256Hex,
      /** As the audit log names it; null where it names none. */
      checks_report_sha256: sha256Hex.nullable(),
      verdict,
    }),
  ),
  outcome: z.strictObject({ outcome_sha256: sha256Hex, certificate_sha256: sha256Hex }).nullable(),
  approvals: z.array(
    z.strictObject({
      approval_id: slug,
      transition: gatedTransition,
      role,
      decision: approvalPredicate.shape.decision,
      subject_sha256: sha256Hex,
      statement_sha256: sha256Hex,
    }),
  ),
  chain: z.strictObject({ count: z.int().min(1), head_sha256: sha256Hex, anchored: z.array(z.int().min(0)) }),
})
export type AuditChainFile = z.infer<typeof auditChainFile>

/** One side of a segment, and its way up to that side's Merkle root: sibling hashes from the leaf on, each with where it stands. */
const segmentPath = z.strictObject({
  rows: count,
  sha256: sha256Hex,
  path: z.array(z.strictObject({ sibling: sha256Hex, stands: z.enum(['left', 'right']) })).max(31),
  root: sha256Hex,
})

/**
 * One segment of a reconciliation, shown to lie under roots that were signed: all that is needed of a pack, and nothing else of it.
 * `position` is the leaf's, from 0; it differs from `index` only where segments before it were never completed.
 */
export const segmentProof = z.strictObject({
  schema: z.literal('waybill/segment-proof/v1'),
  project_id: slug,
  run_id: slug,
  table_id: slug,
  index: z.int().min(0),
  position: z.int().min(0),
  tree_size: z.int().min(1),
  source: segmentPath,
  target: segmentPath,
  /** Statement and signature of the proof certificate, in base64; its envelope's key id is left out, because nobody signed that. */
  certificate: z.strictObject({ payload: z.base64().max(20_000_000), sig: z.base64().max(200) }),
  /** The key that signed it. A key in the file is a hint, not a reason to trust it. */
  public_key: z.string().max(1000),
})
export type SegmentProof = z.infer<typeof segmentProof>

/** `redaction.json`: what was taken out of a pack for outsiders. Each entry is what the sealed manifest says of the file, and why it is not here. */
export const redaction = z.strictObject({
  schema: z.literal('waybill/redaction/v1'),
  project_id: slug,
  manifest_sha256: sha256Hex,
  withheld: z.array(z.strictObject({ path: packPath, sha256: sha256Hex, bytes: count, why: z.string().min(1).max(200) })),
})
export type Redaction = z.infer<typeof redaction>
