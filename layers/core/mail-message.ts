import { z } from 'zod'
import { WaybillError } from './errors.ts'
import type { Mail } from './ports.ts'

/**
 * A message fit to be sent: one recipient, and a subject of one line of at most 300 characters.
 * Threat: titles and names come from specs. A line break in a header would add headers or a second recipient.
 * @throws BAD_INPUT for anything but one e-mail address
 */
export function safeMail(mail: Mail): Mail {
  const to = z.email().max(254).safeParse(mail.to)
  if (!to.success) throw new WaybillError('BAD_INPUT', 'A message goes to one e-mail address; this is not one.')
  return { to: to.data, subject: oneLine(mail.subject).slice(0, 300), text: mail.text, html: mail.html }
}

/** Control characters and line ends of every kind become spaces. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim()
}
