import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { renderPage } from '../../layers/core/approval-page/page.ts'
import { planSections } from '../../layers/core/approval-page/plan-words.ts'
import { reportHtml } from '../../layers/core/report/html.ts'
import { column, planOf } from '../core/support/plan.ts'
import { fixtureReport } from '../support/report-fixture.ts'
import { browserPath, openBrowser } from './support/browser.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PHONE = { width: 390, height: 844 }

const VIEW = {
  title: 'The old shop',
  consequence: 'If you approve, the plan is signed.',
  roleName: 'tech lead',
  approver: 'ann@example.com',
  author: 'bob@example.com',
  expiresAt: '2026-11-28T13:04:57.968Z',
  subjectName: 'migration_plan.json',
  subjectSha256: 'ab'.repeat(32),
  others: [],
  form: { action: '/approvals/a', linkToken: 't', formToken: 'c' },
}

function questionPage(): string {
  const question = {
    decision_id: 'zone',
    where: 'public.order_0.placed',
    question: 'Which time zone?',
    why: 'The old column has none.',
    choices: [{ choice: 'berlin', label: 'Berlin', consequence: 'Summer time is taken off.' }],
  }
  return renderPage({ ...VIEW, kind: 'decisions', asks: 'What is meant?', sections: [], questions: [question] })
}

/** Eleven tables, 46 columns; one column is masked. */
function longPlan(): string {
  const [table] = planOf().tables
  const tables = Array.from({ length: 11 }, (_, at) => ({
    ...table!,
    table_id: `t${at}`,
    source: { ...table!.source, name: `order_${at}` },
    target: { schema: 'crm', name: `customer_order_${at}` },
    columns: [
      ...Array.from({ length: 4 }, (_each, c) => column(`column_${c}`)),
      ...(at === 4 ? [column('email', { transform: { kind: 'mask_redact', value: 'x' } }), column('city')] : []),
    ],
  }))
  return renderPage({
    ...VIEW,
    kind: 'approval',
    asks: 'Do you approve this migration plan?',
    sections: planSections(planOf({ tables }), 400),
    questions: [],
  })
}

/** As in approval-page-browser.test.ts: with a Chromium of this machine, where there is one. */
describe.runIf(browserPath() !== null)('long pages, in a browser', { timeout: 60_000 }, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser.close())

  async function shown<T>(html: string, options: Parameters<Browser['newContext']>[0], look: (page: Page) => Promise<T>): Promise<T> {
    const context = await browser.newContext(options)
    try {
      const page = await context.newPage()
      await page.setContent(html)
      return await look(page)
    } finally {
      await context.close()
    }
  }

  it('a plan of 46 columns is a page of a few screens on a phone; the keyboard opens what is folded, without a script', async () => {
    const html = longPlan()
    expect(Buffer.byteLength(html)).toBeLessThan(100_000)
    await shown(html, { viewport: PHONE, javaScriptEnabled: false }, async (page) => {
      const height = async () => (await page.locator('body').boundingBox())!.height
      const folded = await height()
      expect(folded).toBeLessThan(8 * PHONE.height)
      expect(await page.getByRole('rowheader', { name: 'email' }).isVisible()).toBe(true)
      const city = page.getByRole('rowheader', { name: 'city' })
      expect(await city.isVisible()).toBe(false)
      await page.locator('summary', { hasText: '1 of 6 columns needs a look; show the other 5' }).focus()
      await page.keyboard.press('Enter')
      expect(await city.isVisible()).toBe(true)
      expect(await height()).toBeGreaterThan(folded)
    })
  })

  it.each(['as it comes', 'unfolded'])('axe finds nothing wrong with it %s', async (how) => {
    await shown(longPlan(), { viewport: PHONE }, async (page) => {
      if (how === 'unfolded') for (const summary of await page.locator('summary').all()) await summary.click()
      await page.evaluate(axe)
      const found = (await page.evaluate('axe.run(document)')) as { violations: { id: string }[]; passes: unknown[] }
      expect(found.violations.map(({ id }) => id)).toEqual([])
      expect(found.passes.length).toBeGreaterThan(10)
    })
  })

  const ink = `getComputedStyle(document.body).color`
  it('a printed plan holds every folded column and every question, dark on white, and nothing to press; without a script', async () => {
    await shown(longPlan(), { javaScriptEnabled: false, colorScheme: 'dark' }, async (page) => {
      const city = page.getByRole('rowheader', { name: 'city' })
      const press = page.locator('button').first()
      expect([await city.isVisible(), await press.isVisible()]).toEqual([false, true])
      await page.emulateMedia({ media: 'print' })
      expect(await page.locator('details.fold tbody tr:visible').count()).toBe(11 * 4 + 1)
      expect([await city.isVisible(), await press.isVisible(), await page.evaluate(ink)]).toEqual([true, false, 'rgb(28, 36, 48)'])
    })
    await shown(questionPage(), { javaScriptEnabled: false }, async (page) => {
      await page.emulateMedia({ media: 'print' })
      const seen = ['Which time zone?', 'Berlin', 'Send my answers'].map((text) =>
        page.getByText(text, { exact: false }).first().isVisible(),
      )
      expect(await Promise.all(seen)).toEqual([true, true, false])
    })
  })

  it('a printed report holds what was folded, dark on white, and lets no line of a command run off the paper', async () => {
    await shown(reportHtml(fixtureReport({ lost: [1] })), { javaScriptEnabled: false, colorScheme: 'dark' }, async (page) => {
      const reason = page.locator('details li').last()
      expect(await reason.isVisible()).toBe(false)
      await page.emulateMedia({ media: 'print' })
      expect([await reason.isVisible(), await page.evaluate(ink)]).toEqual([true, 'rgb(27, 35, 45)'])
      await page.setViewportSize({ width: 320, height: 800 })
      expect(await page.evaluate(`[...document.querySelectorAll('pre')].every((each) => each.scrollWidth <= each.clientWidth)`)).toBe(true)
    })
  })

  it('a table of the report that is wider than the screen says that there is more, on the screen alone', async () => {
    const hints = `[...document.querySelectorAll('.scroll')].map((each) => {
      const hint = getComputedStyle(each, '::before')
      return { wide: each.scrollWidth > each.clientWidth, told: hint.display !== 'none' && hint.visibility === 'visible' && parseFloat(hint.height) > 0 }
    })`
    type Hint = { wide: boolean; told: boolean }
    const html = reportHtml(fixtureReport({ lost: [1] }))
    const ofWidth = (width: number) =>
      shown(html, { viewport: { width, height: 800 } }, async (page) => ({
        screen: (await page.evaluate(hints)) as Hint[],
        paper: await page.emulateMedia({ media: 'print' }).then(async () => (await page.evaluate(hints)) as Hint[]),
      }))
    const [phone, desk] = [await ofWidth(390), await ofWidth(1280)]
    expect(phone.screen.some(({ wide }) => wide)).toBe(true)
    for (const { wide, told } of [...phone.screen, ...desk.screen]) expect(told).toBe(wide)
    for (const { told } of [...phone.paper, ...desk.paper]) expect(told).toBe(false)
  })
})
