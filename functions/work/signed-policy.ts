import { artifactOf, getJson } from '../../layers/core/artifacts.ts'
import { digestOf } from '../../layers/core/canonical-json.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { keyOf } from '../../layers/core/flow/storing.ts'
import { stalePolicy } from '../../layers/core/policy-changes.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { planPredicate } from '../../layers/core/schemas/governance.ts'
import type { Plan } from '../../layers/core/schemas/plan.ts'
import { type GatedTransition, type Policy, policy as policySchema } from '../../layers/core/schemas/policy.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { openPredicate } from '../../layers/core/statement.ts'

type KeepingDeps = Pick<Ports, 'artifacts' | 'policy'>
export type SignedPolicyDeps = KeepingDeps & Pick<Ports, 'trust'>

/**
 * The policy with a digest, as the project kept it when its plan was compiled.
 * @throws PLAN_NOT_AUTHORISED when it was not kept: another policy might ask for fewer people
 */
export async function keptPolicy(deps: KeepingDeps, projectId: string, sha256: string): Promise<Policy> {
  const kept = await findPolicy(deps, projectId, sha256)
  if (kept !== null) return kept
  throw new WaybillError(
    'PLAN_NOT_AUTHORISED',
    `nothing was done, because the policy ${sha256.slice(0, 12)}… that the plan was signed under was not kept: plan again`,
  )
}

/** As `keptPolicy`; null where it was not kept. @throws EVIDENCE_INVALID for bytes that are not what was stored */
export async function findPolicy(deps: KeepingDeps, projectId: string, sha256: string): Promise<Policy | null> {
  if (digestOf(deps.policy) === sha256) return deps.policy
  const pointer = await deps.artifacts.find(keyOf(projectId, 'policy', sha256.slice(0, 16)))
  const kept = pointer === null ? null : await getJson(deps.artifacts, pointer, policySchema)
  return kept !== null && digestOf(kept) === sha256 ? kept : null
}

/**
 * Why a plan that is not executed yet may not go on, a sentence each: the policy in force is another than the one it was made under.
 * Every gate before the execution asks this, so that nobody signs or approves what no worker would carry out.
 */
export async function staleness(deps: KeepingDeps, plan: Plan): Promise<string[]> {
  return stalePolicy(plan.policy, deps.policy, await findPolicy(deps, plan.project_id, plan.policy.sha256))
}

/**
 * The policy that judges a gate. Until the plan is signed that is the one in force; from then on the one people signed under, whatever
 * the configuration says since. Threat: a policy weakened after the approvals must not open the gates that follow.
 * @throws PLAN_NOT_AUTHORISED, EVIDENCE_INVALID, NOT_FOUND
 */
export async function policyOfGate(deps: SignedPolicyDeps, project: ProjectRecord, transition: GatedTransition): Promise<Policy> {
  return transition === 'PLAN_DRAFTED->PLANNED' ? deps.policy : signedPolicy(deps, project)
}

/** The policy under this project's signed plan. @throws PLAN_NOT_AUTHORISED, EVIDENCE_INVALID, NOT_FOUND */
export async function signedPolicy(deps: SignedPolicyDeps, project: ProjectRecord): Promise<Policy> {
  const envelope = await deps.artifacts.get(artifactOf(project, 'signed_plan'))
  const { statement, predicate } = openPredicate(envelope, deps.trust, 'plan', planPredicate)
  const [subject, ...more] = statement.subject
  const own = predicate.project_id === project.project_id
  if (!own || more.length > 0 || subject?.digest.sha256 !== artifactOf(project, 'migration_plan').sha256) {
    throw new WaybillError('PLAN_NOT_AUTHORISED', 'nothing was done, because the signed plan is not about the plan of this project')
  }
  return keptPolicy(deps, project.project_id, predicate.policy_sha256)
}
