import { sha256 } from '../digest.ts'
import { pae, readEnvelope, writeEnvelope } from '../dsse.ts'
import { verifySignature } from '../ecdsa.ts'
import { fingerprintOf, formPaths, MANIFEST, SEAL } from '../evidence/pack-files.ts'
import { sigstoreBundle } from '../evidence/sigstore-bundle.ts'
import type { SigningPurpose } from '../names.ts'
import { type PackManifest, type PackPredicate, packPredicate } from '../schemas/evidence.ts'
import { openPredicate } from '../statement.ts'
import { Faults, type OpenedPack, sentence } from './pack-reader.ts'

/** Which purpose signs the envelopes of a folder. */
function purposeOf(path: string): SigningPurpose {
  if (path.startsWith('plan/')) return 'plan'
  if (path.startsWith('audit/anchors/')) return 'anchor'
  return path.startsWith('approvals/') || path.startsWith('waivers/') ? 'approval' : 'evidence'
}

/** Paths of the envelopes that Waybill itself put into the pack. A file under `code/` is a proposal, whatever it calls itself. */
export function envelopePaths(pack: OpenedPack): string[] {
  return [...pack.files.keys()].filter((path) => path.endsWith('.dsse.json') && !path.startsWith('code/')).toSorted()
}

/** Every envelope holds under a key for its purpose, and the files beside it are exactly what follows from it. */
export function signatureFaults(pack: OpenedPack): { faults: Faults; count: number } {
  const faults = new Faults()
  const paths = envelopePaths(pack)
  for (const path of paths) {
    try {
      envelopeFaults(pack, path, faults)
    } catch (error) {
      faults.add(path, sentence(error))
    }
  }
  for (const path of pack.files.keys()) {
    const stem = /^(?!code\/|timestamp\/)(.*)\.(?:pae\.bin|sig\.der|pub\.pem|sigstore\.json)$/.exec(path)?.[1]
    if (stem !== undefined && !pack.files.has(`${stem}.dsse.json`)) faults.add(path, 'stands beside no envelope')
  }
  return { faults, count: paths.length }
}

function envelopeFaults(pack: OpenedPack, path: string, faults: Faults): void {
  const bytes = pack.files.get(path)!
  const { payloadType, payload, keyid, signature } = readEnvelope(bytes)
  const message = pae(payloadType, payload)
  const candidates = pack.trust[purposeOf(path)]
  const pem = candidates.find((candidate) => verifySignature(candidate, message, signature))
  if (pem === undefined) {
    faults.add(path, `its signature does not hold under any of the ${candidates.length} keys for signing the ${purposeOf(path)}`)
    return
  }
  const key = pack.keys.find((candidate) => candidate.pem === pem)
  // The key id is not signed; it may only repeat what keys.json says, and the rest has exactly one form.
  const exact = writeEnvelope(payload, key?.key_id ?? keyid, signature)
  if (!Buffer.from(exact).equals(bytes)) faults.add(path, 'is not in the one form that its content and key have')
  const [, messagePath, signaturePath, pemPath, bundlePath] = formPaths(path.slice(0, -'.dsse.json'.length))
  const raw = [
    [messagePath, message],
    [signaturePath, signature],
    [pemPath, Buffer.from(pem)],
    [bundlePath, sigstoreBundle(bytes, fingerprintOf(pem))],
  ] as const
  for (const [rawPath, expected] of raw) {
    const there = pack.files.get(rawPath)
    if (there === undefined) faults.add(rawPath, `is missing beside ${path}`)
    else if (!Buffer.from(expected).equals(there)) faults.add(rawPath, `is not what ${path} holds`)
  }
}

/** The seal: signed for evidence, about this very manifest. */
export function sealFaults(pack: OpenedPack, manifest: PackManifest | null): { faults: Faults; seal: PackPredicate | null } {
  const faults = new Faults()
  const path = `${SEAL}.dsse.json`
  const bytes = pack.files.get(path)
  const manifestBytes = pack.files.get(MANIFEST)
  if (bytes === undefined || manifestBytes === undefined) return { faults, seal: null }
  try {
    const { statement, predicate } = openPredicate(bytes, pack.trust, 'pack', packPredicate)
    const [subject, ...more] = statement.subject
    if (more.length > 0 || subject?.name !== MANIFEST || subject.digest.sha256 !== sha256(manifestBytes)) {
      faults.add(MANIFEST, 'is not the manifest that was sealed')
    }
    if (manifest !== null && predicate.files !== String(manifest.files.length))
      faults.add(MANIFEST, `lists ${manifest.files.length} files, the seal says ${predicate.files}`)
    return { faults, seal: predicate }
  } catch (error) {
    faults.add(path, sentence(error))
    return { faults, seal: null }
  }
}
