import { authorise } from '../../layers/core/barrier.ts'
import { parseStrictJson } from '../../layers/core/canonical-json.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import { approvalStatements } from '../../layers/core/flow/project-artifacts.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ArtifactPointer } from '../../layers/core/schemas/common.ts'
import { type Plan, plan as planSchema } from '../../layers/core/schemas/plan.ts'
import type { Policy } from '../../layers/core/schemas/policy.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { anchorsOf } from './anchors.ts'
import { findPolicy, keptPolicy } from './signed-policy.ts'
import { type Purpose, standsWrong } from './standing.ts'
import { faultsFor } from './vouched-record.ts'

export type BarrierDeps = Pick<Ports, 'artifacts' | 'audit' | 'clock' | 'policy' | 'projects' | 'trust'>

export type Authorised = { project: ProjectRecord; plan: Plan; planSha256: string; policy: Policy }

/**
 * The barrier, asked by the worker itself with what it reads itself.
 * @param actor set by a function that moves the project itself: see `vouchedRecord`
 * @throws PLAN_NOT_AUTHORISED, with every reason
 */
export async function passBarrier(
  deps: BarrierDeps,
  projectId: string,
  purpose: Purpose,
  tableIds: readonly string[],
  actor = '',
): Promise<Authorised> {
  const project = await deps.projects.get(projectId)
  const planBytes = await bytesOrNone(deps, project.artifacts.migration_plan)
  const signedPlan = await bytesOrNone(deps, project.artifacts.signed_plan)
  const policy = purpose === 'write' ? deps.policy : await policyUnderWhich(deps, projectId, planBytes)
  // Anchors before the log: one made meanwhile lies over entries that an earlier reading does not have.
  const anchors = await anchorsOf(deps, projectId)
  const log = await deps.audit.read(projectId)
  const plan = authorise({
    planBytes,
    signedPlan,
    approvals: await approvalStatements(deps.artifacts, projectId),
    log,
    trust: deps.trust,
    policy,
    madeUnder: await policyMadeUnder(deps, projectId, planBytes),
    now: deps.clock.now(),
    purpose: purpose === 'write' ? 'write' : 'read',
    scope: { project_id: projectId, table_ids: tableIds },
  })
  const wrong = standsWrong(project, purpose)
  if (wrong !== null) throw new WaybillError('PLAN_NOT_AUTHORISED', `nothing was done, because ${wrong}`)
  const faults = await faultsFor(actor, deps, project, log, anchors)
  if (faults.length > 0) {
    throw new WaybillError('PLAN_NOT_AUTHORISED', `nothing was done, because ${faults[0]}`, { details: faults })
  }
  return { project, plan, planSha256: sha256(planBytes), policy }
}

/** What is missing or was altered is no bytes at all to the barrier, which then says so among its reasons. */
async function bytesOrNone(deps: BarrierDeps, pointer: ArtifactPointer | undefined): Promise<Uint8Array> {
  if (pointer === undefined) return new Uint8Array()
  try {
    return await deps.artifacts.get(pointer)
  } catch (error) {
    if (isWaybillError(error) && (error.code === 'NOT_FOUND' || error.code === 'EVIDENCE_INVALID')) return new Uint8Array()
    throw error
  }
}

/** The policy the plan names; where it names none, the barrier refuses it anyway. */
async function policyUnderWhich(deps: BarrierDeps, projectId: string, planBytes: Uint8Array): Promise<Policy> {
  const named = policyNamedBy(planBytes)
  return named === null ? deps.policy : keptPolicy(deps, projectId, named)
}

/** As above, only to say what changed since; null where it was not kept, or cannot be read: that must not keep the barrier from judging. */
async function policyMadeUnder(deps: BarrierDeps, projectId: string, planBytes: Uint8Array): Promise<Policy | null> {
  const named = policyNamedBy(planBytes)
  return named === null ? null : findPolicy(deps, projectId, named).catch(() => null)
}

/**
 * The digest in the plan's own `policy` field, or null. The barrier judges the bytes next; here they only choose between two policies.
 * Threat: a digest planted elsewhere in the plan, a title for instance, must not choose the policy that asks for fewer approvals.
 */
function policyNamedBy(planBytes: Uint8Array): string | null {
  try {
    const parsed = planSchema.safeParse(parseStrictJson(planBytes))
    return parsed.success ? parsed.data.policy.sha256 : null
  } catch {
    return null
  }
}
