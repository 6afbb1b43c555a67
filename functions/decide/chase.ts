import { sha256 } from '../../layers/core/digest.ts'
import { isWaybillError } from '../../layers/core/errors.ts'
import { roleInWords } from '../../layers/core/flow/approval-words.ts'
import { type AskingDeps, type LinksDeps, sendLinks } from '../../layers/core/flow/asking.ts'
import { atOnce } from '../../layers/core/flow/at-once.ts'
import { JSON_TYPE, keyOf, retainUntil } from '../../layers/core/flow/storing.ts'
import { DECISION_SUBJECT, SUBJECTS } from '../../layers/core/flow/subject.ts'
import { record } from '../../layers/core/ledger.ts'
import type { MakesMacs } from '../../layers/core/ports.ts'
import type { ApprovalRequest, OpenGroup } from '../../layers/core/schemas/governance.ts'
import type { LifecycleState, ProjectRecord } from '../../layers/core/schemas/project.ts'
import { policyOfRequest } from '../work/separation-of-duties.ts'
import type { SignedPolicyDeps } from '../work/signed-policy.ts'
import { gateOfWithdrawal } from '../work/withdrawable.ts'
import { escalate } from './escalation.ts'
import { hoursSince, inviteMissed } from './invitation.ts'
import { type OutboxDeps, tellOutcomes } from './outbox.ts'
import { offerWaivers, offerWithdrawal } from './plan-invitation.ts'

export type ChaseDeps = AskingDeps & LinksDeps & MakesMacs<'waiverLink' | 'withdrawalLink'> & SignedPolicyDeps & OutboxDeps

const ENDED: readonly LifecycleState[] = ['EVIDENCE_COMPLETE', 'REJECTED', 'ROLLED_BACK']

/** Projects under way at once: each takes some fifty requests one after another, and people's clicks need the same tables. */
const PROJECTS_AT_ONCE = 8

/**
 * Looks after everything that waits for people: tells outcomes that were not told, reminds, invites the person to escalate to, ends the wait
 * when the time is over, and asks whoever may waive what keeps a plan from being signed. A schedule calls it; call it as often as you like,
 * from as many processes as you like: nothing happens twice.
 * @throws what kept one project from being looked after, once all others were
 */
export async function chase(deps: ChaseDeps): Promise<void> {
  let waiting = 0
  const failures: unknown[] = []
  // Listed before the records are read: a group that is listed was open before its project failed or was over.
  const open = Map.groupBy(await deps.approvals.untold(), ({ project_id }) => project_id)
  const { records, unreadable } = await deps.projects.list()
  for (const { project_id } of unreadable)
    deps.log.warn('the record of a project cannot be read: its people are not reminded', { project_id })
  const one = async (project: ProjectRecord) => {
    const groups = open.get(project.project_id) ?? []
    try {
      if (project.state === 'FAILED' || ENDED.includes(project.state)) {
        for (const { group_id } of groups) await deps.approvals.close(group_id)
        if (project.state === 'FAILED') await offerWaivers(deps, project)
      } else if (groups.length > 0) {
        const chased = await chaseProject(deps, project, groups)
        waiting += chased.waiting
        failures.push(...chased.failures)
      }
    } catch (error) {
      // One project that cannot be looked after must not leave the others alone.
      failures.push(error)
      deps.log.warn('the people of a project could not be reminded; it is tried again', {
        project_id: project.project_id,
        error: isWaybillError(error) ? error.code : 'unknown',
      })
    }
  }
  await atOnce(shuffled(records, deps.clock.now()), one, PROJECTS_AT_ONCE)
  deps.log.info('people who are waited for were looked after', { metrics: { ApprovalsWaiting: waiting } })
  if (failures.length > 0) throw failures[0]
}

/** In another order each time: where the time is over before all were looked after, it is not always the same who are left. */
function shuffled(records: readonly ProjectRecord[], now: Date): ProjectRecord[] {
  const keyed = records.map((record) => ({ record, key: sha256(`${now.toISOString()} ${record.project_id}`) }))
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ record }) => record)
}

