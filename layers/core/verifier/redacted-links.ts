import { auditChainFile, merkleFile, type PackManifest } from '../schemas/evidence.ts'
import { auditAnchor } from '../schemas/governance.ts'
import { outcomePredicate } from '../schemas/outcome.ts'
import { signedLike } from './contents.ts'
import { Faults, type OpenedPack, parseAs } from './pack-reader.ts'

/** How the documents that are left hang together; where one end of a link is withheld, the manifest's digest stands for it. */
export function linksOf(pack: OpenedPack, manifest: PackManifest | null): { faults: Faults; says: string } {
  const faults = new Faults()
  if (manifest === null) return { faults, says: '' }
  const digests = new Map(manifest.files.map(({ path, sha256 }) => [path, sha256]))
  const status = certificateFaults(pack, manifest, digests, faults)
  chainFaults(pack, manifest, digests, faults)
  const proof =
    status === null
      ? 'No proof certificate is here: nothing says how the migration ended.'
      : `The certificate says that the proof is ${status}.`
  return { faults, says: `${proof} Roots, anchors and audit links agree, also about the digests of what is withheld.` }
}

type Digests = ReadonlyMap<string, string>

function certificateFaults(pack: OpenedPack, { project_id }: PackManifest, digests: Digests, faults: Faults): string | null {
  const certificates = signedLike(pack, /^(recon\/)?proof_certificate(\.[^/]+)?\.dsse\.json$/, 'outcome', outcomePredicate, faults)
  const merkleBytes = pack.files.get('merkle.json')
  const merkle = merkleBytes === undefined ? null : parseAs(merkleBytes, 'merkle.json', merkleFile, faults)
  if (merkle !== null && merkle.project_id !== project_id) faults.add('merkle.json', `belongs to project ${merkle.project_id}`)
  for (const { path, statement, predicate } of certificates) {
    if (predicate.project_id !== project_id) faults.add(path, `belongs to project ${predicate.project_id}`)
    if (path === 'proof_certificate.dsse.json' && statement.subject[0]?.digest.sha256 !== digests.get('outcome.json'))
      faults.add(path, 'is about another outcome.json than the one that was sealed')
    if (predicate.plan_sha256 !== digests.get('plan/migration_plan.json'))
      faults.add(path, 'is about another plan than the one that was sealed')
    const run = merkle?.runs.find((candidate) => candidate.run_id === predicate.run_id)
    if (merkle === null) continue
    for (const signed of predicate.tables) {
      const stated = run?.tables.find((table) => table.table_id === signed.table_id)
      const same =
        stated?.tree_size === signed.tree_size && stated.source_root === signed.source_root && stated.target_root === signed.target_root
      if (!same) faults.add('merkle.json', `has other roots of ${signed.table_id} in run ${predicate.run_id} than ${path}`)
    }
  }
  return certificates.find(({ path }) => path === 'proof_certificate.dsse.json')?.predicate.proof_status ?? null
}

function chainFaults(pack: OpenedPack, { project_id }: PackManifest, digests: Digests, faults: Faults): void {
  const path = 'audit_chain.json'
  const bytes = pack.files.get(path)
  const anchors = signedLike(pack, /^audit\/anchors\/[^/]+\.dsse\.json$/, 'anchor', auditAnchor, faults)
  for (const { path: at, predicate, statement } of anchors) {
    if (predicate.project_id !== project_id) faults.add(at, `belongs to project ${predicate.project_id}`)
    if (predicate.count !== predicate.sequence + 1) faults.add(at, `counts ${predicate.count} entries at ${predicate.sequence}`)
    if (statement.subject.some(({ digest }) => digest.sha256 !== predicate.head_sha256))
      faults.add(at, 'is about another entry than it names')
  }
  const chain = bytes === undefined ? null : parseAs(bytes, path, auditChainFile, faults)
  if (chain === null) return
  const sealed = (of: string, digest: string | null | undefined, file: string) => {
    if (digest !== null && digest !== undefined && digest !== digests.get(file))
      faults.add(path, `names another ${of} than the sealed ${file}`)
  }
  if (chain.project_id !== project_id) faults.add(path, `belongs to project ${chain.project_id}`)
  sealed('plan', chain.plan?.plan_sha256, 'plan/migration_plan.json')
  sealed('signed plan', chain.plan?.signed_plan_sha256, 'plan/signed_plan.dsse.json')
  sealed('outcome', chain.outcome?.outcome_sha256, 'outcome.json')
  sealed('certificate', chain.outcome?.certificate_sha256, 'proof_certificate.dsse.json')
  for (const run of chain.runs) {
    sealed('reconciliation', run.recon_report_sha256, `recon/recon_report.${run.run_id}.json`)
    sealed('report of checks', run.checks_report_sha256, `recon/checks_report.${run.run_id}.json`)
  }
  for (const approval of chain.approvals) sealed('approval', approval.statement_sha256, `approvals/${approval.approval_id}.dsse.json`)
  const heads = new Map(anchors.map(({ predicate }) => [predicate.sequence, predicate.head_sha256]))
  for (const sequence of heads.keys()) {
    if (sequence >= chain.chain.count) faults.add(path, `counts ${chain.chain.count} entries, although entry ${sequence} was anchored`)
    if (!chain.chain.anchored.includes(sequence)) faults.add(path, `leaves out the anchor at ${sequence}`)
  }
  if (!chain.chain.anchored.includes(chain.chain.count - 1)) faults.add(path, 'ends with an entry that lies under no anchor')
  const head = heads.get(chain.chain.count - 1)
  if (head !== undefined && head !== chain.chain.head_sha256) faults.add(path, 'names another head of the chain than its anchor')
}
