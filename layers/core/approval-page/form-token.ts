import type { MacChecker, MacMaker } from '../ports.ts'

/** How long a page may lie open before it must be fetched again: 4 hours. */
const LIFETIME_MS = 4 * 3_600_000

/**
 * Proof that a form came from a page this server rendered for this request and subject. No cookie: another site can neither read the
 * page (it has no link) nor compute this, so it cannot send the form.
 */
export async function formToken(make: MacMaker, approvalId: string, subjectSha256: string, now: Date): Promise<string> {
  const issued = now.getTime().toString(36)
  return `${issued}.${Buffer.from(await make(bound(approvalId, subjectSha256, issued))).toString('hex')}`
}

export async function checkFormToken(
  isOurs: MacChecker,
  approvalId: string,
  subjectSha256: string,
  token: string,
  now: Date,
): Promise<boolean> {
  const match = /^([0-9a-z]{1,11})\.([0-9a-f]{64})$/.exec(token)
  if (match === null) return false
  const [, issued = '', given = ''] = match
  const age = now.getTime() - Number.parseInt(issued, 36)
  return (await isOurs(bound(approvalId, subjectSha256, issued), Buffer.from(given, 'hex'))) && age >= 0 && age <= LIFETIME_MS
}

function bound(approvalId: string, subjectSha256: string, issued: string): Uint8Array {
  return Buffer.from(JSON.stringify(['waybill/approval-form/v1', approvalId, subjectSha256, issued]))
}
