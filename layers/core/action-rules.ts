import { digestOf } from './canonical-json.ts'

/**
 * Why a component that has no judgement of its own takes an action: the rule it follows, in one sentence. Agents are not here; they
 * write a reasoning for each proposal. Logs hold digests of these sentences: one that was ever released is never changed, only added to.
 */
export const ACTION_RULES: Readonly<Record<string, string>> = {
  APPROVAL_ESCALATED: 'Nobody decided in time, so the person whom the policy names is invited too.',
  APPROVAL_EXPIRED: 'The link ran out before its person decided; what was asked has to be asked again.',
  APPROVAL_REQUESTED: 'The policy asks for this role on this transition, and the spec names this person for it.',
  APPROVAL_WITHDRAWN: 'A person took back an approval before anything was executed under it.',
  APPROVER_ASKED_AGAIN: 'A person who withdrew an approval is asked once more, since the step still waits.',
  APPROVER_REMINDED: 'The policy has people reminded who have not decided yet.',
  CHUNKS_PLANNED: 'The work list follows from the signed plan and the ranges found in the source.',
  CLEAN_NIGHTS_COUNTED: 'Distinct nights found clean since the approval and since the last mismatch, under this plan.',
  CUTOVER_DONE: 'Everybody whom the policy asks for approved this very cutover plan.',
  DECISIONS_ANSWERED: 'A person answered every open question of the mapping.',
  DECISION_REFUSED: 'The decision was not one that this person, link or moment allows; nothing was changed by it.',
  DECISION_TAKEN: 'A person decided on the page that showed exactly this subject.',
  ESCALATION_REFUSED: 'The person whom the policy names for an escalation may not decide here, so nobody was invited.',
  EVIDENCE_SEALED: 'The chain is anchored and nothing is left to do, so everything was put into one sealed list.',
  NIGHT_CLEAN: 'The proof of this night holds: every row was compared and found equal.',
  NIGHT_MISMATCHED: 'Source and target differed in this night, so clean nights are counted anew.',
  NIGHT_SKIPPED: 'This night was not compared, for the reason given; it neither counts nor takes anything away.',
  NIGHT_TOLD: 'A night that is not clean is told to the author, the data owner and the QA lead.',
  NIGHT_UNDECIDED: 'Whether source and target were equal in this night is not known, and what is not known does not count.',
  OUTCOME_PROVEN: 'The proof follows from the reconciliation, the checks and the execution by fixed arithmetic.',
  PARALLEL_RUN_CLEAN: 'The reconciliation of this run passed.',
  PARALLEL_RUN_COMPLETE: 'As many clean runs as the policy asks for were counted.',
  PARALLEL_RUN_DRIFTED: 'The reconciliation of this run did not pass, so the count starts again.',
  PARALLEL_RUN_PROOF_TAKEN: 'The newest clean night has the newest proof, and the next gate is about that one.',
  PASSKEY_REFUSED: 'What was sent is not a passkey that this person may register.',
  PASSKEY_REGISTERED: 'The invited person registered a passkey by the link mailed to them.',
  PLAN_COMPILED: 'The plan follows from the spec, the accepted mapping, the answers and the rulebooks.',
  PLAN_EXECUTED: 'Every chunk of the work list was completed exactly once under the signed plan.',
  PLAN_SIGNED: 'The validators passed and everybody whom the policy asks for approved this very plan.',
  PLAN_STALE: 'The policy, a rulebook or the time has moved on since this plan was made, so another is planned in its place.',
  PLAN_VALIDATED: 'All validators ran over the plan; their findings are the subject.',
  PLAN_WITHDRAWAL_OFFERED: 'The plan was sent for approval, so its author was mailed the link that withdraws it.',
  PLAN_WITHDRAWAL_REFUSED: 'The plan is not to be withdrawn by this person, link or moment; nothing was changed by it.',
  PLAN_WITHDRAWN: 'A person took the plan back before it was executed.',
  PROJECT_CREATED: 'The spec was read, its archetype is known, and nobody had a project of this name.',
  PROJECT_REJECTED: 'Somebody whose approval the policy asks for said no.',
  PROJECT_TAKEN_UP: 'The project had failed, and the state it failed in allows it to be resumed.',
  PULL_REQUEST_CREATED: 'The proof holds, so the rewrite was offered for review; nothing is merged.',
  RECONCILIATION_CLOSED: 'The run came to its end and gave back its lease.',
  RECONCILIATION_FAILED: 'The reconciliation came to no report, and what is not known is not called equal.',
  RECONCILIATION_LEASED: 'Nobody else was reconciling this project, so this run may; what older ones still find is not taken any more.',
  RECONCILIATION_MERGED: 'The results of every planned segment were put together and judged by fixed arithmetic.',
  RECONCILIATION_OPENED: 'Each side was cut into segments by the signed plan.',
  RECONCILIATION_SUPERSEDED: 'The run came to its end after another had taken over its lease, so nothing of it counts.',
  RECORD_NOT_VOUCHED:
    'No signed anchor vouches for where the project record says the project is, so nothing was signed, proven, counted or sealed.',
  REQUEST_DELEGATED: 'The person asked handed the request to another, as the policy allows for this role.',
  RUN_FAILED: 'A step failed for good; the project stays where it was and can be resumed.',
  SPEC_CORRECTED:
    'The project had failed and no plan of it was ever signed, so it begins anew with another spec; nothing of the old one counts.',
  TARGET_ROLLED_BACK: 'The verdict or a person asked for it, so what this plan had written was removed from the target.',
  WAIVER_OFFERED: 'Only findings that the policy lets one person waive keep the plan from being signed, so that person was mailed a link.',
  WAIVER_REFUSED: 'The waiver was not one that this person, code or moment allows; nothing was changed by it.',
  WAIVER_REQUESTED: 'Somebody asked the person of the role that the policy names to take responsibility for one finding.',
  WAIVER_SIGNED: 'The person of the role that the policy names took responsibility for one finding of this very plan.',
  WORKERS_STOPPED: 'The run had failed, and no worker may go on behind a recorded failure.',
  WORK_REFUSED: 'A worker was not authorised to do what it was started for, and did nothing.',
}

/** For an action without a sentence of its own. */
const RECORDED = 'Recorded as it happened; the facts are its only reasoning.'

type Said = { actor: string; action: string; subject_sha256?: string | null; details: Readonly<Record<string, string>> }

/** What stands behind an entry that gives no reasoning of its own: the rule and the facts it was applied to. */
export function ruleReasoning(said: Said) {
  return reasoning(said, Object.hasOwn(ACTION_RULES, said.action) ? ACTION_RULES[said.action]! : RECORDED)
}

/** SHA-256 of its canonical JSON, as it stands in the entry. */
export function ruleReasoningSha256(said: Said): string {
  return digestOf(ruleReasoning(said))
}

/** True when an entry's reasoning is its rule's; also for one written before its action had a sentence. */
export function followsRule(entry: Said & { reasoning_sha256: string | null }): boolean {
  return entry.reasoning_sha256 === ruleReasoningSha256(entry) || entry.reasoning_sha256 === digestOf(reasoning(entry, RECORDED))
}

function reasoning({ actor, action, subject_sha256, details }: Said, rule: string) {
  return { schema: 'waybill/rule-reasoning/v1', actor, action, rule, subject_sha256: subject_sha256 ?? null, facts: { ...details } }
}
