import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { nextEntry } from '../../layers/core/audit-chain.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ArtifactPointer } from '../../layers/core/schemas/common.ts'
import type { ApprovalGroup, ApprovalRequest, AuditEntry } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'

export const AT = '2026-03-01T10:00:00.000Z'
export const LATER = '2026-03-02T10:00:00.000Z'

/** A store under contract, the same store opened a second time as another process would, and how to put both away. */
export type UnderTest<Store> = { store: Store; second: Store; done(): Promise<void> }

export async function refusal(promise: Promise<unknown>): Promise<string> {
  const outcome = await promise.then(
    () => 'no error',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  )
  expect(typeof outcome).toBe('string')
  return outcome
}

export function pointerTo(text: string): ArtifactPointer {
  return { uri: `artifact:${text}`, version_id: 'v1', sha256: createHash('sha256').update(text).digest('hex') }
}

export function projectRecord(projectId: string, revision = 1): ProjectRecord {
  return {
    project_id: projectId,
    revision,
    state: 'CREATED',
    failed_from: null,
    failure: null,
    title: 'Ledger “2026” — наследие',
    migration_id: 'MIG-1',
    author: 'ada@example.org',
    archetype_id: 'postgres-to-postgres',
    plan_version: 0,
    clean_runs: 0,
    created_at: AT,
    updated_at: AT,
    artifacts: { spec: pointerTo('spec') },
  }
}

/** The entry that tells of a record, behind a head. */
export function told({ project_id, revision, state }: ProjectRecord, head: AuditEntry | null, actor = 'ada@example.org'): AuditEntry {
  return nextEntry(head, { project_id, at: AT, actor, action: 'PROJECT_CHANGED', details: { to: state, revision: String(revision) } })
}

/** Puts a project there, in whatever state. */
export async function created({ projects, audit }: Pick<Ports, 'projects' | 'audit'>, record: ProjectRecord): Promise<void> {
  expect(await projects.create(record, told(record, await audit.head(record.project_id)))).toBe('WRITTEN')
}

export function approvalGroup(groupId: string, projectId = 'p1'): ApprovalGroup {
  return { group_id: groupId, project_id: projectId, task_token: `token-of-${groupId}`, told_at: null, expires_at: LATER }
}

export function approvalRequest(approvalId: string, groupId: string, projectId = 'p1'): ApprovalRequest {
  return {
    approval_id: approvalId,
    project_id: projectId,
    group_id: groupId,
    kind: 'approval',
    transition: 'PLANNED->EXECUTED',
    role: 'data_owner',
    approver: 'grace@example.org',
    subject: pointerTo('plan'),
    subject_name: 'plan 1',
    created_at: AT,
    expires_at: LATER,
    status: 'PENDING',
    decision: null,
    reason: '',
    answers: [],
    decided_at: null,
    statement: null,
  }
}

export function decided(request: ApprovalRequest, decision: 'APPROVED' | 'REJECTED' = 'APPROVED'): ApprovalRequest {
  return { ...request, status: 'DECIDED', decision, reason: decision === 'REJECTED' ? 'not yet' : '', decided_at: AT }
}
