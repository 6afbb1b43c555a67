import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cookie } from '../../layers/core/approval-page/session.ts'
import { outstanding } from '../../layers/core/approvals.ts'
import { linkOf } from '../../layers/core/flow/asking.ts'
import { keyOf } from '../../layers/core/flow/storing.ts'
import { roleFault } from '../../layers/core/role-holders.ts'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import { email } from '../../layers/core/schemas/common.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import { type Policy, policy as policySchema } from '../../layers/core/schemas/policy.ts'
import { personOf, samePerson } from '../../layers/core/separation.ts'
import { type Asked, askedFor } from '../functions/support/asked.ts'
import { chain, filled, heading, post, settled, stand, until } from '../functions/support/decisions.ts'
import { testPlatform } from '../functions/support/platform.ts'
import { formOf, linkIn, PEOPLE, specText, storeSpec, tell } from '../functions/support/story.ts'

const people: Policy['people'] = [
  { role: 'security', holders: ['Security@Example.com', '@security.example.com'] },
  { role: 'tech_lead', holders: ['tech.lead@example.com'] },
]

describe('an author who names mailboxes of their own as approvers', () => {
  it('gets no plan past the validators, and nobody is asked', async () => {
    const on = await testPlatform({ policy: { people } })
    try {
      const id = await storeSpec(on, { approvers: { security: 'security@author-at-home.example' } })
      const { project } = await tell(on, id)
      expect([project?.state, project?.failure?.code]).toEqual(['FAILED', 'FAIL'])
      expect(on.mails).toEqual([])
      expect(on.systems.touched).toEqual([])
      expect((await on.ports.audit.read(id)).at(-1)?.action).toBe('RUN_FAILED')
    } finally {
      await on.close()
    }
  })
})

describe('a second name beside a genuine one', () => {
  it('is found before anybody is asked', async () => {
    const on = await testPlatform({ policy: { people } })
    try {
      const id = `two-names-${process.pid}`
      const spec = JSON.parse(specText()) as { approvers: { role: string; email: string }[] }
      spec.approvers.unshift({ role: 'security', email: 'me@author-at-home.example' })
      await on.ports.artifacts.put(keyOf(id, 'spec', '1'), Buffer.from(JSON.stringify(spec)), {
        contentType: 'application/json',
        retainUntil: new Date(),
      })
      const { project } = await tell(on, id)
      expect([project?.state, on.mails, on.systems.touched]).toEqual(['FAILED', [], []])
    } finally {
      await on.close()
    }
  })

  it('answers no question of the plan, although nothing was validated yet', async () => {
    const asked = await askedFor((mail) => mail.subject.startsWith('Please answer'), {
      spec: { ask: true },
      policy: { people: [{ role: 'tech_lead', holders: ['boss@example.com'] }] },
    })
    try {
      const link = linkIn(asked.mail(PEOPLE.tech_lead))
      const before = await stand(asked)
      expect(await heading(await post(link, await filled(link, 'answer')))).toEqual([403, 'You cannot take this decision'])
      await settled()
      expect(await stand(asked)).toEqual(before)
      expect((await chain(asked, 'DECISION_REFUSED')).map(({ details }) => details.why)).toEqual(['not-allowed'])
    } finally {
      await asked.close()
    }
  })
})

describe('while a migration waits for security', () => {
  let asked: Asked
  let link: URL
  beforeEach(async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.security, {
      policy: { people, asking: { delegation: { roles: ['security'], at_most: 2 } } },
    })
    await until(async () => asked.on.mails.some((mail) => mail.to === PEOPLE.security))
    link = linkIn(asked.mail(PEOPLE.security))
  })
  afterEach(() => asked.close())

  it('whoever the policy does not name decides nothing with a genuine link, and is told whom to ask', async () => {
    const { approvals } = asked.on.ports
    const free = (await approvals.byProject(asked.projectId)).find((each) => each.role === 'security')!
    const request: ApprovalRequest = { ...free, approval_id: 'a-invited', approver: 'sec.urity@example.com' }
    await approvals.join(request)
    const theirs = new URL(await linkOf(asked.on.ports, request))
    const before = await stand(asked)
    expect(await heading(await post(theirs, await filled(theirs, 'approve')))).toEqual([403, 'You cannot take this decision'])
    await settled()
    expect(await stand(asked)).toEqual(before)
    expect(asked.on.systems.touched).toEqual([])
    expect((await chain(asked, 'DECISION_REFUSED')).map(({ details }) => details.why)).toEqual(['not-allowed'])
  })

  it('an identity provider’s word for an address that only looks alike is not enough', async () => {
    const { ports } = asked.on
    // Sessions are read, and nobody is sent anywhere.
    ports.signIn = { start: async () => '', finish: () => Promise.reject(new Error('nobody signs in here')) }
    const as = async (email: string) => {
      const value = { issuer: 'https://id.example', subject: email, email, until: new Date(Date.now() + 60_000).toISOString() }
      const cookies = (await cookie(ports.macMakers.page, 'session', value, 60, false)).split(';')[0]!
      const fields = formOf(await (await fetch(link, { headers: { cookie: cookies } })).text())
      fields.set('decision', 'approve')
      return heading(await post(link, fields, { cookie: cookies }))
    }
    const before = await stand(asked)
    // The same person to whoever counts people; somebody else to whoever lets people in.
    expect(samePerson('secu.rity@example.com', PEOPLE.security)).toBe(true)
    expect(await as('secu.rity@example.com')).toEqual([403, 'You cannot take this decision'])
    expect(await stand(asked)).toEqual(before)
    expect(asked.on.systems.touched).toEqual([])
    expect((await chain(asked, 'DECISION_REFUSED')).map(({ details }) => details.why)).toEqual(['not-allowed'])
    expect(await as('SECURITY@example.com')).toEqual([200, 'Approved'])
  })

  it('a request is handed on to a holder of the role only', async () => {
    const before = await stand(asked)
    for (const delegate of [
      'friend@example.com',
      'a＠security.example.com',
      'x@security.example.com.evil.example',
      'x@evilsecurity.example.com',
    ]) {
      const response = await post(link, await filled(link, 'delegate', { delegate_to: delegate }))
      expect(response.status, delegate).toBe(403)
    }
    expect(await stand(asked)).toEqual(before)
    expect((await chain(asked, 'DECISION_REFUSED')).map(({ details }) => details.why)).toEqual(Array(4).fill('no-delegate'))
    expect((await post(link, await filled(link, 'delegate', { delegate_to: 'Second@Security.Example.com' }))).status).toBe(200)
    expect(asked.on.systems.touched).toEqual([])
  })
})

