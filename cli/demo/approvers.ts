import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a demo approver did with one mail. */
export type DemoDecision = { approver: string; what: string; status: number }

/** Undoes quoted-printable, the form in which mail programs send long lines. */
function unquoted(text: string): string {
  return text.replace(/=\r?\n/g, '').replace(/=([0-9A-F]{2})/g, (_match, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

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
  const digest = page.replace(/<[^>]*>/g, '').match(/\b[0-9a-f]{64}\b/)?.[0] ?? ''
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
      opened.add(name)
      const mail = unquoted(await readFile(join(outbox, name), 'utf8'))
      const approver = mail.match(/^To: .*?([^\s<>]+@[^\s<>]+)/m)?.[1] ?? 'unknown'
      const link = mail.match(/https?:\/\/127\.0\.0\.1:\d+\/approvals\/[^\s"<>]+/)?.[0]
      if (link !== undefined) onDecision(await decide(link, approver))
    }
    await sleep(150, undefined, { signal }).catch(() => {})
  }
}
