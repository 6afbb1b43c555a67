import { createHmac, timingSafeEqual } from 'node:crypto'
import { canonicalBytes } from './canonical-json.ts'
import { WaybillError } from './errors.ts'
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

/** HMACs of this key for other purposes start with another word, so none can stand in for a link. */
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

/** base64url of HMAC-SHA256 over the fields, 43 characters. @throws BAD_INPUT for a key shorter than 32 bytes */
export function linkToken(key: Uint8Array, fields: LinkFields): string {
  return mac(key, fields).toString('base64url')
}

/** As `linkToken`, for the page where the invited person registers a passkey. */
export function registrationToken(key: Uint8Array, fields: LinkFields): string {
  return mac(key, fields, REGISTRATION).toString('base64url')
}

/** As `checkLink`, for `registrationToken`. @throws APPROVAL_REFUSED, APPROVAL_EXPIRED */
export function checkRegistration(key: Uint8Array, fields: LinkFields, token: string, now: Date): void {
  check(mac(key, fields, REGISTRATION), fields, token, now)
}

/**
 * @throws APPROVAL_REFUSED when the token was not made by `linkToken` for exactly these fields
 * @throws APPROVAL_EXPIRED when it was, and its time is over; looked at second, so that nobody learns expiries by guessing
 */
export function checkLink(key: Uint8Array, fields: LinkFields, token: string, now: Date): void {
  check(mac(key, fields), fields, token, now)
}

/** As `linkToken`, for a page about a plan as a whole. Neither page's link opens the other, nor an approval. */
export function planLinkToken(key: Uint8Array, page: PlanPage, fields: PlanLinkFields): string {
  return planMac(key, page, fields).toString('base64url')
}

/** As `checkLink`, for `planLinkToken`. @throws APPROVAL_REFUSED, APPROVAL_EXPIRED */
export function checkPlanLink(key: Uint8Array, page: PlanPage, fields: PlanLinkFields, token: string, now: Date): void {
  check(planMac(key, page, fields), fields, token, now)
}

function check(expected: Buffer, fields: { expires_at: string }, token: string, now: Date): void {
  const given = /^[A-Za-z0-9_-]{43}$/.test(token) ? Buffer.from(token, 'base64url') : Buffer.alloc(0)
  // Unequal lengths would throw; comparing with zeros takes the same time and is never equal to a MAC that was asked for.
  const same = timingSafeEqual(expected, given.length === expected.length ? given : Buffer.alloc(expected.length))
  // The last character of base64url carries two spare bits: without this, four tokens would open one door.
  if (!same || given.toString('base64url') !== token) {
    throw new WaybillError('APPROVAL_REFUSED', 'this link was not made by Waybill for you; open the one in your e-mail')
  }
  if (!(now.getTime() < Date.parse(fields.expires_at))) {
    throw new WaybillError('APPROVAL_EXPIRED', `this link expired at ${fields.expires_at}; ask the project's author for a new request`)
  }
}

function mac(key: Uint8Array, fields: LinkFields, purpose = PURPOSE): Buffer {
  const { approval_id, approver, role, subject_sha256, transition, expires_at } = fields
  return macOf(key, { purpose, approval_id, approver, role, subject_sha256, transition, expires_at })
}

function planMac(key: Uint8Array, page: PlanPage, fields: PlanLinkFields): Buffer {
  const { project_id, person, role, plan_sha256, expires_at } = fields
  return macOf(key, { purpose: PLAN_LINKS[page], project_id, person, role, plan_sha256, expires_at })
}

function macOf(key: Uint8Array, bound: Readonly<Record<string, string | null>>): Buffer {
  if (key.byteLength < 32) throw new WaybillError('BAD_INPUT', 'the link key must have at least 32 bytes')
  return createHmac('sha256', key).update(canonicalBytes(bound)).digest()
}
