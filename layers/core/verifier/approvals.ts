import { countingFault, outstanding, sittingsOf } from '../approvals.ts'
import { asLogged, notLogged, type SignedDecision, unknownToTheLog } from '../decision-log.ts'
import { sha256 } from '../digest.ts'
import type { ApprovalPredicate, AuditEntry } from '../schemas/governance.ts'
import type { GatedTransition } from '../schemas/policy.ts'
import { emptySeats, type Seat } from '../separation.ts'
import { type Contents, PROVING } from './contents.ts'
import { Faults, type OpenedPack } from './pack-reader.ts'

/** Every gate that the project passed was opened by enough distinct people, each having seen exactly what the gate is about. */
export function approvalFaults(pack: OpenedPack, contents: Contents): Faults {
  const faults = new Faults()
  const { plan, policy, approvals, replay } = contents
  for (const approval of approvals) {
    const [subject, ...more] = approval.statement.subject
    if (more.length > 0 || subject?.digest.sha256 !== approval.predicate.subject_sha256) {
      faults.add(approval.path, 'is about something other than its subject')
    }
    if (!approval.path.endsWith(`/${approval.predicate.approval_id}.dsse.json`))
      faults.add(approval.path, 'is not named after its approval')
  }
  if (replay.gates.length === 0) return faults
  if (plan === null || policy === null) {
    faults.add('approvals', 'cannot be judged without the plan and its policy')
    return faults
  }
  const signed = signedDecisions(contents)
  const author = plan.value.author
  const projectId = plan.value.project_id
  const seats: Seat[] = []
  const counted = new Set<ApprovalPredicate>()
  for (const gate of new Set(replay.gates)) {
    const passed = replay.passed.get(gate)!
    const late = signed
      .map(({ predicate }) => predicate)
      .filter((each) => each.transition === gate && each.decision === 'APPROVED' && !inTime(each, passed.at))
    // A gate may have been asked again about a newer proof; it is open when one of its subjects was approved by all who must.
    const standings = subjectsOf(pack, contents, gate, passed.seq).map((subject) => {
      const log = decidedWhile(contents.entries, subject)
      const statements = asLogged(signed, log).filter((each) => !late.includes(each))
      const standing = outstanding(policy.value, gate, statements, { author, subjectSha256: subject.sha256, projectId })
      return { subject, statements, standing, unknown: notLogged(signed, log).filter((each) => each.transition === gate) }
    })
    const open = standings.find(({ standing }) => standing.approved)
    if (open === undefined) {
      const nearest = standings.at(-1)
      const reasons = [
        ...(nearest?.standing.reasons ?? ['what it is about is not in the pack']),
        ...(nearest?.unknown.map(unknownToTheLog) ?? []),
        ...late.map((each) => `${each.approver} approved at ${each.decided_at}, the step was made at ${passed.at}`),
      ]
      faults.add('approvals', `${gate} was passed without its approvals: ${reasons.join('; ')}`)
      continue
    }
    for (const statement of open.statements)
      if (
        statement.transition === gate &&
        statement.subject_sha256 === open.subject.sha256 &&
        countingFault(policy.value, statement) === null
      )
        counted.add(statement)
    seats.push(...policy.value.approvals[gate].map((role) => ({ gate, role })))
  }
  const shared: string[] = []
  for (const seat of emptySeats(seats, sittingsOf([...counted], author, shared))) {
    const why = ['one person approved this plan in two roles', ...shared].join('; ')
    faults.add('approvals', `${why}: ${seat.role} on ${seat.gate} has nobody of its own`)
  }
  return faults
}

/** Every approval statement of the pack, with the digest by which the audit log names it. */
function signedDecisions({ approvals }: Contents): SignedDecision[] {
  return approvals.map(({ bytes, predicate }) => ({ sha256: sha256(bytes), predicate }))
}

/** An approval given after the step opened nothing. What speaks against the step counts whenever it was said. */
function inTime({ decided_at }: ApprovalPredicate, passedAt: string): boolean {
  return Date.parse(decided_at) <= Date.parse(passedAt) + CLOCKS_MS
}

/** The log without approvals that it records before their subject stood, after another one took its place, or after the step. */
function decidedWhile(entries: readonly AuditEntry[], { from, until }: Subject): AuditEntry[] {
  return entries.filter(({ seq, action, details }) => {
    return action !== 'DECISION_TAKEN' || details.decision !== 'APPROVED' || (from < seq && seq < until)
  })
}

/** Clocks of Waybill's own functions may differ by this much. */
const CLOCKS_MS = 10_000

/** What a gate can be about, and the entries of the log between which it stood. */
type Subject = { sha256: string; from: number; until: number }

/** @param passed the number of the entry by which the gate was passed */
function subjectsOf(pack: OpenedPack, contents: Contents, gate: GatedTransition, passed: number): Subject[] {
  const file = (bytes: Uint8Array | undefined): Subject[] =>
    bytes === undefined ? [] : [{ sha256: sha256(bytes), from: -1, until: passed }]
  switch (gate) {
    case 'PLAN_DRAFTED->PLANNED':
      return file(contents.plan?.bytes)
    case 'PLANNED->EXECUTED':
      return file(contents.signedPlan?.bytes)
    case 'PR_CREATED->PARALLEL_VALIDATED': {
      // Approved before the parallel runs, each of which made a newer proof; after a failure people are asked about the newest again.
      const opened = contents.entries.findLast(
        ({ seq, details }) => seq < passed && details.to === 'PR_CREATED' && details.from !== 'PR_CREATED',
      )
      return proofsOf(contents, passed).filter(({ until }) => opened !== undefined && until > opened.seq)
    }
    case 'PARALLEL_VALIDATED->CUTOVER_READY':
      return proofsOf(contents, passed).slice(-1)
    case 'CUTOVER_READY->CUTOVER_DONE':
      return file(pack.files.get('cutover/cutover_plan.json'))
  }
}

/** The proofs that the log records before an entry, each with the time it was the newest; one that does not hold opens nothing. */
function proofsOf({ certificates, entries }: Contents, before: number): Subject[] {
  const recorded = entries.filter(({ seq, action }) => seq < before && PROVING.includes(action))
  return recorded.flatMap(({ seq, subject_sha256, details }, index) => {
    const certificate = certificates.find(({ bytes }) => sha256(bytes) === subject_sha256)
    const holds = certificate?.predicate.proof_status === 'VALID' && certificate.predicate.run_id === details.run_id
    return holds ? [{ sha256: sha256(certificate.bytes), from: seq, until: recorded[index + 1]?.seq ?? before }] : []
  })
}
