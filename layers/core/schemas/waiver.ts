import { z } from 'zod'
import { email, instant, role, sha256Hex, slug } from './common.ts'
import { finding } from './finding.ts'
import { signedInPerson } from './governance.ts'

/** What somebody is asked to waive: everything that the statement will say, save when it was decided. */
export const waiverRequest = z.strictObject({
  waiver_id: slug,
  project_id: slug,
  /** The plan file that has the finding; a waiver for another plan counts for nothing. */
  plan_sha256: sha256Hex,
  finding_id: slug,
  finding,
  role,
  approver: email,
  reason: z.string().min(1).max(2000),
  /** Until when the waiver counts; nothing is executed under the plan after that. */
  expires_at: instant,
})
export type WaiverRequest = z.infer<typeof waiverRequest>

/** A request as it is kept, with the time until which the code in the mail is accepted. */
export const keptWaiverRequest = z.strictObject({
  schema: z.literal('waybill/waiver-request/v1'),
  request: waiverRequest,
  code_expires_at: instant,
})

/** The predicate of a waiver statement; its subject is the plan file. */
export const waiverPredicate = waiverRequest.extend({
  waived_at: instant,
  identified_by: z.enum(['invited-address', 'oidc']),
  oidc: signedInPerson.optional(),
  /** Random: from the digest of a waiver that is withheld nobody can tell whose it is by trying addresses. */
  salt: slug.optional(),
})
export type WaiverPredicate = z.infer<typeof waiverPredicate>
