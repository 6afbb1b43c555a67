import type { HttpResponse } from '../ports.ts'
import type { ManualDecision } from '../schemas/proposal.ts'
import { PASSKEY_SCRIPT } from './passkey-script.ts'
import { type Mark, renderMarks, renderSection, type Section } from './section.ts'
import { PAGE_HEADERS, STYLE } from './style.ts'
import { escaped, escapeMarkup, moment } from './visible-text.ts'

/** How many leading characters of the digest the person types. */
export const DIGEST_PREFIX = 8

/** The token of the link that opened a page, which goes back with its form, and the form's own. */
export type FormTokens = { linkToken: string; formToken: string }

export type PageView = {
  kind: 'approval' | 'decisions'
  title: string
  /** What is asked, in one sentence. */
  asks: string
  /** What an approval sets going. */
  consequence: string
  roleName: string
  approver: string
  author: string
  expiresAt: string
  subjectName: string
  subjectSha256: string
  /** What somebody in a hurry must have read, a sentence each. */
  inShort?: readonly { mark: Mark; text: string }[]
  sections: readonly Section[]
  others: readonly { role: string; who: string; status: string }[]
  questions: readonly ManualDecision[]
  form: { action: string } & FormTokens
  /** Where the policy asks this role for a passkey: what the script needs (JSON), or null while none is registered. */
  passkey?: { options: string | null } | null
  /** True where the policy lets this person hand the request on. */
  mayDelegate?: boolean
}

/** What the person had filled in when the form came back with a fault. */
export type FormState = { faults: readonly string[]; reason: string; answers: Readonly<Record<string, string>> }
const EMPTY: FormState = { faults: [], reason: '', answers: {} }

/** The whole page for one person and one decision. Pure: the same view gives the same bytes. */
export function renderPage(view: PageView, state: FormState = EMPTY): string {
  const { subjectSha256: digest } = view
  const faults = state.faults.length
    ? `<div class="error" role="alert"><p><strong>Nothing was decided yet.</strong></p><ul>${state.faults.map((fault) => `<li>${escaped(fault, 300)}</li>`).join('')}</ul></div>`
    : ''
  const others = view.others.length
    ? `<section aria-labelledby="others"><h2 id="others">Who else decides</h2><dl>${view.others
        .map((other) => `<div><dt>${escaped(other.role)}</dt><dd>${escaped(other.who)}: ${escaped(other.status)}</dd></div>`)
        .join('')}</dl></section>`
    : ''
  return document(
    `${view.asks} ${view.title}`,
    `<header><p class="brand">Waybill, for ${escaped(view.approver)} as ${escaped(view.roleName)}</p><h1>${escaped(view.title, 200)}</h1></header>
<main id="main">${faults}<p class="lead">${escaped(view.asks, 400)}</p>
<div class="box">${renderMarks(view.inShort ?? [])}<p>${escaped(view.consequence, 500)}</p><p><a href="#decide">Go to the decision</a></p></div>
${view.sections.map(renderSection).join('\n')}
${others}
<section aria-labelledby="subject"><h2 id="subject">What exactly you decide on</h2>
<p>Your decision is bound to these bytes and no others. If one character of ${escaped(view.subjectName)} changes, it no longer counts.</p>
<dl><div><dt>File</dt><dd>${escaped(view.subjectName)}</dd></div><div><dt>SHA-256</dt> <dd class="digest"><code><b>${escaped(digest.slice(0, DIGEST_PREFIX))}</b>${escaped(digest.slice(DIGEST_PREFIX))}</code> </dd></div></dl></section>
${view.kind === 'approval' ? approvalForm(view, state) : decisionsForm(view, state)}
${delegationForm(view)}
</main>
<footer><p>This page opens until ${escaped(moment(view.expiresAt))} and only with the link sent to ${escaped(view.approver)}. Opening it changes nothing.</p></footer>`,
  )
}

const hidden = (name: string, value: string) => `<input type="hidden" name="${name}" value="${escapeMarkup(value)}">`

function formHead(view: PageView): string {
  const options = view.passkey?.options
  return `<form id="decide" method="post" action="${escapeMarkup(view.form.action)}" autocomplete="off" aria-labelledby="decide-title"${options ? ` data-passkey="${escapeMarkup(options)}"` : ''}><h2 id="decide-title">Your decision</h2>${hidden('t', view.form.linkToken)}${hidden('csrf', view.form.formToken)}${options ? hidden('passkey', '') : ''}`
}

function passkeyNote({ passkey }: PageView): string {
  if (!passkey) return ''
  return passkey.options === null
    ? `<p class="error"><strong>You need a passkey to approve.</strong> The policy asks this role for one, and none is registered for you here. The e-mail that brought you here has a second link, “Register a passkey”: open it first, then open this page again. Rejecting works without.</p>`
    : `<p class="hint">When you press Approve, your device asks for your passkey: its signature covers exactly the SHA-256 above. On a new device, register another one first, with the link “Register a passkey” in the same e-mail.</p>${PASSKEY_SCRIPT}`
}

