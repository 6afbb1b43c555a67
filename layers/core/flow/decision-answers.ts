import { z } from 'zod'
import { email, instant, sha256Hex, slug } from '../schemas/common.ts'
import { decisionAnswer } from '../schemas/spec.ts'

/** What a person answered on the decisions page; the project's artifact `decision_answers`. */
export const decisionAnswers = z.strictObject({
  schema: z.literal('waybill/decision-answers/v1'),
  project_id: slug,
  approval_id: slug,
  answered_by: email,
  answered_at: instant,
  /** The proposal whose questions these are. */
  subject_sha256: sha256Hex,
  answers: z.array(decisionAnswer).min(1).max(1000),
})
export type DecisionAnswers = z.infer<typeof decisionAnswers>
