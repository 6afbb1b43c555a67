import { anchorFaults, chainFaults } from '../audit-chain.ts'
import { canonicalBytes } from '../canonical-json.ts'
import { auditChainOf } from '../evidence/derived-files.ts'
import type { PackPredicate } from '../schemas/evidence.ts'
import type { Contents } from './contents.ts'
import { Faults, type OpenedPack } from './pack-reader.ts'

/** The chain is whole, the anchors confirm it, the moves it records are legal, and `audit_chain.json` says the same. */
export function auditFaults(pack: OpenedPack, contents: Contents, projectId: string, seal: PackPredicate | null): Faults {
  const faults = new Faults()
  const { entries, anchors, replay } = contents
  faults.all('audit/entries.jsonl', chainFaults(entries))
  faults.all('audit/entries.jsonl', replay.faults)
  faults.all(
    'audit/anchors',
    anchorFaults(
      entries,
      anchors.map(({ predicate }) => predicate),
    ),
  )
  for (const { path, predicate, statement } of anchors) {
    if (statement.subject.some((subject) => subject.digest.sha256 !== predicate.head_sha256))
      faults.add(path, 'is about another entry than it names')
  }
  const tail = unsignedTail(
    entries.length,
    anchors.map(({ predicate }) => predicate.sequence),
  )
  if (tail !== null) faults.add('audit/entries.jsonl', tail)
  // Sealing is the last step of a complete migration: its own state change comes after the chain in the pack was cut.
  const sealing = seal?.state === 'EVIDENCE_COMPLETE' && replay.state === 'CUTOVER_DONE'
  if (seal !== null && seal.state !== replay.state && !sealing) {
    faults.add('audit/entries.jsonl', `leaves the project in ${replay.state}, the seal says ${seal.state}`)
  }
  const expected = auditChainOf({
    projectId,
    state: replay.state,
    plan: contents.plan?.bytes ?? null,
    signedPlan: contents.signedPlan?.bytes ?? null,
    runs: contents.recons,
    outcome: outcomePair(pack, contents),
    approvals: contents.approvals,
    entries,
    anchored: anchors.map(({ predicate }) => predicate.sequence),
  })
  const stated = pack.files.get('audit_chain.json')
  if (stated === undefined) faults.add('audit_chain.json', 'is missing')
  else if (entries.length > 0 && !Buffer.from(canonicalBytes(expected)).equals(stated))
    faults.add('audit_chain.json', 'does not follow from the plan, runs, approvals and chain in this pack')
  return faults
}

/**
 * Entries are signed by the anchors over them, and by nothing else. Threat: whoever may prove and seal appends a comparison and a proof to a
 * log that is real so far; so a pack ends where an anchor lies.
 */
function unsignedTail(count: number, anchored: readonly number[]): string | null {
  const signed = Math.max(-1, ...anchored) + 1
  if (signed >= count) return null
  return `the entries from ${signed} on lie under no anchor that was accepted, so nobody vouches for them`
}

function outcomePair(pack: OpenedPack, contents: Contents) {
  const certificate = pack.files.get('proof_certificate.dsse.json')
  return contents.outcome === null || certificate === undefined ? null : { document: contents.outcome.bytes, certificate }
}
