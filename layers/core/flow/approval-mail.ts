import { escapeMarkup, moment, unlinked, visible } from '../approval-page/visible-text.ts'
import type { Mail } from '../ports.ts'
import { moment as exactly } from '../report/markup.ts'
import type { ApprovalRequest } from '../schemas/governance.ts'
import type { ProjectRecord } from '../schemas/project.ts'
import { DECISION_WORDS, roleInWords, TRANSITION_WORDS } from './approval-words.ts'

/** Why somebody gets a link now. */
export type Occasion =
  | { kind: 'asked' }
  | { kind: 'reminded'; since: string }
  | { kind: 'escalated'; from: string }
  | { kind: 'delegated'; by: string }
  | { kind: 'withdrawn' }

/** The first sentence, and what is put before the subject; nothing before a first invitation. */
function opening(occasion: Occasion): { prefix: string; says: string | null } {
  switch (occasion.kind) {
    case 'asked':
      return { prefix: '', says: null }
    case 'reminded':
      return { prefix: 'Reminder: ', says: `You were asked on ${moment(occasion.since)} and have not decided yet.` }
    case 'escalated':
      return {
        prefix: 'Waiting for you: ',
        says: `${visible(occasion.from, 254)} has not decided in time, so you are asked too. Whichever of you decides first, decides.`,
      }
    case 'delegated':
      return {
        prefix: 'Handed on to you: ',
        says: `${visible(occasion.by, 254)} was asked and handed this on to you. You decide in your own name.`,
      }
    case 'withdrawn':
      return { prefix: 'Open again: ', says: 'You withdrew your approval. Nothing goes on until you decide again, with this link.' }
  }
}

/** Text and HTML of one mail. Names in it are hostile: hidden characters are shown, markup is escaped, and no header takes a line break. */
export function approvalMail(
  project: Pick<ProjectRecord, 'title' | 'author'>,
  request: ApprovalRequest,
  occasion: Occasion,
  links: { page: string; passkey: string | null },
): Mail {
  const { asks, consequence } = request.transition === null ? DECISION_WORDS : TRANSITION_WORDS[request.transition]
  const { prefix, says } = opening(occasion)
  const title = unlinked(project.title, 120)
  const until = moment(request.expires_at)
  const role = roleInWords(request.role)
  const lines = [
    ...(says === null ? [] : [says]),
    asks,
    `Migration: ${title}`,
    ...aboutLines(request),
    `You are asked as ${role}. ${consequence}`,
    `Open until ${until}:`,
    links.page,
    ...(links.passkey === null
      ? []
      : [
          'This decision needs a passkey. If you have none here yet, register one first (fingerprint, face or PIN; one minute):',
          links.passkey,
        ]),
    'The link is yours alone; please do not pass it on. Opening it changes nothing.',
    `What you decide on: ${request.subject_name}, SHA-256 ${request.subject.sha256}`,
    `Questions: ${visible(project.author, 254)}, who wrote the plan.`,
  ]
  return {
    to: request.approver,
    subject: `${prefix}${asks} ${title}`.slice(0, 180),
    text: `${lines.join('\n\n')}\n`,
    html: htmlOf(lines, asks, links),
  }
}

/** How old what is decided on is; and which questions wait, by the ids that a spec answers them by. */
function aboutLines({ proof_made_at: made, questions }: ApprovalRequest): string[] {
  if (made !== undefined)
    return [`The proof was made on ${exactly(Date.parse(made))}. What was written to either side since then it does not know.`]
  if (questions === undefined) return []
  const { count, ids } = questions
  const more = count > ids.length ? ` and ${count - ids.length} more` : ''
  return [`${count === 1 ? 'One question waits' : `${count} questions wait`} for you: ${ids.join(', ')}${more}.`]
}

const PARAGRAPH = 'margin:0 0 16px;overflow-wrap:anywhere'

/** Inline styles only, no picture, nothing from anywhere: mail programs drop the rest, and nobody learns that it was opened. */
function htmlOf(lines: readonly string[], asks: string, links: { page: string; passkey: string | null }): string {
  const body = lines.map((line) => {
    if (line === links.page)
      return `<p style="${PARAGRAPH}"><a href="${escapeMarkup(line)}" style="display:inline-block;padding:12px 24px;border-radius:6px;background:#0b5394;color:#ffffff;font-weight:bold;text-decoration:none">Read and decide</a></p>`
    if (line === links.passkey)
      return `<p style="${PARAGRAPH}"><a href="${escapeMarkup(line)}" style="color:#0b5394">Register a passkey</a></p>`
    if (line === asks) return `<h1 style="font-size:22px;line-height:1.3;margin:0 0 16px">${escapeMarkup(line)}</h1>`
    return `<p style="${PARAGRAPH}">${escapeMarkup(line)}</p>`
  })
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeMarkup(asks)}</title></head>
<body style="margin:0;padding:24px;background:#ffffff;color:#1c2430;font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif"><div style="max-width:600px;margin:0 auto">
<p style="margin:0 0 8px;color:#4c5a6b;font-size:14px">Waybill</p>
${body.join('\n')}
</div></body></html>`
}
