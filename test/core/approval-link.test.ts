import { expect, it } from 'vitest'
import {
  checkLink,
  checkPlanLink,
  type LinkFields,
  linkToken,
  type PlanLinkFields,
  planLinkToken,
  registrationToken,
} from '../../layers/core/approval-link.ts'

const KEY = new Uint8Array(32).fill(7)
const NOW = new Date('2026-03-01T00:00:00.000Z')
const PLAN: PlanLinkFields = {
  project_id: 'p-1',
  person: 'ada@example.org',
  role: 'engineering_manager',
  plan_sha256: 'a'.repeat(64),
  expires_at: '2026-03-02T00:00:00.000Z',
}
const REQUEST: LinkFields = {
  approval_id: 'p-1',
  approver: 'ada@example.org',
  role: 'engineering_manager',
  subject_sha256: 'a'.repeat(64),
  transition: null,
  expires_at: '2026-03-02T00:00:00.000Z',
}
const refused = expect.objectContaining({ code: 'APPROVAL_REFUSED' })

it('one kind of link never opens what another is for, whatever they are about', () => {
  const tokens = [
    linkToken(KEY, REQUEST),
    registrationToken(KEY, REQUEST),
    planLinkToken(KEY, 'waivers', PLAN),
    planLinkToken(KEY, 'plans', PLAN),
  ]
  expect(new Set(tokens).size).toBe(4)
  for (const page of ['waivers', 'plans'] as const) {
    checkPlanLink(KEY, page, PLAN, planLinkToken(KEY, page, PLAN), NOW)
    for (const token of tokens.filter((each) => each !== planLinkToken(KEY, page, PLAN)))
      expect(() => checkPlanLink(KEY, page, PLAN, token, NOW)).toThrow(refused)
  }
  for (const token of tokens.slice(1)) expect(() => checkLink(KEY, REQUEST, token, NOW)).toThrow(refused)
})

it('a link to a plan is bound to each of its fields and to the key, and ends with the plan', () => {
  const token = planLinkToken(KEY, 'waivers', PLAN)
  const others: Partial<PlanLinkFields>[] = [
    { project_id: 'p-2' },
    { person: 'ada@example.com' },
    { role: 'migration_lead' },
    { plan_sha256: 'b'.repeat(64) },
    { expires_at: '2026-03-03T00:00:00.000Z' },
  ]
  for (const other of others) expect(() => checkPlanLink(KEY, 'waivers', { ...PLAN, ...other }, token, NOW)).toThrow(refused)
  expect(() => checkPlanLink(new Uint8Array(32).fill(8), 'waivers', PLAN, token, NOW)).toThrow(refused)
  expect(() => checkPlanLink(KEY, 'waivers', PLAN, token, new Date(PLAN.expires_at))).toThrow(
    expect.objectContaining({ code: 'APPROVAL_EXPIRED' }),
  )
})
