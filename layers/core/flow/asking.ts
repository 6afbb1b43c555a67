import { type LinkFields, linkToken, registrationToken } from '../approval-link.ts'
import { sha256 } from '../digest.ts'
import { isWaybillError, WaybillError } from '../errors.ts'
import { record } from '../ledger.ts'
import type { MakesMacs, Ports } from '../ports.ts'
import type { ArtifactPointer, Role } from '../schemas/common.ts'
import type { ApprovalRequest } from '../schemas/governance.ts'
import type { GatedTransition } from '../schemas/policy.ts'
import type { ProjectRecord } from '../schemas/project.ts'
import type { MigrationSpec } from '../schemas/spec.ts'
import { approvalMail, type Occasion } from './approval-mail.ts'
import { roleInWords } from './approval-words.ts'

type LinkingDeps = Pick<Ports, 'notifier' | 'publicUrl'> & MakesMacs<'approvalLink'>
/** What it takes to ask for answers. */
export type AskingDeps = Pick<Ports, 'approvals' | 'audit' | 'clock' | 'ids' | 'policy'> & LinkingDeps
/** What it takes to mail both links: the approval's, and the one that registers a passkey. */
export type LinksDeps = LinkingDeps & Pick<Ports, 'policy'> & MakesMacs<'registrationLink'>

/** The state machine waits 31 days for its token; a request must not outlive it. */
const LONGEST_HOURS = 30 * 24
const HOUR_MS = 3_600_000

export type Question = {
  project: ProjectRecord
  runId: string
  taskToken: string
  kind: ApprovalRequest['kind']
  transition: GatedTransition | null
  subject: ArtifactPointer
  subjectName: string
  people: readonly { role: Role; email: string }[]
  /** What every mail about it tells besides. */
  tells?: Pick<ApprovalRequest, 'proof_made_at' | 'questions'>
}

/** The person the spec names for a role. @throws SPEC_INVALID */
export function approverFor(spec: Pick<MigrationSpec, 'approvers'>, role: Role): { role: Role; email: string } {
  const found = spec.approvers.find((approver) => approver.role === role)
  if (found === undefined) {
    throw new WaybillError(
      'SPEC_INVALID',
      `The policy needs a ${roleInWords(role)}, and the spec names none. Add one under "approvers" and start again.`,
    )
  }
  return found
}

/**
 * Opens one request a person, in one group that holds the task token, then mails the links. Called again with the same token it opens
 * nothing new and mails again whoever has not decided: a crash between the two must not leave somebody unasked.
 * `send` mails one link or both; who asks for answers only can make no link that registers a passkey.
 */
export async function ask<D extends AskingDeps>(
  deps: D,
  question: Question,
  send: (deps: D, ...mail: Sent) => Promise<void>,
): Promise<void> {
  const groupId = groupIdOf(question)
  const requests = await openOnce(deps, groupId, question)
  const chain = await deps.audit.read(question.project.project_id)
  for (const request of requests) {
    const known = chain.some((entry) => entry.action === 'APPROVAL_REQUESTED' && entry.details.approval_id === request.approval_id)
    if (!known) {
      await record(deps, question.project.project_id, {
        actor: 'waybill',
        action: 'APPROVAL_REQUESTED',
        subject_sha256: request.subject.sha256,
        details: {
          approval_id: request.approval_id,
          role: request.role,
          approver: request.approver,
          transition: request.transition ?? 'decisions',
        },
      })
    }
    if (request.status === 'PENDING') await send(deps, question.project, request, { kind: 'asked' })
  }
}

/** A retried state has a new token, and so a new group; the old links still open, and what they decide still counts for the same subject. */
function groupIdOf(question: Question): string {
  const { project, runId, transition, kind, subject, taskToken } = question
  return `g-${sha256(JSON.stringify([project.project_id, runId, kind, transition, subject.sha256, sha256(taskToken)])).slice(0, 40)}`
}

async function openOnce(deps: AskingDeps, groupId: string, question: Question): Promise<ApprovalRequest[]> {
  const now = deps.clock.now()
  const hours = Math.min(deps.policy.approval_ttl_hours, LONGEST_HOURS)
  const expiresAt = new Date(now.getTime() + hours * HOUR_MS).toISOString()
  const requests = question.people.map(
    ({ role, email }): ApprovalRequest => ({
      approval_id: deps.ids.next('a'),
      project_id: question.project.project_id,
      group_id: groupId,
      kind: question.kind,
      transition: question.transition,
      role,
      approver: email,
      subject: question.subject,
      subject_name: question.subjectName,
      created_at: now.toISOString(),
      expires_at: expiresAt,
      status: 'PENDING',
      decision: null,
      reason: '',
      answers: [],
      decided_at: null,
      statement: null,
      ...question.tells,
    }),
  )
  const group = {
    group_id: groupId,
    project_id: question.project.project_id,
    task_token: question.taskToken,
    told_at: null,
    expires_at: expiresAt,
  }
  try {
    await deps.approvals.open(group, requests)
    return requests
  } catch (error) {
    if (isWaybillError(error) && error.code === 'ALREADY_EXISTS') return deps.approvals.requests(groupId)
    throw error
  }
}

/** The link a person gets. It opens one page for one person about one subject, until one instant. */
export async function linkOf(deps: Pick<Ports, 'publicUrl'> & MakesMacs<'approvalLink'>, request: ApprovalRequest): Promise<string> {
  const token = await linkToken(deps.macMakers.approvalLink, linkFields(request))
  return `${deps.publicUrl}/approvals/${request.approval_id}?t=${encodeURIComponent(token)}`
}

export function linkFields(request: ApprovalRequest): LinkFields {
  return {
    approval_id: request.approval_id,
    approver: request.approver,
    role: request.role,
    subject_sha256: request.subject.sha256,
    transition: request.transition,
    expires_at: request.expires_at,
  }
}

type Sent = [project: ProjectRecord, request: ApprovalRequest, occasion: Occasion]

/** Mails one person the link of one request that needs no passkey: open questions. */
export async function sendLink(deps: LinkingDeps, ...[project, request, occasion]: Sent): Promise<void> {
  await deps.notifier.send(approvalMail(project, request, occasion, { page: await linkOf(deps, request), passkey: null }))
}

/** Mails one person the link of one request and, where the policy asks their role for a passkey, the one that registers it. */
export async function sendLinks(deps: LinksDeps, ...[project, request, occasion]: Sent): Promise<void> {
  const needsPasskey = request.transition !== null && deps.policy.asking?.passkey_roles?.includes(request.role) === true
  const links = { page: await linkOf(deps, request), passkey: needsPasskey ? await registrationLinkOf(deps, request) : null }
  await deps.notifier.send(approvalMail(project, request, occasion, links))
}

/** Where the invited person registers a passkey; another MAC than the approval's, so that neither link opens the other's door. */
export async function registrationLinkOf(
  deps: Pick<Ports, 'publicUrl'> & MakesMacs<'registrationLink'>,
  request: ApprovalRequest,
): Promise<string> {
  const token = await registrationToken(deps.macMakers.registrationLink, linkFields(request))
  return `${deps.publicUrl}/passkeys/${request.approval_id}?t=${encodeURIComponent(token)}`
}
