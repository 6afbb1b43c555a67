import { sha256Bytes } from '../digest.ts'

/** What a pack asks an authority to stamp, each with the file whose SHA-256 the request names. */
export const TIMESTAMPED = [
  { name: 'manifest', of: 'sha256_manifest.json' },
  { name: 'signature', of: 'manifest.sig.der' },
] as const

export const requestPath = (name: string): string => `timestamp/${name}.tsq`
export const responsePath = (name: string): string => `timestamp/${name}.tsr`

/** In every sealed pack: they follow from the files they are about, byte for byte. */
export const TIMESTAMP_REQUESTS: readonly string[] = TIMESTAMPED.map(({ name }) => requestPath(name))
/** The seal's Sigstore bundle again, with the stamped signature in it. */
export const STAMPED_BUNDLE = 'timestamp/manifest.sigstore.json'
/** What may be added to a sealed pack, and nothing else: an authority answers after sealing, so no seal can cover its answer. */
export const TIMESTAMP_RESPONSES: readonly string[] = [...TIMESTAMPED.map(({ name }) => responsePath(name)), STAMPED_BUNDLE]

/**
 * SEQUENCE { version 1, messageImprint { sha256, NULL, the digest's 32 bytes }, certReq TRUE }. Everything but the digest is constant.
 * There is no nonce: it protects whoever asks over a network from an old answer, and here an old answer is as good as a new one.
 */
const BEFORE = Buffer.from('30390201013031300d060960864801650304020105000420', 'hex')
const AFTER = Buffer.from('0101ff', 'hex')

/** An RFC 3161 TimeStampReq in DER for the SHA-256 of `content`: what `openssl ts -query -data FILE -sha256 -cert -no_nonce` writes. */
export function timestampRequest(content: Uint8Array): Uint8Array {
  return Buffer.concat([BEFORE, sha256Bytes(content), AFTER])
}

export function timestampRequestFiles(manifest: Uint8Array, signature: Uint8Array): { path: string; bytes: Uint8Array }[] {
  const content = { manifest, signature }
  return TIMESTAMPED.map(({ name }) => ({ path: requestPath(name), bytes: timestampRequest(content[name]) }))
}
