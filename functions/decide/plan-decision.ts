import { checkFormToken } from '../../layers/core/approval-page/form-token.ts'
import { type NoticeKind, notice } from '../../layers/core/approval-page/notice.ts'
import { digestOf } from '../../layers/core/canonical-json.ts'
import { isWaybillError } from '../../layers/core/errors.ts'
import { waivedMail } from '../../layers/core/flow/plan-mail.ts'
import type { HttpRequest, HttpResponse, Person } from '../../layers/core/ports.ts'
import { roleFault } from '../../layers/core/role-holders.ts'
import type { WaiverRequest } from '../../layers/core/schemas/waiver.ts'
import { type PlanPath, planPageFor, unwaived } from '../approval-page/plan-view.ts'
import { atTheBrowser, type BrowserDeps } from '../approval-page/sign-in.ts'
import { type OpenPlan, type PlanLinkDeps, planFormSubject, planOpening } from '../work/plan-link.ts'
import { openFindings, signWaiver } from '../work/waiving.ts'
import { digestFaults, type Form, reasonFaults, tokensOf } from './form.ts'
import { type OutboxDeps, tellOutcomes } from './outbox.ts'
import { recordRefusal } from './refusal.ts'
import { identifiedBy } from './settlement.ts'
import { withdrawPlan } from './withdrawal.ts'

type Deps = PlanLinkDeps & OutboxDeps & BrowserDeps

const DAY_MS = 86_400_000

/** Takes what one person decides on a plan as a whole: its author withdraws it, or whoever may waives one finding of it. */
export async function decideOnPlan(deps: Deps, http: HttpRequest, form: Form, { page, projectId }: PlanPath): Promise<HttpResponse> {
  const opened = await planOpening(deps, page, projectId, form.linkToken)
  const project = opened.open ? opened.about.project : opened.project
  if (project === null) return notice('bad-link')
  const refused = async (why: NoticeKind, details: string[] = []) => {
    const subjectSha256 = project.artifacts.migration_plan?.sha256 ?? null
    const person = opened.about?.person.email ?? 'unknown'
    const action = page === 'plans' ? 'PLAN_WITHDRAWAL_REFUSED' : 'WAIVER_REFUSED'
    await recordRefusal(deps, { projectId, person, subjectSha256, ids: { page } }, action, why)
    return notice(why, details)
  }
  // As for an approval: browsers always send Origin with a POST; nothing else is accepted.
  if (http.headers.origin !== new URL(deps.publicUrl).origin) return refused('bad-origin')
  if (!opened.open) return refused(opened.why, opened.details)
  const { about } = opened
  if (!(await checkFormToken(deps.macCheckers.page, planFormSubject(about), about.planSha256, form.formToken, deps.clock.now())))
    return refused('stale-form')
  const who = await atTheBrowser(deps, http, { approver: about.person.email })
  if ('why' in who) return refused(who.why)
  const faults = [
    ...digestFaults(form, about.planSha256),
    ...reasonFaults(form),
    ...(form.reason === '' ? ['Say why: write it under "Reason".'] : []),
    ...(form.button === (page === 'plans' ? 'withdraw-plan' : 'waive') ? [] : ['Press the button of this page.']),
  ]
  return page === 'plans' ? withdraw(deps, about, form, who.person, faults) : waive(deps, about, form, who.person, faults, refused)
}

async function withdraw(deps: Deps, about: OpenPlan, form: Form, person: Person | null, faults: string[]): Promise<HttpResponse> {
  if (faults.length > 0) return again(deps, about, form, faults)
  await withdrawPlan(deps, about.project, form.reason, identifiedBy(person))
  await tellOutcomes(deps, about.project.project_id)
  return notice('PLAN_WITHDRAWN')
}

async function waive(
  deps: Deps,
  about: OpenPlan,
  form: Form,
  person: Person | null,
  faults: string[],
  refused: (why: NoticeKind, details: string[]) => Promise<HttpResponse>,
): Promise<HttpResponse> {
  const { project, planSha256 } = about
  const maxDays = deps.policy.waivers?.max_days ?? 0
  const days = /^[1-9][0-9]{0,3}$/.test(form.days) ? Number(form.days) : 0
  if (days < 1 || days > maxDays) faults.push(`A waiver counts for 1 to ${maxDays} days under this policy.`)
  const found = (await openFindings(deps, project)).find(({ finding_id }) => finding_id === form.finding)
  if (found === undefined) faults.push('Choose one of the findings.')
  if (found === undefined || faults.length > 0) return again(deps, about, form, faults)
  if (found.barred !== null) return refused('no-waiver', [found.barred])
  const unfit = person?.email ? roleFault(deps.policy, about.person.role, person.email) : null
  if (unfit !== null) return refused('no-waiver', [unfit])
  const request: WaiverRequest = {
    // One page gives one waiver of a finding: a second click finds the first and completes it.
    waiver_id: `w-${digestOf([planSha256, found.finding_id, form.formToken]).slice(0, 32)}`,
    project_id: project.project_id,
    plan_sha256: planSha256,
    finding_id: found.finding_id,
    finding: found.finding,
    role: about.person.role,
    approver: about.person.email,
    reason: form.reason,
    expires_at: new Date(deps.clock.now().getTime() + days * DAY_MS).toISOString(),
  }
  try {
    const waiver = await signWaiver(deps, project, request, identifiedBy(person))
    await deps.notifier
      .send(waivedMail(project, waiver))
      .catch(() => deps.log.warn('the author could not be told of a waiver', { project_id: project.project_id }))
  } catch (error) {
    // `signWaiver` has entered why.
    if (isWaybillError(error) && error.code === 'APPROVAL_REFUSED') return notice('no-waiver', [error.message])
    throw error
  }
  const rest = (await unwaived(deps, about)).length
  return notice('WAIVED', [
    rest > 0
      ? `${rest === 1 ? 'One more finding keeps' : `${rest} more findings keep`} the plan from being signed: open the link again.`
      : 'The author was told to start the migration again: the plan is then validated again and sent for approval.',
  ])
}

async function again(deps: Deps, about: OpenPlan, form: Form, faults: string[]): Promise<HttpResponse> {
  const { finding, days } = form
  return { ...(await planPageFor(deps, about, tokensOf(form), { faults, reason: form.reason.slice(0, 2000), finding, days })), status: 422 }
}
