import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser } from 'playwright-core'
import { linkIn } from '../../../cli/mail.ts'
import type { Emulator } from './ministack.ts'

export type Decision = { to: string; heading: string }

/** Every link that was mailed, with whom it was mailed to. */
async function linksMailed(emulator: Emulator): Promise<{ to: string; link: string }[]> {
  const response = await fetch(`${emulator.url}/_ministack/ses/messages`)
  const { messages } = (await response.json()) as { messages: Record<string, { To: string[]; BodyText: string }[]> }
  return Object.values(messages)
    .flat()
    .flatMap(({ To, BodyText }) => {
      const link = linkIn(BodyText)
      return link === null ? [] : [{ to: To[0] ?? '', link }]
    })
}

/** Approvers: read every new mail, open its link in a browser, type the digest's beginning, press the button. Runs until the signal. */
export async function approveByMail(emulator: Emulator, browser: Browser, signal: AbortSignal): Promise<Decision[]> {
  const opened = new Set<string>()
  const decisions: Decision[] = []
  const context = await browser.newContext({ javaScriptEnabled: false })
  while (!signal.aborted) {
    for (const { to, link } of await linksMailed(emulator)) {
      if (opened.has(link)) continue
      opened.add(link)
      const page = await context.newPage()
      await page.goto(link)
      if ((await page.locator('#digest_prefix').count()) > 0) {
        await page.fill('#digest_prefix', (await page.locator('.digest b').first().textContent()) ?? '')
        const answering = (await page.locator('button[value=answer]').count()) > 0
        if (answering)
          for (const group of await page.locator('fieldset').all()) {
            const radio = group.locator('input[type=radio]').first()
            if ((await radio.count()) > 0) await radio.check()
          }
        await Promise.all([page.waitForNavigation(), page.locator(`button[value=${answering ? 'answer' : 'approve'}]`).click()])
      }
      decisions.push({ to, heading: (await page.locator('h1').textContent()) ?? '' })
      await page.close()
    }
    await sleep(300, undefined, { signal }).catch(() => {})
  }
  await context.close()
  return decisions
}
