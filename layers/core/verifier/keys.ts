import { WaybillError } from '../errors.ts'
import { canonicalPem, fingerprintOf, type PackKey } from '../evidence/pack-files.ts'
import { oneEach, SIGNING_PURPOSES, type SigningPurpose } from '../names.ts'
import type { TrustRoot } from '../ports.ts'
import { packKeys } from '../schemas/evidence.ts'
import { Faults, type OpenedPack, parseAs } from './pack-reader.ts'

export type KeysFound = { keys: PackKey[]; trust: TrustRoot; faults: Faults; local: number; pinned: boolean }

/** Fingerprints that the caller trusts, each for one purpose only. */
export type Pins = Record<SigningPurpose, ReadonlySet<string>>

/**
 * What the caller trusts: `plan=KEY`, `approval=KEY`, `evidence=KEY`, `anchor=KEY`, each key as SPKI PEM or SHA-256 fingerprint. Without a
 * purpose a key is refused: whoever holds one of the four keys could write a pack in which it signs for another.
 * @throws BAD_INPUT for a key without purpose, one for two purposes, and what is neither PEM nor fingerprint
 */
export function trustedPins(trust: readonly string[]): Pins {
  const pins = oneEach(SIGNING_PURPOSES, () => new Set<string>())
  const purposes = new Map<string, SigningPurpose>()
  for (const text of trust) {
    const purpose = SIGNING_PURPOSES.find((each) => text.startsWith(`${each}=`))
    if (purpose === undefined)
      throw new WaybillError(
        'BAD_INPUT',
        `Say what each trusted key signs: ${SIGNING_PURPOSES.map((each) => `${each}=KEY`).join(', ')}. Otherwise a key that may only approve could pass for one that proves.`,
      )
    const fingerprint = fingerprintIn(text.slice(purpose.length + 1))
    if ((purposes.get(fingerprint) ?? purpose) !== purpose)
      throw new WaybillError(
        'BAD_INPUT',
        `The key ${fingerprint} is trusted for two purposes, ${purposes.get(fingerprint)} and ${purpose}. Trust it for one.`,
      )
    purposes.set(fingerprint, purpose)
    pins[purpose].add(fingerprint)
  }
  return pins
}

function fingerprintIn(key: string): string {
  if (/^[0-9a-f]{64}$/.test(key)) return key
  try {
    return fingerprintOf(key)
  } catch (cause) {
    throw new WaybillError('BAD_INPUT', 'a trusted key is given as an SPKI PEM or as a SHA-256 fingerprint of 64 hexadecimal digits', {
      cause,
    })
  }
}

/**
 * The keys of `keys/keys.json`, each by its purpose. With pinned keys, every key of the pack must be pinned for the very purpose that the
 * pack gives it: the document decides neither whom to trust nor for what. One key in two purposes is refused, because then whoever approves could also plan.
 */
export function keysOf(files: OpenedPack['files'], trust: readonly string[] | undefined): KeysFound {
  const faults = new Faults()
  const trustRoot = oneEach(SIGNING_PURPOSES, (): string[] => [])
  const found: KeysFound = { keys: [], trust: trustRoot, faults, local: 0, pinned: trust !== undefined }
  const bytes = files.get('keys/keys.json')
  if (bytes === undefined) {
    faults.add('keys/keys.json', 'is missing')
    return found
  }
  const pinned = trust === undefined ? null : trustedPins(trust)
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
    if (pinned !== null && !pinned[entry.purpose].has(fingerprint))
      faults.add(entry.path, `is not a key you trust for this (${entry.purpose}, SHA-256 ${fingerprint})`)
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
