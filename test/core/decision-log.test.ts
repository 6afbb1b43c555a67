import { describe, expect, it } from 'vitest'
import { outstanding } from '../../layers/core/approvals.ts'
import { type EntryFields, nextEntry } from '../../layers/core/audit-chain.ts'
import { asLogged } from '../../layers/core/decision-log.ts'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import { AUTHOR, approvalOf } from './support/plan.ts'

const gate = 'PLANNED->EXECUTED'
const subject = 'ab'.repeat(32)
const owner = approvalOf(gate, 'data_owner', subject)
const security = approvalOf(gate, 'security', subject)

const entry = (fields: Partial<EntryFields>) =>
  nextEntry(null, {
    project_id: 'prj-one',
    at: '2026-03-01T00:00:00.000Z',
    actor: owner.approver,
    action: 'X_X',
    subject_sha256: subject,
    ...fields,
  })
const standing = (log: Partial<EntryFields>[]) =>
  outstanding(defaultPolicy, gate, asLogged([owner, security], log.map(entry)), {
    author: AUTHOR,
    subjectSha256: subject,
    projectId: 'prj-one',
  })

describe('statements together with the audit log', () => {
  it('are as they were where the log says nothing against them', () => {
    expect(standing([]).approved).toBe(true)
    expect(
      standing([{ action: 'DECISION_TAKEN', details: { approval_id: owner.approval_id, decision: 'APPROVED', transition: gate } }])
        .approved,
    ).toBe(true)
  })

  it('an approval that the log says was withdrawn does not count, and its reason is said', () => {
    const said = standing([{ action: 'APPROVAL_WITHDRAWN', details: { approval_id: owner.approval_id, transition: gate } }])
    expect(said).toMatchObject({ approved: false, missing: ['data_owner'] })
    expect(said.reasons[0]).toMatch(/withdrew the approval as data_owner/)
  })

  it('an approval whose request the log says was handed on does not count', () => {
    for (const fields of [
      { action: 'REQUEST_DELEGATED', details: { approval_id: owner.approval_id } },
      { action: 'DECISION_TAKEN', details: { approval_id: owner.approval_id, decision: 'DELEGATED', transition: gate } },
    ])
      expect(standing([fields])).toMatchObject({ approved: false, missing: ['data_owner'] })
  })

  it('a rejection and a withdrawn plan refuse from the log alone, for their own subject only', () => {
    for (const fields of [
      { action: 'DECISION_TAKEN', details: { approval_id: 'a-other', role: 'security', decision: 'REJECTED', transition: gate } },
      { action: 'PLAN_WITHDRAWN', details: { reason: 'no', transition: gate } },
    ]) {
      expect(standing([fields])).toMatchObject({ approved: false, refused: [expect.anything()] })
      expect(standing([{ ...fields, subject_sha256: 'cd'.repeat(32) }]).approved).toBe(true)
    }
    expect(standing([{ action: 'DECISION_TAKEN', details: { decision: 'REJECTED', transition: 'decisions' } }]).approved).toBe(true)
  })
})
