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
const signed = [owner, security].map((predicate, index) => ({ sha256: `${index}`.repeat(64), predicate }))
/** The entry that an approval needs, for the one numbered `index`. */
const taken = (index: number, over: Record<string, string> = {}, more: Partial<EntryFields> = {}): Partial<EntryFields> => {
  const { sha256, predicate } = signed[index]!
  const { approval_id, approver, decision } = predicate
  return {
    actor: approver,
    action: 'DECISION_TAKEN',
    details: { approval_id, decision, transition: gate, statement_sha256: sha256, ...over },
    ...more,
  }
}
const judged = (log: Partial<EntryFields>[]) =>
  outstanding(defaultPolicy, gate, asLogged(signed, log.map(entry)), { author: AUTHOR, subjectSha256: subject, projectId: 'prj-one' })
const standing = (log: Partial<EntryFields>[]) => judged([taken(0), taken(1), ...log])

describe('statements together with the audit log', () => {
  it('are as they were where the log says nothing against them', () => {
    expect(standing([]).approved).toBe(true)
    expect(
      standing([{ action: 'DECISION_TAKEN', details: { approval_id: owner.approval_id, decision: 'APPROVED', transition: gate } }])
        .approved,
    ).toBe(true)
  })

  it.each<[string, Partial<EntryFields>[]]>([
    ['nothing', []],
    ['another statement', [taken(0, { statement_sha256: 'f'.repeat(64) })]],
    ['no statement', [{ ...taken(0), details: { approval_id: owner.approval_id, decision: 'APPROVED', transition: gate } }]],
    ['another request', [taken(0, { approval_id: security.approval_id })]],
    ['another transition', [taken(0, { transition: 'PLAN_DRAFTED->PLANNED' })]],
    ['that it was rejected', [taken(0, { decision: 'REJECTED' }, { subject_sha256: 'cd'.repeat(32) })]],
    ['another subject', [taken(0, {}, { subject_sha256: 'cd'.repeat(32) })]],
    ['another person', [taken(0, {}, { actor: security.approver })]],
    ['another action', [taken(0, {}, { action: 'APPROVAL_REQUESTED' })]],
  ])('an approval does not count of which the log says: %s', (_what, log) => {
    expect(judged([taken(1), ...log])).toMatchObject({ approved: false, missing: ['data_owner'] })
    expect(judged([taken(1), ...log, taken(0)]).approved).toBe(true)
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
