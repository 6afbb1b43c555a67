import { planInShort, proofInShort } from '../../layers/core/approval-page/in-short.ts'
import {
  type FormState,
  type FormTokens,
  htmlResponse,
  type PageView,
  renderPage,
  renderWithdrawal,
} from '../../layers/core/approval-page/page.ts'
import { changeSection } from '../../layers/core/approval-page/plan-changes.ts'
import { decisionSection, findingSection, planSections, type WaivedFinding } from '../../layers/core/approval-page/plan-words.ts'
import { cutoverSections, proofSections } from '../../layers/core/approval-page/proof-words.ts'
import type { Section } from '../../layers/core/approval-page/section.ts'
import { provenAndSinceInShort, sinceSection } from '../../layers/core/approval-page/since-words.ts'
import { PASSKEY_HEADERS } from '../../layers/core/approval-page/style.ts'
import { mayDelegate } from '../../layers/core/approvals.ts'
import { getJson } from '../../layers/core/artifacts.ts'
import { DECISION_WORDS, roleInWords, TRANSITION_WORDS } from '../../layers/core/flow/approval-words.ts'
import { manualDecisions } from '../../layers/core/flow/decision-answers.ts'
import { artifactJson, planOf } from '../../layers/core/flow/project-artifacts.ts'
import { listed } from '../../layers/core/flow/storing.ts'
import type { ArtifactStore, HttpResponse, Ports } from '../../layers/core/ports.ts'
import { type Findings, findings } from '../../layers/core/schemas/finding.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import { outcome } from '../../layers/core/schemas/outcome.ts'
import { type Plan, plan as planSchema } from '../../layers/core/schemas/plan.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { cutoverProposal, type ManualDecision } from '../../layers/core/schemas/proposal.ts'
import { newestSince } from '../work/newest-comparison.ts'
import { type PasskeyDeps, passkeysOf, signingOptions } from '../work/passkeys.ts'
import { waiversOf } from '../work/project-waivers.ts'
import type { RecordedDeps } from '../work/recorded-reports.ts'
import { policyOfRequest } from '../work/separation-of-duties.ts'
import type { SignedPolicyDeps } from '../work/signed-policy.ts'

export type ViewDeps = PasskeyDeps & SignedPolicyDeps & RecordedDeps & Pick<Ports, 'artifacts' | 'approvals' | 'clock' | 'publicUrl'>

/** A page must open on a phone in a train: this and its script stay under the 100,000 bytes of docs/approvals.md. Long lists are shortened, and the page says so. */
export const MAX_BYTES = 96_000
export const LIMITS = [400, 150, 60, 25, 8, 2]

/** The page for one request, as long as it may be. `tokens`: of the link that opened it, and of its form. */
export async function pageFor(
  deps: ViewDeps,
  request: ApprovalRequest,
  project: ProjectRecord,
  tokens: FormTokens,
  state?: FormState,
): Promise<HttpResponse> {
  const frame = { ...(await frameOf(deps, request, project)), form: formOf(request, tokens) }
  const { sections, inShort } = await sectionsOf(deps, request, project)
  let html = ''
  for (const limit of LIMITS) {
    html = renderPage({ ...frame, inShort, sections: sections(limit) }, state)
    if (Buffer.byteLength(html) <= MAX_BYTES) break
  }
  const page = htmlResponse(200, html)
  return frame.passkey ? { ...page, headers: { ...PASSKEY_HEADERS } } : page
}

/** True when the policy that judges this gate counts this role only with a passkey signature. */
export async function needsPasskey(deps: SignedPolicyDeps, project: ProjectRecord, request: ApprovalRequest): Promise<boolean> {
  if (request.transition === null) return false
  return (await policyOfRequest(deps, project, request)).asking?.passkey_roles?.includes(request.role) === true
}

/** The form under a notice that takes an approval back. */
export function withdrawalForm(request: ApprovalRequest, tokens: FormTokens): string {
  return renderWithdrawal(formOf(request, tokens))
}

const formOf = (request: ApprovalRequest, tokens: FormTokens): PageView['form'] => ({
  action: `/approvals/${request.approval_id}`,
  ...tokens,
})

async function frameOf(deps: ViewDeps, request: ApprovalRequest, project: ProjectRecord): Promise<Omit<PageView, 'sections' | 'form'>> {
  const words = request.transition === null ? DECISION_WORDS : TRANSITION_WORDS[request.transition]
  const group = await deps.approvals.requests(request.group_id)
  const questions = request.kind === 'decisions' ? await questionsOf(deps, project) : []
  const { asking } = await policyOfRequest(deps, project, request)
  return {
    kind: request.kind,
    title: project.title,
    ...words,
    roleName: roleInWords(request.role),
    approver: request.approver,
    author: project.author,
    expiresAt: request.expires_at,
    subjectName: request.subject_name,
    subjectSha256: request.subject.sha256,
    others: group
      .filter((other) => other.approval_id !== request.approval_id)
      .map((other) => ({ role: roleInWords(other.role), who: other.approver, status: statusInWords(other) })),
    questions,
    passkey: (await needsPasskey(deps, project, request)) ? await passkeyView(deps, request) : null,
    mayDelegate: mayDelegate(asking, request),
  }
}