/** How many requests of this project wait for somebody, and what could not be told. */
async function chaseProject(
  deps: ChaseDeps,
  project: ProjectRecord,
  groups: readonly OpenGroup[],
): Promise<{ waiting: number; failures: unknown[] }> {
  // What a process that died had half decided or half withdrawn comes first: it may be what everybody waits for.
  const { failures } = await tellOutcomes(deps, project.project_id)
  const requests = await deps.approvals.byProject(project.project_id)
  const waiting = requests.filter(waits).length
  if (waiting === 0) return { waiting, failures }
  if ((await gateOfWithdrawal(deps, project)) !== null && project.artifacts.findings !== undefined) await offerWithdrawal(deps, project)
  for (const { group_id, expires_at } of groups) {
    const asked = requests.filter((request) => request.group_id === group_id)
    if (!asked.some(waits) || (await deps.approvals.toldAt(group_id)) !== null) continue
    if (deps.clock.now().getTime() >= Date.parse(expires_at)) await expire(deps, project, group_id, asked)
    else {
      for (const request of asked.filter((each) => waits(each) && !isFilled(each, asked) && isCurrent(each, project))) {
        await inviteMissed(deps, project, request, asked)
        await nudge(deps, project, request)
      }
    }
  }
  return { waiting, failures }
}

const waits = (request: ApprovalRequest) => request.status === 'PENDING'

const isFilled = (request: ApprovalRequest, asked: readonly ApprovalRequest[]) =>
  asked.some((other) => other.role === request.role && (other.decision === 'APPROVED' || other.decision === 'ANSWERED'))

/** Still about what is at hand, in the state that waits for it. */
function isCurrent(request: ApprovalRequest, project: ProjectRecord): boolean {
  const { artifact } = request.transition === null ? DECISION_SUBJECT : SUBJECTS[request.transition]
  const waiting = request.transition === null || request.transition.startsWith(`${project.state}->`)
  return waiting && project.artifacts[artifact]?.sha256 === request.subject.sha256
}

/** The state machine hears that nobody decided in time, and the project can be taken up again with new links. */
async function expire(deps: ChaseDeps, project: ProjectRecord, groupId: string, asked: readonly ApprovalRequest[]): Promise<void> {
  if (asked.some((request) => request.decision === 'REJECTED')) return
  const silent = asked.filter((request) => waits(request) && !isFilled(request, asked))
  if (silent.length === 0) return
  const who = [...new Set(silent.map((request) => roleInWords(request.role)))].join(', ')
  const { task_token } = await deps.approvals.group(groupId)
  try {
    // As a worker says it; no names, since this passes through the state machine.
    const cause = `Nobody decided in time as ${who}. Start the project again, and everyone whose decision is missing is asked anew.`
    await deps.tasks.fail(task_token, 'APPROVAL_EXPIRED', JSON.stringify({ error: 'APPROVAL_EXPIRED', cause }))
  } catch (error) {
    // Spent: told before a crash, or a retry of the state has a newer one.
    if (!isWaybillError(error) || error.code !== 'NOT_FOUND') throw error
  }
  await deps.approvals.told(groupId, deps.clock.now().toISOString())
  for (const request of silent) {
    await record(deps, project.project_id, {
      actor: 'waybill',
      action: 'APPROVAL_EXPIRED',
      subject_sha256: request.subject.sha256,
      details: { approval_id: request.approval_id, role: request.role, approver: request.approver },
    })
  }
}

async function nudge(deps: ChaseDeps, project: ProjectRecord, request: ApprovalRequest): Promise<void> {
  const { asking } = await policyOfRequest(deps, project, request)
  const hours = hoursSince(deps, request.created_at)
  if (asking?.escalation !== undefined && hours >= asking.escalation.after_hours) await escalate(deps, project, request, asking.escalation)
  const rule = asking?.reminders
  const due = rule === undefined ? 0 : Math.min(Math.floor(hours / rule.after_hours), rule.at_most)
  if (due < 1 || !(await claim(deps, request, due))) return
  await sendLinks(deps, project, request, { kind: 'reminded', since: request.created_at })
  await record(deps, project.project_id, {
    actor: 'waybill',
    action: 'APPROVER_REMINDED',
    subject_sha256: request.subject.sha256,
    details: { approval_id: request.approval_id, approver: request.approver, role: request.role, reminder: String(due) },
  })
}

/**
 * True for one caller only, ever. COMMIT POINT of a reminder: it is claimed before it is mailed, so that a crash between the two costs one
 * reminder and never sends one twice.
 */
async function claim(deps: ChaseDeps, request: ApprovalRequest, reminder: number): Promise<boolean> {
  const key = keyOf(request.project_id, 'reminders', `${request.approval_id}-${reminder}`)
  if ((await deps.artifacts.find(key)) !== null) return false
  const bytes = Buffer.from(JSON.stringify({ claimed_by: deps.ids.next('claim') }))
  try {
    await deps.artifacts.put(key, bytes, { contentType: JSON_TYPE, retainUntil: retainUntil(deps) })
    return true
  } catch (error) {
    if (isWaybillError(error) && error.code === 'ALREADY_EXISTS') return false
    throw error
  }
}
