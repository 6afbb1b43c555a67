import { canonicalBytes } from '../canonical-json.ts'
import { readEnvelope } from '../dsse.ts'

const MEDIA_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json'

/**
 * A DSSE envelope as a Sigstore bundle, canonical JSON. The key is only hinted at by its SHA-256 fingerprint, as everywhere: whom to
 * trust is the reader's decision. There is no entry of a transparency log in it.
 * @param timestamps DER of RFC 3161 responses over the signature's bytes, which is what Sigstore's verifiers expect there
 * @throws EVIDENCE_INVALID when the bytes are no envelope
 */
export function sigstoreBundle(envelope: Uint8Array, keyFingerprint: string, timestamps: readonly Uint8Array[] = []): Uint8Array {
  const { payloadType, payload, keyid, signature } = readEnvelope(envelope)
  const rfc3161Timestamps = timestamps.map((der) => ({ signedTimestamp: base64(der) }))
  return canonicalBytes({
    mediaType: MEDIA_TYPE,
    verificationMaterial: {
      publicKey: { hint: keyFingerprint },
      tlogEntries: [],
      ...(timestamps.length === 0 ? {} : { timestampVerificationData: { rfc3161Timestamps } }),
    },
    dsseEnvelope: { payload: base64(payload), payloadType, signatures: [{ keyid, sig: base64(signature) }] },
  })
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
