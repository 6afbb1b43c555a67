import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkLink, type LinkFields, linkToken } from '../../layers/core/approval-link.ts'
import { outstanding, samePerson } from '../../layers/core/approvals.ts'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import { role } from '../../layers/core/schemas/common.ts'
import { emptySeats } from '../../layers/core/separation.ts'
import { macsOf } from '../support/macs.ts'
import { AUTHOR, approvalOf } from './support/plan.ts'

const SUBJECT = 'ab'.repeat(32)
const about = { author: AUTHOR, subjectSha256: SUBJECT }
const gate = 'PLANNED->EXECUTED'

describe('outstanding', () => {
  const owner = approvalOf(gate, 'data_owner', SUBJECT)
  const security = approvalOf(gate, 'security', SUBJECT)

  test('approved when each role is filled by a person of its own', () => {
    expect(outstanding(defaultPolicy, gate, [owner, security], about)).toEqual({ approved: true, missing: [], refused: [], reasons: [] })
  })

  test('says who is missing', () => {
    expect(outstanding(defaultPolicy, gate, [security], about)).toMatchObject({ approved: false, missing: ['data_owner'] })
    expect(outstanding(defaultPolicy, gate, [], about).missing).toEqual(['data_owner', 'security'])
  })

  test('a person in two roles is used where nobody else can be', () => {
    const both = [owner, { ...security, approver: owner.approver }]
    expect(outstanding(defaultPolicy, gate, both, about).missing).toHaveLength(1)
    const third = { ...owner, approver: 'third@example.com' }
    expect(outstanding(defaultPolicy, gate, [...both, third], about).approved).toBe(true)
    expect(outstanding(defaultPolicy, gate, [third, ...both.toReversed()], about).approved).toBe(true)
  })

  test('two people are two where a role is asked for twice', () => {
    const policy = { ...defaultPolicy, approvals: { ...defaultPolicy.approvals, [gate]: ['security' as const, 'security' as const] } }
    expect(outstanding(policy, gate, [security, { ...security, approval_id: 'apr-x' }], about).missing).toEqual(['security'])
    expect(outstanding(policy, gate, [security, { ...security, approver: 'third@example.com' }], about).approved).toBe(true)
  })

  test('rejections of this subject count, rejections of an earlier version do not', () => {
    const rejected = { ...security, decision: 'REJECTED' as const, reason: 'no', approver: 'third@example.com' }
    expect(outstanding(defaultPolicy, gate, [owner, security, rejected], about)).toMatchObject({
      approved: false,
      refused: [{ reason: 'no' }],
    })
    expect(outstanding(defaultPolicy, gate, [owner, security, { ...rejected, subject_sha256: 'cd'.repeat(32) }], about).approved).toBe(true)
  })

  test('no set of statements by one person, however spelled, opens a gate of two', () => {
    const spelled = fc
      .tuple(
        fc.constantFrom('dora', 'DORA', 'd.ora', 'do.r.a'),
        fc.constantFrom('', '+a', '+security', '+b+c'),
        fc.constantFrom('example.com', 'Example.COM'),
      )
      .map(([name, tag, domain]) => `${name}${tag}@${domain}`)
    fc.assert(
      fc.property(fc.array(fc.tuple(spelled, fc.constantFrom(...role.options)), { maxLength: 12 }), (people) => {
        const statements = people.map(([approver, as]) => approvalOf(gate, as, SUBJECT, { approver }))
        expect(outstanding(defaultPolicy, gate, statements, about).approved).toBe(false)
      }),
    )
  })

  test('the order of statements does not matter', () => {
    const person = fc.constantFrom('a@x.org', 'b@x.org', 'c@x.org', 'd@x.org')
    const roles = ['data_owner', 'security', 'dba'] as const
    const policy = { ...defaultPolicy, approvals: { ...defaultPolicy.approvals, [gate]: [...roles] } }
    fc.assert(
      fc.property(fc.array(fc.tuple(person, fc.constantFrom(...roles)), { maxLength: 8 }), (people) => {
        const statements = people.map(([approver, as]) => approvalOf(gate, as, SUBJECT, { approver }))
        const standing = outstanding(policy, gate, statements, about)
        expect(outstanding(policy, gate, statements.toReversed(), about).approved).toBe(standing.approved)
        // Judged by trying every way to put people on roles.
        const has = (approver: string, as: string): boolean => people.some(([who, what]) => who === approver && what === as)
        const all = ['a@x.org', 'b@x.org', 'c@x.org', 'd@x.org']
        const possible = all.some((a) =>
          all.some((b) => all.some((c) => new Set([a, b, c]).size === 3 && has(a, roles[0]) && has(b, roles[1]) && has(c, roles[2]))),
        )
        expect(standing.approved).toBe(possible)
      }),
      { numRuns: 500 },
    )
  })

  test('very many people in very many roles get an answer', () => {
    const sittings = role.options.flatMap((as) => Array.from({ length: 30 }, (_, at) => ({ gate, role: as, email: `p${at}@example.com` })))
    expect(emptySeats([{ gate, role: 'dba' }], sittings)).toBeInstanceOf(Array)
  })
})

