import { checkFormToken } from '../../layers/core/approval-page/form-token.ts'
import { type NoticeKind, notice } from '../../layers/core/approval-page/notice.ts'
import { manualDecisions } from '../../layers/core/flow/decision-answers.ts'
import { artifactJson, planOf } from '../../layers/core/flow/project-artifacts.ts'
import { leavesTables, leftInTarget } from '../../layers/core/left-in-target.ts'
import type { HttpRequest, HttpResponse } from '../../layers/core/ports.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { approvalIdOf, type OpeningDeps, opening } from '../approval-page/opening.ts'
import { planPathOf } from '../approval-page/plan-view.ts'
import { atTheBrowser, type BrowserDeps } from '../approval-page/sign-in.ts'
import { needsPasskey, pageFor, type ViewDeps, withdrawalForm } from '../approval-page/view.ts'
import { type PasskeyDeps, signedWith } from '../work/passkeys.ts'
import type { PlanLinkDeps } from '../work/plan-link.ts'
import { barredFromApproving } from '../work/separation-of-duties.ts'
import { type ChaseDeps, chase } from './chase.ts'
import { handOn } from './delegation.ts'
import { type Decided, type Form, judge, MAX_BODY, readForm, reasonFaults, tokensOf } from './form.ts'
import { type OutboxDeps, tellOutcomes } from './outbox.ts'
import { decideOnPlan } from './plan-decision.ts'
import { recordRefusal, triedOf } from './refusal.ts'
import { register } from './registration.ts'
import { type Identified, identifiedBy, type SettleDeps, settle } from './settlement.ts'
import { withdraw } from './withdrawal.ts'

type Deps = OpeningDeps & PlanLinkDeps & ViewDeps & SettleDeps & OutboxDeps & ChaseDeps & PasskeyDeps & BrowserDeps

/**
 * POSTing here, with any body, empties the outbox and looks after those who have not decided. No person reads the answer: what fails here is
 * thrown, so that whoever calls it knows.
 */
export const OUTBOX_PATH = '/outbox'

/**
 * Takes one decision of one person. In this order, so that no crash can lose or double it: sign and store the statement, one
 * conditional write PENDING → DECIDED, audit, and only then tell the state machine.
 */
