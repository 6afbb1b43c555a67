import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, BrowserContext } from 'playwright-core'
import type { Emulator } from './ministack.ts'

/** What somebody did with a mail, and what the page then said. */
/** `thinking`: the spans in which Waybill waited for them, in ms since 1970: until they opened the mail, and while they read the page. */
export type Decision = { to: string; asked: string; said: string; thinking: readonly Span[] }
export type Span = { from: number; to: number }
export type Mail = { to: string; subject: string; text: string; sentAt: number }

/** Every mail the emulator took, oldest first. Bodies are as they were sent, before any transfer encoding. */
export async function mails(emulator: Emulator): Promise<Mail[]> {
  const response = await fetch(`${emulator.url}/_ministack/ses/messages`)
  const { messages } = (await response.json()) as {
    messages: Record<string, { To: string[]; Subject: string; BodyText: string; Timestamp: number }[]>
  }
  return Object.values(messages)
    .flat()
    .map(({ To, Subject, BodyText, Timestamp }) => ({ to: To[0] ?? '', subject: Subject, text: BodyText, sentAt: Timestamp * 1000 }))
}

/** The link a mail asks to open. */
const linkOf = ({ text }: Mail, page = 'approvals') => new RegExp(`https?://\\S+/${page}/\\S+`).exec(text)?.[0] ?? null

/**
 * Approvers: read every new mail, open its link in a browser, type the digest's beginning, press the button. Runs until the signal.
 * Mails that somebody `leaves` stay unread. `earlier`: what was mailed before is read too.
 * @throws whatever a page threw: who waits for a decision must wait for this too
 */
export async function approveByMail(
  emulator: Emulator,
  browser: Browser,
  signal: AbortSignal,
  leaves: (mail: Mail) => boolean = () => false,
  earlier = false,
): Promise<Decision[]> {
  const opened = new Set(earlier ? [] : (await mails(emulator)).map((mail) => linkOf(mail)))
  const decisions: Decision[] = []
  const context = await browser.newContext({ javaScriptEnabled: false })
  while (!signal.aborted) {
    for (const mail of await mails(emulator)) {
      const link = linkOf(mail)
      if (link === null || opened.has(link) || leaves(mail)) continue
      opened.add(link)
      const unread = { from: mail.sentAt, to: Date.now() }
      const { said, reading } = await decide(context, link)
      decisions.push({ to: mail.to, asked: mail.subject, said, thinking: [unread, reading] })
    }
    await sleep(300, undefined, { signal }).catch(() => {})
  }
  await context.close()
  return decisions
}

async function decide(context: BrowserContext, link: string): Promise<{ said: string; reading: Span }> {
  const page = await context.newPage()
  await page.goto(link)
  const from = Date.now()
  const form = page.locator('#decide')
  const heading = async () => (await page.locator('h1').textContent()) ?? ''
  if ((await form.count()) === 0) throw new Error(`A mailed link opened a page without a form: ${await heading()}`)
  await page.fill('#digest_prefix', (await page.locator('.digest b').first().textContent()) ?? '')
  const answering = (await form.locator('button[value=answer]').count()) > 0
  for (const group of await form.locator('fieldset').all()) await group.locator('input[type=radio]').first().check()
  const reading = { from, to: Date.now() }
  await form.locator(`button[value=${answering ? 'answer' : 'approve'}]`).click()
  await page.locator('#digest_prefix').waitFor({ state: 'detached' })
  const said = await heading()
  await page.close()
  return { said, reading }
}

/** Waits for the mail that offers somebody to waive a finding. @returns its link */
export async function waiverLink(emulator: Emulator, to: string): Promise<string> {
  for (;;) {
    const link = (await mails(emulator)).filter((mail) => mail.to === to).map((mail) => linkOf(mail, 'waivers'))[0]
    if (typeof link === 'string') return link
    await sleep(300)
  }
}

/** Opens an address and presses nothing. */
export async function look(browser: Browser, link: string): Promise<{ status: number; text: string }> {
  const page = await browser.newPage()
  const response = await page.goto(link)
  const text = await page.content()
  await page.close()
  return { status: response?.status() ?? 0, text }
}

/** Opens the link, takes responsibility for the first finding, and presses the button. @returns what the page said before and after */
export async function waive(browser: Browser, link: string, reason: string): Promise<{ read: string; said: string }> {
  const context = await browser.newContext({ javaScriptEnabled: false })
  const page = await context.newPage()
  await page.goto(link)
  const read = (await page.locator('main').textContent()) ?? ''
  await page.fill('#reason', reason)
  await page.fill('#digest_prefix', (await page.locator('.digest b').first().textContent()) ?? '')
  await page.locator('button[value=waive]').click()
  await page.locator('#digest_prefix').waitFor({ state: 'detached' })
  const said = (await page.locator('h1').textContent()) ?? ''
  await context.close()
  return { read, said }
}
