import { WaybillError } from '../errors.ts'
import { canonicalPem, fingerprintOf, type PackKey } from '../evidence/pack-files.ts'
import type { SigningPurpose, TrustRoot } from '../ports.ts'
import { packKeys } from '../schemas/evidence.ts'
import { Faults, type OpenedPack, parseAs } from './pack-reader.ts'

export type KeysFound = { keys: PackKey[]; trust: TrustRoot; faults: Faults; local: number; pinned: boolean }

/** SHA-256 fingerprints of what the caller trusts. @throws BAD_INPUT for what is neither PEM nor fingerprint */
export function trustedFingerprints(trust: readonly string[]): Set<string> {
  return new Set(
    trust.map((text) => {
      if (/^[0-9a-f]{64}$/.test(text)) return text
      try {
        return fingerprintOf(text)
      } catch (cause) {
        throw new WaybillError('BAD_INPUT', 'a trusted key is given as an SPKI PEM or as a SHA-256 fingerprint of 64 hexadecimal digits', {
          cause,
        })
      }
    }),
  )
}

/**
 * The keys of `keys/keys.json`, each by its purpose. With pinned keys, every key of the pack must be one of them: the document never
 * decides whom to trust. One key in two purposes is refused, because then whoever approves could also plan.
 */
export function keysOf(files: OpenedPack['files'], trust: readonly string[] | undefined): KeysFound {
  const faults = new Faults()
  const trustRoot: Record<SigningPurpose, string[]> = { plan: [], approval: [], evidence: [] }
  const found: KeysFound = { keys: [], trust: trustRoot, faults, local: 0, pinned: trust !== undefined }
  const bytes = files.get('keys/keys.json')
  if (bytes === undefined) {
    faults.add('keys/keys.json', 'is missing')
    return found
  }
  const pinned = trust === undefined ? null : trustedFingerprints(trust)
  const purposes = new Map<string, SigningPurpose>()
  for (const entry of parseAs(bytes, 'keys/keys.json', packKeys, faults)?.keys ?? []) {
    const pem = pemOf(files.get(entry.path))
    if (pem === null) {
      faults.add(entry.path, 'is no public key')
      continue
    }
    const fingerprint = fingerprintOf(pem)
    if (fingerprint !== entry.fingerprint) faults.add(entry.path, 'is not the key whose fingerprint stands in keys/keys.json')
    if ((purposes.get(fingerprint) ?? entry.purpose) !== entry.purpose)
      faults.add(entry.path, `is used for two purposes, ${entry.purpose} and ${purposes.get(fingerprint)}`)
    purposes.set(fingerprint, entry.purpose)
    found.keys.push({ purpose: entry.purpose, pem, key_id: entry.key_id })
    if (entry.held_by === 'local') found.local += 1
    if (pinned !== null && !pinned.has(fingerprint))
      faults.add(entry.path, `is not a key you trust (${entry.purpose}, SHA-256 ${fingerprint})`)
    else trustRoot[entry.purpose].push(pem)
  }
  return found
}

function pemOf(bytes: Uint8Array | undefined): string | null {
  if (bytes === undefined) return null
  const text = Buffer.from(bytes).toString('utf8')
  try {
    return canonicalPem(text) === text ? text : null
  } catch {
    return null
  }
}
