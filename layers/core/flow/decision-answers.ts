import { z } from 'zod'
import { email, instant, sha256Hex, slug } from '../schemas/common.ts'
import { manualDecision } from '../schemas/proposal.ts'
import { decisionAnswer } from '../schemas/spec.ts'

/** What a person answered on the decisions page; the project's artifact `decision_answers`. */
export const decisionAnswers = z.strictObject({
  schema: z.literal('waybill/decision-answers/v1'),
  project_id: slug,
  approval_id: slug,
  answered_at: instant,
  /** The proposal whose questions these are. */
  subject_sha256: sha256Hex,
  /** All answers so far, each with who gave it; a later round adds to an earlier one. */
  answers: z
    .array(decisionAnswer.extend({ answered_by: email }))
    .min(1)
    .max(1000),
})
export type DecisionAnswers = z.infer<typeof decisionAnswers>

/** The open questions of one mapping; the project's artifact `manual_decisions`, and what the answering person decides on. */
export const manualDecisions = z.strictObject({
  schema: z.literal('waybill/manual-decisions/v1'),
  project_id: slug,
  mapping_sha256: sha256Hex,
  /** Whoever was asked about another spec has not answered these, whatever the mapping is. */
  spec_sha256: sha256Hex.optional(),
  decisions: z.array(manualDecision).min(1),
})
export type ManualDecisions = z.infer<typeof manualDecisions>
