import { isWaybillError } from '../../layers/core/errors.ts'
import { approvalKey } from '../../layers/core/flow/project-artifacts.ts'
import { readApproval } from '../../layers/core/flow/statements.ts'
import { JSON_TYPE, type StoringDeps, storeOnce } from '../../layers/core/flow/storing.ts'
import { record } from '../../layers/core/ledger.ts'
import type { Person, Ports } from '../../layers/core/ports.ts'
import type { ArtifactPointer } from '../../layers/core/schemas/common.ts'
import type { ApprovalPredicate, ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import { PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'
import type { Decided } from './form.ts'

export type SettleDeps = StoringDeps & Pick<Ports, 'anchors' | 'approvals' | 'audit' | 'ids' | 'signers' | 'trust'>

/** How the person was identified; goes into the signed statement. */
export type Identified = Pick<ApprovalPredicate, 'identified_by' | 'oidc' | 'passkey'>

export function identifiedBy(person: Person | null): Pick<ApprovalPredicate, 'oidc'> & { identified_by: 'invited-address' | 'oidc' } {
  return person === null
    ? { identified_by: 'invited-address' }
    : { identified_by: 'oidc', oidc: { issuer: person.issuer, subject: person.subject } }
}

type Wanted = Decided & { reason: string; identified: Identified }
export type Settled = { decision: NonNullable<ApprovalRequest['decision']>; mine: boolean }

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
    decision: statement === null ? wanted.decision : statement.predicate.decision,
    reason: statement?.predicate.reason ?? wanted.reason,
    answers: wanted.answers,
    decided_at: statement?.predicate.decided_at ?? decidedAt,
    statement: statement?.pointer ?? null,
  }
  const wrote = await decideOnce(deps, decided)
  const stored = wrote ? decided : await deps.approvals.request(request.approval_id)
  await recordOnce(deps, stored)
  const mine = stored.decided_at === decidedAt && stored.decision === wanted.decision
  return { decision: stored.decision ?? wanted.decision, mine }
}

/** Completes a decision whose statement was stored when the process died. */
export async function complete(deps: SettleDeps, request: ApprovalRequest): Promise<void> {
  if (request.decision === 'WITHDRAWN') return
  if (request.status === 'DECIDED' && request.decision !== 'DELEGATED') return recordOnce(deps, request)
  const pointer = await deps.artifacts.find(approvalKey(request.project_id, request.approval_id))
  // Handed on while its approval was being stored: without an entry that says so the approval would count.
  if (request.decision === 'DELEGATED') return pointer === null ? undefined : recordOnce(deps, request)
  if (pointer === null || request.transition === null) return
  const said = readApproval(await deps.artifacts.get(pointer), deps.trust)
  if (said === null || said.decision === 'WITHDRAWN') return
  await settle(deps, request, { decision: said.decision, reason: said.reason, answers: [], identified: said })
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
    ...wayOf(request),
    ...wanted.identified,
  }
  return storeStatement(deps, predicate)
}

/** How the person came to be asked, where that was not by being named for the role. */
export function wayOf(request: ApprovalRequest): Pick<ApprovalPredicate, 'delegated_by' | 'escalated_from'> {
  return {
    ...(request.delegated_by?.length ? { delegated_by: request.delegated_by } : {}),
    ...(request.escalated_from === undefined ? {} : { escalated_from: request.escalated_from }),
  }
}

/** Signs a decision and stores it under its write-once key; what was stored there first is what counts. */
export async function storeStatement(
  deps: SettleDeps,
  predicate: ApprovalPredicate,
): Promise<{ pointer: ArtifactPointer; predicate: ApprovalPredicate }> {
  const subject = [{ name: predicate.subject_name, sha256: predicate.subject_sha256 }]
  const pointer = await storeOnce(deps, approvalKey(predicate.project_id, predicate.approval_id), JSON_TYPE, async () => {
    const salted = { ...predicate, salt: deps.ids.next('s') }
    return (await signStatement(deps.signers.approval, statementOf({ predicateType: PREDICATES.approval, subject, predicate: salted })))
      .bytes
  })
  const said = readApproval(await deps.artifacts.get(pointer), deps.trust)
  return { pointer, predicate: said ?? predicate }
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

/** The entry without which an approval counts nowhere. A rejection is anchored at once: nobody can cut its entry off again. */
async function recordOnce(deps: SettleDeps, request: ApprovalRequest): Promise<void> {
  const chain = await deps.audit.read(request.project_id)
  const there = chain.find((entry) => entry.action === 'DECISION_TAKEN' && entry.details.approval_id === request.approval_id)
  if (there === undefined) await enter(deps, request)
  if (request.decision === 'REJECTED' && (there === undefined || there === chain.at(-1))) await deps.anchors.anchor(request.project_id)
}

async function enter(deps: SettleDeps, request: ApprovalRequest): Promise<void> {
  await record(deps, request.project_id, {
    actor: request.approver,
    action: 'DECISION_TAKEN',
    subject_sha256: request.subject.sha256,
    details: {
      approval_id: request.approval_id,
      role: request.role,
      transition: request.transition ?? 'decisions',
      decision: request.decision ?? '',
      ...(request.delegated_by?.length ? { delegated_by: request.delegated_by.join(', ') } : {}),
      ...(request.statement === null ? {} : { statement_sha256: request.statement.sha256 }),
    },
  })
}
