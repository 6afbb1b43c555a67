import { countingFault, outstanding, sittingsOf } from '../approvals.ts'
import { sha256 } from '../digest.ts'
import type { GatedTransition } from '../schemas/policy.ts'
import { emptySeats } from '../separation.ts'
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
  const statements = approvals.map(({ predicate }) => predicate)
  const author = plan.value.author
  const projectId = plan.value.project_id
  const seats: { gate: string; role: (typeof statements)[number]['role'] }[] = []
  const counted = new Set<(typeof statements)[number]>()
  for (const gate of new Set(replay.gates)) {
    const candidates = subjectsOf(pack, contents, gate)
    const passedAt = replay.passedAt.get(gate) ?? ''
    // An approval given after the step opened nothing. What speaks against the step counts whenever it was said.
    const late = statements.filter(
      (each) =>
        each.transition === gate && each.decision === 'APPROVED' && !(Date.parse(each.decided_at) <= Date.parse(passedAt) + CLOCKS_MS),
    )
    const inTime = statements.filter((each) => !late.includes(each))
    // A gate may have been asked again about a newer proof; it is open when one of its subjects was approved by all who must.
    const standings = candidates.map((subjectSha256) => ({
      subjectSha256,
      ...outstanding(policy.value, gate, inTime, { author, subjectSha256, projectId }),
    }))
    const open = standings.find(({ approved }) => approved)
    if (open === undefined) {
      const reasons = [
        ...(standings[0]?.reasons ?? ['what it is about is not in the pack']),
        ...late.map((each) => `${each.approver} approved at ${each.decided_at}, the step was made at ${passedAt}`),
      ]
      faults.add('approvals', `${gate} was passed without its approvals: ${reasons.join('; ')}`)
      continue
    }
    for (const statement of inTime)
      if (
        statement.transition === gate &&
        statement.subject_sha256 === open.subjectSha256 &&
        countingFault(policy.value, statement) === null
      )
        counted.add(statement)
    if (EXECUTION_GATES.includes(gate)) seats.push(...policy.value.approvals[gate].map((role) => ({ gate, role })))
  }
  for (const seat of emptySeats(seats, sittingsOf([...counted], author))) {
    faults.add('approvals', `one person approved this plan in two roles: ${seat.role} on ${seat.gate} has nobody of its own`)
  }
  return faults
}

/** Clocks of Waybill's own functions may differ by this much. */
const CLOCKS_MS = 10_000

/** These two together let data move, and must not rest on one person. */
const EXECUTION_GATES: readonly GatedTransition[] = ['PLAN_DRAFTED->PLANNED', 'PLANNED->EXECUTED']

/** Digests of the files in the pack that a gate can be about. */
function subjectsOf(pack: OpenedPack, contents: Contents, gate: GatedTransition): string[] {
  const digests = (...files: (Uint8Array | undefined)[]) => files.flatMap((bytes) => (bytes === undefined ? [] : [sha256(bytes)]))
  switch (gate) {
    case 'PLAN_DRAFTED->PLANNED':
      return digests(contents.plan?.bytes)
    case 'PLANNED->EXECUTED':
      return digests(contents.signedPlan?.bytes)
    case 'PR_CREATED->PARALLEL_VALIDATED':
    case 'PARALLEL_VALIDATED->CUTOVER_READY':
      // Only a proof that holds can open these.
      return contents.certificates.filter(({ predicate }) => predicate.proof_status === 'VALID').map(({ bytes }) => sha256(bytes))
    case 'CUTOVER_READY->CUTOVER_DONE':
      return digests(pack.files.get('cutover/cutover_plan.json'))
  }
}
