import type { PlanPage } from '../../layers/core/approval-link.ts'
import { type FormTokens, htmlResponse } from '../../layers/core/approval-page/page.ts'
import { type PlanFormState, renderPlanWithdrawal, renderWaiverPage } from '../../layers/core/approval-page/plan-pages.ts'
import { planSections } from '../../layers/core/approval-page/plan-words.ts'
import { roleInWords } from '../../layers/core/flow/approval-words.ts'
import type { HttpResponse, Ports } from '../../layers/core/ports.ts'
import { waivedFindings } from '../../layers/core/waivers.ts'
import { type OpenPlan, type PlanLinkDeps, refusedFindings } from '../work/plan-link.ts'
import { waiversOf } from '../work/project-waivers.ts'
import { type OpenFinding, openFindings } from '../work/waiving.ts'
import { approvalIdOf } from './opening.ts'
import { LIMITS, MAX_BYTES } from './view.ts'

type Deps = PlanLinkDeps & Pick<Ports, 'trust'>

/** More findings at once than anybody takes responsibility for; the page says how many there are. */
const MOST_FINDINGS = 20

export type PlanPath = { page: PlanPage; projectId: string }

/** `/waivers/<project_id>` and `/plans/<project_id>`; null for any other path. */
export function planPathOf(path: string): PlanPath | null {
  for (const page of ['waivers', 'plans'] as const) {
    const projectId = approvalIdOf(path, page)
    if (projectId !== null) return { page, projectId }
  }
  return null
}

/** What still keeps the plan from being signed: findings of this very plan without a waiver that counts. */
export async function unwaived(deps: Deps, about: OpenPlan): Promise<OpenFinding[]> {
  if ((await refusedFindings(deps, about)) === null) return []
  const { project, planSha256 } = about
  const open = await openFindings(deps, project)
  const waived = waivedFindings(
    open.map(({ finding }) => finding),
    await waiversOf(deps, project.project_id),
    { policy: deps.policy, projectId: project.project_id, planSha256, author: project.author, now: deps.clock.now() },
  )
  return open.filter(({ finding_id }) => !waived.has(finding_id))
}

/** The page for one plan, as long as it may be. `tokens`: of the link that opened it, and of its form. */
export async function planPageFor(deps: Deps, about: OpenPlan, tokens: FormTokens, state?: PlanFormState): Promise<HttpResponse> {
  const { page, project, plan, person, planSha256 } = about
  const left = page === 'waivers' ? await unwaived(deps, about) : []
  const frame = {
    title: project.title,
    person: person.email,
    roleName: page === 'plans' ? 'author' : roleInWords(person.role),
    expiresAt: plan.expires_at,
    planSha256,
    form: { action: `/${page}/${project.project_id}`, ...tokens },
  }
  const findings = left.map(({ finding_id, finding, barred }) => ({ id: finding_id, rule: finding.rule_id, barred, ...finding }))
  let html = ''
  for (const limit of LIMITS) {
    const shown = findings.slice(0, Math.min(limit, MOST_FINDINGS))
    const rest = findings.length - shown.length
    const more = rest > 0 ? [{ title: 'More findings', says: `${rest} more findings keep this plan from being signed.` }] : []
    const none = page === 'waivers' && left.length === 0 ? [{ title: 'Nothing is left to waive', says: WAIVED_ALL }] : []
    const sections = [...none, ...more, ...planSections(plan, limit)]
    html =
      page === 'waivers'
        ? renderWaiverPage({ ...frame, sections, findings: shown, maxDays: deps.policy.waivers?.max_days ?? 1 }, state)
        : renderPlanWithdrawal({ ...frame, sections }, state)
    if (Buffer.byteLength(html) <= MAX_BYTES) break
  }
  return htmlResponse(200, html)
}

const WAIVED_ALL = 'Every finding is waived. When the migration is started again, the plan is validated again and sent for approval.'
