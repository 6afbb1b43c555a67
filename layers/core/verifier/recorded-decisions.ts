import { sha256 } from '../digest.ts'
import { gatedTransition } from '../schemas/policy.ts'
import type { Contents } from './contents.ts'
import { Faults } from './pack-reader.ts'

/** What a database of somebody else may be ahead or behind: chunks are stamped with the target's clock, all else with Waybill's. */
const TARGET_CLOCK_MS = 10 * 60_000

/**
 * Every decision, withdrawal and withdrawn plan that the audit log records has its statement in the pack. Statements that speak against a
 * step are the ones that somebody would leave out.
 */
export function decisionFaults({ entries, approvals }: Contents): Faults {
  const faults = new Faults()
  const statements = new Map(approvals.map(({ bytes, predicate }) => [sha256(bytes), predicate]))
  for (const { seq, action, details } of entries) {
    const expected = action === 'DECISION_TAKEN' ? details.decision : AGAINST[action]
    if (expected === undefined || !gatedTransition.safeParse(details.transition).success) continue
    // Handed on, or asked again: nothing was signed.
    if (action === 'DECISION_TAKEN' && expected !== 'APPROVED' && expected !== 'REJECTED') continue
    const said = statements.get(details.statement_sha256 ?? '')
    const about = action === 'APPROVAL_WITHDRAWN' ? said?.withdraws : said?.approval_id
    const same = said?.decision === expected && said.transition === details.transition
    if (!same || (details.approval_id !== undefined && about !== details.approval_id))
      faults.add(
        'approvals',
        `no statement of audit entry ${seq} (${action}, ${expected}, ${details.transition}) that was accepted is in the pack`,
      )
  }
  return faults
}

const AGAINST: Readonly<Record<string, string>> = { APPROVAL_WITHDRAWN: 'WITHDRAWN', PLAN_WITHDRAWN: 'REJECTED' }

/** Nothing was signed, approved or written after the plan, or a waiver that it rests on, had expired. */
export function expiryFaults({ signedPlan, approvals, execution, replay }: Contents): Faults {
  const faults = new Faults()
  if (signedPlan === null) return faults
  const { expires_at, signed_at, waivers } = signedPlan.predicate
  const until = Math.min(Date.parse(expires_at), ...(waivers === undefined ? [] : [Date.parse(waivers.until)]))
  const end = new Date(until).toISOString()
  const late = (at: string, allowed = 0) => !(Date.parse(at) < until + allowed)
  if (late(signed_at)) faults.add(signedPlan.path, `was signed at ${signed_at}, when it had expired at ${end}`)
  const subject = sha256(signedPlan.bytes)
  if (replay.gates.includes('PLANNED->EXECUTED'))
    for (const { path, predicate } of approvals)
      if (predicate.decision === 'APPROVED' && predicate.subject_sha256 === subject && late(predicate.decided_at))
        faults.add(path, `approves at ${predicate.decided_at} the execution of a plan that had expired at ${end}`)
  if (execution === null) return faults
  const { chunks, started_at } = execution.report
  const last = [started_at, ...chunks.map((chunk) => chunk.started_at)].reduce((a, b) => (Date.parse(a) > Date.parse(b) ? a : b))
  if (late(last, TARGET_CLOCK_MS)) faults.add(execution.path, `writes at ${last}, when the plan had expired at ${end}`)
  return faults
}