/** Handing on is a form of its own: nothing typed above goes with it. */
function delegationForm(view: PageView): string {
  if (view.mayDelegate !== true) return ''
  return `<details class="aside"><summary>Somebody else should decide this</summary>
<form method="post" action="${escapeMarkup(view.form.action)}" autocomplete="off">${hidden('t', view.form.linkToken)}${hidden('csrf', view.form.formToken)}
<label for="delegate_to">E-mail address of the person who decides in your place</label>
<p class="hint" id="delegate-hint">They get a link of their own, and yours does nothing any more. It cannot be the author, nor anybody who decides in another role. Who handed on to whom is kept in the evidence.</p>
<input type="email" id="delegate_to" name="delegate_to" required maxlength="254" aria-describedby="delegate-hint">
<div class="buttons"><button class="plain" name="decision" value="delegate">Hand it on</button></div></form></details>`
}

/** For a notice: takes back what was approved. */
export function renderWithdrawal(form: PageView['form']): string {
  return `<details class="aside"><summary>I want to withdraw my approval</summary>
<form method="post" action="${escapeMarkup(form.action)}" autocomplete="off">${hidden('t', form.linkToken)}${hidden('csrf', form.formToken)}
<p class="hint">Possible until the data is moved. Your approval stays in the evidence, and so does its withdrawal.</p>
<label for="reason">Reason</label><textarea id="reason" name="reason" maxlength="2000" required></textarea>
<div class="buttons"><button class="no" name="decision" value="withdraw">Withdraw my approval</button></div></form></details>`
}

function digestField(view: PageView): string {
  return `<label for="digest_prefix">First ${DIGEST_PREFIX} characters of the SHA-256</label>
<p class="hint" id="digest-hint">Type the underlined characters shown above for ${escaped(view.subjectName)}. This shows that you looked at this very version.</p>
<input type="text" id="digest_prefix" name="digest_prefix" required minlength="${DIGEST_PREFIX}" maxlength="${DIGEST_PREFIX}" pattern="[0-9A-Fa-f]{${DIGEST_PREFIX}}" autocapitalize="none" spellcheck="false" aria-describedby="digest-hint">`
}

function reasonField(state: FormState): string {
  return `<label for="reason">Reason</label><p class="hint" id="reason-hint">Needed when you reject. It is kept in the evidence; write no personal data of others.</p>
<textarea id="reason" name="reason" maxlength="2000" aria-describedby="reason-hint">${escapeMarkup(state.reason)}</textarea>`
}

function approvalForm(view: PageView, state: FormState): string {
  return `${formHead(view)}${digestField(view)}${reasonField(state)}
${passkeyNote(view)}<div class="buttons"><button class="yes" name="decision" value="approve"${view.passkey ? ' data-passkey="sign"' : ''}${view.passkey?.options === null ? ' disabled' : ''}>Approve</button><button class="no" name="decision" value="reject">Reject</button></div></form>`
}

function decisionsForm(view: PageView, state: FormState): string {
  const questions = view.questions.map((question, at) => {
    const choices = question.choices
      .map((choice, index) => {
        const checked = state.answers[question.decision_id] === choice.choice ? ' checked' : ''
        return `<label class="choice" for="q${at}c${index}"><input type="radio" id="q${at}c${index}" name="answer-${escapeMarkup(question.decision_id)}" value="${escapeMarkup(choice.choice)}"${checked}><span><strong>${escaped(choice.label, 200)}</strong><br>${escaped(choice.consequence, 500)}</span></label>`
      })
      .join('')
    return `<fieldset><legend>${at + 1}. ${escaped(question.question, 1000)}</legend><p class="hint">${escaped(question.why, 1000)} Where: <code>${escaped(question.where)}</code>. Id in a spec: <code>${escaped(question.decision_id)}</code></p>${choices}</fieldset>`
  })
  return `${formHead(view)}${questions.join('')}${digestField(view)}${reasonField(state)}
<div class="buttons"><button class="yes" name="decision" value="answer">Send my answers</button><button class="no" name="decision" value="reject">Refuse the migration</button></div></form>`
}

/**
 * Why the meta element: with `no-referrer` alone a browser sends `Origin: null` with the form, and the strict Origin check would refuse
 * everyone. `same-origin` still tells no other host anything.
 */
export function document(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="referrer" content="same-origin"><title>${escaped(title, 200)}</title><style>${STYLE}</style></head>
<body><a class="skip" href="#main">Skip to the content</a>
${body}
</body></html>`
}

export function htmlResponse(status: number, html: string): HttpResponse {
  return { status, headers: { ...PAGE_HEADERS }, body: html }
}