export function createHandler(deps: Deps) {
  return async (http: HttpRequest): Promise<HttpResponse> => {
    // The schedule's way in. Whoever else calls it only makes happen now what would happen in a few minutes.
    if (http.path === OUTBOX_PATH && http.method.toUpperCase() === 'POST') {
      await chase(deps)
      return { status: 204, headers: {}, body: '' }
    }
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
  const passkeyFor = approvalIdOf(http.path, 'passkeys')
  const plan = planPathOf(http.path)
  const approvalId = passkeyFor ?? approvalIdOf(http.path)
  if (approvalId === null && plan === null) return notice('not-found')
  if (Buffer.byteLength(http.body) > MAX_BODY) return notice('too-large')
  const isForm = /^application\/x-www-form-urlencoded\s*(;|$)/i.test(http.headers['content-type'] ?? '')
  const form = isForm ? readForm(http.body) : null
  if (form === null) return notice('bad-form')
  if (plan !== null) return decideOnPlan(deps, http, form, plan)
  if (passkeyFor !== null) return register(deps, http, form, passkeyFor)
  return approvalId === null ? notice('not-found') : decideOnRequest(deps, http, form, approvalId)
}

async function decideOnRequest(deps: Deps, http: HttpRequest, form: Form, approvalId: string): Promise<HttpResponse> {
  const opened = await opening(deps, approvalId, form.linkToken)
  const { request } = opened
  if (request === null) return notice('unknown')
  // Threat: another site sends this form from the approver's browser. Browsers always send Origin with a POST; nothing else is accepted.
  if (http.headers.origin !== new URL(deps.publicUrl).origin) return refused(deps, request, 'bad-origin')
  const withdrawing = form.button === 'withdraw' && request.decision === 'APPROVED' && !opened.open
  if (!opened.open && !(withdrawing && opened.withdrawable)) {
    return refused(deps, request, withdrawing && opened.why === 'decided' ? 'not-withdrawable' : opened.why, opened.details)
  }
  const project = opened.open ? opened.project : opened.withdrawable!
  if (!(await checkFormToken(deps.macCheckers.page, approvalId, request.subject.sha256, form.formToken, deps.clock.now()))) {
    return refused(deps, request, 'stale-form')
  }
  const who = await atTheBrowser(deps, http, request)
  if ('why' in who) return refused(deps, request, who.why)
  const identified = identifiedBy(who.person)

  if (withdrawing) return takeBack(deps, request, project, form, identified)
  if (form.button === 'delegate') {
    const barred = await handOn(deps, request, project, form.delegateTo)
    return barred === null ? notice('DELEGATED') : refused(deps, request, 'no-delegate', [barred])
  }
  const questions =
    request.kind === 'decisions' ? (await artifactJson(deps.artifacts, project, 'manual_decisions', manualDecisions)).decisions : []
  const judged = judge(form, request, questions)
  if ('faults' in judged) return again(deps, request, project, form, judged.faults)
  const barred = judged.decision === 'REJECTED' ? null : await barredFromApproving(deps, request, project, who.person?.email ?? null)
  if (barred !== null) return refused(deps, request, 'not-allowed', [barred])
  const proven = await withPasskey(deps, request, project, form, judged, identified)
  if ('fault' in proven) {
    return form.passkey === ''
      ? again(deps, request, project, form, [proven.fault])
      : refused(deps, request, 'passkey-refused', [proven.fault])
  }

  const settled = await settle(deps, request, { ...judged, reason: form.reason, identified: proven })
  await tellOutcomes(deps, request.project_id)
  if (!settled.mine) return refused(deps, request, 'decided', [`It was decided at the same moment: ${settled.decision.toLowerCase()}.`])
  return notice(judged.decision, judged.decision === 'REJECTED' ? await staying(deps, project).catch(() => []) : [])
}

/** What a rejection leaves in the target: the project is about to be REJECTED. */
async function staying(deps: Deps, project: ProjectRecord): Promise<string[]> {
  const rejected = { ...project, state: 'REJECTED' as const }
  if (!leavesTables(rejected)) return []
  const left = leftInTarget(rejected, await planOf(deps.artifacts, project))
  return left === null ? [] : [left.says]
}

/** The passkey signature over the subject digest, where the policy asks this role for one. Saying no needs none. */
async function withPasskey(
  deps: Deps,
  request: ApprovalRequest,
  project: ProjectRecord,
  form: Form,
  judged: Decided,
  identified: Identified,
): Promise<Identified | { fault: string }> {
  const needed = judged.decision === 'APPROVED' && (await needsPasskey(deps, project, request))
  if (!needed) return identified
  if (form.passkey === '') return { fault: 'This approval needs your passkey. Allow scripts on this page, and have your passkey at hand.' }
  const passkey = await signedWith(deps, request, form.passkey)
  return 'fault' in passkey ? passkey : { ...identified, identified_by: 'passkey', passkey }
}

async function takeBack(
  deps: Deps,
  request: ApprovalRequest,
  project: ProjectRecord,
  form: Form,
  identified: Identified,
): Promise<HttpResponse> {
  const faults = [...reasonFaults(form), ...(form.reason === '' ? ['Say why you withdraw: write it under "Reason".'] : [])]
  if (faults.length > 0) return { ...notice('withdrawable', faults, withdrawalForm(request, tokensOf(form))), status: 422 }
  await withdraw(deps, request, form.reason, identified)
  await tellOutcomes(deps, request.project_id)
  return notice('WITHDRAWN', [
    request.transition === `PLAN_DRAFTED->PLANNED` && project.state === 'PLANNED'
      ? 'The plan had been signed already; without your approval nothing may be carried out, and the migration ends as rejected.'
      : 'Nothing goes on until you decide again; you get a new link.',
  ])
}

/** Nothing is stored; the page comes back with what is missing, and with what was typed. */
async function again(deps: Deps, request: ApprovalRequest, project: ProjectRecord, form: Form, faults: string[]): Promise<HttpResponse> {
  return {
    ...(await pageFor(deps, request, project, tokensOf(form), { faults, reason: form.reason.slice(0, 2000), answers: form.answers })),
    status: 422,
  }
}

async function refused(deps: Deps, request: ApprovalRequest, why: NoticeKind, details: string[] = []): Promise<HttpResponse> {
  await recordRefusal(deps, triedOf(request), 'DECISION_REFUSED', why)
  return notice(why, details)
}
