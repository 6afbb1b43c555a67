import { countingFault, outstanding, samePerson, sittingsOf } from './approvals.ts'
import { parseStrictJson } from './canonical-json.ts'
import { asLogged, notLogged, type SignedDecision, unknownToTheLog } from './decision-log.ts'
import { sha256 } from './digest.ts'
import { isWaybillError, WaybillError } from './errors.ts'
import { inOneLine } from './one-line.ts'
import { PLAN_AGAIN, stalePolicy } from './policy-changes.ts'
import type { TrustRoot } from './ports.ts'
import { hashingSpecSha256, isShippedArchetype, typeCoercionSha256 } from './rulebooks.ts'
import { type ApprovalPredicate, type AuditEntry, approvalPredicate, type PlanPredicate, planPredicate } from './schemas/governance.ts'
import { type Plan, plan as planShape } from './schemas/plan.ts'
import type { GatedTransition, Policy } from './schemas/policy.ts'
import { emptySeats } from './separation.ts'
import { openPredicate } from './statement.ts'

export type BarrierInput = {
  /** The plan file, byte for byte. */
  planBytes: Uint8Array
  /** The DSSE envelope around the plan statement, byte for byte. */
  signedPlan: Uint8Array
  /** DSSE envelopes around approval statements. */
  approvals: readonly Uint8Array[]
  /** The project's whole audit chain: an approval that it does not know counts for nothing, and a withdrawal or rejection in it counts, also where its statement is gone. */
  log: readonly AuditEntry[]
  /** From the caller's configuration, never from the project. */
  trust: TrustRoot
  policy: Policy
  /** The policy the plan was made under, where it was kept: with it a refusal says which fields changed since. It decides nothing. */
  madeUnder?: Policy | null
  now: Date
  purpose: 'write' | 'read'
  scope: { project_id: string; table_ids?: readonly string[] }
}

/**
 * Both are needed before anything moves, and each is bound to what its approvers saw: the first to the plan file, the second to the
 * signed plan's envelope.
 */
const PLANNED: GatedTransition = 'PLAN_DRAFTED->PLANNED'
const EXECUTED: GatedTransition = 'PLANNED->EXECUTED'

/**
 * The check every executing component makes by itself, before it touches a target, and again whenever it is resumed.
 *
 * `read` is for reconciling what was already executed, perhaps months later: the plan may have expired and the policy may have a newer
 * version, and that alone must not stop a nightly comparison. Everything else holds as for `write`, required approvals included. They are
 * taken from the policy passed in: give the policy the plan was signed under; with a stricter one an old plan is refused, never waved
 * through.
 *
 * @returns the plan, parsed from the very bytes that were signed
 * @throws PLAN_NOT_AUTHORISED with every reason in `details`
 */
export function authorise(input: BarrierInput): Plan {
  const reasons: string[] = []
  const signed = attempt(reasons, () => openPredicate(input.signedPlan, input.trust, 'plan', planPredicate))
  const plan = attempt(reasons, () => readPlan(input.planBytes))
  const statements = input.approvals.flatMap((bytes) => attempt(reasons, () => readDecision(bytes, input.trust)) ?? [])
  const approvals = asLogged(statements, input.log)
  const planSha256 = sha256(input.planBytes)

  if (signed !== null) {
    const named = signed.statement.subject.map((subject) => subject.digest.sha256)
    if (named.length !== 1 || named[0] !== planSha256) reasons.push('the plan was altered: its digest is not the one that was signed')
    if (plan !== null) reasons.push(...disagreements(plan, signed.predicate))
    reasons.push(...staleness(signed.predicate, input), ...waiverFaults(signed.predicate, approvals, input))
  }
  if (plan !== null) {
    reasons.push(...scopeFaults(plan, input.scope))
    const faults = approvalFaults(approvals, plan.author, planSha256, sha256(input.signedPlan), input)
    reasons.push(...faults)
    if (faults.length > 0) reasons.push(...notLogged(statements, input.log).map(unknownToTheLog))
  }
  if (reasons.length > 0 || plan === null || signed === null) {
    throw new WaybillError(
      'PLAN_NOT_AUTHORISED',
      `nothing was done, because the plan is not authorised: ${reasons[0] ?? 'it cannot be read'}`,
      {
        details: reasons,
      },
    )
  }
  return plan
}

function readPlan(bytes: Uint8Array): Plan {
  const parsed = planShape.safeParse(parseStrictJson(bytes))
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new WaybillError('PLAN_INVALID', `the plan file is no plan: ${issue?.path.join('/')}: ${issue?.message}`)
}

function readDecision(bytes: Uint8Array, trust: TrustRoot): SignedDecision {
  const { statement, predicate } = openPredicate(bytes, trust, 'approval', approvalPredicate)
  const [subject, ...more] = statement.subject
  if (more.length > 0 || subject?.digest.sha256 !== predicate.subject_sha256) {
    throw new WaybillError('EVIDENCE_INVALID', `the approval ${predicate.approval_id} is about something other than its subject`)
  }
  return { sha256: sha256(bytes), predicate }
}

