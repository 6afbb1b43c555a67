import { authorise } from '../../layers/core/barrier.ts'
import { parseStrictJson } from '../../layers/core/canonical-json.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import { approvalStatements } from '../../layers/core/flow/project-artifacts.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ArtifactPointer } from '../../layers/core/schemas/common.ts'
import { type Plan, plan as planSchema } from '../../layers/core/schemas/plan.ts'
import type { Policy } from '../../layers/core/schemas/policy.ts'
import type { LifecycleState, ProjectRecord } from '../../layers/core/schemas/project.ts'
import { anchorsOf } from './anchors.ts'
import { COMPARABLE, isComparable } from './comparable.ts'
import { findPolicy, keptPolicy } from './signed-policy.ts'
import { faultsFor } from './vouched-record.ts'

export type BarrierDeps = Pick<Ports, 'artifacts' | 'audit' | 'clock' | 'policy' | 'projects' | 'trust'>

/**
 * `write`: everything must hold, now. `read`: comparing what was executed; expiry and a newer policy do not matter, all else does.
 * `undo`: removing what this plan wrote. It may be needed just because the plan has expired or the policy has changed, so it is judged
 * as `read` is: an authentic plan with all its approvals. A plan nobody approved wrote nothing, so there is nothing of it to remove.
 */
export type Purpose = 'write' | 'read' | 'undo'

/** Where a project must stand. A plan already executed is not executed again, and nothing is undone once others write to the target. */
const STATES: Record<Purpose, readonly LifecycleState[]> = {
  write: ['PLANNED'],
  read: COMPARABLE,
  undo: ['PLANNED', 'EXECUTED', 'RECONCILED', 'PR_CREATED', 'PARALLEL_VALIDATED', 'CUTOVER_READY'],
}

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
  if (!STATES[purpose].includes(project.state) && !(purpose === 'read' && isComparable(project))) {
    throw new WaybillError(
      'PLAN_NOT_AUTHORISED',
      `nothing was done, because the project is in the state ${project.state}; this worker acts in ${STATES[purpose].join(', ')}`,
    )
  }
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
