import type { Role, Verdict } from '../schemas/common.ts'
import type { Finding, Findings } from '../schemas/finding.ts'
import type { Plan } from '../schemas/plan.ts'
import { samePerson } from '../separation.ts'
import { findingId, waivedFindings } from '../waivers.ts'
import { approvalValidator } from './approval-validator.ts'
import { hashingValidator } from './hashing-validator.ts'
import { blocks, type Facts, failing, type Validator } from './rule.ts'
import { samplingValidator } from './sampling-validator.ts'
import { signedPlanValidator } from './signed-plan-validator.ts'
import { toleranceValidator } from './tolerance-validator.ts'
import { typeCoercionValidator } from './type-coercion-validator.ts'

export { blocks, type Facts, type Validator, type ValidatorId } from './rule.ts'

/** All six, always all six. */
export const validators: readonly Validator[] = [
  typeCoercionValidator,
  hashingValidator,
  samplingValidator,
  toleranceValidator,
  approvalValidator,
  signedPlanValidator,
]

/**
 * Runs every validator. The verdict is `pass` only when none of them found anything CRITICAL or ERROR that nobody waived as the policy
 * allows. Never throws.
 */
export function validate(plan: Plan, planSha256: string, facts: Facts, list: readonly Validator[] = validators): Findings {
  const found = list.flatMap((validator) => run(validator, plan, facts))
  const { policy, now, waivers = [] } = facts
  const counting = waivers.filter(({ predicate }) => namedFor(predicate, facts))
  const about = { policy, now, projectId: plan.project_id, author: plan.author, planSha256 }
  const waived = waivedFindings(found.filter(blocks), counting, about)
  const open = found.filter((finding) => blocks(finding) && !waived.has(findingId(finding)))
  const verdict: Verdict = found.length > 0 && open.length === 0 ? 'pass' : 'fail'
  return {
    schema: 'waybill/findings/v1',
    project_id: plan.project_id,
    plan_sha256: planSha256,
    validators: list.map((validator) => validator.id),
    verdict,
    findings: found,
    ...(waived.size === 0 ? {} : { waived: [...waived].map(([finding_id, { sha256 }]) => ({ finding_id, waiver_sha256: sha256 })) }),
  }
}

/** A waiver counts from the very person whom the spec names for its role, and from nobody whom it names for another one as well. */
function namedFor({ role, approver }: { role: Role; approver: string }, { approvers }: Facts): boolean {
  const roles = approvers.filter((each) => samePerson(each.email, approver)).map((each) => each.role)
  return roles.length > 0 && roles.every((each) => each === role)
}

/** A validator that throws, or says nothing, did not pass: silence is no opinion. */
function run(validator: Validator, plan: Plan, facts: Facts): Finding[] {
  const fail = failing(validator.id)
  const remedy = 'Report this; until it is mended no such plan can be signed.'
  try {
    const found = validator.run(plan, facts)
    return found.length > 0 ? found : [fail('CRITICAL', '', `${validator.id} ran and said nothing.`, remedy)]
  } catch (error) {
    return [fail('CRITICAL', '', `${validator.id} could not judge this plan: ${error instanceof Error ? error.name : 'it threw'}.`, remedy)]
  }
}
