import { canonicalBytes } from '../../layers/core/canonical-json.ts'
import { pae, readEnvelope } from '../../layers/core/dsse.ts'
import { verifySignature } from '../../layers/core/ecdsa.ts'
import { isWaybillError } from '../../layers/core/errors.ts'
import type { PackFile, PackInput, PackKey } from '../../layers/core/evidence/pack.ts'
import { envelopeFiles } from '../../layers/core/evidence/pack-files.ts'
import { approvalStatements, artifactJson } from '../../layers/core/flow/project-artifacts.ts'
import { readApproval } from '../../layers/core/flow/statements.ts'
import { listed } from '../../layers/core/flow/storing.ts'
import { SIGNING_PURPOSES, type SigningPurpose } from '../../layers/core/names.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { mergingOf } from '../../layers/core/recorded-reports.ts'
import { hashingSpec, typeCoercionRulebook } from '../../layers/core/rulebooks.ts'
import { auditAnchor } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { rewriteProposal } from '../../layers/core/schemas/proposal.ts'
import { openPredicate } from '../../layers/core/statement.ts'
import { waiversOf } from '../work/project-waivers.ts'
import { executionPointer } from '../work/recorded-reports.ts'
import { signedPolicy } from '../work/signed-policy.ts'

type Deps = Pick<Ports, 'artifacts' | 'audit' | 'policy' | 'signers' | 'trust'>

/** Everything a pack is made of, taken from the project's artifacts; the audit chain up to `entries`. */
export async function packInput(deps: Deps, project: ProjectRecord, entries: number): Promise<PackInput> {
  const id = project.project_id
  const bytes = async (name: string) => {
    const pointer = project.artifacts[name]
    return pointer === undefined ? null : deps.artifacts.get(pointer)
  }
  const folder = async (name: string) => {
    const found = await listed(deps.artifacts, `projects/${id}/${name}/`)
    return Promise.all(
      found.map(async ({ key, pointer }) => ({
        part: key.slice(key.lastIndexOf('/') + 1),
        pointer,
        bytes: await deps.artifacts.get(pointer),
      })),
    )
  }
  const named = async (pairs: readonly (readonly [path: string, artifact: string])[]): Promise<PackFile[]> => {
    const files = await Promise.all(pairs.map(async ([path, artifact]) => ({ path, bytes: await bytes(artifact) })))
    return files.flatMap((file) => (file.bytes === null ? [] : [{ path: file.path, bytes: file.bytes }]))
  }
  const signedPlan = await bytes('signed_plan')
  // A statement that does not hold counted for nothing, and is no evidence of anything.
  const approvals = (await approvalStatements(deps.artifacts, id)).filter((each) => readApproval(each, deps.trust) !== null)
  const waivers = (await waiversOf(deps, id)).map(({ envelope }) => envelope)
  const anchors = (await folder('anchors'))
    .map((file) => file.bytes)
    .filter((each) => openPredicate(each, deps.trust, 'anchor', auditAnchor).predicate.sequence < entries)
  const chain = (await deps.audit.read(id)).slice(0, entries)
  // A comparison that was merged after the cut, by a night that ran meanwhile, is no part of this pack.
  const isMerged = ({ part }: { part: string }) => mergingOf(chain, part.replace(/(\.dsse)?\.jsonl?$/, '')).length > 0
  const certificates = (await folder('proof_certificate')).filter(isMerged)
  const current = project.artifacts.proof_certificate?.sha256
  const outcome = await bytes('outcome')
  const certificate = await bytes('proof_certificate')
  const html = await bytes('report_html')
  const markdown = await bytes('report_md')
  const { evidence } = deps.signers
  const keys = [
    ...keysOf(deps.trust, {
      plan: signedPlan ? [signedPlan] : [],
      approval: [...approvals, ...waivers],
      evidence: certificates.map((file) => file.bytes),
      anchor: anchors,
    }),
    // The seal's, also where nothing was proven.
    { purpose: 'evidence' as const, pem: await evidence.publicKeyPem(), key_id: await evidence.keyId() },
  ]
  const execution = await executionPointer(deps, id)
  const checks = (await folder('checks_report')).filter(isMerged)
  const explanations = (await folder('explanation')).filter(isMerged)
  const differences = (await folder('differences')).filter(isMerged)
  const subjects = new Set(chain.map(({ subject_sha256 }) => subject_sha256))
  const nights = (await folder('nights')).filter(({ pointer }) => subjects.has(pointer.sha256))
  return {
    projectId: id,
    planFolder: [
      ...(await named(PLAN_FILES)),
      ...((await valuesAllowed(deps, project)) ? await named([['profiling_report.json', 'profiling_report']]) : []),
      { path: 'type_coercion_rulebook.json', bytes: canonicalBytes(typeCoercionRulebook) },
      { path: 'hashing_spec.json', bytes: canonicalBytes(hashingSpec) },
    ],
    plan: await bytes('migration_plan'),
    signedPlan,
    code: project.artifacts.rewrite
      ? (await artifactJson(deps.artifacts, project, 'rewrite', rewriteProposal)).files.map((file) => ({
          path: file.path,
          bytes: Buffer.from(file.content),
        }))
      : [],
    executionReport: execution && (await deps.artifacts.get(execution)),
    reconReports: (await folder('recon_report')).filter(isMerged).map((file) => file.bytes),
    reconFolder: [
      ...checks.map((file) => ({ path: `checks_report.${file.part}`, bytes: file.bytes })),
      ...explanations.map((file) => ({ path: `explanation.${file.part}`, bytes: file.bytes })),
      ...differences.map((file) => ({ path: `differences.${file.part}`, bytes: file.bytes })),
      ...nights.map((file) => ({ path: `night.${file.part}`, bytes: file.bytes })),
      // Earlier proofs: people approved them before a newer one was made.
      ...certificates
        .filter((file) => file.pointer.sha256 !== current)
        .flatMap((file) =>
          envelopeFiles(
            `proof_certificate.${file.part.replace(/\.dsse\.json$/, '')}`,
            file.bytes,
            keys.filter((key) => key.purpose === 'evidence'),
          ),
        ),
    ],
    outcome: outcome && certificate ? { document: outcome, certificate } : null,
    report: html && markdown ? { html: Buffer.from(html).toString('utf8'), markdown: Buffer.from(markdown).toString('utf8') } : null,
    approvals,
    waivers,
    cutoverFolder: await named([
      ['cutover_plan.json', 'cutover_plan'],
      ['rollback_report.json', 'rollback_report'],
    ]),
    entries: chain,
    anchors,
    keys,
  }
}

