import { parseStrictJson } from '../canonical-json.ts'
import { sha256 } from '../digest.ts'
import { readEnvelope } from '../dsse.ts'
import { WaybillError } from '../errors.ts'
import type { Signer } from '../ports.ts'
import type { PackManifest, PackPredicate } from '../schemas/evidence.ts'
import { type ApprovalPredicate, type AuditAnchor, type AuditEntry, approvalPredicate, auditAnchor } from '../schemas/governance.ts'
import { type ReconReport, reconReport } from '../schemas/recon.ts'
import { type WaiverPredicate, waiverPredicate } from '../schemas/waiver.ts'
import { PREDICATES, signStatement, statement, statementOf } from '../statement.ts'
import { auditChainOf, merkleOf } from './derived-files.ts'
import { replayLifecycle } from './lifecycle-replay.ts'
import {
  envelopeFiles,
  jsonFile,
  keyFiles,
  MANIFEST,
  OUTSIDE_MANIFEST,
  ordered,
  type PackFile,
  type PackKey,
  SEAL,
  textFile,
} from './pack-files.ts'
import { timestampRequestFiles } from './timestamp-request.ts'
import { verifyMarkdown } from './verify-markdown.ts'

export type { PackFile, PackKey } from './pack-files.ts'

/** Artifacts of one project, each as the bytes that were stored. What a project never reached is null or empty. */
export type PackInput = {
  projectId: string
  /** By file name inside `plan/`: `policy.json`, `findings.json`, `type_coercion_rulebook.json`, `hashing_spec.json`, `archetype.json`, the spec, … */
  planFolder: readonly PackFile[]
  plan: Uint8Array | null
  signedPlan: Uint8Array | null
  /** Rewrite files, by path inside `code/`. */
  code: readonly PackFile[]
  executionReport: Uint8Array | null
  reconReports: readonly Uint8Array[]
  /** By file name inside `recon/`: `checks_report.<run_id>.json`, explanations, differences. */
  reconFolder: readonly PackFile[]
  /** `certificate` is the DSSE envelope that an approver saw. */
  outcome: { document: Uint8Array; certificate: Uint8Array } | null
  report: { html: string; markdown: string } | null
  approvals: readonly Uint8Array[]
  /** DSSE envelopes around waiver statements. */
  waivers?: readonly Uint8Array[]
  /** By file name inside `cutover/`: `cutover_plan.json`, the runbook, `rollback_report.json`. */
  cutoverFolder: readonly PackFile[]
  entries: readonly AuditEntry[]
  anchors: readonly Uint8Array[]
  keys: readonly PackKey[]
}

/**
 * Every file of a pack save the manifest and its signature, in path order; the same input gives the same bytes.
 * @throws BAD_INPUT for a path that leaves the pack, EVIDENCE_INVALID for an envelope that no key of the pack verifies
 */
export function composePack(input: PackInput): PackFile[] {
  const approvals = distinct(input.approvals).map((bytes) => ({
    bytes,
    predicate: predicateOf<ApprovalPredicate>(bytes, approvalPredicate),
  }))
  const anchors = distinct(input.anchors).map((bytes) => ({ bytes, predicate: predicateOf<AuditAnchor>(bytes, auditAnchor) }))
  const runs = input.reconReports.map((bytes) => ({ bytes, report: readRecon(bytes) }))
  const anchored = anchors.map(({ predicate }) => predicate.sequence)
  const { state } = replayLifecycle(input.entries)
  const facts = { ...input, state, runs, approvals, anchored }
  const keysFor = (purpose: PackKey['purpose']) => input.keys.filter((key) => key.purpose === purpose)
  const files: PackFile[] = [
    ...inFolder('plan', input.planFolder),
    ...present('plan/migration_plan.json', input.plan),
    ...(input.signedPlan ? envelopeFiles('plan/signed_plan', input.signedPlan, keysFor('plan')) : []),
    ...inFolder('code', input.code),
    ...present('recon/execution_report.json', input.executionReport),
    ...runs.map(({ bytes, report }) => ({ path: `recon/recon_report.${report.run_id}.json`, bytes })),
    ...inFolder('recon', input.reconFolder),
    ...present('outcome.json', input.outcome?.document ?? null),
    ...(input.outcome ? envelopeFiles('proof_certificate', input.outcome.certificate, keysFor('evidence')) : []),
    ...(input.report ? [textFile('report.html', input.report.html), textFile('report.md', input.report.markdown)] : []),
    ...approvals.flatMap(({ bytes, predicate }) => envelopeFiles(`approvals/${predicate.approval_id}`, bytes, keysFor('approval'))),
    ...distinct(input.waivers ?? []).flatMap((bytes) => {
      const { waiver_id } = predicateOf<WaiverPredicate>(bytes, waiverPredicate)
      return envelopeFiles(`waivers/${waiver_id}`, bytes, keysFor('approval'))
    }),
    ...inFolder('cutover', input.cutoverFolder),
    {
      path: 'audit/entries.jsonl',
      bytes: Buffer.concat(input.entries.map((entry) => Buffer.concat([jsonFile('', entry).bytes, Buffer.from('\n')]))),
    },
    ...anchors.flatMap(({ bytes, predicate }) =>
      envelopeFiles(`audit/anchors/${String(predicate.sequence).padStart(6, '0')}-${sha256(bytes).slice(0, 8)}`, bytes, keysFor('anchor')),
    ),
    ...keyFiles(input.keys),
    jsonFile('merkle.json', merkleOf(facts)),
    jsonFile('audit_chain.json', auditChainOf(facts)),
  ]
  const withGuide = [...files, textFile('VERIFY.md', verifyMarkdown(input.projectId, files))]
  return ordered([...withGuide, textFile('SHA256SUMS', checksumLines(ordered(withGuide)))])
}

