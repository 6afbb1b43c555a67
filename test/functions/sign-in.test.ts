import { afterEach, describe, expect, it } from 'vitest'
import { openIdSignIn } from '../../functions/work/open-id-sign-in.ts'
import { readApproval } from '../../layers/core/flow/statements.ts'
import type { SignIn } from '../../layers/core/ports.ts'
import { type Asked, askedFor } from './support/asked.ts'
import { chain, heading, post, stand } from './support/decisions.ts'
import { type IdentityProvider, identityProvider, Jar, signIn } from './support/identity-provider.ts'
import { formOf, linkIn, PEOPLE } from './support/story.ts'

let asked: Asked
let provider: IdentityProvider
afterEach(async () => {
  await asked.close()
  await provider.close()
})

/** A migration that waits for the tech lead, whose organisation has an identity provider. */
async function wanting(): Promise<URL> {
  asked = await askedFor((mail) => mail.to === PEOPLE.tech_lead)
  provider = await identityProvider(() => `${asked.server.url}/sign-in/callback`)
  asked.on.ports.signIn = openIdSignIn({ issuer: provider.issuer, clientId: provider.clientId, clientSecret: undefined })
  return linkIn(asked.mail(PEOPLE.tech_lead))
}

const unescaped = (text: string) => text.replaceAll('&#38;', '&')
/** Where the notice's button leads. */
async function button(response: Response, link: URL): Promise<URL> {
  return new URL(unescaped(/class="yes button" href="([^"]+)"/.exec(await response.text())![1]!), link)
}
const start = async (jar: Jar, link: URL) => button(await jar.fetch(link), link)

async function approve(jar: Jar, link: URL, page: string): Promise<Response> {
  const fields = formOf(page)
  fields.set('decision', 'approve')
  return post(link, fields, { cookie: jar.header(link) })
}

