import { DIGEST_PREFIX, document, type PageView } from './page.ts'
import { renderMarks, renderSection, type Section } from './section.ts'
import { escaped, escapeMarkup, moment } from './visible-text.ts'

type Frame = {
  title: string
  person: string
  roleName: string
  expiresAt: string
  planSha256: string
  sections: readonly Section[]
  form: PageView['form']
}

/** A page about a plan as a whole, for the person who may waive findings of it. */
export type WaiverView = Frame & {
  findings: readonly { id: string; what: string; where: string; remedy: string; severity: string; rule: string; barred: string | null }[]
  maxDays: number
}

/** What was typed when the form came back with a fault. */
export type PlanFormState = { faults: readonly string[]; reason: string; finding: string; days: string }
const USUAL_DAYS = 7
/** How many findings stand at the top, for somebody in a hurry. */
const IN_SHORT = 3
const EMPTY: PlanFormState = { faults: [], reason: '', finding: '', days: '' }

/** Where one person takes responsibility for what a validator did not let pass. Pure: the same view gives the same bytes. */
export function renderWaiverPage(view: WaiverView, state: PlanFormState = EMPTY): string {
  const choices = view.findings.filter(({ barred }) => barred === null)
  const barred = view.findings.filter((each) => each.barred !== null)
  const others: Section[] = barred.length
    ? [
        {
          title: 'What cannot be waived',
          items: barred.map((each) => ({ mark: 'bad', text: `${each.what} ${sentence(each.barred ?? '')} What helps: ${each.remedy}` })),
        },
      ]
    : []
  const radios = choices
    .map(({ id, what, where, remedy, severity, rule }, at) => {
      const checked = id === state.finding || choices.length === 1 ? ' checked' : ''
      const place = where === '' ? 'the whole plan' : where
      return `<label class="choice" for="f${at}"><input type="radio" id="f${at}" name="finding" value="${escapeMarkup(id)}" required${checked}><span><strong>${escaped(what, 2000)}</strong><br>${escaped(severity)}, found by the ${escaped(rule)} at <code>${escaped(place, 512)}</code>. What would make it pass instead: ${escaped(remedy, 1000)}</span></label>`
    })
    .join('')
  const form = choices.length
    ? `${formHead(view, 'Your decision')}<fieldset><legend>Which finding do you take responsibility for?</legend>${radios}</fieldset>
<label for="days">For how many days the waiver counts</label><p class="hint" id="days-hint">At most ${view.maxDays}. Nothing is carried out under the plan after that.</p>
<input type="number" id="days" name="days" required min="1" max="${view.maxDays}" step="1" value="${escapeMarkup(state.days || String(Math.min(USUAL_DAYS, view.maxDays)))}" aria-describedby="days-hint">
${reasonField(state, 'Shown to everyone who approves the plan, and kept in the evidence; write no personal data of others.')}
${digestField()}
<div class="buttons"><button class="no" name="decision" value="waive">Waive this finding</button></div></form>`
    : ''
  return frame(
    view,
    'May this plan be signed although a validator found something?',
    'A waiver says that you take responsibility for one finding of this very plan. Others still have to approve the plan; they see your name and your reason, and you approve nothing of it. Doing nothing waives nothing.',
    [...others, ...view.sections],
    form,
    state,
    view.findings.slice(0, IN_SHORT).map(({ what }) => ({ mark: 'bad', text: what })),
  )
}

/** Where the author withdraws a plan before it is carried out. Pure. */
export function renderPlanWithdrawal(view: Frame, state: PlanFormState = EMPTY): string {
  return frame(
    view,
    'Do you withdraw this plan?',
    'You wrote this plan and it was sent for approval. Until it is carried out you can withdraw it: then nothing can be carried out under it, whoever approved it, and the migration ends as rejected. Doing nothing changes nothing.',
    view.sections,
    `${formHead(view, 'Withdraw the plan')}${reasonField(state, 'Kept in the evidence; write no personal data of others.')}
${digestField()}
<div class="buttons"><button class="no" name="decision" value="withdraw-plan">Withdraw this plan</button></div></form>`,
    state,
  )
}

function frame(
  view: Frame,
  asks: string,
  consequence: string,
  sections: readonly Section[],
  form: string,
  state: PlanFormState,
  inShort: NonNullable<Section['items']> = [],
): string {
  const digest = view.planSha256
  const faults = state.faults.length
    ? `<div class="error" role="alert"><p><strong>Nothing was changed yet.</strong></p><ul>${state.faults.map((fault) => `<li>${escaped(fault, 300)}</li>`).join('')}</ul></div>`
    : ''
  const go = form === '' ? '' : '<p><a href="#decide">Go to the decision</a></p>'
  return document(
    `${asks} ${view.title}`,
    `<header><p class="brand">Waybill, for ${escaped(view.person)} as ${escaped(view.roleName)}</p><h1>${escaped(view.title, 200)}</h1></header>
<main id="main">${faults}<p class="lead">${escaped(asks)}</p>
<div class="box">${renderMarks(inShort)}<p>${escaped(consequence, 600)}</p>${go}</div>
${sections.map(renderSection).join('\n')}
<section aria-labelledby="subject"><h2 id="subject">Which plan this is about</h2>
<p>It is about these bytes and no others. A plan that is made anew is another one.</p>
<dl><div><dt>File</dt><dd>migration_plan.json</dd></div><div><dt>SHA-256</dt> <dd class="digest"><code><b>${escaped(digest.slice(0, DIGEST_PREFIX))}</b>${escaped(digest.slice(DIGEST_PREFIX))}</code> </dd></div></dl></section>
${form}
</main>
<footer><p>This page opens until ${escaped(moment(view.expiresAt))} and only with the link sent to ${escaped(view.person)}. Opening it changes nothing.</p></footer>`,
  )
}

function formHead({ form }: Frame, title: string): string {
  const hidden = (name: string, value: string) => `<input type="hidden" name="${name}" value="${escapeMarkup(value)}">`
  return `<form id="decide" method="post" action="${escapeMarkup(form.action)}" autocomplete="off" aria-labelledby="decide-title"><h2 id="decide-title">${title}</h2>${hidden('t', form.linkToken)}${hidden('csrf', form.formToken)}`
}

function reasonField(state: PlanFormState, hint: string): string {
  return `<label for="reason">Reason</label><p class="hint" id="reason-hint">${hint}</p>
<textarea id="reason" name="reason" maxlength="2000" required aria-describedby="reason-hint">${escapeMarkup(state.reason)}</textarea>`
}

function digestField(): string {
  return `<label for="digest_prefix">First ${DIGEST_PREFIX} characters of the SHA-256</label>
<p class="hint" id="digest-hint">Type the underlined characters shown above. This shows that you looked at this very plan.</p>
<input type="text" id="digest_prefix" name="digest_prefix" required minlength="${DIGEST_PREFIX}" maxlength="${DIGEST_PREFIX}" pattern="[0-9A-Fa-f]{${DIGEST_PREFIX}}" autocapitalize="none" spellcheck="false" aria-describedby="digest-hint">`
}

function sentence(words: string): string {
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}.`
}