/** `sha256sum -c` reads these lines: digest, two spaces, path. */
export function checksumLines(files: readonly PackFile[]): string {
  return files.map(({ path, bytes }) => `${sha256(bytes)}  ${path}\n`).join('')
}

export function manifestOf(projectId: string, files: readonly PackFile[]): PackManifest {
  return {
    schema: 'waybill/sha256-manifest/v1',
    project_id: projectId,
    files: ordered(files).map(({ path, bytes }) => ({ path, sha256: sha256(bytes), bytes: String(bytes.length) })),
  }
}

/** Adds the manifest and its statement, signed with the evidence key. `state` is where the audit chain leaves the project. */
export async function sealPack(
  signer: Signer,
  files: readonly PackFile[],
  about: { projectId: string; state: PackPredicate['state']; now: Date },
): Promise<PackFile[]> {
  const clash = files.find((file) => OUTSIDE_MANIFEST.includes(file.path))
  if (clash) throw new WaybillError('BAD_INPUT', `${clash.path} is made when the pack is sealed and cannot be given`)
  const manifest = jsonFile(MANIFEST, manifestOf(about.projectId, files))
  const predicate: PackPredicate = {
    project_id: about.projectId,
    files: String(files.length),
    state: about.state,
    sealed_at: about.now.toISOString(),
  }
  const signed = await signStatement(
    signer,
    statementOf({ predicateType: PREDICATES.pack, subject: [{ name: MANIFEST, sha256: sha256(manifest.bytes) }], predicate }),
  )
  const key: PackKey = { purpose: 'evidence', pem: signed.publicKeyPem, key_id: await signer.keyId() }
  return ordered([
    ...files,
    manifest,
    ...envelopeFiles(SEAL, signed.bytes, [key]),
    ...timestampRequestFiles(manifest.bytes, signed.signature),
  ])
}

function present(path: string, bytes: Uint8Array | null): PackFile[] {
  return bytes === null ? [] : [{ path, bytes }]
}

function inFolder(folder: string, files: readonly PackFile[]): PackFile[] {
  return files.map(({ path, bytes }) => ({ path: `${folder}/${path}`, bytes }))
}

function distinct(envelopes: readonly Uint8Array[]): Uint8Array[] {
  return [...new Map(envelopes.map((bytes) => [sha256(bytes), bytes])).values()]
}

/** For naming files only: whether the signature holds is checked by `envelopeFiles` and again by the verifier. */
function predicateOf<T>(envelope: Uint8Array, schema: { parse(value: unknown): T }): T {
  try {
    return schema.parse(statement.parse(parseStrictJson(readEnvelope(envelope).payload)).predicate)
  } catch (cause) {
    throw new WaybillError('EVIDENCE_INVALID', 'a statement for the pack does not say what its kind must say', { cause })
  }
}

function readRecon(bytes: Uint8Array): ReconReport {
  const parsed = reconReport.safeParse(parseStrictJson(bytes))
  if (!parsed.success)
    throw new WaybillError('EVIDENCE_INVALID', 'a reconciliation report for the pack cannot be read', { cause: parsed.error })
  return parsed.data
}
