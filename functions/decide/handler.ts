import { checkFormToken } from '../../layers/core/approval-page/form-token.ts'
import { type NoticeKind, notice } from '../../layers/core/approval-page/notice.ts'
import { htmlResponse } from '../../layers/core/approval-page/page.ts'
import { samePerson } from '../../layers/core/approvals.ts'
import { manualDecisions } from '../../layers/core/flow/decision-answers.ts'
import { artifactJson } from '../../layers/core/flow/project-artifacts.ts'
import { record } from '../../layers/core/ledger.ts'
import type { HttpRequest, HttpResponse } from '../../layers/core/ports.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { approvalIdOf, type OpeningDeps, opening } from '../approval-page/opening.ts'
import { pageFor, type ViewDeps } from '../approval-page/view.ts'
import { type Decided, type Form, judge, MAX_BODY, readForm } from './form.ts'
import { type OutboxDeps, tellOutcomes } from './outbox.ts'
import { type SettleDeps, settle } from './settlement.ts'

type Deps = OpeningDeps & ViewDeps & SettleDeps & OutboxDeps

/** POSTing here, with any body, empties the outbox. */
export const OUTBOX_PATH = '/outbox'

/**
 * Takes one decision of one person. In this order, so that no crash can lose or double it: sign and store the statement, one
 * conditional write PENDING → DECIDED, audit, and only then tell the state machine.
 */
export function createHandler(deps: Deps) {
  return async (http: HttpRequest): Promise<HttpResponse> => {
    try {
      return await decide(deps, http)
    } catch (error) {
      deps.log.error('a decision could not be taken', { error: error instanceof Error ? error.name : 'unknown' })
      return notice('trouble')
    }
  }
}

async function decide(deps: Deps, http: HttpRequest): Promise<HttpResponse> {
  if (http.method.toUpperCase() !== 'POST') return notice('method')
  // The schedule's way in. Whoever else calls it only has decisions told that were taken and stored already.
  if (http.path === OUTBOX_PATH) {
    await tellOutcomes(deps)
    return { status: 204, headers: {}, body: '' }
  }
  const approvalId = approvalIdOf(http.path)
  if (approvalId === null) return notice('not-found')
  if (Buffer.byteLength(http.body) > MAX_BODY) return notice('too-large')
  const form = /^application\/x-www-form-urlencoded\s*(;|$)/i.test(http.headers['content-type'] ?? '') ? readForm(http.body) : null
  if (form === null) return notice('bad-form')

  const opened = await opening(deps, approvalId, form.linkToken)
  const { request } = opened
  if (request === null) return notice('unknown')
  // Threat: another site sends this form from the approver's browser. Browsers always send Origin with a POST; nothing else is accepted.
  if (http.headers.origin !== new URL(deps.publicUrl).origin) return refused(deps, request, 'bad-origin')
  if (!opened.open) return refused(deps, request, opened.why, opened.details)
  const { project } = opened
  if (!checkFormToken(await deps.keys.link(), approvalId, request.subject.sha256, form.formToken, deps.clock.now())) {
    return refused(deps, request, 'stale-form')
  }
  const questions =
    request.kind === 'decisions' ? (await artifactJson(deps.artifacts, project, 'manual_decisions', manualDecisions)).decisions : []
  const judged = judge(form, request, questions)
  if ('faults' in judged) return again(deps, request, project, form, judged.faults)
  const barred = await barredFrom(deps, request, project, judged)
  if (barred !== null) return refused(deps, request, 'not-allowed', [barred])

  const settled = await settle(deps, request, { ...judged, reason: form.reason })
  await tellOutcomes(deps, request.project_id)
  if (!settled.mine) return refused(deps, request, 'decided', [`It was decided at the same moment: ${settled.decision.toLowerCase()}.`])
  return notice(settled.decision)
}

/** Nothing is stored; the page comes back with what is missing, and with what was typed. */
async function again(deps: Deps, request: ApprovalRequest, project: ProjectRecord, form: Form, faults: string[]): Promise<HttpResponse> {
  return htmlResponse(422, await pageFor(deps, request, project, { faults, reason: form.reason.slice(0, 2000), answers: form.answers }))
}

/** Separation of duties looks at stored people, not at the link. A rejection needs no second person and is never barred. */
async function barredFrom(deps: Deps, request: ApprovalRequest, project: ProjectRecord, judged: Decided): Promise<string | null> {
  if (judged.decision !== 'APPROVED') return null
  if (samePerson(request.approver, project.author)) return 'You are the author of this migration; somebody else has to approve it.'
  const others = await deps.approvals.byProject(project.project_id)
  const twice = others.find(
    (other) =>
      other.approval_id !== request.approval_id &&
      other.decision === 'APPROVED' &&
      samePerson(other.approver, request.approver) &&
      sameBarrier(other, request, project),
  )
  if (!twice) return null
  return twice.role === request.role ? 'You approved this already.' : `You approved this already in another role (${twice.role}).`
}

/** Plan and execution are one barrier: nobody fills two of its seats. Elsewhere a transition and its subject stand alone. */
function sameBarrier(other: ApprovalRequest, request: ApprovalRequest, project: ProjectRecord): boolean {
  if (other.transition === request.transition) return other.subject.sha256 === request.subject.sha256
  const planned = other.transition === 'PLAN_DRAFTED->PLANNED' && other.subject.sha256 === project.artifacts.migration_plan?.sha256
  return planned && request.transition === 'PLANNED->EXECUTED' && other.role !== request.role
}

async function refused(deps: Deps, request: ApprovalRequest, why: NoticeKind, details: string[] = []): Promise<HttpResponse> {
  await record(deps, request.project_id, {
    actor: request.approver,
    action: 'DECISION_REFUSED',
    subject_sha256: request.subject.sha256,
    details: { approval_id: request.approval_id, role: request.role, why },
  })
  return notice(why, details)
}
