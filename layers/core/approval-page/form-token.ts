import { createHmac, timingSafeEqual } from 'node:crypto'

/** How long a page may lie open before it must be fetched again: 4 hours. */
const LIFETIME_MS = 4 * 3_600_000

/**
 * Proof that a form came from a page this server rendered for this request and subject. No cookie: another site can neither read the
 * page (it has no link) nor compute this, so it cannot send the form.
 */
export function formToken(key: Uint8Array, approvalId: string, subjectSha256: string, now: Date): string {
  const issued = now.getTime().toString(36)
  return `${issued}.${mac(key, approvalId, subjectSha256, issued)}`
}

export function checkFormToken(key: Uint8Array, approvalId: string, subjectSha256: string, token: string, now: Date): boolean {
  const match = /^([0-9a-z]{1,11})\.([0-9a-f]{64})$/.exec(token)
  if (match === null) return false
  const [, issued = '', given = ''] = match
  const age = now.getTime() - Number.parseInt(issued, 36)
  const expected = Buffer.from(mac(key, approvalId, subjectSha256, issued), 'hex')
  return timingSafeEqual(expected, Buffer.from(given, 'hex')) && age >= 0 && age <= LIFETIME_MS
}

function mac(key: Uint8Array, approvalId: string, subjectSha256: string, issued: string): string {
  return createHmac('sha256', key)
    .update(JSON.stringify(['waybill/approval-form/v1', approvalId, subjectSha256, issued]))
    .digest('hex')
}