test('samePerson', () => {
  expect(samePerson('Ana.Author@Example.com', 'anaauthor+x@example.com')).toBe(true)
  expect(samePerson('ana@googlemail.com', 'a.na@gmail.com')).toBe(true)
  expect(samePerson('ana@example.com', 'ana@example.org')).toBe(false)
  expect(samePerson('ana@example.com', 'anna@example.com')).toBe(false)
})

describe('approval link', () => {
  const { make, isOurs } = macsOf(new Uint8Array(32).fill(7))
  const fields: LinkFields = {
    approval_id: 'apr-1',
    approver: 'tess@example.com',
    role: 'tech_lead',
    subject_sha256: SUBJECT,
    transition: 'PLAN_DRAFTED->PLANNED',
    expires_at: '2026-03-05T10:00:00.000Z',
  }
  const now = new Date('2026-03-05T09:59:59.999Z')
  const refused = expect.objectContaining({ code: 'APPROVAL_REFUSED' })
  const expired = expect.objectContaining({ code: 'APPROVAL_EXPIRED' })

  test('opens for exactly what it was made for', async () => {
    const token = await linkToken(make, fields)
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/)
    await expect(checkLink(isOurs, fields, token, now)).resolves.toBeUndefined()
  })

  test.each<[string, Partial<LinkFields>]>([
    ['another approval', { approval_id: 'apr-2' }],
    ['another person', { approver: 'sam@example.com' }],
    ['another role', { role: 'security' }],
    ['another subject', { subject_sha256: 'cd'.repeat(32) }],
    ['another transition', { transition: 'PLANNED->EXECUTED' }],
    ['no transition', { transition: null }],
    ['a later expiry', { expires_at: '2027-03-05T10:00:00.000Z' }],
  ])('refuses %s', async (_name, change) => {
    await expect(checkLink(isOurs, { ...fields, ...change }, await linkToken(make, fields), now)).rejects.toThrow(refused)
  })

  test('refuses every other token, also other spellings of the same bytes', async () => {
    const token = await linkToken(make, fields)
    const last = token.at(-1)!
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const twins = [1, 2, 3].map((spare) => token.slice(0, -1) + alphabet[alphabet.indexOf(last) ^ spare])
    for (const bad of ['', 'x', `${token}=`, ` ${token}`, token.slice(1), `${token}A`, 'A'.repeat(43), ...twins]) {
      await expect(checkLink(isOurs, fields, bad, now), bad).rejects.toThrow(refused)
    }
    await fc.assert(
      fc.asyncProperty(fc.base64String({ minLength: 40, maxLength: 44 }), async (bad) => {
        if (bad !== token) await expect(checkLink(isOurs, fields, bad, now)).rejects.toThrow(/not made by Waybill/)
      }),
    )
    await expect(checkLink(macsOf(new Uint8Array(32)).isOurs, fields, token, now)).rejects.toThrow(refused)
  })

  test('expires at its very millisecond; a forged one is called forged even when it is late', async () => {
    const late = new Date(fields.expires_at)
    await expect(checkLink(isOurs, fields, await linkToken(make, fields), late)).rejects.toThrow(expired)
    await expect(checkLink(isOurs, fields, 'A'.repeat(43), late)).rejects.toThrow(refused)
    const never = { ...fields, expires_at: 'never' }
    await expect(checkLink(isOurs, never, await linkToken(make, never), now)).rejects.toThrow(expired)
  })
})
