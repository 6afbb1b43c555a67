import { isWaybillError } from '../../layers/core/errors.ts'
import { planWithdrawalMail, waiverOfferMail } from '../../layers/core/flow/plan-mail.ts'
import { record } from '../../layers/core/ledger.ts'
import type { MakesMacs, Ports } from '../../layers/core/ports.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { aboutPlan, type OpenPlan, planLinkOf, refusedFindings } from '../work/plan-link.ts'
import { isDrafted, openFindings } from '../work/waiving.ts'

type Deps = Pick<Ports, 'artifacts' | 'audit' | 'clock' | 'log' | 'notifier' | 'policy' | 'publicUrl'>

/**
 * Mails the author the link that withdraws the plan, once a plan. As with every invitation the entry comes behind the mail: a crash between
 * the two sends the same link twice. A mail that cannot be sent keeps nobody from deciding; whoever calls this again tries it again.
 */
export async function offerWithdrawal(deps: Deps & MakesMacs<'withdrawalLink'>, project: ProjectRecord): Promise<void> {
  const about = await aboutPlan(deps, 'plans', project)
  if (await isOffered(deps, about, 'PLAN_WITHDRAWAL_OFFERED')) return
  try {
    const link = await planLinkOf(deps.macMakers.withdrawalLink, deps.publicUrl, about)
    await deps.notifier.send(planWithdrawalMail(project, link, about.planSha256, about.plan.expires_at))
  } catch (error) {
    const why = isWaybillError(error) ? error.code : 'unknown'
    return deps.log.warn('the author could not be mailed the link that withdraws the plan', { project_id: project.project_id, error: why })
  }
  await recordOffer(deps, about, 'PLAN_WITHDRAWAL_OFFERED')
}

/** Mails whoever may waive, once a plan, when nothing else keeps the plan from being signed than what that person may waive. */
export async function offerWaivers(deps: Deps & MakesMacs<'waiverLink'>, project: ProjectRecord): Promise<void> {
  if (deps.policy.waivers === undefined || !isDrafted(project) || project.artifacts.findings === undefined) return
  const about = await waivablePlan(deps, project)
  if (about === null || (await isOffered(deps, about, 'WAIVER_OFFERED'))) return
  const link = await planLinkOf(deps.macMakers.waiverLink, deps.publicUrl, about)
  await deps.notifier.send(waiverOfferMail(project, about.person, link, about.plan.expires_at))
  await recordOffer(deps, about, 'WAIVER_OFFERED')
}

async function waivablePlan(deps: Deps, project: ProjectRecord): Promise<OpenPlan | null> {
  try {
    const about = await aboutPlan(deps, 'waivers', project)
    const alive = deps.clock.now().getTime() < Date.parse(about.plan.expires_at)
    if (!alive || (await refusedFindings(deps, about)) === null) return null
    return (await openFindings(deps, project)).every(({ barred }) => barred === null) ? about : null
  } catch (error) {
    // Nobody may waive: the finding stops the plan.
    if (isWaybillError(error) && error.code === 'APPROVAL_REFUSED') return null
    throw error
  }
}

type Offer = 'PLAN_WITHDRAWAL_OFFERED' | 'WAIVER_OFFERED'

async function isOffered(deps: Deps, { project, planSha256, person }: OpenPlan, action: Offer): Promise<boolean> {
  const chain = await deps.audit.read(project.project_id)
  return chain.some((entry) => entry.action === action && entry.subject_sha256 === planSha256 && entry.details.person === person.email)
}

async function recordOffer(deps: Deps, { project, planSha256, person }: OpenPlan, action: Offer): Promise<void> {
  await record(deps, project.project_id, {
    actor: 'waybill',
    action,
    subject_sha256: planSha256,
    details: { person: person.email, role: person.role },
  })
}
