import { formToken } from '../../layers/core/approval-page/form-token.ts'
import { type FormState, type PageView, renderPage } from '../../layers/core/approval-page/page.ts'
import { decisionSection, findingSection, planSections } from '../../layers/core/approval-page/plan-words.ts'
import { cutoverSections, proofSections } from '../../layers/core/approval-page/proof-words.ts'
import type { Section } from '../../layers/core/approval-page/section.ts'
import { DECISION_WORDS, roleInWords, TRANSITION_WORDS } from '../../layers/core/flow/approval-words.ts'
import { linkTokenOf } from '../../layers/core/flow/asking.ts'
import { manualDecisions } from '../../layers/core/flow/decision-answers.ts'
import { artifactJson, planOf } from '../../layers/core/flow/project-artifacts.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { findings } from '../../layers/core/schemas/finding.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import { outcome } from '../../layers/core/schemas/outcome.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { cutoverProposal, type ManualDecision } from '../../layers/core/schemas/proposal.ts'

export type ViewDeps = Pick<Ports, 'artifacts' | 'approvals' | 'clock' | 'keys' | 'publicUrl'>

/** A page must open on a phone in a train: 96,000 bytes at most. Long lists are shortened, and the page says so. */
const MAX_BYTES = 96_000
const LIMITS = [400, 150, 60, 25, 8, 2]

/** The page for one request, as long as it may be. */
export async function pageFor(deps: ViewDeps, request: ApprovalRequest, project: ProjectRecord, state?: FormState): Promise<string> {
  const frame = await frameOf(deps, request, project)
  const sections = await sectionsOf(deps, request, project)
  let html = ''
  for (const limit of LIMITS) {
    html = renderPage({ ...frame, sections: sections(limit) }, state)
    if (Buffer.byteLength(html) <= MAX_BYTES) return html
  }
  return html
}

async function frameOf(deps: ViewDeps, request: ApprovalRequest, project: ProjectRecord): Promise<Omit<PageView, 'sections'>> {
  const words = request.transition === null ? DECISION_WORDS : TRANSITION_WORDS[request.transition]
  const group = await deps.approvals.requests(request.group_id)
  const key = await deps.keys.link()
  const questions = request.kind === 'decisions' ? await questionsOf(deps, project) : []
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
      .map((other) => ({
        role: roleInWords(other.role),
        who: other.approver,
        status: other.decision === null ? 'has not decided yet' : other.decision.toLowerCase(),
      })),
    questions,
    form: {
      action: `/approvals/${request.approval_id}`,
      linkToken: await linkTokenOf(deps, request),
      formToken: formToken(key, request.approval_id, request.subject.sha256, deps.clock.now()),
    },
  }
}

/** What stands on the page, given how many lines each list may have. */
async function sectionsOf(deps: ViewDeps, request: ApprovalRequest, project: ProjectRecord): Promise<(limit: number) => Section[]> {
  const { artifacts } = deps
  if (request.transition === null) {
    const facts = [['Questions', String((await questionsOf(deps, project)).length)]] as const
    return () => [
      {
        title: 'What this is about',
        says: 'The mapping that Waybill proposes loses information or is not clear in these places. Only a person may decide them.',
        facts,
      },
    ]
  }
  const plan = await planOf(artifacts, project)
  if (request.transition === 'PLAN_DRAFTED->PLANNED' || request.transition === 'PLANNED->EXECUTED') {
    const found = await artifactJson(artifacts, project, 'findings', findings)
    const decisions = await questionsOf(deps, project)
    return (limit) => [...planSections(plan, limit), decisionSection(plan, decisions), findingSection(found.findings, limit)]
  }
  const proof = await artifactJson(artifacts, project, 'outcome', outcome)
  if (request.transition === 'CUTOVER_READY->CUTOVER_DONE') {
    const cutover = await artifactJson(artifacts, project, 'cutover_plan', cutoverProposal)
    return (limit) => [...cutoverSections(cutover, limit), ...proofSections(proof, limit)]
  }
  return (limit) => [...proofSections(proof, limit), ...planSections(plan, Math.ceil(limit / 2))]
}

/** The questions last asked; none where nothing was ambiguous. */
async function questionsOf(deps: Pick<Ports, 'artifacts'>, project: ProjectRecord): Promise<ManualDecision[]> {
  if (project.artifacts.manual_decisions === undefined) return []
  return (await artifactJson(deps.artifacts, project, 'manual_decisions', manualDecisions)).decisions
}