describe('who may hold a role', () => {
  const policy: Policy = { ...defaultPolicy, people }
  it.each([
    ['security@example.com', true],
    ['SECURITY@EXAMPLE.COM', true],
    ['anybody@security.example.com', true],
    ['secu.rity@example.com', false],
    ['security+x@example.com', false],
    ['anybody@sub.security.example.com', false],
    ['anybody@security.example.org', false],
    ['security@example.com@evil.example', false],
    ['＠security.example.com', false],
    ['', false],
  ])('%s as security: %s', (address, may) => {
    expect(roleFault(policy, 'security', address) === null).toBe(may)
  })

  it('is anybody where the policy does not say, and is written as addresses or whole domains', () => {
    expect(roleFault(policy, 'qa_lead', 'x@y.example')).toBeNull()
    expect(roleFault(defaultPolicy, 'security', 'x@y.example')).toBeNull()
    for (const wrong of ['@', '@com', 'example.com', '@*.example.com', '@exämple.com', '*', ''])
      expect(policySchema.safeParse({ ...defaultPolicy, people: [{ role: 'security', holders: [wrong] }] }).success, wrong).toBe(false)
    expect(policySchema.safeParse({ ...defaultPolicy, people: [{ role: 'security', holders: [] }] }).success).toBe(false)
  })

  it('is judged again wherever approvals are counted: a genuine signature of somebody else fills no seat', () => {
    const said = (approver: string) =>
      outstanding(
        { ...policy, approvals: { ...policy.approvals, 'PLANNED->EXECUTED': ['security'] } },
        'PLANNED->EXECUTED',
        [
          {
            approval_id: 'a-1',
            project_id: 'p',
            transition: 'PLANNED->EXECUTED',
            role: 'security',
            approver,
            decision: 'APPROVED',
            reason: '',
            decided_at: '2026-01-01T00:00:00.000Z',
            subject_sha256: 'a'.repeat(64),
            subject_name: 'signed_plan.dsse.json',
            identified_by: 'invited-address',
          },
        ],
        { author: 'author@example.com', subjectSha256: 'a'.repeat(64) },
      )
    expect(said('security@example.com').approved).toBe(true)
    const other = said('author@home.example')
    expect(other.approved).toBe(false)
    expect(other.reasons[0]).toBe('the policy does not let author@home.example act as security')
  })
})

describe('addresses in other writing', () => {
  it.each([
    'a＠b.com',
    'ａ@b.com',
    'a@b．com',
    'İrem@b.com',
    'ıl@b.com',
    'Kate@b.com'.replace('K', '\u212a'),
    'a@münchen.de',
    'a\u200b@b.com',
    'a\u202e@b.com',
    'a@b.com\r\nbcc: c@d.com',
    '"a b"@b.com',
    'a@[127.0.0.1]',
    'a@b',
    '<a@b.com>',
    'a@b.com,c@d.com',
  ])('are no addresses: %j', (text) => {
    expect(email.safeParse(text).success).toBe(false)
  })

  it('that were let in elsewhere fold towards one person, never apart', () => {
    for (const other of [
      'TECH.LEAD@EXAMPLE.COM',
      'ｔｅｃｈ.lead@example.com',
      'tech.lead＠example.com',
      ' tech.lead@example.com ',
      'tech.lead@example.com.',
    ])
      expect(samePerson(other, PEOPLE.tech_lead), other).toBe(true)
    // A Turkish capital İ is another letter with a dot of its own: not the same, and no spelling of ASCII comes out of it.
    expect(personOf('Irem@b.com')).toBe('irem@b.com')
    expect(samePerson('İrem@b.com', 'irem@b.com')).toBe(false)
  })
})
