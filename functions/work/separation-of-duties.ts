import { outstanding, type Standing, samePerson } from '../../layers/core/approvals.ts'
import { artifactOf } from '../../layers/core/artifacts.ts'
import { specOf } from '../../layers/core/flow/project-artifacts.ts'
import { acceptedStatements } from '../../layers/core/flow/statements.ts'
import { SUBJECTS } from '../../layers/core/flow/subject.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { roleFault } from '../../layers/core/role-holders.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import { type GatedTransition, gatedTransition, type Policy } from '../../layers/core/schemas/policy.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { waiversOf } from './project-waivers.ts'
import { policyOfGate, type SignedPolicyDeps } from './signed-policy.ts'

type Deps = SignedPolicyDeps & Pick<Ports, 'approvals'>

/** The policy that a request is judged by; questions before the plan are asked under the one in force. */
export async function policyOfRequest(deps: SignedPolicyDeps, project: ProjectRecord, request: ApprovalRequest): Promise<Policy> {
  return request.transition === null ? deps.policy : policyOfGate(deps, project, request.transition)
}

/** How a gate stands now; null where the plan under it lost an approval, so that nothing may follow from it. */
export async function standingOf(
  deps: Deps & Pick<Ports, 'audit'>,
  project: ProjectRecord,
  transition: GatedTransition,
  subjectSha256: string,
): Promise<Standing | null> {
  // Of a hand-over and an approval at once the store's one write decides, also before the log tells it.
  const asked = await deps.approvals.byProject(project.project_id)
  const handedOn = new Set(asked.filter(({ decision }) => decision === 'DELEGATED').map(({ approval_id }) => approval_id))
  const accepted = await acceptedStatements(deps, project.project_id)
  const statements = accepted.filter((each) => each.decision !== 'APPROVED' || !handedOn.has(each.approval_id))
  const policy = await policyOfGate(deps, project, transition)
  const about = { author: project.author, projectId: project.project_id }
  if (transition === 'PLANNED->EXECUTED') {
    const plan = artifactOf(project, SUBJECTS['PLAN_DRAFTED->PLANNED'].artifact).sha256
    if (!outstanding(policy, 'PLAN_DRAFTED->PLANNED', statements, { ...about, subjectSha256: plan }).approved) return null
  }
  return outstanding(policy, transition, statements, { ...about, subjectSha256 })
}

/**
 * Why this person cannot approve now, or null. Looks at stored people, not at the link; and where the policy lists who holds the role, at the
 * very address that an identity provider vouched for. A rejection needs no second person.
 */
export async function barredFromApproving(
  deps: Deps,
  request: ApprovalRequest,
  project: ProjectRecord,
  signedInAs: string | null,
): Promise<string | null> {
  const policy = await policyOfRequest(deps, project, request)
  const unfit =
    [request.approver, ...(signedInAs === null ? [] : [signedInAs])].flatMap((each) => roleFault(policy, request.role, each) ?? [])[0] ??
    null
  if (unfit !== null) return `${inSentence(unfit)} Ask ${project.author} to name somebody whom it lets.`
  // Answers shape a plan that others have to approve.
  if (request.transition === null) return null
  if (samePerson(request.approver, project.author)) return 'You are the author of this migration; somebody else has to approve it.'
  const others = await deps.approvals.byProject(project.project_id)
  const twice = others.find(
    (other) =>
      other.approval_id !== request.approval_id &&
      other.decision === 'APPROVED' &&
      samePerson(other.approver, request.approver) &&
      samePlan(other, request, project),
  )
  if (twice?.role === request.role) return 'You approved this already.'
  if (twice !== undefined) return `You approved this already in another role (${twice.role}).`
  return (await waived(deps, project, request.approver)) ? 'You waived a finding of this plan; somebody else has to approve it.' : null
}

/** Nobody fills two roles of one plan, over all its gates. What came before the plan at hand was made does not bind. */
function samePlan(other: ApprovalRequest, request: ApprovalRequest, project: ProjectRecord): boolean {
  if (other.transition === request.transition && other.subject.sha256 === request.subject.sha256) return true
  if (other.role === request.role || other.transition === null) return false
  // An executed plan is not made anew: whatever was decided from then on is about it.
  if (other.transition !== 'PLAN_DRAFTED->PLANNED' && other.transition !== 'PLANNED->EXECUTED') return true
  return other.subject.sha256 === project.artifacts[SUBJECTS[other.transition].artifact]?.sha256
}

/** Whether this person signed a waiver for the plan at hand: nobody excuses what they let pass. */
async function waived(deps: Deps, project: ProjectRecord, email: string): Promise<boolean> {
  const planSha256 = project.artifacts.migration_plan?.sha256
  const waivers = await waiversOf(deps, project.project_id)
  return waivers.some(({ predicate }) => predicate.plan_sha256 === planSha256 && samePerson(predicate.approver, email))
}

/**
 * Why a person cannot take somebody's place in a request, or null: the author, whoever had it before (a circle), whoever is asked or
 * will be asked in another role of the plan, whoever waived one of its findings, and whoever is asked the same already.
 */
export async function barredFromJoining(
  deps: Deps,
  request: ApprovalRequest,
  project: ProjectRecord,
  email: string,
): Promise<string | null> {
  if (samePerson(email, project.author)) return `${email} wrote this migration and cannot decide on it.`
  if (samePerson(email, request.approver)) return `${email} is the person who is asked already.`
  if (request.delegated_by?.some((earlier) => samePerson(earlier, email))) return `${email} had this request before and handed it on.`
  const gates: readonly (GatedTransition | null)[] = request.transition === null ? [null] : gatedTransition.options
  const asked = (await deps.approvals.byProject(project.project_id)).filter((other) => other.approval_id !== request.approval_id)
  const again = asked.find(
    (other) => other.group_id === request.group_id && other.role === request.role && samePerson(other.approver, email),
  )
  if (again) return `${email} was asked in this role already.`
  const elsewhere = asked.find(
    (other) =>
      other.role !== request.role &&
      gates.includes(other.transition) &&
      other.decision !== 'DELEGATED' &&
      other.decision !== 'WITHDRAWN' &&
      samePerson(other.approver, email),
  )
  if (elsewhere) return `${email} is asked as ${elsewhere.role}; each role needs a person of its own.`
  const policy = await policyOfRequest(deps, project, request)
  const unfit = roleFault(policy, request.role, email)
  if (unfit !== null) return inSentence(unfit)
  if (request.transition === null) return null
  if (await waived(deps, project, email)) return `${email} waived a finding of this plan and cannot decide on it.`
  const roles = new Set(gates.flatMap((gate) => (gate === null ? [] : policy.approvals[gate])))
  const named = (await specOf(deps.artifacts, project)).approvers.find(
    (approver) => approver.role !== request.role && roles.has(approver.role) && samePerson(approver.email, email),
  )
  return named ? `${email} will be asked as ${named.role}; each role needs a person of its own.` : null
}

function inSentence(words: string): string {
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}.`
}
