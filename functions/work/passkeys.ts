import { createPublicKey } from 'node:crypto'
import { z } from 'zod'
import { isWaybillError } from '../../layers/core/errors.ts'
import { keyOf, listed } from '../../layers/core/flow/storing.ts'
import { mailboxOf, passkeyChallenge, verifyPasskey } from '../../layers/core/passkey.ts'
import type { MakesMacs, Ports } from '../../layers/core/ports.ts'
import {
  type ApprovalRequest,
  type PasskeyAssertion,
  type PasskeyPredicate,
  passkeyAssertion,
  passkeyPredicate,
} from '../../layers/core/schemas/governance.ts'
import { openPredicate } from '../../layers/core/statement.ts'

export type PasskeyDeps = Pick<Ports, 'artifacts' | 'publicUrl' | 'trust'> & MakesMacs<'person'>

/** No project can have this id: passkeys belong to a person, whatever the project. */
const PEOPLE = '_people'

/** The host that passkeys are bound to: the one people reach the pages under. */
export const relyingParty = (deps: Pick<Ports, 'publicUrl'>): string => new URL(deps.publicUrl).hostname

/** Where a person's passkeys lie; a MAC, so that a listing of the store names nobody, and nobody can try addresses without its key. */
export async function passkeyPart(deps: MakesMacs<'person'>, email: string): Promise<string> {
  return (await nameOf(deps, JSON.stringify(['waybill/passkey-owner/v2', mailboxOf(email)]))).slice(0, 40)
}

/** One statement per passkey, ever. An id of a passkey is letters, digits, dashes and underscores, so that its MAC is no person's. */
export async function passkeyKey(deps: MakesMacs<'person'>, email: string, credentialId: string): Promise<string> {
  const name = (await nameOf(deps, credentialId)).slice(0, 32)
  return keyOf(PEOPLE, 'passkeys', `${await passkeyPart(deps, email)}/${name}`, 'dsse.json')
}

async function nameOf(deps: MakesMacs<'person'>, of: string): Promise<string> {
  return Buffer.from(await deps.macMakers.person(Buffer.from(of))).toString('hex')
}

/**
 * Passkeys that a person registered for this host. Threat: somebody who can write to the store plants a passkey of their own under another
 * person's name; only statements that the approval key signed, about that very person, count.
 */
export async function passkeysOf(deps: PasskeyDeps, email: string): Promise<PasskeyPredicate[]> {
  return passkeysIn(deps, await passkeyPart(deps, email), email)
}

async function passkeysIn(deps: PasskeyDeps, part: string, email: string): Promise<PasskeyPredicate[]> {
  const found = await listed(deps.artifacts, `projects/${PEOPLE}/passkeys/${part}/`)
  const opened = await Promise.all(found.map(async ({ pointer }) => registered(await deps.artifacts.get(pointer), deps.trust)))
  return opened.flatMap((passkey) =>
    passkey !== null && mailboxOf(passkey.email) === mailboxOf(email) && passkey.rp_id === relyingParty(deps) ? [passkey] : [],
  )
}

function registered(bytes: Uint8Array, trust: Ports['trust']): PasskeyPredicate | null {
  try {
    return openPredicate(bytes, trust, 'passkey', passkeyPredicate).predicate
  } catch (error) {
    if (isWaybillError(error) && error.code === 'EVIDENCE_INVALID') return null
    throw error
  }
}

/** What the page's script needs to ask for a signature. */
export function signingOptions(deps: Pick<Ports, 'publicUrl'>, request: ApprovalRequest, passkeys: readonly PasskeyPredicate[]) {
  return {
    challenge: passkeyChallenge(request.approval_id, request.subject.sha256),
    rpId: relyingParty(deps),
    credentials: passkeys.map((passkey) => passkey.credential_id),
  }
}

/** Form tokens of the registration page are about this, not about the approval: neither form can be sent as the other. */
export const registrationSubject = (request: ApprovalRequest): string => `passkey:${request.approval_id}`

/** What the registration page's script needs. `challenge`: a form token, so that it runs out and is good for this request only. */
export async function registrationOptions(deps: PasskeyDeps, request: ApprovalRequest, challenge: string) {
  const part = await passkeyPart(deps, request.approver)
  return {
    challenge: Buffer.from(challenge, 'latin1').toString('base64url'),
    rpId: relyingParty(deps),
    user: Buffer.from(part, 'hex').toString('base64url'),
    name: request.approver,
    credentials: (await passkeysIn(deps, part, request.approver)).map((passkey) => passkey.credential_id),
  }
}

const answer = z.strictObject({
  id: z.string().max(1400),
  clientDataJSON: z.string().max(4096),
  authenticatorData: z.string().max(2048),
  signature: z.string().max(200),
})

/** The assertion that a page sent, checked against a registered passkey; or in words why it does not count. */
export async function signedWith(deps: PasskeyDeps, request: ApprovalRequest, sent: string): Promise<PasskeyAssertion | { fault: string }> {
  const parsed = z.string().transform(jsonOf).pipe(answer).safeParse(sent)
  if (!parsed.success) return { fault: 'what the browser sent is no passkey signature' }
  const { id, clientDataJSON, authenticatorData, signature } = parsed.data
  const passkey = (await passkeysOf(deps, request.approver)).find((each) => each.credential_id === id)
  if (passkey === undefined) return { fault: 'this passkey is not registered for you' }
  const assertion = passkeyAssertion.safeParse({
    credential_id: id,
    public_key: passkey.public_key,
    rp_id: passkey.rp_id,
    origin: new URL(deps.publicUrl).origin,
    client_data_json: clientDataJSON,
    authenticator_data: authenticatorData,
    signature,
  })
  if (!assertion.success) return { fault: 'what the browser sent is no passkey signature' }
  const fault = verifyPasskey(assertion.data, { approval_id: request.approval_id, subject_sha256: request.subject.sha256 })
  return fault === null ? assertion.data : { fault }
}

/** The value of a JSON text; null where it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return null
  }
}

/** SPKI PEM of a P-256 point. */
export function spkiOf(x: Uint8Array, y: Uint8Array): string {
  const jwk = { kty: 'EC', crv: 'P-256', x: Buffer.from(x).toString('base64url'), y: Buffer.from(y).toString('base64url') }
  return createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString()
}