/** What the signature says about the plan must be what the plan says about itself. */
function disagreements(plan: Plan, said: PlanPredicate): string[] {
  const pairs: readonly (readonly [string, string | number, string | number])[] = [
    ['project', plan.project_id, said.project_id],
    ['plan version', plan.plan_version, said.plan_version],
    ['author', plan.author, said.author],
    ['expiry', plan.expires_at, said.expires_at],
    ['policy version', plan.policy.version, said.policy_version],
    ['policy digest', plan.policy.sha256, said.policy_sha256],
    ['type coercion rulebook', plan.rulebooks.type_coercion_sha256, said.type_coercion_sha256],
    ['hashing spec', plan.rulebooks.hashing_spec_sha256, said.hashing_spec_sha256],
    ['archetype', plan.archetype.sha256, said.archetype_sha256],
  ]
  return pairs.filter(([, mine, theirs]) => mine !== theirs).map(([what]) => `plan and signature disagree about the ${what}`)
}

function staleness(said: PlanPredicate, input: BarrierInput): string[] {
  const reasons: string[] = []
  if (said.type_coercion_sha256 !== typeCoercionSha256)
    reasons.push('the plan was made with another type coercion rulebook than this release has')
  if (said.hashing_spec_sha256 !== hashingSpecSha256) reasons.push('the plan was made with another hashing spec than this release has')
  if (input.purpose === 'read') return reasons
  if (!isShippedArchetype(said.archetype_sha256)) reasons.push('the plan was made from another archetype than this release has')
  reasons.push(...stalePolicy({ version: said.policy_version, sha256: said.policy_sha256 }, input.policy, input.madeUnder ?? null))
  if (!(input.now.getTime() < Date.parse(said.expires_at))) reasons.push(`the plan expired at ${said.expires_at}. ${PLAN_AGAIN}`)
  return reasons
}

/** A plan that rests on waivers is executed only while all of them count, and by nobody's leave who gave one of them. */
function waiverFaults(said: PlanPredicate, approvals: readonly ApprovalPredicate[], input: BarrierInput): string[] {
  const { waivers } = said
  if (waivers === undefined) return []
  // What somebody approved of an earlier plan does not bind them in this one.
  const subjects = [sha256(input.planBytes), sha256(input.signedPlan)]
  const approving = approvals.filter(
    ({ decision, transition, project_id, subject_sha256 }) =>
      decision === 'APPROVED' &&
      project_id === said.project_id &&
      (transition === PLANNED || transition === EXECUTED) &&
      subjects.includes(subject_sha256),
  )
  const both = waivers.people.filter((person) => approving.some(({ approver }) => samePerson(approver, person)))
  const reasons = both.map((person) => `${person} waived a finding of this plan and approved it as well: nobody excuses what they let pass`)
  if (input.purpose === 'write' && !(input.now.getTime() < Date.parse(waivers.until)))
    reasons.push(`a waiver that this plan rests on expired at ${waivers.until}. ${PLAN_AGAIN}`)
  return reasons
}

function scopeFaults(plan: Plan, scope: BarrierInput['scope']): string[] {
  const reasons: string[] = []
  if (plan.project_id !== scope.project_id) reasons.push(`the plan belongs to project ${plan.project_id}, not to ${scope.project_id}`)
  const planned = new Set(plan.tables.map((table) => table.table_id))
  for (const id of scope.table_ids ?? []) if (!planned.has(id)) reasons.push(`table ${id} is out of the plan's scope`)
  return reasons
}

function approvalFaults(
  approvals: readonly ApprovalPredicate[],
  author: string,
  planSha256: string,
  signedSha256: string,
  input: BarrierInput,
): string[] {
  const projectId = input.scope.project_id
  const gates = [
    { transition: PLANNED, subjectSha256: planSha256 },
    { transition: EXECUTED, subjectSha256: signedSha256 },
  ] as const
  const reasons = gates.flatMap(({ transition, subjectSha256 }) => {
    return outstanding(input.policy, transition, approvals, { author, subjectSha256, projectId }).reasons
  })
  if (reasons.length > 0) return reasons
  // Each gate is complete by itself; together they must not rest on one person wearing two hats.
  const counted = approvals.filter(
    (approval) =>
      countingFault(input.policy, approval) === null &&
      gates.some((gate) => gate.transition === approval.transition && gate.subjectSha256 === approval.subject_sha256),
  )
  const seats = gates.flatMap(({ transition }) => input.policy.approvals[transition].map((role) => ({ gate: transition, role })))
  const empty = emptySeats(seats, sittingsOf(counted, author))
  return empty.map((seat) => `${seat.role} is not filled by a person of its own: one person approved this plan in two roles`)
}

function attempt<T>(reasons: string[], act: () => T): T | null {
  try {
    return act()
  } catch (error) {
    reasons.push(isWaybillError(error) ? inOneLine([error.message, ...error.details]) : 'a document could not be read')
    return null
  }
}
