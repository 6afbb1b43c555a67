import { type DoctorLine, fail, ok } from '../../../core/doctor.ts'
import type { Patient } from './place.ts'

/** The pages answer: a link nobody was ever sent is refused, and by Waybill itself. */
export async function approvalsLines({ outputs: { ApprovalsUrl: url } }: Patient, fetch: typeof globalThis.fetch): Promise<DoctorLine[]> {
  const address = `${url.replace(/\/+$/, '')}/approvals/doctor`
  const todo = 'Look at the logs of the function approval-page, then deploy the pipeline stack again.'
  const answer = await fetch(address, { redirect: 'manual', signal: AbortSignal.timeout(35_000) }).catch(() => null)
  if (answer === null)
    return [
      fail(
        'approvals',
        `The approval pages at ${url} cannot be reached from here.`,
        'If this machine reaches other pages, look at the API in API Gateway: approvers have to reach it.',
      ),
    ]
  const { status } = answer
  // Without a route the gateway refuses too; only a page of ours forbids everything it does not need.
  const ours = (answer.headers.get('content-security-policy') ?? '').includes("default-src 'none'")
  if (status >= 400 && status < 500 && !ours)
    return [fail('approvals', `Something answers at ${url}, and it is not the approval page.`, todo)]
  if (status >= 400 && status < 500) return [ok('approvals', `The approval pages at ${url} answer, and refuse a link that was never sent.`)]
  return [fail('approvals', `The approval pages at ${url} answer a link that was never sent with ${status}.`, todo)]
}
