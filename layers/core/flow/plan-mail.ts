import { escapeMarkup, moment, unlinked, visible } from '../approval-page/visible-text.ts'
import type { Mail } from '../ports.ts'
import type { ProjectRecord } from '../schemas/project.ts'
import type { WaiverRequest } from '../schemas/waiver.ts'
import { roleInWords } from './approval-words.ts'

type About = Pick<ProjectRecord, 'title' | 'author'>
type Button = { href: string; words: string }

/** To the one person who may: findings keep a plan from being signed, and a link where they can be waived. Names in it are hostile. */
export function waiverOfferMail(project: About, person: { email: string; role: WaiverRequest['role'] }, link: string, until: string): Mail {
  const asks = 'May this plan be signed although a validator found something?'
  return mail(
    person.email,
    `${asks} ${unlinked(project.title, 120)}`,
    asks,
    [
      `Migration: ${unlinked(project.title, 120)}`,
      `You are asked as ${roleInWords(person.role)}. What the validators found is on the page; you may take responsibility for it, with a reason and for a time, or do nothing. Others still have to approve the plan.`,
      `Open until ${moment(until)}:`,
      link,
      'The link is yours alone; please do not pass it on. Opening it changes nothing.',
      `Questions: ${visible(project.author, 254)}, who wrote the plan.`,
    ],
    { href: link, words: 'Read and decide' },
  )
}

/** To the author, when a plan is sent for approval: how to stop it. */
export function planWithdrawalMail(project: About, link: string, planSha256: string, until: string): Mail {
  const says = 'Your plan was sent for approval.'
  return mail(
    project.author,
    `${says} ${unlinked(project.title, 120)}`,
    says,
    [
      `Migration: ${unlinked(project.title, 120)}`,
      'There is nothing you have to do. Should you want to stop it: until it is carried out you can withdraw the plan here.',
      `Open until ${moment(until)}:`,
      link,
      'The link is yours alone; please do not pass it on. Opening it changes nothing.',
      `The plan: migration_plan.json, SHA-256 ${planSha256}`,
    ],
    { href: link, words: 'See the plan' },
  )
}

/** To the author, when a finding was waived on the page: what is left to do. */
export function waivedMail(
  project: About,
  waiver: Pick<WaiverRequest, 'project_id' | 'approver' | 'finding' | 'reason' | 'expires_at'>,
): Mail {
  const says = 'A finding of your plan was waived.'
  return mail(project.author, `${says} ${unlinked(project.title, 120)}`, says, [
    `Migration: ${unlinked(project.title, 120)} (${waiver.project_id})`,
    `Waived by ${visible(waiver.approver, 254)} until ${moment(waiver.expires_at)}: ${unlinked(waiver.finding.what, 2000)}`,
    `Reason given: ${unlinked(waiver.reason, 2000)}`,
    'What to do now: start the migration again. The same plan is validated again, and then sent for approval.',
  ])
}

/** Everything the person takes responsibility for, and the one command that does it. */
export function waiverCodeMail(project: About, request: WaiverRequest, code: string, codeExpiresAt: string): Mail {
  const { finding } = request
  const subject = `May this finding be waived? ${visible(project.title, 120)}`
  return mail(request.approver, subject, 'May this finding be waived?', [
    'You are asked to waive a finding: to take responsibility for what a validator does not let pass.',
    `Migration: ${visible(project.title, 120)}`,
    `You are asked as ${roleInWords(request.role)}. Others still have to approve the plan, and they will see your name and your reason.`,
    `The finding (${finding.severity}, ${finding.rule_id}, at ${visible(finding.where, 200)}): ${visible(finding.what, 2000)}`,
    `What would make it pass instead: ${visible(finding.remedy, 1000)}`,
    `Reason given: ${visible(request.reason, 2000)}`,
    `The waiver would count until ${moment(request.expires_at)}, for this plan only (SHA-256 ${request.plan_sha256}).`,
    `To sign it, before ${moment(codeExpiresAt)}, where Waybill runs:`,
    `waybill waive ${request.project_id} --confirm ${request.waiver_id} --code ${code}`,
    'The code is yours alone. Doing nothing waives nothing.',
    `Questions: ${visible(project.author, 254)}, who wrote the plan.`,
  ])
}

const PARAGRAPH = 'margin:0 0 16px;overflow-wrap:anywhere'

/** Inline styles only, no picture, nothing from anywhere. */
function mail(to: string, subject: string, heading: string, lines: readonly string[], button?: Button): Mail {
  const body = lines.map((line) =>
    line === button?.href
      ? `<p style="${PARAGRAPH}"><a href="${escapeMarkup(line)}" style="display:inline-block;padding:12px 24px;border-radius:6px;background:#0b5394;color:#ffffff;font-weight:bold;text-decoration:none">${button.words}</a></p>`
      : `<p style="${PARAGRAPH}">${escapeMarkup(line)}</p>`,
  )
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeMarkup(heading)}</title></head>
<body style="margin:0;padding:24px;background:#ffffff;color:#1c2430;font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif"><div style="max-width:600px;margin:0 auto">
<p style="margin:0 0 8px;color:#4c5a6b;font-size:14px">Waybill</p>
<h1 style="font-size:22px;line-height:1.3;margin:0 0 16px">${escapeMarkup(heading)}</h1>
${body.join('\n')}
</div></body></html>`
  return { to, subject: subject.slice(0, 180), text: `${[heading, ...lines].join('\n\n')}\n`, html }
}
