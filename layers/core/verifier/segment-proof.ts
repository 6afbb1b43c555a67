import { canonicalBytes } from '../canonical-json.ts'
import { fromBase64, writeEnvelope } from '../dsse.ts'
import { segmentLeaf } from '../encoding/segment-digest.ts'
import { canonicalPem, fingerprintOf } from '../evidence/pack-files.ts'
import { sidesOfSiblings } from '../evidence/segment-proof.ts'
import { verifyInclusion } from '../merkle.ts'
import { oneEach, SIGNING_PURPOSES } from '../names.ts'
import { type SegmentProof, segmentProof } from '../schemas/evidence.ts'
import { type OutcomePredicate, outcomePredicate } from '../schemas/outcome.ts'
import { openPredicate } from '../statement.ts'
import { trustedPins } from './keys.ts'
import { Faults, parseAs, sentence } from './pack-reader.ts'

export type SegmentVerification = {
  verified: boolean
  trust: 'pinned' | 'key-in-file'
  /** Null when the file is no proof at all. */
  proof: SegmentProof | null
  /** What the certificate over the roots says; null when it does not hold. */
  certificate: OutcomePredicate | null
  /** Equal rows and digests on both sides; null when the proof does not hold. */
  equal: boolean | null
  faults: string[]
}

const FILE = 'segment proof'

/**
 * Verifies a segment's proof from its bytes alone: the certificate's signature, its roots, and both paths up to them.
 * @param trust as for a pack, of which only evidence=KEY may sign a certificate; without it the key in the file is used, which shows consistency, not who signed
 * @throws BAD_INPUT for a trusted key that cannot be read
 */
export function verifySegmentProof(bytes: Uint8Array, trust?: readonly string[]): SegmentVerification {
  const faults = new Faults()
  const pinned = trust === undefined ? null : trustedPins(trust).evidence
  const proof = parseAs(bytes, FILE, segmentProof, faults)
  const certificate = proof === null ? null : certificateOf(proof, pinned, faults)
  if (proof !== null && !Buffer.from(canonicalBytes(proof)).equals(bytes)) faults.add(FILE, 'is not in its canonical form')
  if (proof !== null && certificate !== null) pathFaults(proof, certificate, faults)
  const verified = faults.list.length === 0
  const equal = verified && proof !== null ? proof.source.sha256 === proof.target.sha256 && proof.source.rows === proof.target.rows : null
  return { verified, trust: pinned === null ? 'key-in-file' : 'pinned', proof, certificate, equal, faults: faults.list }
}

function certificateOf(proof: SegmentProof, pinned: ReadonlySet<string> | null, faults: Faults): OutcomePredicate | null {
  try {
    const pem = canonicalPem(proof.public_key)
    if (pem !== proof.public_key) faults.add(FILE, 'its public key is not in its one form')
    if (pinned !== null && !pinned.has(fingerprintOf(pem))) {
      faults.add(FILE, `was signed with a key you do not trust for evidence (SHA-256 ${fingerprintOf(pem)})`)
      return null
    }
    const envelope = writeEnvelope(fromBase64(proof.certificate.payload), '', fromBase64(proof.certificate.sig))
    return openPredicate(envelope, { ...oneEach(SIGNING_PURPOSES, () => []), evidence: [pem] }, 'outcome', outcomePredicate).predicate
  } catch (error) {
    faults.add(FILE, `its certificate does not hold: ${sentence(error)}`)
    return null
  }
}

function pathFaults(proof: SegmentProof, certificate: OutcomePredicate, faults: Faults): void {
  if (certificate.project_id !== proof.project_id) faults.add(FILE, `the certificate is about project ${certificate.project_id}`)
  if (certificate.run_id !== proof.run_id) faults.add(FILE, `the certificate is about run ${certificate.run_id}`)
  const signed = certificate.tables.find((table) => table.table_id === proof.table_id)
  if (signed === undefined) {
    faults.add(FILE, `the certificate names no table ${proof.table_id}`)
    return
  }
  if (signed.tree_size !== proof.tree_size) faults.add(FILE, `the signed tree has ${signed.tree_size} leaves, not ${proof.tree_size}`)
  if (proof.index < proof.position) faults.add(FILE, `segment ${proof.index} cannot be leaf ${proof.position}`)
  const sides = sidesOfSiblings(proof.position, proof.tree_size)
  for (const which of ['source', 'target'] as const) {
    const side = proof[which]
    if (side.root !== signed[`${which}_root`]) faults.add(FILE, `its ${which} root is not the signed one`)
    if (side.path.length !== sides.length || side.path.some(({ stands }, at) => stands !== sides[at]))
      faults.add(FILE, `its ${which} path is not the one of leaf ${proof.position} of ${proof.tree_size}`)
    const siblings = side.path.map(({ sibling }) => Buffer.from(sibling, 'hex'))
    const root = Buffer.from(signed[`${which}_root`], 'hex')
    let included = false
    try {
      included = verifyInclusion(segmentLeaf(proof.index, BigInt(side.rows), side.sha256), proof.position, proof.tree_size, siblings, root)
    } catch {
      // More rows than a leaf holds: no leaf of any tree.
    }
    if (!included) faults.add(FILE, `its ${which} digest and rows do not lead to the signed root`)
  }
}
