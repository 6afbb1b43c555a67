import { z } from 'zod'
import { canonicalBytes, parseStrictJson } from './canonical-json.ts'
import { verifySignature } from './ecdsa.ts'
import { WaybillError } from './errors.ts'

export const IN_TOTO_PAYLOAD = 'application/vnd.in-toto+json'

/** Exactly one signature: a second, unverified one would be bytes that nobody vouches for. */
const envelopeShape = z.strictObject({
  payloadType: z.literal(IN_TOTO_PAYLOAD),
  payload: z.string(),
  signatures: z.tuple([z.strictObject({ keyid: z.string().max(2048).optional(), sig: z.string().max(200) })]),
})

export type Envelope = { payloadType: typeof IN_TOTO_PAYLOAD; payload: Uint8Array; keyid: string; signature: Uint8Array }

/** DSSE v1 pre-authentication encoding: lengths in bytes, so that type and payload cannot run into each other. */
export function pae(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = Buffer.from(payloadType, 'utf8')
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} `), type, Buffer.from(` ${payload.length} `), payload])
}

/** The envelope file: canonical JSON, so that the same statement and signature always give the same bytes. */
export function writeEnvelope(payload: Uint8Array, keyid: string, signature: Uint8Array): Uint8Array {
  return canonicalBytes({
    payloadType: IN_TOTO_PAYLOAD,
    payload: Buffer.from(payload).toString('base64'),
    signatures: [{ keyid, sig: Buffer.from(signature).toString('base64') }],
  })
}

/** Takes an envelope apart without believing it. @throws EVIDENCE_INVALID */
export function readEnvelope(bytes: Uint8Array): Envelope {
  let value: unknown
  try {
    value = parseStrictJson(bytes, { maxDepth: 8 })
  } catch (cause) {
    throw new WaybillError('EVIDENCE_INVALID', 'this is no DSSE envelope: it is not acceptable JSON', { cause })
  }
  const shape = envelopeShape.safeParse(value)
  if (!shape.success) {
    const details = shape.error.issues.map((issue) => `${issue.path.join('/')}: ${issue.message}`)
    throw new WaybillError('EVIDENCE_INVALID', `this is no DSSE envelope with payload type ${IN_TOTO_PAYLOAD} and one signature`, {
      details,
    })
  }
  const [{ keyid = '', sig }] = shape.data.signatures
  return { payloadType: IN_TOTO_PAYLOAD, payload: fromBase64(shape.data.payload), keyid, signature: fromBase64(sig) }
}

/**
 * The payload, once its signature holds under one of the trusted keys. Every trusted key is tried: `keyid` is a hint by whoever
 * wrote the file and decides nothing.
 * @throws EVIDENCE_INVALID
 */
export function verifiedPayload(bytes: Uint8Array, trusted: readonly string[]): Uint8Array {
  const envelope = readEnvelope(bytes)
  const message = pae(envelope.payloadType, envelope.payload)
  if (!trusted.some((pem) => verifySignature(pem, message, envelope.signature))) {
    throw new WaybillError(
      'EVIDENCE_INVALID',
      `the signature does not hold under any of the ${trusted.length} trusted keys for this purpose`,
    )
  }
  return envelope.payload
}

/** Standard alphabet, padding, nothing else, and exactly one text per byte string. @throws EVIDENCE_INVALID */
export function fromBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw new WaybillError('EVIDENCE_INVALID', 'base64 that is not in its one canonical form')
  return bytes
}
