import { canonicalBytes } from './canonical-json.ts'
import { WaybillError } from './errors.ts'
import { macOf } from './mac-text.ts'
import type { MacChecker, MacMaker } from './ports.ts'
import type { Role } from './schemas/common.ts'
import type { GatedTransition } from './schemas/policy.ts'

/** What a link is bound to. Change one of these and every link made for it is dead. */
export type LinkFields = {
  approval_id: string
  approver: string
  role: Role
  subject_sha256: string
  /** Null for manual decisions, which gate no transition. */
  transition: GatedTransition | null
  /** Instant, RFC 3339 in UTC with milliseconds. */
  expires_at: string
}

/** What is authenticated begins with a word for what it is, so that none can stand in for another, not even where a platform has one key for all. */
const PURPOSE = 'waybill/approval-link/v1'
const REGISTRATION = 'waybill/passkey-registration/v1'
const PLAN_LINKS = { waivers: 'waybill/waiver-link/v1', plans: 'waybill/plan-withdrawal-link/v1' } as const

/** Pages about a plan as a whole: where a finding of it is waived, and where its author withdraws it. */
export type PlanPage = keyof typeof PLAN_LINKS

/** What a link to such a page is bound to. It follows from the project, so that it is stored nowhere and dies with the plan. */
export type PlanLinkFields = {
  project_id: string
  person: string
  role: Role
  plan_sha256: string
  /** Instant: when the plan expires. */
  expires_at: string
}

/** base64url of a MAC over the canonical fields, 43 characters. @throws what `make` throws */
export async function linkToken(make: MacMaker, fields: LinkFields): Promise<string> {
  return tokenOf(make, bound(fields, PURPOSE))
}

/** As `linkToken`, for the page where the invited person registers a passkey. */
export async function registrationToken(make: MacMaker, fields: LinkFields): Promise<string> {
  return tokenOf(make, bound(fields, REGISTRATION))
}

/** As `linkToken`, for a page about a plan as a whole. Neither page's link opens the other, nor an approval. */
export async function planLinkToken(make: MacMaker, page: PlanPage, fields: PlanLinkFields): Promise<string> {
  return tokenOf(make, planBound(fields, page))
}

/**
 * @throws APPROVAL_REFUSED when the token was not made by `linkToken` for exactly these fields
 * @throws APPROVAL_EXPIRED when it was, and its time is over; looked at second, so that nobody learns expiries by guessing
 * @throws what `isOurs` throws where it cannot tell, which says nothing about the link
 */
export async function checkLink(isOurs: MacChecker, fields: LinkFields, token: string, now: Date): Promise<void> {
  await check(isOurs, bound(fields, PURPOSE), token, now)
}

/** As `checkLink`, for `registrationToken`. */
export async function checkRegistration(isOurs: MacChecker, fields: LinkFields, token: string, now: Date): Promise<void> {
  await check(isOurs, bound(fields, REGISTRATION), token, now)
}

/** As `checkLink`, for `planLinkToken`. */
export async function checkPlanLink(isOurs: MacChecker, page: PlanPage, fields: PlanLinkFields, token: string, now: Date): Promise<void> {
  await check(isOurs, planBound(fields, page), token, now)
}

type Bound = Readonly<Record<string, string | null>> & { expires_at: string }

async function tokenOf(make: MacMaker, bound: Bound): Promise<string> {
  return Buffer.from(await make(canonicalBytes(bound))).toString('base64url')
}

async function check(isOurs: MacChecker, bound: Bound, token: string, now: Date): Promise<void> {
  const mac = macOf(token)
  if (mac === null || !(await isOurs(canonicalBytes(bound), mac))) {
    throw new WaybillError('APPROVAL_REFUSED', 'this link was not made by Waybill for you; open the one in your e-mail')
  }
  if (!(now.getTime() < Date.parse(bound.expires_at))) {
    throw new WaybillError('APPROVAL_EXPIRED', `this link expired at ${bound.expires_at}; ask the project's author for a new request`)
  }
}

function bound({ approval_id, approver, role, subject_sha256, transition, expires_at }: LinkFields, purpose: string): Bound {
  return { purpose, approval_id, approver, role, subject_sha256, transition, expires_at }
}

function planBound({ project_id, person, role, plan_sha256, expires_at }: PlanLinkFields, page: PlanPage): Bound {
  return { purpose: PLAN_LINKS[page], project_id, person, role, plan_sha256, expires_at }
}
