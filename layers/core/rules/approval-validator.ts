import { outstanding } from '../approvals.ts'
import { roleFault } from '../role-holders.ts'
import type { Finding } from '../schemas/finding.ts'
import type { Plan } from '../schemas/plan.ts'
import { gatedTransition } from '../schemas/policy.ts'
import { emptySeats, samePerson } from '../separation.ts'
import { type Facts, failing, passing, type Validator } from './rule.ts'

const id = 'approval-validator'
const fail = failing(id)
const LISTED = 'Name somebody under approvers whom the policy lists for this role under people.'

/** The approvals a transition needs are there; or, before anybody was asked, enough different people are named to give them. */
export const approvalValidator: Validator = {
  id,
  run(plan, facts) {
    return facts.gate === null ? obtainable(plan, facts) : given(plan, facts, facts.gate)
  },
}

function obtainable(plan: Plan, { policy, approvers }: Facts): Finding[] {
  const seats = gatedTransition.options.flatMap((gate) => policy.approvals[gate].map((role) => ({ gate, role })))
  const unfit = approvers.flatMap(({ role, email }) => roleFault(policy, role, email) ?? [])
  if (unfit.length > 0) return unfit.map((fault) => fail('ERROR', '/author', `An approver cannot be one: ${fault}.`, LISTED))
  const others = approvers.filter((approver) => !samePerson(approver.email, plan.author))
  // Everybody named for a role can sit in that role at every gate.
  const sittings = gatedTransition.options.flatMap((gate) => others.map(({ role, email }) => ({ gate, role, email })))
  const empty = emptySeats(seats, sittings)
  if (empty.length === 0) {
    const gates = gatedTransition.options.length
    return [passing(id, `The spec names a person for every role of all ${gates} gates, each in one role and none of them the author.`)]
  }
  return empty.map(({ gate, role }) => {
    const authorOnly = approvers.some((approver) => approver.role === role) && !others.some((approver) => approver.role === role)
    const shared = others.some((approver) => approver.role === role)
    const why = authorOnly ? 'only the author is named' : shared ? 'too few different people are named' : 'nobody is named'
    const what = `${gate} needs the approval of ${role}, and ${why}: the run would wait for ever.`
    return fail('ERROR', '/author', what, `Name a person for ${role} under approvers, other than the author and without another role.`)
  })
}

function given(plan: Plan, { policy }: Facts, gate: NonNullable<Facts['gate']>): Finding[] {
  const { transition, subjectSha256, approvals } = gate
  const standing = outstanding(policy, transition, approvals, { author: plan.author, subjectSha256, projectId: plan.project_id })
  if (standing.approved) {
    return [
      passing(
        id,
        `${transition} has the approvals of ${policy.approvals[transition].join(' and ')}, bound to ${subjectSha256.slice(0, 12)}….`,
      ),
    ]
  }
  return standing.reasons.map((reason) =>
    fail('CRITICAL', '', `${transition} is not approved: ${reason}.`, 'Ask the missing people, or plan again after a rejection.'),
  )
}
