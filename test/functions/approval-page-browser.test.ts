import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Policy } from '../../layers/core/schemas/policy.ts'
import { type Asked, askedFor } from './support/asked.ts'
import { browserPath, openBrowser } from './support/browser.ts'
import { linkIn, PEOPLE } from './support/story.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/**
 * The pages in a real browser. They need a Chromium on the machine (`apt-get install chromium`, or WAYBILL_CHROMIUM); none is downloaded,
 * and where there is none these tests do not run. What the server does is tested over plain HTTP in approval-page.test.ts, everywhere.
 */
describe.runIf(browserPath() !== null)('in a browser', () => {
  let browser: Browser
  let asked: Asked | undefined
  let context: BrowserContext | undefined
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser.close())

  async function opened(options: {
    to: string
    ask?: boolean
    script: boolean
    width?: number
    dark?: boolean
    title?: string
  }): Promise<Page> {
    asked = await askedFor((mail) => mail.to === options.to, {
      spec: { ask: options.ask ?? false, ...(options.title ? { title: options.title } : {}) },
    })
    context = await browser.newContext({
      javaScriptEnabled: options.script,
      viewport: { width: options.width ?? 1200, height: 900 },
      colorScheme: options.dark ? 'dark' : 'light',
      bypassCSP: options.script,
    })
    const page = await context.newPage()
    await page.goto(linkIn(asked.mail(options.to)).href)
    return page
  }
  async function shut(): Promise<void> {
    await context?.close()
    await asked?.close()
  }

  it('without script and with nothing but the keyboard, a plan is approved', async () => {
    const page = await opened({ to: PEOPLE.tech_lead, script: false })
    const prefix = (await page.locator('.digest b').textContent())!
    // The first stop leads past the top of the page.
    await page.keyboard.press('Tab')
    expect(await page.locator(':focus').textContent()).toBe('Skip to the content')
    await tabTo(page, '#digest_prefix')
    await page.keyboard.type(prefix)
    await tabTo(page, 'button[value=approve]')
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
    expect(await page.locator('h1').textContent()).toBe('Approved')
    const [request] = (await asked!.on.ports.approvals.byProject(asked!.projectId)).filter((each) => each.role === 'tech_lead')
    expect(request?.decision).toBe('APPROVED')
    await shut()
  })

  it('without script and with nothing but the keyboard, questions are answered', async () => {
    const page = await opened({ to: PEOPLE.tech_lead, ask: true, script: false })
    await tabTo(page, 'input[type=radio]')
    await page.keyboard.press('Space')
    await tabTo(page, '#digest_prefix')
    await page.keyboard.type((await page.locator('.digest b').textContent())!)
    await tabTo(page, 'button[value=answer]')
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
    expect(await page.locator('h1').textContent()).toBe('Answers stored')
    await shut()
  })

  it('a rejection without a reason comes back and says so', async () => {
    const page = await opened({ to: PEOPLE.qa_lead, script: false })
    await page.fill('#digest_prefix', (await page.locator('.digest b').textContent())!)
    await Promise.all([page.waitForNavigation(), page.click('button[value=reject]')])
    expect(await page.locator('[role=alert]').textContent()).toContain('Say why you reject')
    await page.fill('#digest_prefix', (await page.locator('.digest b').textContent())!)
    await page.fill('#reason', 'Two tables are missing.')
    await Promise.all([page.waitForNavigation(), page.click('button[value=reject]')])
    expect(await page.locator('h1').textContent()).toBe('Rejected')
    await shut()
  })

  const looks = [
    { to: PEOPLE.tech_lead, what: 'the plan', options: {} },
    { to: PEOPLE.tech_lead, what: 'the plan, in the dark', options: { dark: true } },
    { to: PEOPLE.tech_lead, what: 'the questions, on a phone', options: { ask: true, width: 390 } },
    { to: PEOPLE.qa_lead, what: 'the proof, on a phone in the dark', options: { width: 390, dark: true } },
    { to: PEOPLE.release_manager, what: 'the runbook', options: {} },
    { to: PEOPLE.tech_lead, what: 'a hostile title, on a narrow phone', options: { width: 320, title: 'W'.repeat(190) } },
  ]
  for (const { to, what, options } of looks) {
    it(`axe finds nothing wrong with ${what}, and it is not wider than the screen`, async () => {
      const page = await opened({ to, script: true, ...options })
      await page.evaluate(axe)
      const found = (await page.evaluate('axe.run(document)')) as { violations: { id: string; nodes: unknown[] }[]; passes: unknown[] }
      expect(found.violations.map(({ id, nodes }) => `${id} ${JSON.stringify(nodes).slice(0, 300)}`)).toEqual([])
      expect(found.passes.length).toBeGreaterThan(10)
      expect(await page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth')).toBe(true)
      await shut()
    })
  }

  const asking = {
    passkey_roles: ['tech_lead' as const],
    delegation: { roles: ['tech_lead' as const], at_most: 1 },
  }
  const more: { what: string; width: number; url: () => string; policy?: Partial<Policy>; waiting?: string; open?: boolean }[] = [
    { what: 'a plan that needs a passkey', width: 390, url: () => at(PEOPLE.tech_lead), policy: { asking } },
    {
      what: 'a plan that may be handed on',
      width: 390,
      url: () => at(PEOPLE.tech_lead),
      policy: { asking: { delegation: asking.delegation } },
      open: true,
    },
    {
      what: 'the page that registers a passkey',
      width: 390,
      url: () => at(PEOPLE.tech_lead, /http\S+\/passkeys\/\S+/),
      policy: { asking },
    },
    { what: 'an approval that can be withdrawn', width: 390, url: () => at(PEOPLE.tech_lead), waiting: PEOPLE.security, open: true },
    { what: 'a page that nobody is asked on', width: 1200, url: () => `${asked!.server.url}/approvals/a-unknown` },
  ]
  const at = (to: string, pattern = /http\S+\/approvals\/\S+/) => pattern.exec(asked!.mail(to).text)![0]
  for (const { what, width, url, policy, waiting, open } of more) {
    it(`axe finds nothing wrong with ${what}`, async () => {
      asked = await askedFor((mail) => mail.to === (waiting ?? PEOPLE.tech_lead), { host: 'localhost', ...(policy ? { policy } : {}) })
      context = await browser.newContext({ viewport: { width, height: 900 }, bypassCSP: true })
      const page = await context.newPage()
      await page.goto(url())
      if (open) await page.click('summary')
      await page.evaluate(axe)
      const found = (await page.evaluate('axe.run(document)')) as { violations: { id: string; nodes: unknown[] }[] }
      expect(found.violations.map(({ id, nodes }) => `${id} ${JSON.stringify(nodes).slice(0, 300)}`)).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth')).toBe(true)
      await shut()
    })
  }

  it('without script a page that needs a passkey says what is needed, and rejects', async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.tech_lead, { host: 'localhost', policy: { asking } })
    context = await browser.newContext({ javaScriptEnabled: false })
    const page = await context.newPage()
    await page.goto(at(PEOPLE.tech_lead, /http\S+\/passkeys\/\S+/))
    expect(await page.locator('noscript').first().textContent()).toContain('This needs JavaScript')
    await page.goto(at(PEOPLE.tech_lead))
    await page.fill('#digest_prefix', (await page.locator('.digest b').textContent())!)
    await page.fill('#reason', 'Not like this.')
    await Promise.all([page.waitForNavigation(), page.click('button[value=reject]')])
    expect(await page.locator('h1').textContent()).toBe('Rejected')
    await shut()
  })

  it('without script and with nothing but the keyboard, a request is handed on', async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.tech_lead, { policy: { asking: { delegation: asking.delegation } } })
    context = await browser.newContext({ javaScriptEnabled: false })
    const page = await context.newPage()
    await page.goto(at(PEOPLE.tech_lead))
    await tabTo(page, 'summary')
    await page.keyboard.press('Enter')
    await tabTo(page, '#delegate_to')
    await page.keyboard.type('carl@example.com')
    await tabTo(page, 'button[value=delegate]')
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
    expect(await page.locator('h1').textContent()).toBe('Handed on')
    expect(asked.mail('carl@example.com').text).toContain(PEOPLE.tech_lead)
    await shut()
  })

  it('loads nothing but itself', async () => {
    asked = await askedFor((mail) => mail.to === PEOPLE.tech_lead)
    context = await browser.newContext()
    const page = await context.newPage()
    const seen: string[] = []
    page.on('request', (request) => seen.push(request.url()))
    page.on('console', (message) => seen.push(message.text()))
    const link = linkIn(asked.mail(PEOPLE.tech_lead)).href
    await page.goto(link)
    // Browsers ask for a favicon by themselves; nothing else may be asked for.
    expect(seen.filter((url) => !url.endsWith('/favicon.ico') && !url.startsWith('Failed to load resource'))).toEqual([link])
    await shut()
  })
})

async function tabTo(page: Page, selector: string): Promise<void> {
  for (let stops = 0; stops < 60; stops++) {
    if (await page.locator(`${selector}:focus`).count()) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`the keyboard does not get to ${selector}`)
}
