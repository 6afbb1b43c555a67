import type { HttpResponse } from '../ports.ts'
import { document, htmlResponse } from './page.ts'
import { escaped } from './visible-text.ts'

/** One clear page for each way a decision cannot be taken, or was. `changed`: the subject is not what the link was sent for. */
const NOTICES = {
  unknown: {
    status: 404,
    title: 'There is no such request',
    says: 'The address may have been cut off in the e-mail. Open the link again as a whole, or ask the author of the migration to send it again.',
  },
  'bad-link': {
    status: 403,
    title: 'This link does not open this request',
    says: 'It was changed, or it was sent to somebody else. Use the link from your own e-mail. Nothing was changed.',
  },
  expired: {
    status: 410,
    title: 'This request has expired',
    says: 'The time to decide has passed and nothing was changed. The author can start the step again; you then get a new link.',
  },
  decided: { status: 409, title: 'This was decided already', says: 'The first decision stands and cannot be changed here.' },
  changed: {
    status: 409,
    title: 'What you were asked about has changed',
    says: 'The file this link was sent for has been replaced by a newer one. Your decision would be about something that no longer applies, so nothing was changed. Wait for a new link.',
  },
  over: { status: 410, title: 'This step is over', says: 'A decision here would have no effect any more, so nothing was changed.' },
  'not-allowed': {
    status: 403,
    title: 'You cannot take this decision',
    says: 'Each approval needs a different person, and none of them may be the author. Ask for somebody else to be named for this role. Nothing was changed.',
  },
  'bad-origin': {
    status: 403,
    title: 'This did not come from the approval page',
    says: 'A decision is accepted only from the page itself. Open the link from your e-mail and decide there. Nothing was changed.',
  },
  'stale-form': {
    status: 403,
    title: 'The page was open for too long',
    says: 'For your safety a page can be sent for a few hours only. Open the link from your e-mail again. Nothing was changed.',
  },
  'too-large': {
    status: 413,
    title: 'That was too much text',
    says: 'Shorten the reason to 2,000 characters and send it again. Nothing was changed.',
  },
  'bad-form': {
    status: 400,
    title: 'The form could not be read',
    says: 'Open the link from your e-mail and decide there. Nothing was changed.',
  },
  'not-found': { status: 404, title: 'There is nothing here', says: 'Approval pages are opened with the link from your e-mail.' },
  method: { status: 405, title: 'This address cannot be used like that', says: 'Open the link from your e-mail. Nothing was changed.' },
  trouble: {
    status: 500,
    title: 'Something went wrong on our side',
    says: 'Please try again in a few minutes. If your decision was already stored, it stands, and this page will say so.',
  },
  APPROVED: { status: 200, title: 'Approved', says: 'Your approval is signed and stored. You can close this page.' },
  REJECTED: {
    status: 200,
    title: 'Rejected',
    says: 'Your rejection is stored with its reason, and the migration does not go on. You can close this page.',
  },
  ANSWERED: { status: 200, title: 'Answers stored', says: 'The plan is made with your answers. You can close this page.' },
} as const
export type NoticeKind = keyof typeof NOTICES

export function notice(kind: NoticeKind, details: readonly string[] = []): HttpResponse {
  const { status, title, says } = NOTICES[kind]
  const more = details.map((line) => `<p>${escaped(line, 600)}</p>`).join('')
  const html = document(
    title,
    `<header><p class="brand">Waybill</p><h1>${title}</h1></header><main id="main"><p class="lead">${says}</p>${more}</main><footer></footer>`,
  )
  return htmlResponse(status, html)
}
