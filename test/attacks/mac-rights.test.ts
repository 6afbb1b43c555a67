/** Hostile code inside one function: the ports are those that its line of the permission table gives it, and each purpose has its own key. */
import { afterEach, describe, expect, it } from 'vitest'
import { planLinkOf } from '../../functions/work/plan-link.ts'
import { linkToken, planLinkToken, registrationToken } from '../../layers/core/approval-link.ts'
import { formToken } from '../../layers/core/approval-page/form-token.ts'
import { cookie, type Session } from '../../layers/core/approval-page/session.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { linkFields, linkOf, registrationLinkOf } from '../../layers/core/flow/asking.ts'
import { MAC_PURPOSES, type MacPurpose } from '../../layers/core/names.ts'
import type { MacMaker, Ports } from '../../layers/core/ports.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import { type Asked, askedFor } from '../functions/support/asked.ts'
import { chain, filled, heading, post, stand } from '../functions/support/decisions.ts'
import { withRightsOf } from '../functions/support/rights.ts'
import { formOf, linkIn, PEOPLE } from '../functions/support/story.ts'

let asked: Asked
let link: URL
let request: ApprovalRequest
afterEach(() => asked.close())

/** A migration that waits for the tech lead, who needs a passkey where `passkey` says so. */
async function waiting({ passkey = false, signIn = false } = {}): Promise<void> {
  asked = await askedFor((mail) => mail.to === PEOPLE.tech_lead, {
    host: 'localhost',
    ...(passkey ? { policy: { asking: { passkey_roles: ['tech_lead'] } } } : {}),
  })
  if (signIn) asked.on.ports.signIn = { start: async () => '', finish: () => Promise.reject(new Error('nobody signs in here')) }
  link = linkIn(asked.mail(PEOPLE.tech_lead))
  request = (await asked.on.ports.approvals.byProject(asked.projectId)).find((each) => each.approver === PEOPLE.tech_lead)!
}

const inside = (name: string) => withRightsOf(name, asked.on.ports)
/** What code there can make at all. */
function makersOf(ports: Ports): [MacPurpose, MacMaker][] {
  return MAC_PURPOSES.flatMap((purpose) => {
    try {
      return [[purpose, ports.macMakers[purpose]] as [MacPurpose, MacMaker]]
    } catch (error) {
      expect(error).toMatchObject({ code: 'PERMISSION_DENIED' })
      return []
    }
  })
}
const sessionOf = (email: string): Session => ({
  issuer: 'https://id.example',
  subject: email,
  email,
  until: new Date(Date.now() + 3_600_000).toISOString(),
})
const cookieHeader = async (make: MacMaker) => (await cookie(make, 'session', sessionOf(PEOPLE.tech_lead), 3600, false)).split(';')[0] ?? ''
const newForm = (make: MacMaker) => formToken(make, request.approval_id, request.subject.sha256, asked.on.ports.clock.now())

