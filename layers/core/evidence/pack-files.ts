import { canonicalBytes } from '../canonical-json.ts'
import { sha256 } from '../digest.ts'
import { pae, readEnvelope } from '../dsse.ts'
import { canonicalKey, verifySignature } from '../ecdsa.ts'
import { WaybillError } from '../errors.ts'
import type { SigningPurpose } from '../names.ts'
import { type PackKeys, packPath } from '../schemas/evidence.ts'
import { sigstoreBundle } from './sigstore-bundle.ts'
import { TIMESTAMP_REQUESTS } from './timestamp-request.ts'

export type PackFile = { path: string; bytes: Uint8Array }

/** A public key as the pack names it. `key_id` is what the signer calls it: an ARN, or `local:` and its fingerprint. */
export type PackKey = { purpose: SigningPurpose; pem: string; key_id: string }

export const MANIFEST = 'sha256_manifest.json'
export const SEAL = 'manifest'
/** These carry the manifest, sign it or follow from its signature, so it cannot list them; a pack holds exactly them besides what the manifest lists. */
export const OUTSIDE_MANIFEST: readonly string[] = [MANIFEST, ...formPaths(SEAL), ...TIMESTAMP_REQUESTS]

export function jsonFile(path: string, value: unknown): PackFile {
  return { path, bytes: canonicalBytes(value) }
}

export function textFile(path: string, text: string): PackFile {
  return { path, bytes: new TextEncoder().encode(text) }
}

/** One signed statement in its five forms: the envelope, what `openssl` needs to check it, and the Sigstore bundle. */
export function formPaths(stem: string): [string, string, string, string, string] {
  return [`${stem}.dsse.json`, `${stem}.pae.bin`, `${stem}.sig.der`, `${stem}.pub.pem`, `${stem}.sigstore.json`]
}

/** SHA-256 of the key's DER SubjectPublicKeyInfo. @throws EVIDENCE_INVALID for what is no public key */
export function fingerprintOf(pem: string): string {
  try {
    return sha256(canonicalKey(pem).export({ type: 'spki', format: 'der' }))
  } catch (cause) {
    throw new WaybillError('EVIDENCE_INVALID', 'a public key cannot be read; give it as SPKI PEM', { cause })
  }
}

/** The one PEM text of a key: other spellings of the same key are other bytes. */
export function canonicalPem(pem: string): string {
  return canonicalKey(pem).export({ type: 'spki', format: 'pem' }).toString()
}

/**
 * An envelope and, beside it, its other forms, taken out of it.
 * @throws EVIDENCE_INVALID when none of the keys verifies it
 */
export function envelopeFiles(stem: string, envelope: Uint8Array, keys: readonly PackKey[]): PackFile[] {
  const { payloadType, payload, signature } = readEnvelope(envelope)
  const message = pae(payloadType, payload)
  const key = keys.find(({ pem }) => verifySignature(pem, message, signature))
  if (key === undefined)
    throw new WaybillError('EVIDENCE_INVALID', `none of the ${keys.length} keys of the pack verifies ${stem}.dsse.json`)
  const [dsse, message_, sig, pub, bundle] = formPaths(stem)
  return [
    { path: dsse, bytes: envelope },
    { path: message_, bytes: message },
    { path: sig, bytes: signature },
    textFile(pub, canonicalPem(key.pem)),
    { path: bundle, bytes: sigstoreBundle(envelope, fingerprintOf(key.pem)) },
  ]
}

export function keyFiles(keys: readonly PackKey[]): PackFile[] {
  const unique = new Map(keys.map((key) => [`${key.purpose}-${fingerprintOf(key.pem).slice(0, 16)}`, key]))
  const entries = [...unique].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const list: PackKeys = {
    schema: 'waybill/pack-keys/v1',
    keys: entries.map(([name, { purpose, pem, key_id }]) => ({
      purpose,
      path: `keys/${name}.pem`,
      fingerprint: fingerprintOf(pem),
      held_by: key_id.startsWith('arn:') ? ('kms' as const) : ('local' as const),
      key_id,
    })),
  }
  return [...entries.map(([name, { pem }]) => textFile(`keys/${name}.pem`, canonicalPem(pem))), jsonFile('keys/keys.json', list)]
}

/**
 * In path order, each path once and none that differs from another only in case, which some file systems would make one.
 * @throws BAD_INPUT
 */
export function ordered(files: readonly PackFile[]): PackFile[] {
  const seen = new Set<string>()
  for (const { path } of files) {
    const parsed = packPath.safeParse(path)
    if (!parsed.success)
      throw new WaybillError('BAD_INPUT', `${JSON.stringify(path)} cannot be a file of a pack: ${parsed.error.issues[0]?.message}`)
    const folded = path.toLowerCase()
    if (seen.has(folded)) throw new WaybillError('BAD_INPUT', `two files of the pack would be called ${path}`)
    seen.add(folded)
  }
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}
