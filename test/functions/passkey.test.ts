import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { outstanding } from '../../layers/core/approvals.ts'
import { readApproval } from '../../layers/core/flow/statements.ts'
import type { ApprovalPredicate } from '../../layers/core/schemas/governance.ts'
import { PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'
import { memoryReader, verifyPack } from '../../layers/core/verifier/index.ts'
import { type Asked, askedFor } from './support/asked.ts'
import { browserPath, openBrowser } from './support/browser.ts'
import { chain, filled, heading, post, stand, toTheEnd, until } from './support/decisions.ts'
import { linkIn, PEOPLE } from './support/story.ts'

let asked: Asked
const wanting = async () => {
  asked = await askedFor((mail) => mail.to === PEOPLE.tech_lead, {
    host: 'localhost',
    policy: { asking: { passkey_roles: ['tech_lead'] } },
  })
  return linkIn(asked.mail(PEOPLE.tech_lead))
}
const registration = () => new URL(/http\S+\/passkeys\/\S+/.exec(asked.mail(PEOPLE.tech_lead).text)![0])

describe('where the policy asks for a passkey', () => {
  afterEach(() => asked.close())

  it('a link alone does not approve; it rejects', async () => {
    const link = await wanting()
    const page = await (await fetch(link)).text()
    expect(page).toContain('You need a passkey to approve')
    expect(page).toMatch(/value="approve" data-passkey="sign" disabled/)
    const before = await stand(asked)
    const bare = await post(link, await filled(link, 'approve'))
    expect([bare.status, (await bare.text()).includes('needs your passkey')]).toEqual([422, true])
    const invented = JSON.stringify({ id: 'AAAA', clientDataJSON: 'e30', authenticatorData: 'AAAA', signature: 'AAAA' })
    for (const passkey of [invented, '{', '[]', '{"id":1}', 'null']) {
      expect((await post(link, await filled(link, 'approve', { passkey }))).status).toBe(403)
    }
    expect(await stand(asked)).toEqual(before)
    expect((await chain(asked, 'DECISION_REFUSED')).map((entry) => entry.details.why)).toEqual(Array(5).fill('passkey-refused'))
    expect((await post(link, await filled(link, 'reject', { reason: 'no' }))).status).toBe(200)
  })

  it('the approval’s link registers nothing, the registration’s link approves nothing', async () => {
    const link = await wanting()
    const register = registration()
    expect((await fetch(register)).status).toBe(200)
    const crossed = new URL(register)
    crossed.searchParams.set('t', link.searchParams.get('t')!)
    expect(await heading(await fetch(crossed))).toEqual([403, 'This link does not open this request'])
    const other = new URL(link)
    other.searchParams.set('t', register.searchParams.get('t')!)
    expect(await heading(await fetch(other))).toEqual([403, 'This link does not open this request'])
    // Neither form can be sent as the other.
    const page = await (await fetch(register)).text()
    const csrf = /name="csrf" value="([^"]+)"/.exec(page)![1]!
    expect((await post(link, await filled(link, 'approve', { csrf }))).status).toBe(403)
    const fields = await filled(link, 'register', { t: register.searchParams.get('t')! })
    fields.delete('digest_prefix')
    expect((await post(register, fields)).status).toBe(403)
    expect((await chain(asked, 'PASSKEY_REFUSED')).map((entry) => entry.details.why)).toEqual(['stale-form'])
    expect(await asked.on.ports.artifacts.list('projects/_people/')).toEqual([])
  })

  it('the script comes from us, whole, and pages that need none name none', async () => {
    const link = await wanting()
    const script = await fetch(new URL('/passkey.js', link))
    expect([script.status, script.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8'])
    const { createHash } = await import('node:crypto')
    const digest = createHash('sha256')
      .update(await script.text())
      .digest('base64')
    const response = await fetch(registration())
    const page = await response.text()
    expect(page).toContain(`integrity="sha256-${digest}"`)
    expect(response.headers.get('content-security-policy')).toContain("script-src 'self'")
    expect(page).not.toMatch(/\son\w+=|<script>|https?:\/\//)
    expect(page).toContain('This needs JavaScript')
  })
})

describe.runIf(browserPath() !== null)('with a passkey in a browser', () => {
  let browser: Browser
  let context: BrowserContext
  let page: Page
  let authenticator: { session: CDPSession; id: string }
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser.close())
  afterEach(async () => {
    await context.close()
    await asked.close()
  })

  async function opened(): Promise<URL> {
    const link = await wanting()
    context = await browser.newContext()
    page = await context.newPage()
    const session = await context.newCDPSession(page)
    await session.send('WebAuthn.enable')
    const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    })
    authenticator = { session, id: authenticatorId }
    return link
  }

  async function register(): Promise<void> {
    await page.goto(registration().href)
    await page.click('button[value=register]')
    await page.waitForURL((url) => !url.search.includes('t='))
    expect(await page.locator('h1').textContent()).toBe('Passkey registered')
  }

  async function approve(link: URL): Promise<void> {
    await page.goto(link.href)
    await page.fill('#digest_prefix', (await page.locator('.digest b').textContent())!)
    await page.click('button[value=approve]')
  }

  async function statement(): Promise<ApprovalPredicate> {
    const { artifacts, trust } = asked.on.ports
    const [key] = await artifacts.list(`projects/${asked.projectId}/approvals/`)
    return readApproval(await artifacts.get((await artifacts.find(key!))!), trust)!
  }

  it('registers, approves, and the signature over the subject stands in the evidence', async () => {
    const link = await opened()
    await register()
    await approve(link)
    await page.waitForURL((url) => !url.search.includes('t='))
    expect(await page.locator('h1').textContent()).toBe('Approved')
    await until(async () => (await asked.on.ports.projects.get(asked.projectId)).state === 'PLANNED')
    const said = await statement()
    expect(said).toMatchObject({ identified_by: 'passkey', passkey: { rp_id: 'localhost', origin: link.origin } })
    expect(await chain(asked, 'PASSKEY_REGISTERED')).toHaveLength(1)

    // What barrier and verifier make of it: each change of a signed part, and the approval no longer counts.
    const { policy } = asked.on.ports
    const standing = (change: Partial<ApprovalPredicate>) =>
      outstanding(policy, 'PLAN_DRAFTED->PLANNED', [{ ...said, ...change }], {
        author: 'author@example.com',
        subjectSha256: change.subject_sha256 ?? said.subject_sha256,
      })
    expect(standing({})).toMatchObject({ approved: true, reasons: [] })
    const passkey = said.passkey!
    const flip = (text: string) => `${text.slice(0, 20)}${text[20] === 'A' ? 'B' : 'A'}${text.slice(21)}`
    const { passkey: _gone, ...without } = said
    const lies: [string, Partial<ApprovalPredicate>, RegExp][] = [
      ['another subject', { subject_sha256: 'a'.repeat(64) }, /another request or another version/],
      ['another request', { approval_id: 'a-other' }, /another request or another version/],
      ['signature', { passkey: { ...passkey, signature: flip(passkey.signature) } }, /signature|cannot be read/],
      ['authenticator data', { passkey: { ...passkey, authenticator_data: flip(passkey.authenticator_data) } }, /another host/],
      ['client data', { passkey: { ...passkey, client_data_json: flip(passkey.client_data_json) } }, /read|signature|kind|sign-in/],
      ['host', { passkey: { ...passkey, rp_id: 'evil.example' } }, /another site/],
      ['origin', { passkey: { ...passkey, origin: 'https://evil.example' } }, /another site/],
    ]
    for (const [what, change, why] of lies) {
      const { approved, reasons } = standing(change)
      expect([what, approved, reasons.some((reason) => why.test(reason))]).toEqual([what, false, true])
    }
    for (const identified_by of ['passkey', 'invited-address', 'oidc'] as const) {
      const { approved } = outstanding(policy, 'PLAN_DRAFTED->PLANNED', [{ ...without, identified_by }], {
        author: 'author@example.com',
        subjectSha256: said.subject_sha256,
      })
      expect([identified_by, approved]).toEqual([identified_by, false])
    }
  })

  it('ends in a pack that verifies with the passkey in it, and not without', async () => {
    const link = await opened()
    await register()
    const read = asked.on.mails.length
    await approve(link)
    await page.waitForURL((url) => !url.search.includes('t='))
    const { files, faults } = await toTheEnd(asked, read)
    expect(faults).toEqual([])
    const approval = files.find(
      ({ path, bytes }) => /^approvals\/.*\.dsse\.json$/.test(path) && readApproval(bytes, asked.on.ports.trust)?.passkey,
    )
    expect(approval).toBeDefined()
    // The same approval, signed anew by the approval key itself, without the passkey's signature or with another one.
    const said = readApproval(approval!.bytes, asked.on.ports.trust)!
    const { passkey, ...without } = said
    for (const predicate of [
      { ...without, identified_by: 'invited-address' as const },
      { ...said, passkey: { ...passkey!, signature: passkey!.signature.replace(/.{4}$/, 'AAAA') } },
    ]) {
      const subject = [{ name: said.subject_name, sha256: said.subject_sha256 }]
      const signed = await signStatement(
        asked.on.ports.signers.approval,
        statementOf({ predicateType: PREDICATES.approval, subject, predicate }),
      )
      const forged = files.map((file) => (file === approval ? { ...file, bytes: signed.bytes } : file))
      const found = (await verifyPack(memoryReader(forged))).faults.join('\n')
      // It is not the one that the log knows; and were it, it would not count for want of the passkey.
      expect(found).toMatch(/PLAN_DRAFTED->PLANNED was passed without its approvals/)
      const about = { author: 'author@example.com', subjectSha256: said.subject_sha256 }
      const standing = outstanding(asked.on.ports.policy, 'PLAN_DRAFTED->PLANNED', [predicate], about)
      expect([standing.approved, standing.reasons.join('\n')]).toEqual([
        false,
        expect.stringMatching(/without the passkey|passkey signature/),
      ])
    }
  })

  it('a registration is good for one request and its page: replayed elsewhere it is refused', async () => {
    await opened()
    let sent = ''
    page.on('request', (request) => {
      if (request.method() === 'POST') sent = request.postData() ?? ''
    })
    await register()
    const passkey = new URLSearchParams(sent).get('passkey')!
    const { approvals } = asked.on.ports
    const [request] = await approvals.byProject(asked.projectId)
    const other = { ...request!, approval_id: 'a-other', approver: PEOPLE.qa_lead }
    await approvals.join(other)
    const { registrationLinkOf } = await import('../../layers/core/flow/asking.ts')
    const theirs = new URL(await registrationLinkOf(asked.on.ports, other))
    const csrf = /name="csrf" value="([^"]+)"/.exec(await (await fetch(theirs)).text())![1]!
    const replay = await post(theirs, new URLSearchParams({ t: theirs.searchParams.get('t')!, csrf, passkey, decision: 'register' }))
    expect(await heading(replay)).toEqual([403, 'The passkey did not sign this'])
    const { passkeysOf } = await import('../../functions/work/passkeys.ts')
    expect(await passkeysOf(asked.on.ports, PEOPLE.qa_lead)).toEqual([])
    expect((await chain(asked, 'PASSKEY_REFUSED')).map((entry) => entry.details.why)).toEqual(['passkey-refused'])
  })

  it('an authenticator that does not verify its person signs nothing', async () => {
    const link = await opened()
    await register()
    await authenticator.session.send('WebAuthn.setUserVerified', { authenticatorId: authenticator.id, isUserVerified: false })
    await approve(link)
    await page.waitForSelector('#passkey-status:not([hidden])')
    expect(await page.locator('#passkey-status').textContent()).toContain('Nothing was sent')
    expect((await stand(asked)).decided).toBe(0)
  })

  it('a signature is good for one request: replayed for another it is refused', async () => {
    const link = await opened()
    await register()
    let sent = ''
    page.on('request', (request) => {
      if (request.method() === 'POST') sent = request.postData() ?? ''
    })
    // Somebody in the middle keeps the signature and lets nothing through.
    await page.route(`**${link.pathname}`, (route) => (route.request().method() === 'POST' ? route.abort() : route.continue()))
    await approve(link)
    await until(async () => sent !== '')
    const passkey = new URLSearchParams(sent).get('passkey')!
    const { approvals } = asked.on.ports
    const [request] = await approvals.byProject(asked.projectId)
    const group = await approvals.group(request!.group_id)
    const again = { ...request!, approval_id: 'a-again', group_id: 'g-again' }
    await approvals.open({ ...group, group_id: 'g-again' }, [again])
    const { linkOf } = await import('../../layers/core/flow/asking.ts')
    const other = new URL(await linkOf(asked.on.ports, again))
    const before = await stand(asked)
    const response = await post(other, await filled(other, 'approve', { passkey }))
    expect([response.status, (await response.text()).includes('another request or another version')]).toEqual([403, true])
    expect(await stand(asked)).toEqual(before)
  })

  it('a passkey that was planted without the approval key’s signature does not count', async () => {
    const link = await opened()
    await register()
    const { artifacts } = asked.on.ports
    const [key] = await artifacts.list('projects/_people/passkeys/')
    const envelope = JSON.parse(Buffer.from(await artifacts.get((await artifacts.find(key!))!)).toString()) as {
      payload: string
      signatures: unknown
    }
    const planted = Buffer.from(envelope.payload, 'base64').toString().replace(PEOPLE.tech_lead, PEOPLE.security)
    const { passkeyKey, passkeysOf } = await import('../../functions/work/passkeys.ts')
    const bytes = Buffer.from(JSON.stringify({ ...envelope, payload: Buffer.from(planted).toString('base64') }))
    await artifacts.put(await passkeyKey(asked.on.ports, PEOPLE.security, 'planted'), bytes, {
      contentType: 'application/json',
      retainUntil: new Date(),
    })
    expect(await passkeysOf(asked.on.ports, PEOPLE.security)).toEqual([])
    // Nor does a whole statement of somebody else, moved.
    await artifacts.put(await passkeyKey(asked.on.ports, PEOPLE.security, 'moved'), await artifacts.get((await artifacts.find(key!))!), {
      contentType: 'application/json',
      retainUntil: new Date(),
    })
    expect(await passkeysOf(asked.on.ports, PEOPLE.security)).toEqual([])
    // A passkey belongs to one address: what may be another person's mailbox has none of it.
    const [local, domain] = PEOPLE.tech_lead.split('@')
    for (const alias of ['TechLead+x@example.com', 'techlead@example.com', `${local}+1@${domain}`, `T${local!.slice(1)}@${domain}`])
      expect([alias, await passkeysOf(asked.on.ports, alias)]).toEqual([alias, []])
    for (const same of [PEOPLE.tech_lead, ` ${local}@EXAMPLE.com `])
      expect([same, (await passkeysOf(asked.on.ports, same)).length]).toEqual([same, 1])
    // Nor does one that somebody registered under an alias and that was moved to the person's own place.
    const { approval } = asked.on.ports.signers
    const own = (await passkeysOf(asked.on.ports, PEOPLE.tech_lead))[0]!
    const predicate = { ...own, email: `${local}+x@${domain}`, credential_id: 'AAAA' }
    const subject = [{ name: 'passkey', sha256: 'a'.repeat(64) }]
    const { bytes: theirs } = await signStatement(approval, statementOf({ predicateType: PREDICATES.passkey, subject, predicate }))
    await artifacts.put(await passkeyKey(asked.on.ports, PEOPLE.tech_lead, 'AAAA'), theirs, {
      contentType: 'application/json',
      retainUntil: new Date(),
    })
    expect(await passkeysOf(asked.on.ports, PEOPLE.tech_lead)).toEqual([own])
    expect(link.hostname).toBe('localhost')
  })
})
