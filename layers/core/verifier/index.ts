import { approvalFaults } from './approvals.ts'
import { auditFaults } from './audit.ts'
import { contentsOf } from './contents.ts'
import { keysOf } from './keys.ts'
import { manifestFaults } from './manifest.ts'
import { outcomeFaults } from './outcome.ts'
import { type Check, checkOf, type Faults, guarded, joined, type OpenedPack, type PackReader, readAll } from './pack-reader.ts'
import { planFaults } from './plan.ts'
import { projectFaults } from './project.ts'
import { reconciliationFaults } from './reconciliation.ts'
import { decisionFaults, expiryFaults } from './recorded-decisions.ts'
import { sealFaults, signatureFaults } from './signatures.ts'
import { type TimestampCheck, timestampsOf } from './timestamps.ts'
import { gatesSay, keysSay, outcomeSays } from './words.ts'

export { type Check, memoryReader, type PackReader } from './pack-reader.ts'

export type Verification = {
  verified: boolean
  /** `keys-in-pack`: the pack is whole and consistent, but who signed it was not checked. */
  trust: 'pinned' | 'keys-in-pack'
  checks: Check[]
  /** One sentence each, starting with the file it is about; empty exactly when `verified`. */
  faults: string[]
}

/**
 * Verifies an evidence pack from its stored bytes alone: no network, no clock, nothing believed because the pack says so.
 *
 * `trust` pins keys as `plan=KEY`, `approval=KEY`, `evidence=KEY`, `anchor=KEY`, each a PEM or the SHA-256 fingerprint of its DER SubjectPublicKeyInfo; then
 * every key of the pack must be pinned for the purpose it has there.
 * Without it the signatures are checked against the pack's own keys, which shows that the pack is whole, not who made it.
 *
 * `timestamp` checks an RFC 3161 response; without it a pack that holds one is not verified, for nobody looked at it.
 *
 * @throws BAD_INPUT for a trusted key that cannot be read; whatever `reader` throws when the pack cannot be read at all
 */
export async function verifyPack(
  reader: PackReader,
  options: { trust?: readonly string[]; timestamp?: TimestampCheck } = {},
): Promise<Verification> {
  const { files, faults: readFaults } = await readAll(reader)
  const found = keysOf(files, options.trust)
  const pack: OpenedPack = { files, keys: found.keys, trust: found.trust }

  const { faults: listFaults, manifest } = manifestFaults(pack)
  const { faults: sealedFaults, seal } = sealFaults(pack, manifest)
  const { faults: signedFaults, count } = signatureFaults(pack)
  const { contents, faults: shapeFaults } = contentsOf(pack)
  const { faults: strangers, projectId } = projectFaults(contents, manifest, seal)

  const stamped = timestampsOf(pack, options.timestamp)

  const results: [string, Faults, string][] = [
    ['files', joined(readFaults, listFaults), `All ${files.size} files are exactly the ones that were sealed.`],
    ['seal', sealedFaults, `The manifest was sealed${seal ? ` on ${seal.sealed_at} with the project in ${seal.state}` : ''}.`],
    ['timestamps', stamped.faults, stamped.says],
    ['keys', found.faults, keysSay(found)],
    ['signatures', signedFaults, `All ${count} signatures hold, and the files beside each are what it holds.`],
    ['documents', shapeFaults, 'Every document has the shape its name promises.'],
    ['project', strangers, `Everything is about one project, ${projectId}.`],
    [
      'plan',
      guarded('plan', () => joined(planFaults(pack, contents), expiryFaults(contents))),
      'The plan is the one that was signed, under the policy and rulebooks in the pack.',
    ],
    ['approvals', guarded('approvals', () => joined(approvalFaults(pack, contents), decisionFaults(contents))), gatesSay(contents)],
    [
      'audit',
      guarded('audit', () => auditFaults(pack, contents, projectId, seal)),
      `The audit chain of ${contents.entries.length} entries is whole and agrees with its ${contents.anchors.length} anchors.`,
    ],
    [
      'reconciliation',
      guarded('recon', () => reconciliationFaults(pack, contents, projectId)),
      `Merkle roots, counts and verdicts of ${contents.recons.length} reconciliations recompute from their segments.`,
    ],
    [
      'outcome',
      guarded('outcome.json', () => outcomeFaults(pack, contents)),
      outcomeSays(contents.outcome?.value.proof_certificate.proof_status),
    ],
  ]
  const checks = results.map(([name, faults, says]) => checkOf(name, faults, says))
  if (stamped.none) checks[2] = { ...checks[2]!, verdict: 'not-applicable' }
  const faults = results.flatMap(([, { list }]) => list)
  return { verified: faults.length === 0, trust: found.pinned ? 'pinned' : 'keys-in-pack', checks, faults: [...new Set(faults)] }
}
