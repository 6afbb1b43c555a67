import { checkPlanLink, type PlanLinkFields, type PlanPage, planLinkToken } from '../../layers/core/approval-link.ts'
import type { NoticeKind } from '../../layers/core/approval-page/notice.ts'
import { moment } from '../../layers/core/approval-page/visible-text.ts'
import { artifactOf } from '../../layers/core/artifacts.ts'
import { isWaybillError } from '../../layers/core/errors.ts'
import { artifactJson, planOf } from '../../layers/core/flow/project-artifacts.ts'
import type { ChecksMacs, MacMaker, Ports } from '../../layers/core/ports.ts'
import type { Role } from '../../layers/core/schemas/common.ts'
import { type Findings, findings as findingsSchema } from '../../layers/core/schemas/finding.ts'
import type { Plan } from '../../layers/core/schemas/plan.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { isDrafted, personToAsk } from './waiving.ts'
import { gateOfWithdrawal, withdrawnAlready } from './withdrawable.ts'

export type PlanLinkDeps = Pick<Ports, 'approvals' | 'artifacts' | 'clock' | 'policy' | 'projects'> &
  ChecksMacs<'waiverLink' | 'withdrawalLink'>
export type PlanPerson = { role: Role; email: string }

/** What a page about a whole plan is about. */
export type OpenPlan = { page: PlanPage; project: ProjectRecord; plan: Plan; planSha256: string; person: PlanPerson }

/** Either a plan this link may act on now, or the notice that says why not; `about` is there once the link was seen to be the right one. */
export type PlanOpening =
  | { open: true; about: OpenPlan }
  | { open: false; why: NoticeKind; details: string[]; project: ProjectRecord | null; about: OpenPlan | null }

/** What the newest plan, its person and their link are. @throws NOT_FOUND before there is a plan, APPROVAL_REFUSED where nobody may waive */
export async function aboutPlan(
  deps: Pick<PlanLinkDeps, 'artifacts' | 'policy'>,
  page: PlanPage,
  project: ProjectRecord,
): Promise<OpenPlan> {
  const planSha256 = artifactOf(project, 'migration_plan').sha256
  const plan = await planOf(deps.artifacts, project)
  const person = page === 'plans' ? { role: 'migration_lead' as const, email: project.author } : await personToAsk(deps, project)
  return { page, project, plan, planSha256, person }
}

/** The link that is mailed. It is good until the plan expires or is made anew, and for the person whom policy and spec name now. */
export async function planLinkOf(make: MacMaker, publicUrl: string, about: OpenPlan): Promise<string> {
  const token = await planLinkToken(make, about.page, fieldsOf(about))
  return `${publicUrl}/${about.page}/${about.project.project_id}?t=${encodeURIComponent(token)}`
}

function fieldsOf({ project, plan, planSha256, person }: OpenPlan): PlanLinkFields {
  const { email, role } = person
  return { project_id: project.project_id, person: email, role, plan_sha256: planSha256, expires_at: plan.expires_at }
}

/** Form tokens of one page are no good on the other, nor on an approval. */
export const planFormSubject = ({ page, project }: OpenPlan): string => `${page}:${project.project_id}`

/**
 * Looks a plan up and checks the link for it. Reads only. Threat: project names can be guessed, so a project that is not there answers as
 * one whose link is wrong.
 */
export async function planOpening(deps: PlanLinkDeps, page: PlanPage, projectId: string, token: string): Promise<PlanOpening> {
  const project = await orNull(deps.projects.get(projectId), 'NOT_FOUND')
  const about = project === null ? null : await orNull(aboutPlan(deps, page, project), 'NOT_FOUND', 'APPROVAL_REFUSED')
  if (about === null) return { open: false, why: 'bad-link', details: [], project, about: null }
  const shut = (why: NoticeKind, details: string[] = []): PlanOpening => ({ open: false, why, details, project, about })
  try {
    const isOurs = page === 'waivers' ? deps.macCheckers.waiverLink : deps.macCheckers.withdrawalLink
    await checkPlanLink(isOurs, page, fieldsOf(about), token, deps.clock.now())
  } catch (error) {
    if (isWaybillError(error) && error.code === 'APPROVAL_REFUSED')
      return { open: false, why: 'bad-link', details: [], project, about: null }
    if (!isWaybillError(error) || error.code !== 'APPROVAL_EXPIRED') throw error
    return shut('expired', [`The plan itself expired at ${moment(about.plan.expires_at)}; it has to be made again.`])
  }
  const over = shut('over', [`The migration is now in the state ${about.project.state}.`])
  if (page === 'plans') {
    const gate = await gateOfWithdrawal(deps, about.project)
    if (gate === null) return over
    return (await withdrawnAlready(deps, about.project, gate)) ? shut('plan-withdrawn') : { open: true, about }
  }
  if (!isDrafted(about.project)) return over
  return (await refusedFindings(deps, about)) === null
    ? shut('over', ['Nothing that a validator found keeps this plan from being signed.'])
    : { open: true, about }
}

/** What was found in this very plan, where it keeps the plan from being signed; null where it does not, or nobody has looked yet. */
export async function refusedFindings(deps: Pick<Ports, 'artifacts'>, { project, planSha256 }: OpenPlan): Promise<Findings | null> {
  const found = await orNull(artifactJson(deps.artifacts, project, 'findings', findingsSchema), 'NOT_FOUND')
  return found !== null && found.plan_sha256 === planSha256 && found.verdict !== 'pass' ? found : null
}

async function orNull<T>(value: Promise<T>, ...codes: string[]): Promise<T | null> {
  try {
    return await value
  } catch (error) {
    if (isWaybillError(error) && codes.includes(error.code)) return null
    throw error
  }
}
