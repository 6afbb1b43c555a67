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
    says: 'The time to decide has passed, and nothing was changed. The step can be started again; you then get a new link.',
  },
  'handed-on': {
    status: 410,
    title: 'You handed this on',
    says: 'Another person decides in your place, and your link does nothing any more. Nothing was changed.',
  },
  withdrawn: {
    status: 410,
    title: 'You withdrew this approval',
    says: 'It no longer counts. If you are asked again, that comes with a new link. Nothing was changed.',
  },
  'plan-withdrawn': {
    status: 410,
    title: 'This plan was withdrawn',
    says: 'Nothing can be carried out under it any more. Nothing was changed now.',
  },
  'no-waiver': {
    status: 403,
    title: 'This cannot be waived',
    says: 'The policy lets nobody waive this finding now, or somebody else. Nothing was changed.',
  },
  decided: { status: 409, title: 'This was decided already', says: 'The first decision stands and cannot be changed here.' },
  withdrawable: {
    status: 409,
    title: 'This was decided already',
    says: 'The decision stands. Until the data is moved, the person who approved can withdraw it here.',
  },
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
  'sign-in': {
    status: 401,
    title: 'Please sign in first',
    says: 'Your organisation asks everyone who decides to sign in. Nothing was changed.',
  },
  'other-person': {
    status: 403,
    title: 'You are signed in as somebody else',
    says: 'This request is for another person than the one who signed in, or the address was not confirmed by your organisation. Nothing was changed.',
  },
  'sign-in-failed': {
    status: 403,
    title: 'The sign-in did not work',
    says: 'Your organisation’s sign-in was interrupted, took too long, or was not started here. Open the link from your e-mail again. Nothing was changed.',
  },
  'passkey-refused': {
    status: 403,
    title: 'The passkey did not sign this',
    says: 'The signature does not belong to this request, or was made with a passkey that is not registered for you. Open the link from your e-mail and try again. Nothing was changed.',
  },
  'no-delegate': {
    status: 403,
    title: 'It cannot be handed on like that',
    says: 'You are still the one who decides. Nothing was changed.',
  },
  'not-withdrawable': {
    status: 409,
    title: 'It is too late to withdraw this',
    says: 'The data is being moved, or was moved already; what was executed cannot be unapproved. You can reject the steps that follow. Nothing was changed.',
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
  DELEGATED: {
    status: 200,
    title: 'Handed on',
    says: 'The person you named gets a link of their own, and yours does nothing any more. You can close this page.',
  },
  WITHDRAWN: {
    status: 200,
    title: 'Withdrawn',
    says: 'Your approval no longer counts, and that is signed and stored. You can close this page.',
  },
  WAIVED: {
    status: 200,
    title: 'Waived',
    says: 'Your waiver is signed and stored with its reason. It counts for this plan only. You can close this page.',
  },
  PLAN_WITHDRAWN: {
    status: 200,
    title: 'Plan withdrawn',
    says: 'That is signed and stored with its reason: nothing can be carried out under this plan any more. You can close this page.',
  },
  REGISTERED: {
    status: 200,
    title: 'Passkey registered',
    says: 'It can now sign your approvals here. You can close this page and open the link to decide.',
  },
  ANSWERED: { status: 200, title: 'Answers stored', says: 'The plan is made with your answers. You can close this page.' },
} as const
export type NoticeKind = keyof typeof NOTICES

/** `form`: markup of ours that lets the person do the one thing that is still possible. */
export function notice(kind: NoticeKind, details: readonly string[] = [], form = ''): HttpResponse {
  const { status, title, says } = NOTICES[kind]
  const more = details.map((line) => `<p>${escaped(line, 600)}</p>`).join('') + form
  const html = document(
    title,
    `<header><p class="brand">Waybill</p><h1>${title}</h1></header><main id="main"><p class="lead">${says}</p>${more}</main><footer></footer>`,
  )
  return htmlResponse(status, html)
}
