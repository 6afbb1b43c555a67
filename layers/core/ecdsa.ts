import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { WaybillError } from './errors.ts'

/** Order of the group of P-256. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const HALF_ORDER = ORDER / 2n

/**
 * For every valid (r, s) the pair (r, n − s) is valid too, so whoever holds a signature can write a second one without the key.
 * Waybill signs and accepts only the lower half: one statement and one signature operation then have one byte form.
 * Even so, signature bytes are never an identity: approvals count by person, entries by digest.
 * @returns DER with s in the lower half
 * @throws EVIDENCE_INVALID when the bytes are not the one DER form of an ECDSA P-256 signature
 */
export function lowS(der: Uint8Array): Uint8Array {
  const { r, s } = readDer(der)
  return writeDer(r, s > HALF_ORDER ? ORDER - s : s)
}

/**
 * ECDSA P-256 with SHA-256 over `message`; DER, s in the lower half.
 * @returns false for any signature that is not exactly that, never throws for one
 * @throws EVIDENCE_INVALID when the public key itself is unusable
 */
export function verifySignature(publicKeyPem: string, message: Uint8Array, der: Uint8Array): boolean {
  const key = readPublicKey(publicKeyPem)
  try {
    if (readDer(der).s > HALF_ORDER) return false
  } catch {
    return false
  }
  return verify('sha256', message, { key, dsaEncoding: 'der' }, der)
}

/**
 * The key in its one form. Threat: a point can be written compressed, uncompressed or hybrid, and each is other bytes of the same key, so
 * one key would pass for two.
 * @throws Error for what is no public key
 */
export function canonicalKey(pem: string): KeyObject {
  return createPublicKey({ key: createPublicKey(pem).export({ format: 'jwk' }), format: 'jwk' })
}

function readPublicKey(pem: string): KeyObject {
  // createPublicKey would derive a public key from a private one; a private key in a trust root is an accident to report.
  if (!/^-----BEGIN PUBLIC KEY-----\r?\n/.test(pem)) throw unusable()
  let key: KeyObject
  try {
    key = createPublicKey(pem)
  } catch (cause) {
    throw unusable(cause)
  }
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw unusable()
  return key
}

function unusable(cause?: unknown): WaybillError {
  return new WaybillError('EVIDENCE_INVALID', 'a trusted key cannot be used; give ECDSA P-256 public keys as SPKI PEM (BEGIN PUBLIC KEY)', {
    cause,
  })
}

function readDer(der: Uint8Array): { r: bigint; s: bigint } {
  const bytes = Buffer.from(der)
  const length = bytes[1] ?? -1
  if (bytes[0] !== 0x30 || length > 70 || length !== bytes.length - 2) throw malformed()
  const r = readInteger(bytes, 2)
  const s = readInteger(bytes, r.end)
  if (s.end !== bytes.length) throw malformed()
  return { r: r.value, s: s.value }
}

function readInteger(bytes: Buffer, at: number): { value: bigint; end: number } {
  const length = bytes[at + 1] ?? 0
  const body = bytes.subarray(at + 2, at + 2 + length)
  const [first = 0x80, second = 0x80] = body
  // DER: no negative number, no superfluous leading zero.
  const minimal = first < 0x80 && !(first === 0 && second < 0x80)
  if (bytes[at] !== 0x02 || length < 1 || length > 33 || body.length !== length || !minimal) throw malformed()
  const value = BigInt(`0x${body.toString('hex')}`)
  if (value <= 0n || value >= ORDER) throw malformed()
  return { value, end: at + 2 + length }
}

function writeDer(r: bigint, s: bigint): Uint8Array {
  const body = [r, s].flatMap((value) => {
    const hex = value.toString(16)
    const digits = hex.length % 2 === 0 ? hex : `0${hex}`
    const magnitude = Buffer.from(Number.parseInt(digits.slice(0, 2), 16) >= 0x80 ? `00${digits}` : digits, 'hex')
    return [0x02, magnitude.length, ...magnitude]
  })
  return Uint8Array.from([0x30, body.length, ...body])
}

function malformed(): WaybillError {
  return new WaybillError('EVIDENCE_INVALID', 'this is not a DER signature of ECDSA P-256')
}
