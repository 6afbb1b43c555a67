import { artifactOf } from '../../layers/core/artifacts.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import { approvalKey } from '../../layers/core/flow/project-artifacts.ts'
import { readApproval } from '../../layers/core/flow/statements.ts'
import { SUBJECTS } from '../../layers/core/flow/subject.ts'
import { type Happening, record } from '../../layers/core/ledger.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ApprovalPredicate, ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { gateOfWithdrawal, planWithdrawalId } from '../work/withdrawable.ts'
import { againId, askedAgain, type InvitingDeps, invite } from './invitation.ts'
import { type Identified, type SettleDeps, storeStatement, wayOf } from './settlement.ts'

export type WithdrawalDeps = SettleDeps & InvitingDeps & Pick<Ports, 'projects' | 'anchors' | 'log'>

/** The id of the statement that takes an approval back; write-once under it, so that an approval is withdrawn once. */
const withdrawalId = (approvalId: string) => `${approvalId}-w`

/**
 * Takes an approval back. COMMIT POINT: the withdrawal statement under its write-once key; from then on every barrier and every verifier
 * leaves the approval out. Then the seat is asked again, with a new link, and whoever waits is told.
 */
export async function withdraw(deps: WithdrawalDeps, request: ApprovalRequest, reason: string, identified: Identified): Promise<void> {
  const { transition } = request
  if (transition === null) throw new WaybillError('BAD_INPUT', 'Answers to open questions are not withdrawn; reject the plan instead.')
  await storeStatement(deps, {
    approval_id: withdrawalId(request.approval_id),
    project_id: request.project_id,
    transition,
    role: request.role,
    approver: request.approver,
    decision: 'WITHDRAWN',
    withdraws: request.approval_id,
    reason,
    decided_at: deps.clock.now().toISOString(),
    subject_sha256: request.subject.sha256,
    subject_name: request.subject_name,
    ...wayOf(request),
    ...identified,
  })
  await completeWithdrawal(deps, request)
}

/** Does what is left of a withdrawal whose statement is stored; nothing where there is none, or where all is done. */
export async function completeWithdrawal(deps: WithdrawalDeps, request: ApprovalRequest): Promise<void> {
  if (request.decision !== 'APPROVED' || request.transition === null) return
  const pointer = await deps.artifacts.find(approvalKey(request.project_id, withdrawalId(request.approval_id)))
  const said = pointer === null ? null : readApproval(await deps.artifacts.get(pointer), deps.trust)
  if (pointer === null || said?.decision !== 'WITHDRAWN') return
  const again: ApprovalRequest = {
    ...request,
    approval_id: againId(request.approval_id),
    created_at: deps.clock.now().toISOString(),
    status: 'PENDING',
    decision: null,
    reason: '',
    decided_at: null,
    statement: null,
  }
  // The entry comes before the write that hides the request from this function: no crash can leave a withdrawal without one.
  await recordOnce(deps, request, {
    actor: request.approver,
    action: 'APPROVAL_WITHDRAWN',
    subject_sha256: request.subject.sha256,
    details: {
      approval_id: request.approval_id,
      role: request.role,
      transition: request.transition,
      reason: said.reason,
      statement_sha256: pointer.sha256,
    },
  })
  // Under an anchor nobody can cut the entry off again.
  await deps.anchors.anchor(request.project_id)
  try {
    await deps.approvals.withdraw(request, again)
  } catch (error) {
    // Another process completed it at the same moment.
    if (isWaybillError(error) && error.code === 'CONFLICT') return
    throw error
  }
  const project = await deps.projects.get(request.project_id)
  // Once the plan is signed nobody can decide on it again: the migration ends, and there is nothing to mail.
  if (project.state === request.transition.split('->')[0]) await invite(deps, project, askedAgain(request, again))
}

async function recordOnce(deps: WithdrawalDeps, request: ApprovalRequest, happening: Happening): Promise<void> {
  const chain = await deps.audit.read(request.project_id)
  if (chain.some((entry) => entry.action === happening.action && entry.details.approval_id === request.approval_id)) return
  await record(deps, request.project_id, happening)
}

/**
 * The author withdraws the whole plan. COMMIT POINT: a rejection by the author under its write-once key, signed like every other, that
 * every barrier reads. Called again it completes what a crash left.
 * @throws ILLEGAL_TRANSITION when there is no plan, or its execution has begun: what is executed cannot be withdrawn, only rolled back
 */
export async function withdrawPlan(
  deps: WithdrawalDeps,
  project: ProjectRecord,
  reason: string,
  identified: Identified = { identified_by: 'local-command' },
): Promise<ApprovalPredicate> {
  const transition = await gateOfWithdrawal(deps, project)
  if (transition === null) {
    throw new WaybillError(
      'ILLEGAL_TRANSITION',
      `The project ${project.project_id} is ${project.state}, or its execution has begun. A plan is withdrawn after it is made and before it is carried out; after that, reject the next step.`,
    )
  }
  const subject = artifactOf(project, SUBJECTS[transition].artifact)
  const { predicate } = await storeStatement(deps, {
    approval_id: planWithdrawalId(project, transition),
    project_id: project.project_id,
    transition,
    // The one role that no default policy lets decide: whoever leads the migration may stop it.
    role: 'migration_lead',
    approver: project.author,
    decision: 'REJECTED',
    reason,
    decided_at: deps.clock.now().toISOString(),
    subject_sha256: subject.sha256,
    subject_name: SUBJECTS[transition].file,
    ...identified,
  })
  await completePlanWithdrawal(deps, project)
  return predicate
}

/** Enters a withdrawn plan in the audit log, under an anchor, where a process died behind its statement; nothing where there is none. */
export async function completePlanWithdrawal(deps: WithdrawalDeps, project: ProjectRecord): Promise<void> {
  const transition = await gateOfWithdrawal(deps, project)
  if (transition === null) return
  const pointer = await deps.artifacts.find(approvalKey(project.project_id, planWithdrawalId(project, transition)))
  const said = pointer === null ? null : readApproval(await deps.artifacts.get(pointer), deps.trust)
  if (pointer === null || said?.decision !== 'REJECTED') return
  const chain = await deps.audit.read(project.project_id)
  if (chain.some((entry) => entry.action === 'PLAN_WITHDRAWN' && entry.details.statement_sha256 === pointer.sha256)) return
  await record(deps, project.project_id, {
    actor: said.approver,
    action: 'PLAN_WITHDRAWN',
    subject_sha256: said.subject_sha256,
    details: { transition, reason: said.reason, statement_sha256: pointer.sha256 },
  })
  await deps.anchors.anchor(project.project_id)
}
