import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { linkIn, recipientOf } from '../mail.ts'

/** What a demo approver did with one mail. */
export type DemoDecision = { approver: string; what: string; status: number }

function attribute(tag: string, name: string): string | null {
  const value = tag.match(new RegExp(`\\s${name}="([^"]*)"`))?.[1]
  return (
    value?.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&') ??
    null
  )
}

function fillIn(page: string): { action: string; fields: URLSearchParams; what: string } | null {
  const form = page.match(/<form\b[\s\S]*?<\/form>/)?.[0]
  if (form === undefined) return null
  const fields = new URLSearchParams()
  for (const [tag] of form.matchAll(/<input\b[^>]*>/g)) {
    const name = attribute(tag, 'name')
    const value = attribute(tag, 'value') ?? ''
    if (name === null) continue
    const type = attribute(tag, 'type')
    if (type === 'hidden') fields.set(name, value)
    if (type === 'radio' && !fields.has(name)) fields.set(name, value)
  }
  const digest = page.match(/class="digest">(.*?)<\/dd>/s)?.[1]?.replace(/<[^>]*>/g, '') ?? ''
  fields.set('digest_prefix', digest.slice(0, 8))
  const answering = /<button[^>]*value="answer"/.test(form)
  fields.set('decision', answering ? 'answer' : 'approve')
  return {
    action: attribute(form.match(/<form\b[^>]*>/)![0], 'action') ?? '',
    fields,
    what: answering ? 'answered the open questions' : 'approved',
  }
}

async function decide(link: string, approver: string): Promise<DemoDecision> {
  const page = await fetch(link)
  const filled = fillIn(await page.text())
  if (page.status !== 200 || filled === null) return { approver, what: 'found nothing to decide', status: page.status }
  const answer = await fetch(new URL(filled.action, link), {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: new URL(link).origin },
    body: filled.fields,
  })
  await answer.arrayBuffer()
  return { approver, what: answer.ok ? filled.what : 'was refused', status: answer.status }
}

/**
 * The demo's approvers: read every new mail of the outbox, open its link, read the page, fill in the form and post it,
 * as a browser does for a person. Runs until the signal.
 */
export async function approveByMail(outbox: string, signal: AbortSignal, onDecision: (decision: DemoDecision) => void): Promise<void> {
  const opened = new Set<string>()
  while (!signal.aborted) {
    const mails = (await readdir(outbox).catch(() => [])).filter((name) => name.endsWith('.eml') && !opened.has(name)).sort()
    for (const name of mails) {
      const message = await readFile(join(outbox, name), 'utf8')
      const link = linkIn(message)
      // The page is away while the command is being resumed; the mail stays unread until it is back.
      const decision = link === null ? null : await decide(link, recipientOf(message) ?? 'unknown').catch(() => undefined)
      if (decision === undefined) continue
      opened.add(name)
      if (decision !== null) onDecision(decision)
    }
    await sleep(150, undefined, { signal }).catch(() => {})
  }
}