describe('where an identity provider is configured', () => {
  it('the invited person signs in and approves; the evidence says by which provider', async () => {
    const link = await wanting()
    const jar = new Jar()
    expect(await heading(await jar.fetch(link))).toEqual([401, 'Please sign in first'])
    // Case, dots and plus signs are the same mailbox here as everywhere.
    const { url, response } = await signIn(jar, await start(jar, link), 'TechLead+work@Example.com')
    expect(url.pathname).toBe(link.pathname)
    const page = await response!.text()
    expect(page).toContain('Do you approve this migration plan?')
    expect(await heading(await approve(jar, link, page))).toEqual([200, 'Approved'])
    const { artifacts, trust } = asked.on.ports
    const [key] = await artifacts.list(`projects/${asked.projectId}/approvals/`)
    const said = readApproval(await artifacts.get((await artifacts.find(key!))!), trust)
    expect(said).toMatchObject({
      approver: PEOPLE.tech_lead,
      identified_by: 'oidc',
      oidc: { issuer: provider.issuer, subject: 'TechLead+work@Example.com' },
    })
  })

  it('nobody else decides with that link: signed in as another, with an unverified address, or not at all', async () => {
    const link = await wanting()
    const before = await stand(asked)
    const right = new Jar()
    const { response } = await signIn(right, await start(right, link), PEOPLE.tech_lead)
    const page = await response!.text()
    for (const account of ['mallory@example.com', `unverified.${PEOPLE.tech_lead}`]) {
      const jar = new Jar()
      const other = await signIn(jar, await start(jar, link), account)
      expect(await heading(other.response!)).toEqual([403, 'You are signed in as somebody else'])
      expect(await heading(await approve(jar, link, page))).toEqual([403, 'You are signed in as somebody else'])
    }
    expect(await heading(await approve(new Jar(), link, page))).toEqual([401, 'Please sign in first'])
    expect(await stand(asked)).toEqual(before)
    expect((await chain(asked, 'DECISION_REFUSED')).map((entry) => entry.details.why)).toEqual(['other-person', 'other-person', 'sign-in'])
  })

  it('a session cannot be made up, changed, used for another purpose, or kept for ever', async () => {
    const link = await wanting()
    const jar = new Jar()
    await signIn(jar, await start(jar, link), PEOPLE.tech_lead)
    const good = /waybill-session=([^;]+)/.exec(jar.header(link))![1]!
    const pending = /waybill-sign-in=([^;]+)/.exec(jar.header(link))![1]!
    const [body = '', mac = ''] = good.split('.')
    const other = Buffer.from(
      JSON.stringify({ issuer: provider.issuer, subject: 's', email: PEOPLE.tech_lead, until: '2999-01-01T00:00:00.000Z' }),
    )
    const get = (value: string) => fetch(link, { headers: { cookie: `waybill-session=${value}` } })
    expect((await get(good)).status).toBe(200)
    const forged = [`${other.toString('base64url')}.${mac}`, `${body}.${'A'.repeat(43)}`, body, `${body}.`, pending, `${good}x`, '', '.']
    for (const value of forged) expect([value, (await get(value)).status]).toEqual([value, 401])
    asked.on.later(2 * 3_600_000)
    expect((await get(good)).status).toBe(401)
  })

  it('an answer counts once, for the browser that asked, with the code, state and verifier it belongs to', async () => {
    const link = await wanting()
    const victim = new Jar()
    const attacker = new Jar()
    const isCallback = (url: URL) => url.pathname === '/sign-in/callback'
    const { url: callback } = await signIn(attacker, await start(attacker, link), PEOPLE.tech_lead, isCallback)
    expect(isCallback(callback)).toBe(true)
    // In another browser, which asked for nothing, or for something else.
    expect(await heading(await victim.fetch(callback))).toEqual([403, 'The sign-in did not work'])
    await victim.follow(await start(victim, link), (url) => url.origin === provider.issuer)
    expect(await heading(await victim.fetch(callback))).toEqual([403, 'The sign-in did not work'])
    const edited = (name: string, value: string) => {
      const url = new URL(callback)
      url.searchParams.set(name, value)
      return url
    }
    expect((await attacker.fetch(edited('state', 'other'))).status).toBe(403)
    expect((await attacker.fetch(edited('iss', 'https://evil.example'))).status).toBe(403)
    expect(attacker.header(link)).not.toContain('waybill-session')
    expect((await attacker.fetch(callback)).status).toBe(303)
    expect((await attacker.fetch(callback)).status).toBe(403)
  })

  it('goes only to the provider and back to its own page, and only with a link that opens something', async () => {
    const link = await wanting()
    const jar = new Jar()
    const to = await start(jar, link)
    const sent = await jar.fetch(to)
    const location = new URL(sent.headers.get('location')!)
    expect([sent.status, location.origin]).toEqual([303, provider.issuer])
    expect(location.searchParams.get('code_challenge_method')).toBe('S256')
    for (const name of ['state', 'nonce', 'code_challenge']) expect(location.searchParams.get(name)?.length).toBeGreaterThan(20)
    const cookie = sent.headers.get('set-cookie')!
    expect(cookie).toMatch(/HttpOnly; SameSite=Lax$/)
    const changed = new URL(to)
    changed.searchParams.set('t', 'A'.repeat(43))
    expect((await jar.fetch(changed)).status).toBe(403)
    const outside = new URL(to)
    outside.searchParams.set('to', '//evil.example')
    expect((await jar.fetch(outside)).headers.get('location')).toContain(provider.issuer)
  })

  it('a provider that is away is said in words, and nothing changes', async () => {
    const link = await wanting()
    const jar = new Jar()
    const to = await start(jar, link)
    await provider.close()
    asked.on.ports.signIn = openIdSignIn({ issuer: provider.issuer, clientId: 'waybill', clientSecret: undefined })
    expect(await heading(await jar.fetch(to))).toEqual([500, 'Something went wrong on our side'])
  })
})

it('is configured whole or not at all', () => {
  const given = (issuer?: string, clientId?: string): SignIn => openIdSignIn({ issuer, clientId, clientSecret: undefined })
  expect(given()).toBeNull()
  for (const [issuer, clientId] of [
    ['https://id.example', undefined],
    [undefined, 'x'],
    ['http://id.example', 'x'],
    ['nonsense', 'x'],
  ] as const)
    expect(() => given(issuer, clientId)).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }))
  expect(given('https://id.example', 'x')).not.toBeNull()
})
