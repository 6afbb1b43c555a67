import { countingFault, outstanding, sittingsOf } from '../approvals.ts'
import { asLogged, notLogged, type SignedDecision, unknownToTheLog } from '../decision-log.ts'
import { sha256 } from '../digest.ts'
import { inOneLine } from '../one-line.ts'
import { decidedWhile, type Proof, proofSubjects, type Subject } from '../proof-subjects.ts'
import type { ApprovalPredicate } from '../schemas/governance.ts'
import type { GatedTransition } from '../schemas/policy.ts'
import { emptySeats, type Seat } from '../separation.ts'
import type { Contents } from './contents.ts'
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
        ...(nearest?.standing.reasons ?? ['nothing that it could be about was accepted from the pack']),
        ...(nearest?.unknown.map(unknownToTheLog) ?? []),
        ...late.map((each) => `${each.approver} approved at ${each.decided_at}, the step was made at ${passed.at}`),
      ]
      faults.add('approvals', `${gate} was passed without its approvals: ${inOneLine(reasons)}`)
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

/** Clocks of Waybill's own functions may differ by this much. */
const CLOCKS_MS = 10_000

/** @param passed the number of the entry by which the gate was passed */
function subjectsOf(pack: OpenedPack, contents: Contents, gate: GatedTransition, passed: number): Subject[] {
  const file = (bytes: Uint8Array | undefined): Subject[] =>
    bytes === undefined ? [] : [{ sha256: sha256(bytes), from: -1, until: passed }]
  switch (gate) {
    case 'PLAN_DRAFTED->PLANNED':
      return file(contents.plan?.bytes)
    case 'PLANNED->EXECUTED':
      return file(contents.signedPlan?.bytes)
    case 'PR_CREATED->PARALLEL_VALIDATED':
    case 'PARALLEL_VALIDATED->CUTOVER_READY':
      return proofSubjects(gate, contents.entries, proofsIn(contents), passed)
    case 'CUTOVER_READY->CUTOVER_DONE':
      return file(pack.files.get('cutover/cutover_plan.json'))
  }
}

function proofsIn({ certificates }: Contents): Proof[] {
  return certificates.map(({ bytes, predicate }) => ({
    sha256: sha256(bytes),
    run_id: predicate.run_id,
    valid: predicate.proof_status === 'VALID',
  }))
}
