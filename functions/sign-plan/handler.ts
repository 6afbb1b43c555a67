import { outstanding } from '../../layers/core/approvals.ts'
import { artifactOf } from '../../layers/core/artifacts.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { artifactJson, planOf } from '../../layers/core/flow/project-artifacts.ts'
import { acceptedStatements } from '../../layers/core/flow/statements.ts'
import { JSON_TYPE, keyOf, type StoringDeps, storeOnce } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import { blocks } from '../../layers/core/rules/index.ts'
import { type Findings, findings as findingsSchema } from '../../layers/core/schemas/finding.ts'
import type { PlanPredicate } from '../../layers/core/schemas/governance.ts'
import type { Plan } from '../../layers/core/schemas/plan.ts'
import { PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'
import { findingId, type SignedWaiver, waivedFindings, waiverFault, waiversInShort } from '../../layers/core/waivers.ts'
import { waiversOf } from '../work/project-waivers.ts'
import { staleness } from '../work/signed-policy.ts'
import { type VouchedDeps, vouchedRecord } from '../work/vouched-record.ts'

const ACTOR = 'waybill/sign-plan'

type Deps = StoringDeps & ProjectDeps & VouchedDeps & Pick<Ports, 'ids' | 'signers'>

/** Signs the approved, validated plan as the next version. The only function that may use the planning key. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await vouchedRecord(deps, project_id, ACTOR)
    const plan = await planOf(deps.artifacts, project)
    const planPointer = artifactOf(project, 'migration_plan')
    const found = await artifactJson(deps.artifacts, project, 'findings', findingsSchema)
    if (found.plan_sha256 !== planPointer.sha256 || found.verdict !== 'pass') {
      throw new WaybillError('PLAN_INVALID', 'This plan has not passed its validation, so it is not signed. Validate it again.')
    }
    const stale = await staleness(deps, plan)
    if (stale.length > 0) {
      throw new WaybillError('PLAN_NOT_AUTHORISED', `This plan is not signed: ${stale[0]}.`, { details: stale })
    }
    const waivers = waiversInShort(await countingWaivers(deps, plan, planPointer.sha256, found))
    const statements = await acceptedStatements(deps, project_id)
    const standing = outstanding(deps.policy, 'PLAN_DRAFTED->PLANNED', statements, {
      author: project.author,
      subjectSha256: planPointer.sha256,
      projectId: project_id,
    })
    if (!standing.approved) {
      throw new WaybillError('APPROVAL_REFUSED', 'This plan is not approved, so it is not signed.', { details: standing.reasons })
    }
    const predicate: PlanPredicate = {
      project_id,
      plan_version: plan.plan_version,
      policy_version: plan.policy.version,
      policy_sha256: plan.policy.sha256,
      type_coercion_sha256: plan.rulebooks.type_coercion_sha256,
      hashing_spec_sha256: plan.rulebooks.hashing_spec_sha256,
      archetype_sha256: plan.archetype.sha256,
      findings_sha256: artifactOf(project, 'findings').sha256,
      author: plan.author,
      expires_at: plan.expires_at,
      signed_at: deps.clock.now().toISOString(),
      ...(waivers === undefined ? {} : { waivers }),
      salt: deps.ids.next('s'),
    }
    const subject = [{ name: 'migration_plan.json', sha256: planPointer.sha256 }]
    const key = keyOf(project_id, 'signed_plan', `${plan.plan_version}-${planPointer.sha256.slice(0, 12)}`, 'dsse.json')
    const signed = await storeOnce(deps, key, JSON_TYPE, async () => {
      return (await signStatement(deps.signers.plan, statementOf({ predicateType: PREDICATES.plan, subject, predicate }))).bytes
    })
    await advance(deps, project_id, {
      to: 'PLANNED',
      actor: ACTOR,
      action: 'PLAN_SIGNED',
      subject_sha256: signed.sha256,
      artifacts: { signed_plan: signed },
      set: { plan_version: plan.plan_version },
      details: { plan_version: String(plan.plan_version), plan_sha256: planPointer.sha256 },
    })
    return { project_id, run_id }
  }
}

/** The waivers that the validation rested on, judged once more: one may have expired while the plan waited. @throws PLAN_INVALID */
async function countingWaivers(deps: Deps, plan: Plan, planSha256: string, found: Findings): Promise<SignedWaiver[]> {
  const { waived = [] } = found
  if (waived.length === 0) return []
  const blocking = found.findings.filter(blocks)
  const about = { policy: deps.policy, projectId: plan.project_id, planSha256, author: plan.author, now: deps.clock.now() }
  const named = (await waiversOf(deps, plan.project_id)).filter(({ sha256 }) => waived.some((each) => each.waiver_sha256 === sha256))
  const counting = waivedFindings(blocking, named, about)
  const open = blocking.filter((finding) => !counting.has(findingId(finding)))
  if (open.length === 0) return [...counting.values()]
  const reasons = named.flatMap((waiver) => waiverFault(waiver, about) ?? [])
  throw new WaybillError(
    'PLAN_INVALID',
    `This plan is not signed, because ${reasons[0] ?? 'a finding is not waived any more'}. Have the finding waived again with "waybill waive", then "waybill resume".`,
    { details: reasons },
  )
}
