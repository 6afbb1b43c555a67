import type { GatedTransition } from '../schemas/policy.ts'

/** What is reviewed on each transition: the artifact's logical name, and how the page calls the file. */
export const SUBJECTS: Readonly<Record<GatedTransition, { artifact: string; file: string }>> = {
  'PLAN_DRAFTED->PLANNED': { artifact: 'migration_plan', file: 'migration_plan.json' },
  'PLANNED->EXECUTED': { artifact: 'signed_plan', file: 'signed_plan.dsse.json' },
  'PR_CREATED->PARALLEL_VALIDATED': { artifact: 'proof_certificate', file: 'proof_certificate.dsse.json' },
  'PARALLEL_VALIDATED->CUTOVER_READY': { artifact: 'proof_certificate', file: 'proof_certificate.dsse.json' },
  'CUTOVER_READY->CUTOVER_DONE': { artifact: 'cutover_plan', file: 'cutover_plan.json' },
}

/** The subject of open manual decisions. */
export const DECISION_SUBJECT = { artifact: 'manual_decisions', file: 'manual_decisions.json' }
