import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { chase } from '../../functions/decide/chase.ts'
import { tellOutcomes } from '../../functions/decide/outbox.ts'
import { withdrawPlan } from '../../functions/decide/withdrawal.ts'
import { keyOf } from '../../layers/core/flow/storing.ts'
import type { HttpRequest, HttpResponse, Mail } from '../../layers/core/ports.ts'
import { type HttpServer, serveLoopback } from '../../layers/local/http-server.ts'
import { browserPath, openBrowser } from './support/browser.ts'
import { type TestPlatform, testPlatform } from './support/platform.ts'
import { PEOPLE, specText, tell, yes } from './support/story.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const AUTHOR = 'author@example.com'
const MANAGER = 'mara.manager@example.com'

/** As in approval-page-browser.test.ts: with a Chromium of this machine, where there is one. */
describe.runIf(browserPath() !== null)('pages about a whole plan, in a browser', { timeout: 60_000 }, () => {
  let browser: Browser
  let context: BrowserContext | undefined
  let on: TestPlatform
  let server: HttpServer
  let id: string
  let end: Promise<unknown>
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser.close())
  afterEach(async () => {
    await context?.close()
    const project = await on.ports.projects.get(id)
    // Nobody waits any more when the platform ends.
    if (project.state === 'PLANNED') await withdrawPlan(on.ports, project, 'the test is over')
    await tellOutcomes(on.ports, id)
    await end
    await server.close()
    await on.close()
  })

  async function started(change: (spec: Record<string, unknown> & { approvers: object[] }) => void): Promise<void> {
    let serve: (request: HttpRequest) => Promise<HttpResponse> = () => Promise.reject(new Error('too early'))
    server = await serveLoopback(0, (request) => serve(request))
    const waivers = { role: 'engineering_manager', rules: ['tolerance-validator'], severities: ['ERROR'], max_days: 30 } as const
    on = await testPlatform({
      publicUrl: server.url,
      policy: { waivers: { ...waivers, rules: [...waivers.rules], severities: [...waivers.severities] } },
    })
    serve = on.http
    id = `b${process.pid}-${on.home.length}`
    const spec = JSON.parse(specText({ title: 'Items from the old shop to the new one, with names that are long' }))
    change(spec)
    await on.ports.artifacts.put(keyOf(id, 'spec', '1'), Buffer.from(JSON.stringify(spec)), {
      contentType: 'application/json',
      retainUntil: new Date(),
    })
  }
  const mailed = (to: string, page: string) =>
    on.mails.filter((mail) => mail.to === to).flatMap((mail) => new RegExp(`https?://\\S+/${page}/\\S+`).exec(mail.text) ?? [])

  const links = {
    async waivers(): Promise<string> {
      await started((spec) => {
        spec.rollback_config = { auto_rollback_enabled: true, bps_rollback_threshold: 0.5 }
        spec.approvers.push({ role: 'engineering_manager', email: MANAGER })
      })
      end = tell(on, id)
      await end
      await chase(on.ports)
      return mailed(MANAGER, 'waivers').at(-1)!
    },
    async plans(): Promise<string> {
      await started(() => {})
      end = tell(on, id, (mail: Mail) => (mail.to === PEOPLE.security ? null : yes(mail)))
      while (mailed(AUTHOR, 'plans').length === 0 || mailed(PEOPLE.security, 'approvals').length === 0)
        await new Promise((resolve) => setTimeout(resolve, 5))
      return mailed(AUTHOR, 'plans').at(-1)!
    },
  }

  async function opened(which: keyof typeof links, options: { script: boolean; width?: number; dark?: boolean }): Promise<Page> {
    const link = await links[which]()
    context = await browser.newContext({
      javaScriptEnabled: options.script,
      viewport: { width: options.width ?? 1200, height: 900 },
      colorScheme: options.dark ? 'dark' : 'light',
      bypassCSP: options.script,
    })
    const page = await context.newPage()
    await page.goto(link)
    return page
  }

  for (const script of [false, true]) {
    it(`${script ? 'with' : 'without'} script and with nothing but the keyboard, a finding is waived`, async () => {
      const page = await opened('waivers', { script })
      const prefix = (await page.locator('.digest b').textContent())!
      await page.keyboard.press('Tab')
      expect(await page.locator(':focus').textContent()).toBe('Skip to the content')
      await tabTo(page, '#days')
      await page.keyboard.press('ControlOrMeta+a')
      await page.keyboard.type('3')
      await tabTo(page, '#reason')
      await page.keyboard.type('The old system stays for a week.')
      await tabTo(page, '#digest_prefix')
      await page.keyboard.type(prefix)
      await tabTo(page, 'button[value=waive]')
      await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
      expect(await page.locator('h1').textContent()).toBe('Waived')
      const [signed] = (await on.ports.audit.read(id)).filter(({ action }) => action === 'WAIVER_SIGNED')
      const days = (Date.parse(signed!.details.until!) - Date.parse(signed!.at)) / 86_400_000
      expect([signed?.actor, Math.round(days)]).toEqual([MANAGER, 3])
    })

    it(`${script ? 'with' : 'without'} script and with nothing but the keyboard, the author withdraws the plan`, async () => {
      const page = await opened('plans', { script })
      const prefix = (await page.locator('.digest b').textContent())!
      await tabTo(page, '#reason')
      await page.keyboard.type('The source is frozen for the audit.')
      await tabTo(page, '#digest_prefix')
      await page.keyboard.type(prefix)
      await tabTo(page, 'button[value=withdraw-plan]')
      await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
      expect(await page.locator('h1').textContent()).toBe('Plan withdrawn')
      await end
      expect([(await on.ports.projects.get(id)).state, on.systems.touched]).toEqual(['REJECTED', []])
    })
  }

  it('a form with faults comes back, says so, and keeps what was typed', async () => {
    const page = await opened('waivers', { script: false, width: 390 })
    await page.fill('#reason', 'It stays <b>.')
    await page.fill('#digest_prefix', '00000000')
    await page.fill('#days', '4')
    await Promise.all([page.waitForNavigation(), page.click('button[value=waive]')])
    expect(await page.locator('[role=alert]').textContent()).toContain('not the first 8')
    expect([await page.inputValue('#reason'), await page.inputValue('#days')]).toEqual(['It stays <b>.', '4'])
    expect(await on.ports.artifacts.list(`projects/${id}/waivers/`)).toEqual([])
  })

  const looks = [
    { which: 'waivers', width: 1200, dark: false },
    { which: 'waivers', width: 390, dark: false },
    { which: 'waivers', width: 320, dark: true },
    { which: 'plans', width: 1200, dark: true },
    { which: 'plans', width: 390, dark: false },
  ] as const
  for (const { which, width, dark } of looks) {
    it(`axe finds nothing wrong with ${which} at ${width} pixels${dark ? ' in the dark' : ''}, and it loads nothing but itself`, async () => {
      const page = await opened(which, { script: true, width, dark })
      const seen: string[] = []
      page.on('request', (request) => seen.push(request.url()))
      await page.reload()
      expect(seen.filter((url) => !url.endsWith('/favicon.ico'))).toEqual([page.url()])
      await page.evaluate(axe)
      const found = (await page.evaluate('axe.run(document)')) as { violations: { id: string; nodes: unknown[] }[]; passes: unknown[] }
      expect(found.violations.map(({ id: rule, nodes }) => `${rule} ${JSON.stringify(nodes).slice(0, 300)}`)).toEqual([])
      expect(found.passes.length).toBeGreaterThan(10)
      expect(await page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth')).toBe(true)
    })
  }
})

async function tabTo(page: Page, selector: string): Promise<void> {
  for (let stops = 0; stops < 60; stops++) {
    if (await page.locator(`${selector}:focus`).count()) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`the keyboard does not get to ${selector}`)
}
