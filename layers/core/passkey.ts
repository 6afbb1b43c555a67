import { createHash, createPublicKey, verify } from 'node:crypto'
import { parseStrictJson } from './canonical-json.ts'
import type { PasskeyAssertion } from './schemas/governance.ts'

const USER_PRESENT = 0x01
const USER_VERIFIED = 0x04

/**
 * The address that a passkey belongs to: as it was registered, save for spaces around it and the case of its domain. Who may use a key is
 * decided narrowly; the wide comparison (`personOf`) is for refusing one person two roles.
 */
export function mailboxOf(email: string): string {
  const trimmed = email.trim()
  const at = trimmed.lastIndexOf('@')
  return `${trimmed.slice(0, at + 1)}${trimmed.slice(at + 1).toLowerCase()}`
}

/**
 * What the authenticator signs for one approval: base64url of SHA-256 over purpose, approval id and subject digest. Derived, not random:
 * whoever has the approval can derive it again, and a signature for one request or one version is worth nothing for another.
 */
export function passkeyChallenge(approvalId: string, subjectSha256: string): string {
  return createHash('sha256')
    .update(JSON.stringify(['waybill/passkey-approval/v1', approvalId, subjectSha256]))
    .digest('base64url')
}

/**
 * Checks one assertion again, from the bytes in the approval statement: kind, challenge, origin, relying party, user present and verified,
 * and the ES256 signature. Needs nothing but SHA-256 and ECDSA, so that an auditor's verifier can do it years later.
 * @returns what is wrong, in words, or null when it holds
 */
export function verifyPasskey(assertion: PasskeyAssertion, about: { approval_id: string; subject_sha256: string }): string | null {
  const clientData = Buffer.from(assertion.client_data_json, 'base64url')
  let said: unknown
  try {
    said = parseStrictJson(clientData)
  } catch {
    return 'what the browser signed cannot be read'
  }
  if (typeof said !== 'object' || said === null) return 'what the browser signed cannot be read'
  const { type, challenge, origin, crossOrigin } = said as Record<string, unknown>
  if (type !== 'webauthn.get') return 'it is no sign-in signature'
  if (challenge !== passkeyChallenge(about.approval_id, about.subject_sha256)) return 'it is about another request or another version'
  if (origin !== assertion.origin || !belongs(assertion.origin, assertion.rp_id)) return 'it was made on another site'
  if (crossOrigin === true) return 'it was made inside a page of another site'
  const authenticatorData = Buffer.from(assertion.authenticator_data, 'base64url')
  if (authenticatorData.length < 37) return 'the authenticator’s data is too short'
  const relyingParty = createHash('sha256').update(assertion.rp_id).digest()
  if (!authenticatorData.subarray(0, 32).equals(relyingParty)) return 'it was made for another host'
  const flags = authenticatorData[32] ?? 0
  if ((flags & USER_PRESENT) === 0) return 'nobody was present'
  if ((flags & USER_VERIFIED) === 0) return 'the person was not verified by fingerprint, face or PIN'
  const signed = Buffer.concat([authenticatorData, createHash('sha256').update(clientData).digest()])
  try {
    const key = createPublicKey(assertion.public_key)
    if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
      return 'the key is of another kind than P-256'
    return verify('sha256', signed, key, Buffer.from(assertion.signature, 'base64url')) ? null : 'the signature does not match'
  } catch {
    return 'key or signature cannot be read'
  }
}

/** A passkey for `example.org` may be used on `waybill.example.org`, by https; plain http only on this very machine. */
function belongs(origin: string, rpId: string): boolean {
  const url = URL.parse(origin)
  if (url === null || url.origin !== origin) return false
  const host = url.hostname === rpId || url.hostname.endsWith(`.${rpId}`)
  return host && (url.protocol === 'https:' || (url.protocol === 'http:' && url.hostname === 'localhost'))
}
