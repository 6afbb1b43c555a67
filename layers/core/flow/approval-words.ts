import type { Role } from '../schemas/common.ts'
import type { GatedTransition } from '../schemas/policy.ts'

const STAYS = 'If you reject, the migration ends there; what was copied stays in the target until its owner removes it.'

/** What each transition asks, and what an approval sets going: for the mail and for the page. */
export const TRANSITION_WORDS: Readonly<Record<GatedTransition, { asks: string; consequence: string }>> = {
  'PLAN_DRAFTED->PLANNED': {
    asks: 'Do you approve this migration plan?',
    consequence: 'If you approve, the plan is signed and shown to the data owner and security. No data moves yet.',
  },
  'PLANNED->EXECUTED': {
    asks: 'May this plan be carried out?',
    consequence: 'If everyone asked approves, data is copied into the target. The source is only read.',
  },
  'PR_CREATED->PARALLEL_VALIDATED': {
    asks: 'Is this proof good enough to run source and target in parallel?',
    consequence: `If you approve, source and target are compared again, as often as the policy asks. ${STAYS}`,
  },
  'PARALLEL_VALIDATED->CUTOVER_READY': {
    asks: 'Is the business ready to move over?',
    consequence: `If you approve, the runbook for the cutover is written and shown to those who decide on it. ${STAYS}`,
  },
  'CUTOVER_READY->CUTOVER_DONE': {
    asks: 'May the cutover happen as this runbook says?',
    consequence: `If everyone asked approves, the target takes over and the evidence is sealed. ${STAYS}`,
  },
}

export const DECISION_WORDS = {
  asks: 'Please answer the open questions of this migration.',
  consequence: 'The plan is made with your answers, and shown again for approval before any data moves.',
}

/** `data_owner` → `data owner` */
export function roleInWords(role: Role): string {
  return role === 'dba' ? 'DBA' : role === 'qa_lead' ? 'QA lead' : role.replaceAll('_', ' ')
}
