import { isWaybillError } from '../../layers/core/errors.ts'
import { approvalKey } from '../../layers/core/flow/project-artifacts.ts'
import { readApproval } from '../../layers/core/flow/statements.ts'
import { JSON_TYPE, type StoringDeps, storeOnce } from '../../layers/core/flow/storing.ts'
import { record } from '../../layers/core/ledger.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ArtifactPointer } from '../../layers/core/schemas/common.ts'
import type { ApprovalPredicate, ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import { PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'
import type { Decided } from './form.ts'

export type SettleDeps = StoringDeps & Pick<Ports, 'approvals' | 'audit' | 'signers' | 'trust'>
type Wanted = Decided & { reason: string }
export type Settled = { decision: Decided['decision']; mine: boolean }

/**
 * Makes a decision final. COMMIT POINT of an approval: the statement under its write-once key; whoever stores it first has decided, and
 * a second click, or a rejection sent at the same moment, finds it and completes it instead of its own. Then PENDING → DECIDED, once.
 */
export async function settle(deps: SettleDeps, request: ApprovalRequest, wanted: Wanted): Promise<Settled> {
  const decidedAt = deps.clock.now().toISOString()
  const statement = request.transition === null ? null : await statementFor(deps, request, wanted, decidedAt)
  const decided: ApprovalRequest = {
    ...request,
    status: 'DECIDED',
    decision: statement?.predicate.decision ?? wanted.decision,
    reason: statement?.predicate.reason ?? wanted.reason,
    answers: wanted.answers,
    decided_at: statement?.predicate.decided_at ?? decidedAt,
    statement: statement?.pointer ?? null,
  }
  const wrote = await decideOnce(deps, decided)
  const stored = wrote ? decided : await deps.approvals.request(request.approval_id)
  await recordOnce(deps, stored)
  return { decision: stored.decision ?? wanted.decision, mine: stored.decided_at === decidedAt && stored.decision === wanted.decision }
}

/** Completes a decision whose statement was stored when the process died. */
export async function complete(deps: SettleDeps, request: ApprovalRequest): Promise<void> {
  if (request.status === 'DECIDED') return recordOnce(deps, request)
  const pointer = await deps.artifacts.find(approvalKey(request.project_id, request.approval_id))
  if (pointer === null || request.transition === null) return
  const said = readApproval(await deps.artifacts.get(pointer), deps.trust)
  if (said !== null && said.decision !== null) await settle(deps, request, { decision: said.decision, reason: said.reason, answers: [] })
}

async function statementFor(
  deps: SettleDeps,
  request: ApprovalRequest,
  wanted: Wanted,
  decidedAt: string,
): Promise<{ pointer: ArtifactPointer; predicate: ApprovalPredicate } | null> {
  if (request.transition === null || wanted.decision === 'ANSWERED') return null
  const predicate: ApprovalPredicate = {
    approval_id: request.approval_id,
    project_id: request.project_id,
    transition: request.transition,
    role: request.role,
    approver: request.approver,
    decision: wanted.decision,
    reason: wanted.reason,
    decided_at: decidedAt,
    subject_sha256: request.subject.sha256,
    subject_name: request.subject_name,
    identified_by: 'invited-address',
  }
  const subject = [{ name: request.subject_name, sha256: request.subject.sha256 }]
  const pointer = await storeOnce(deps, approvalKey(request.project_id, request.approval_id), JSON_TYPE, async () => {
    return (await signStatement(deps.signers.approval, statementOf({ predicateType: PREDICATES.approval, subject, predicate }))).bytes
  })
  const said = readApproval(await deps.artifacts.get(pointer), deps.trust)
  return said === null ? { pointer, predicate } : { pointer, predicate: said }
}

async function decideOnce(deps: SettleDeps, decided: ApprovalRequest): Promise<boolean> {
  try {
    await deps.approvals.decide(decided)
    return true
  } catch (error) {
    if (isWaybillError(error) && error.code === 'CONFLICT') return false
    throw error
  }
}

async function recordOnce(deps: SettleDeps, request: ApprovalRequest): Promise<void> {
  const chain = await deps.audit.read(request.project_id)
  if (chain.some((entry) => entry.action === 'DECISION_TAKEN' && entry.details.approval_id === request.approval_id)) return
  await record(deps, request.project_id, {
    actor: request.approver,
    action: 'DECISION_TAKEN',
    subject_sha256: request.subject.sha256,
    details: {
      approval_id: request.approval_id,
      role: request.role,
      transition: request.transition ?? 'decisions',
      decision: request.decision ?? '',
      ...(request.statement === null ? {} : { statement_sha256: request.statement.sha256 }),
    },
  })
}