describe('code in the function that shows pages', () => {
  it('makes no link and no registration: not by asking for one, nor with a key that it may use', async () => {
    await waiting({ passkey: true })
    const ports = inside('approval-page')
    const denied = expect.objectContaining({ code: 'PERMISSION_DENIED' })
    await expect(linkOf(ports, request)).rejects.toThrow(denied)
    await expect(registrationLinkOf(ports, request)).rejects.toThrow(denied)
    expect(() => planLinkOf(ports.macMakers.withdrawalLink, '', undefined as never)).toThrow(denied)
    const makers = makersOf(ports)
    expect(makers.map(([purpose]) => purpose)).toEqual(['page', 'person'])
    for (const [purpose, make] of makers)
      for (const [path, token] of [
        [`/approvals/${request.approval_id}`, await linkToken(make, linkFields(request))],
        [`/passkeys/${request.approval_id}`, await registrationToken(make, linkFields(request))],
      ]) {
        const forged = new URL(`${path}?t=${token}`, link)
        expect([purpose, await heading(await fetch(forged))]).toEqual([purpose, [403, 'This link does not open this request']])
        const fields = new URLSearchParams({ t: token!, csrf: await newForm(ports.macMakers.page), decision: 'reject', reason: 'no' })
        expect((await post(forged, fields)).status).toBe(403)
      }
    expect((await stand(asked)).decided).toBe(0)
  })

  it('gives no link to a passkey’s registration to whoever has the approval’s alone', async () => {
    await waiting({ passkey: true })
    const page = await (await fetch(link)).text()
    expect(page).toContain('You need a passkey to approve')
    expect(page).not.toMatch(/\/passkeys\//)
    expect(asked.mail(PEOPLE.tech_lead).text).toMatch(/\/passkeys\//)
  })
})

describe('code in a function that mails links', () => {
  it.each(['request-decisions', 'request-approval'])(
    '%s makes no session and no form, so where people sign in its links decide nothing',
    async (name) => {
      await waiting({ signIn: true })
      const ports = inside(name)
      const own = new URL(await linkOf(ports, request))
      expect(await heading(await fetch(own))).toEqual([401, 'Please sign in first'])
      const makers = makersOf(ports)
      expect(makers.map(([purpose]) => purpose)).not.toContain('page')
      const before = await stand(asked)
      for (const [purpose, make] of makers) {
        const headers = { cookie: await cookieHeader(make) }
        expect([purpose, await heading(await fetch(own, { headers }))]).toEqual([purpose, [401, 'Please sign in first']])
        const fields = { t: own.searchParams.get('t')!, decision: 'approve', digest_prefix: request.subject.sha256.slice(0, 8) }
        const forged = await post(own, new URLSearchParams({ ...fields, csrf: await newForm(make) }), headers)
        expect([purpose, await heading(forged)]).toEqual([purpose, [403, 'The page was open for too long']])
        // Even the form of the genuine page, which only the signed-in person sees.
        const csrf = await newForm(asked.on.ports.macMakers.page)
        const signedOut = await post(own, new URLSearchParams({ ...fields, csrf }), headers)
        expect([purpose, await heading(signedOut)]).toEqual([purpose, [401, 'Please sign in first']])
      }
      expect(await stand(asked)).toEqual(before)
      // The very same, made by the page, decides: it is the key that was missing.
      const good = { cookie: await cookieHeader(asked.on.ports.macMakers.page) }
      const fields = formOf(await (await fetch(own, { headers: good })).text())
      fields.set('decision', 'approve')
      expect(await heading(await post(own, fields, good))).toEqual([200, 'Approved'])
    },
  )

  it('makes no kind of link but its own', async () => {
    await waiting({ passkey: true })
    const plan = {
      project_id: asked.projectId,
      person: 'author@example.com',
      role: 'migration_lead',
      plan_sha256: request.subject.sha256,
      expires_at: request.expires_at,
    } as const
    expect(makersOf(inside('request-decisions')).map(([purpose]) => purpose)).toEqual(['approvalLink'])
    expect(makersOf(inside('request-approval')).map(([purpose]) => purpose)).toEqual(['approvalLink', 'registrationLink', 'withdrawalLink'])
    const { approvalLink } = inside('request-decisions').macMakers
    for (const [path, token] of [
      [`/passkeys/${request.approval_id}`, await registrationToken(approvalLink, linkFields(request))],
      [`/waivers/${asked.projectId}`, await planLinkToken(approvalLink, 'waivers', plan)],
      [`/plans/${asked.projectId}`, await planLinkToken(approvalLink, 'plans', plan)],
    ])
      expect([path, (await fetch(new URL(`${path}?t=${token}`, link))).status]).toEqual([path, 403])
  })
})

describe('code in the function that decides', () => {
  it('makes no session and no form: what it sends back is what came', async () => {
    await waiting()
    expect(makersOf(inside('decide')).map(([purpose]) => purpose)).not.toContain('page')
    const fields = await filled(link, 'approve', { digest_prefix: '00000000' })
    const again = await post(link, fields)
    expect(again.status).toBe(422)
    const back = formOf(await again.text())
    expect([back.get('t'), back.get('csrf')]).toEqual([fields.get('t'), fields.get('csrf')])
    back.set('digest_prefix', request.subject.sha256.slice(0, 8))
    back.set('decision', 'approve')
    expect(await heading(await post(link, back))).toEqual([200, 'Approved'])
  })
})

describe('a key that does not answer', () => {
  const down = () => Promise.reject(new WaybillError('CONNECTION_FAILED', 'Checking a message authentication code: AWS did not answer.'))
  const TROUBLE = [500, 'Something went wrong on our side']

  it.each(['approvalLink', 'page'] as const)(
    '(%s) is trouble: nobody is refused, nothing is decided, nothing is entered',
    async (purpose) => {
      await waiting({ signIn: true })
      const { ports } = asked.on
      const good = { cookie: await cookieHeader(ports.macMakers.page) }
      const fields = formOf(await (await fetch(link, { headers: good })).text())
      fields.set('decision', 'approve')
      const before = await stand(asked)
      const { macMakers, macCheckers } = ports
      ports.macCheckers = { ...macCheckers, [purpose]: down }
      ports.macMakers = { ...macMakers, [purpose]: down }
      expect(await heading(await fetch(link, { headers: good }))).toEqual(TROUBLE)
      expect(await heading(await post(link, fields, good))).toEqual(TROUBLE)
      expect(await stand(asked)).toEqual(before)
      expect(await chain(asked, 'DECISION_REFUSED')).toEqual([])
      Object.assign(ports, { macMakers, macCheckers })
      expect(await heading(await post(link, fields, good))).toEqual([200, 'Approved'])
    },
  )

  it('is trouble where passkeys are registered and where plans are withdrawn', async () => {
    await waiting({ passkey: true })
    const { ports } = asked.on
    const registration = new URL(/http\S+\/passkeys\/\S+/.exec(asked.mail(PEOPLE.tech_lead).text)![0])
    const author = asked.on.mails.find((mail) => mail.to === 'author@example.com' && mail.text.includes('/plans/'))!
    const plan = new URL(/http\S+\/plans\/\S+/.exec(author.text)![0])
    const { macCheckers, macMakers } = ports
    for (const purpose of ['registrationLink', 'withdrawalLink', 'person'] as const) {
      ports.macCheckers = { ...macCheckers, [purpose]: down }
      ports.macMakers = { ...macMakers, [purpose]: down }
      const to = purpose === 'withdrawalLink' ? plan : registration
      expect([purpose, await heading(await fetch(to))]).toEqual([purpose, TROUBLE])
      const fields = new URLSearchParams({ t: to.searchParams.get('t')!, csrf: 'x', decision: 'register', passkey: '{}' })
      if (purpose !== 'person') expect([purpose, await heading(await post(to, fields))]).toEqual([purpose, TROUBLE])
      Object.assign(ports, { macMakers, macCheckers })
    }
    expect(await chain(asked, 'PASSKEY_REFUSED')).toEqual([])
    expect(await chain(asked, 'PLAN_WITHDRAWAL_REFUSED')).toEqual([])
  })
})