async function passkeyView(deps: ViewDeps, request: ApprovalRequest): Promise<NonNullable<PageView['passkey']>> {
  const passkeys = await passkeysOf(deps, request.approver)
  return { options: passkeys.length === 0 ? null : JSON.stringify(signingOptions(deps, request, passkeys)) }
}

function statusInWords(request: ApprovalRequest): string {
  if (request.decision === null) return 'has not decided yet'
  return request.decision === 'DELEGATED' ? 'handed it on' : request.decision.toLowerCase()
}

type Content = {
  /** What stands on the page, given how many lines each list may have. */
  sections: (limit: number) => Section[]
  inShort: NonNullable<PageView['inShort']>
}

async function sectionsOf(deps: ViewDeps, request: ApprovalRequest, project: ProjectRecord): Promise<Content> {
  const { artifacts } = deps
  if (request.transition === null) {
    const facts = [['Questions', String((await questionsOf(deps, project)).length)]] as const
    const about = {
      title: 'What this is about',
      says: 'The mapping that Waybill proposes loses information or is not clear in these places. Only a person may decide them.',
      facts,
    }
    return { sections: () => [about], inShort: [] }
  }
  const plan = await planOf(artifacts, project)
  if (request.transition === 'PLAN_DRAFTED->PLANNED' || request.transition === 'PLANNED->EXECUTED') {
    const found = await artifactJson(artifacts, project, 'findings', findings)
    const decisions = await questionsOf(deps, project)
    const before = await planBefore(artifacts, project, plan)
    const waived = await waivedOn(deps, project, found)
    const sections = (limit: number) => [
      ...planSections(plan, limit),
      changeSection(before, plan, limit),
      decisionSection(plan, decisions),
      findingSection(found.findings, limit, waived),
    ]
    return { sections, inShort: planInShort(plan, found.findings) }
  }
  const proof = await artifactJson(artifacts, project, 'outcome', outcome)
  if (request.transition === 'CUTOVER_READY->CUTOVER_DONE') {
    const cutover = await artifactJson(artifacts, project, 'cutover_plan', cutoverProposal)
    const since = await newestSince(deps, project.project_id, proof)
    const stands = since === null || since.newest.found === 'equal'
    const sections = (limit: number) => {
      const [steps, found] = [cutoverSections(cutover, limit), sinceSection(since, proof, limit)]
      return [...(stands ? [...steps, found] : [found, ...steps]), ...proofSections(proof, limit)]
    }
    return { sections, inShort: provenAndSinceInShort(proofInShort(proof, plan), since, proof) }
  }
  return {
    sections: (limit) => [...proofSections(proof, limit), ...planSections(plan, Math.ceil(limit / 2))],
    inShort: proofInShort(proof, plan),
  }
}

/** The findings that somebody took responsibility for, and who. */
async function waivedOn(deps: ViewDeps, project: ProjectRecord, { waived = [] }: Findings): Promise<WaivedFinding[]> {
  if (waived.length === 0) return []
  const waivers = await waiversOf(deps, project.project_id)
  return waivers.flatMap(({ sha256, predicate: { finding, approver, role, reason, expires_at } }) => {
    const counts = waived.some((each) => each.waiver_sha256 === sha256)
    const { rule_id, where, what } = finding
    return counts ? [{ rule_id, where, what, approver, role: roleInWords(role), reason, expires_at }] : []
  })
}

/** The plan that was made last before this one; null when this is the first. */
async function planBefore(artifacts: ArtifactStore, project: ProjectRecord, now: Plan): Promise<Plan | null> {
  const made = await listed(artifacts, `projects/${project.project_id}/migration_plan/`)
  const plans = await Promise.all(made.map(({ pointer }) => getJson(artifacts, pointer, planSchema)))
  const earlier = plans.filter((plan) => plan.created_at < now.created_at).sort((a, b) => (a.created_at < b.created_at ? 1 : -1))
  return earlier[0] ?? null
}

/** The questions last asked; none where nothing was ambiguous. */
async function questionsOf(deps: Pick<Ports, 'artifacts'>, project: ProjectRecord): Promise<ManualDecision[]> {
  if (project.artifacts.manual_decisions === undefined) return []
  return (await artifactJson(deps.artifacts, project, 'manual_decisions', manualDecisions)).decisions
}