/**
 * Whether smallest and largest values of columns, which may be personal data, go into the pack: as the policy says under which people signed
 * the plan. Threat: a policy changed after the approvals publishes what they were promised would stay. Without a signed plan, or without
 * its policy, nobody allowed it.
 */
async function valuesAllowed(deps: Deps, project: ProjectRecord): Promise<boolean> {
  if (project.artifacts.signed_plan === undefined) return false
  try {
    return (await signedPolicy(deps, project)).pii.values_in_evidence
  } catch (error) {
    if (isWaybillError(error) && error.code === 'PLAN_NOT_AUTHORISED') return false
    throw error
  }
}

const PLAN_FILES = [
  ['migration_spec.txt', 'spec'],
  ['policy.json', 'policy'],
  ['archetype.json', 'archetype'],
  ['findings.json', 'findings'],
  ['discovery_report.json', 'discovery_report'],
  ['schema_mapping.json', 'schema_mapping'],
  ['recon_proposal.json', 'recon_proposal'],
  ['manual_decisions.json', 'manual_decisions'],
  ['decision_answers.json', 'decision_answers'],
  ['discovery_reasoning.json', 'discovery_reasoning'],
  ['mapping_reasoning.json', 'mapping_reasoning'],
  ['rewrite_reasoning.json', 'rewrite_reasoning'],
  ['recon_reasoning.json', 'recon_reasoning'],
  ['diff_explainer_reasoning.json', 'diff_explainer_reasoning'],
  ['cutover_reasoning.json', 'cutover_reasoning'],
  ['pull_request.json', 'pull_request'],
] as const

/** The trusted keys that signed something in the pack, each with the name its envelopes give it. */
function keysOf(trust: Ports['trust'], envelopes: Record<SigningPurpose, readonly Uint8Array[]>): PackKey[] {
  return SIGNING_PURPOSES.flatMap((purpose) =>
    trust[purpose].flatMap((pem) => {
      const signed = envelopes[purpose]
        .map(readEnvelope)
        .find((each) => verifySignature(pem, pae(each.payloadType, each.payload), each.signature))
      return signed === undefined ? [] : [{ purpose, pem, key_id: signed.keyid }]
    }),
  )
}
