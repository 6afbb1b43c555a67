import { packPath } from '../schemas/evidence.ts'
import { approvalFaults } from './approvals.ts'
import { auditFaults } from './audit.ts'
import { type Contents, contentsOf } from './contents.ts'
import { type KeysFound, keysOf } from './keys.ts'
import { manifestFaults } from './manifest.ts'
import { outcomeFaults } from './outcome.ts'
import { type Check, Faults, type OpenedPack, type PackReader, sentence } from './pack-reader.ts'
import { planFaults } from './plan.ts'
import { projectFaults } from './project.ts'
import { reconciliationFaults } from './reconciliation.ts'
import { sealFaults, signatureFaults } from './signatures.ts'

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
 * `trust` pins keys, as PEM or as SHA-256 fingerprint of the DER SubjectPublicKeyInfo; then every key of the pack must be one of them.
 * Without it the signatures are checked against the pack's own keys, which shows that the pack is whole, not who made it.
 *
 * @throws BAD_INPUT for a trusted key that cannot be read; whatever `reader` throws when the pack cannot be read at all
 */
export async function verifyPack(reader: PackReader, options: { trust?: readonly string[] } = {}): Promise<Verification> {
  const { files, faults: readFaults } = await readAll(reader)
  const found = keysOf(files, options.trust)
  const pack: OpenedPack = { files, keys: found.keys, trust: found.trust }

  const { faults: listFaults, manifest } = manifestFaults(pack)
  const { faults: sealedFaults, seal } = sealFaults(pack, manifest)
  const { faults: signedFaults, count } = signatureFaults(pack)
  const { contents, faults: shapeFaults } = contentsOf(pack)
  const { faults: strangers, projectId } = projectFaults(contents, manifest, seal)

  const results: [string, Faults, string][] = [
    ['files', joined(readFaults, listFaults), `All ${files.size} files are exactly the ones that were sealed.`],
    ['seal', sealedFaults, `The manifest was sealed${seal ? ` on ${seal.sealed_at} with the project in ${seal.state}` : ''}.`],
    ['keys', found.faults, keysSay(found)],
    ['signatures', signedFaults, `All ${count} signatures hold, and the raw files beside each are what it holds.`],
    ['documents', shapeFaults, 'Every document has the shape its name promises.'],
    ['project', strangers, `Everything is about one project, ${projectId}.`],
    [
      'plan',
      guarded('plan', () => planFaults(pack, contents)),
      'The plan is the one that was signed, under the policy and rulebooks in the pack.',
    ],
    ['approvals', guarded('approvals', () => approvalFaults(pack, contents)), gatesSay(contents)],
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
      guarded('outcome.json', () => outcomeFaults(contents)),
      outcomeSays(contents.outcome?.value.proof_certificate.proof_status),
    ],
  ]
  const checks = results.map(([name, faults, says]) => checkOf(name, faults, says))
  const faults = results.flatMap(([, { list }]) => list)
  return { verified: faults.length === 0, trust: found.pinned ? 'pinned' : 'keys-in-pack', checks, faults: [...new Set(faults)] }
}

/** A check that throws has not passed. */
function guarded(path: string, check: () => Faults): Faults {
  try {
    return check()
  } catch (error) {
    const faults = new Faults()
    faults.add(path, `could not be checked: ${sentence(error)}`)
    return faults
  }
}

function checkOf(name: string, { list }: Faults, says: string): Check {
  if (list.length === 0) return { name, verdict: 'pass', says }
  return { name, verdict: 'fail', says: list.length === 1 ? list[0]! : `${list[0]} (and ${list.length - 1} more)` }
}

function keysSay({ keys, local, pinned }: KeysFound): string {
  const held = local === 0 ? '' : ` ${local} of them lay on the machine that ran the migration.`
  return pinned
    ? `All ${keys.length} keys are ones you trust.${held}`
    : `Signatures were checked against the ${keys.length} keys in the pack itself: this shows that the pack is whole, not who signed it. Pin keys with --trust.${held}`
}

/** Says no more than the statements do: a link sent to an address shows who received it, not who opened it. */
function gatesSay({ approvals, replay }: Contents): string {
  const count = replay.gates.length
  if (count === 0) return 'No gate was passed, so none had to be opened.'
  const approved = approvals.filter(({ predicate }) => predicate.decision === 'APPROVED' && replay.gates.includes(predicate.transition))
  const by = (...ways: string[]) =>
    [...new Set(approved.filter(({ predicate }) => ways.includes(predicate.identified_by)).map(({ predicate }) => predicate.approver))]
      .toSorted()
      .join(', ')
  const [mailed, identified] = [by('invited-address'), by('oidc', 'passkey')]
  const people = [
    ...(identified === '' ? [] : [`${identified}, who signed in`]),
    ...(mailed === '' ? [] : [`whoever held the links mailed to ${mailed}`]),
  ]
  return `The ${count} gates that were passed have the approvals the policy asks for; they were opened by ${people.join(' and by ')}.`
}

function outcomeSays(status: string | undefined): string {
  if (status === undefined) return 'The project ended before an outcome was proven; there is none to recompute.'
  return `The outcome recomputes, every figure of it: the proof is ${status}.`
}

/** Reads each file once. What has no place in a pack is a fault of the pack, not a reason to stop: the other faults are named too. */
async function readAll(reader: PackReader): Promise<{ files: Map<string, Uint8Array>; faults: Faults }> {
  const faults = new Faults()
  const files = new Map<string, Uint8Array>()
  const listed = await reader.list()
  for (const { path, what } of listed.strays) faults.add(path, what)
  const folded = new Set<string>()
  for (const path of listed.files.toSorted()) {
    if (!packPath.safeParse(path).success) {
      faults.add(JSON.stringify(path), 'is no name for a file of a pack')
      continue
    }
    if (folded.has(path.toLowerCase())) faults.add(path, 'differs from another file only in case')
    folded.add(path.toLowerCase())
    files.set(path, await reader.read(path))
  }
  return { files, faults }
}

function joined(...parts: readonly Faults[]): Faults {
  const all = new Faults()
  for (const part of parts) all.list.push(...part.list)
  return all
}
