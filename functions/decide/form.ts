import { DIGEST_PREFIX, type FormTokens } from '../../layers/core/approval-page/page.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import type { ManualDecision } from '../../layers/core/schemas/proposal.ts'

/** Largest body that is read: 32 KiB. A reason is 2,000 characters at most. */
export const MAX_BODY = 32_768
const MAX_REASON = 2000

export type Form = {
  linkToken: string
  formToken: string
  digestPrefix: string
  reason: string
  button: string
  /** Address of the person it is handed on to. */
  delegateTo: string
  /** What the passkey script put there, as JSON; empty without one. */
  passkey: string
  /** The finding that is to be waived, and for how many days. */
  finding: string
  days: string
  answers: Record<string, string>
}

/** Both tokens, for the page that comes back with what is missing: nothing here can make new ones. */
export const tokensOf = ({ linkToken, formToken }: Form): FormTokens => ({ linkToken, formToken })

/** The fields of the form, each at most once; null for anything that our page does not send. */
export function readForm(body: string): Form | null {
  const fields = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(body)) {
    if (fields.has(name)) return null
    fields.set(name, value)
  }
  const take = (name: string) => {
    const value = fields.get(name) ?? ''
    fields.delete(name)
    return value
  }
  const form: Form = {
    linkToken: take('t'),
    formToken: take('csrf'),
    digestPrefix: take('digest_prefix').trim().toLowerCase(),
    reason: take('reason').replaceAll('\r\n', '\n').trim(),
    button: take('decision'),
    delegateTo: take('delegate_to').trim(),
    passkey: take('passkey'),
    finding: take('finding'),
    days: take('days').trim(),
    answers: {},
  }
  for (const [name, value] of fields) {
    if (!name.startsWith('answer-')) return null
    form.answers[name.slice('answer-'.length)] = value
  }
  return form
}

export type Decided = { decision: 'APPROVED' | 'REJECTED' | 'ANSWERED'; answers: ApprovalRequest['answers'] }

/** What the person decided, or in sentences what is missing. */
export function judge(form: Form, request: ApprovalRequest, questions: readonly ManualDecision[]): Decided | { faults: string[] } {
  const faults: string[] = []
  faults.push(...digestFaults(form, request.subject.sha256), ...reasonFaults(form))
  const buttons = request.kind === 'decisions' ? ['answer', 'reject'] : ['approve', 'reject']
  if (!buttons.includes(form.button)) faults.push('Choose one of the two buttons.')
  if (form.button === 'reject' && form.reason === '') faults.push('Say why you reject: write it under "Reason".')
  const answers = form.button === 'answer' ? answersOf(form, questions, faults) : []
  if (faults.length > 0) return { faults }
  return { decision: form.button === 'reject' ? 'REJECTED' : form.button === 'answer' ? 'ANSWERED' : 'APPROVED', answers }
}

/** Whether the beginning of the digest was typed. */
export function digestFaults(form: Form, sha256: string): string[] {
  return form.digestPrefix === sha256.slice(0, DIGEST_PREFIX)
    ? []
    : [`The characters typed are not the first ${DIGEST_PREFIX} of the SHA-256 shown on the page.`]
}

/** What keeps a reason from being stored, in sentences. */
export function reasonFaults(form: Form): string[] {
  return [
    ...(form.reason.length > MAX_REASON ? [`The reason is longer than ${MAX_REASON} characters.`] : []),
    ...(!form.reason.isWellFormed() || form.reason.includes('\u0000') ? ['The reason holds characters that cannot be stored.'] : []),
  ]
}

function answersOf(form: Form, questions: readonly ManualDecision[], faults: string[]): ApprovalRequest['answers'] {
  return questions.flatMap((question, at) => {
    const choice = Object.hasOwn(form.answers, question.decision_id) ? form.answers[question.decision_id] : undefined
    if (choice !== undefined && question.choices.some((each) => each.choice === choice))
      return [{ decision_id: question.decision_id, choice }]
    faults.push(`Question ${at + 1} has no answer yet.`)
    return []
  })
}
