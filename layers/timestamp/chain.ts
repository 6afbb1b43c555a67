import type { X509Certificate } from 'node:crypto'
import { AsnConvert } from '@peculiar/asn1-schema'
import { BasicConstraints, Certificate, ExtendedKeyUsage } from '@peculiar/asn1-x509'
import { invalid } from './refusal.ts'

const BASIC_CONSTRAINTS = '2.5.29.19'
const KEY_USAGE = '2.5.29.15'
const EXTENDED_KEY_USAGE = '2.5.29.37'
const TIME_STAMPING = '1.3.6.1.5.5.7.3.8'
const MAX_DEPTH = 8

/** A critical extension that is not understood may forbid exactly what is being done. */
const UNDERSTOOD: readonly string[] = [BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE]

/** A certificate that may stamp: its one extended key usage is timeStamping, and critical (RFC 3161 §2.3). @throws EVIDENCE_INVALID */
export function checkStamps(signer: X509Certificate, at: Date): void {
  const usage = extensionsOf(signer).find(({ extnID }) => extnID === EXTENDED_KEY_USAGE)
  const purposes = usage === undefined ? [] : [...AsnConvert.parse(usage.extnValue.buffer, ExtendedKeyUsage)]
  if (usage?.critical !== true || purposes.length !== 1 || purposes[0] !== TIME_STAMPING)
    throw invalid('its certificate is not one for timestamps only')
  checkUsable(signer, at)
}

/**
 * Follows issuers from the signer up to one of the authorities. Every certificate on the way must have been valid when it was stamped.
 * @throws EVIDENCE_INVALID when no way leads there
 */
export function checkChain(
  signer: X509Certificate,
  others: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  at: Date,
): void {
  const isAuthority = (certificate: X509Certificate) => authorities.some((each) => each.raw.equals(certificate.raw))
  let current = signer
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    if (isAuthority(current)) return
    const issuer = [...authorities, ...others].find(
      (each) => each.ca && !each.raw.equals(current.raw) && current.checkIssued(each) && current.verify(each.publicKey),
    )
    if (issuer === undefined) break
    checkUsable(issuer, at)
    const limit = pathLimit(issuer)
    // The signer itself does not count as a certificate below.
    if (limit !== null && depth > limit) throw invalid('its chain of certificates is longer than an issuer allows')
    current = issuer
  }
  throw invalid(`it was signed by ${nameOf(signer)}, and no way leads from there to a certificate you trust`)
}

/** The subject on one line. */
export function nameOf(certificate: X509Certificate): string {
  return certificate.subject.split('\n').join(', ')
}

function checkUsable(certificate: X509Certificate, at: Date): void {
  if (at < certificate.validFromDate || at > certificate.validToDate)
    throw invalid(`the certificate of ${nameOf(certificate)} was not valid when it was stamped`)
  const unknown = extensionsOf(certificate).find(({ critical, extnID }) => critical && !UNDERSTOOD.includes(extnID))
  if (unknown !== undefined)
    throw invalid(`the certificate of ${nameOf(certificate)} has a critical extension unknown here, ${unknown.extnID}`)
}

function pathLimit(certificate: X509Certificate): number | null {
  const found = extensionsOf(certificate).find(({ extnID }) => extnID === BASIC_CONSTRAINTS)
  return found === undefined ? null : (AsnConvert.parse(found.extnValue.buffer, BasicConstraints).pathLenConstraint ?? null)
}

function extensionsOf(certificate: X509Certificate) {
  return [...(AsnConvert.parse(certificate.raw, Certificate).tbsCertificate.extensions ?? [])]
}
