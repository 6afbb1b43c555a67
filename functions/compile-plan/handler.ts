import { digestOf } from '../../layers/core/canonical-json.ts'
import { decisionAnswers } from '../../layers/core/flow/decision-answers.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { artifactJson, planOf, specOf } from '../../layers/core/flow/project-artifacts.ts'
import { keyOf, listed, type StoringDeps, storeJsonOnce } from '../../layers/core/flow/storing.ts'
import { compilePlan } from '../../layers/core/plan-compiler.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import type { ArtifactPointer } from '../../layers/core/schemas/common.ts'
import { archetype as archetypeSchema } from '../../layers/core/schemas/policy.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { reconProposal, schemaMapping } from '../../layers/core/schemas/proposal.ts'
import { discoveryReport, profilingReport } from '../../layers/core/schemas/report.ts'
import type { SignedWaiver } from '../../layers/core/waivers.ts'
import { waiversOf } from '../work/project-waivers.ts'

type Deps = StoringDeps & ProjectDeps & Pick<Ports, 'projects' | 'trust'>

/** Joins everything proposed and answered into one plan under the policy in force. The project is PLAN_DRAFTED. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await deps.projects.get(project_id)
    const { artifacts } = deps
    const { source, identities } = await artifactJson(artifacts, project, 'discovery_report', discoveryReport)
    const { profile } = await artifactJson(artifacts, project, 'profiling_report', profilingReport)
    const answered = project.artifacts.decision_answers ? await artifactJson(artifacts, project, 'decision_answers', decisionAnswers) : null
    const facts = {
      projectId: project_id,
      planVersion: project.plan_version + 1,
      spec: await specOf(artifacts, project),
      archetype: await artifactJson(artifacts, project, 'archetype', archetypeSchema),
      policy: deps.policy,
      source,
      identities,
      profile,
      mapping: await artifactJson(artifacts, project, 'schema_mapping', schemaMapping),
      recon: await artifactJson(artifacts, project, 'recon_proposal', reconProposal),
      answers: answered?.answers ?? [],
      now: deps.clock.now(),
    }
    // Within a run the first plan made from the same proposals stays: making it again would only change its time, and so its digest.
    const made = digestOf([facts.planVersion, facts.identities, facts.mapping, facts.recon, facts.policy, facts.answers]).slice(0, 16)
    const waived = await planThatWasWaived(deps, project, made)
    const plan = waived ?? (await storeJsonOnce(deps, keyOf(project_id, 'migration_plan', `${run_id}-${made}`), () => compilePlan(facts)))
    const policy = await storeJsonOnce(deps, keyOf(project_id, 'policy', digestOf(deps.policy).slice(0, 16)), () => deps.policy)
    await advance(deps, project_id, {
      ...(project.state === 'PLAN_DRAFTED' ? {} : { to: 'PLAN_DRAFTED' as const }),
      actor: 'waybill/compile-plan',
      action: 'PLAN_COMPILED',
      subject_sha256: plan.sha256,
      artifacts: { migration_plan: plan, policy },
      details: { plan_version: String(facts.planVersion), policy_version: deps.policy.version, decisions: String(facts.answers.length) },
    })
    // An earlier attempt may have died before the anchor of its change.
    if (project.state === 'PLAN_DRAFTED') await deps.anchors.anchor(project_id)
    return { project_id, run_id }
  }
}

/**
 * The plan that failed its validation, where it was made from the very same proposals and somebody has waived a finding of it since: a new
 * one would differ in its time only, and the waiver names this one.
 */
async function planThatWasWaived(deps: Deps, project: ProjectRecord, made: string): Promise<ArtifactPointer | null> {
  const current = project.artifacts.migration_plan
  if (current === undefined || project.state !== 'PLAN_DRAFTED') return null
  const waivers = await waiversOf(deps, project.project_id)
  const now = deps.clock.now().getTime()
  const counts = ({ predicate }: SignedWaiver) => predicate.plan_sha256 === current.sha256 && now < Date.parse(predicate.expires_at)
  if (!waivers.some(counts) || now >= Date.parse((await planOf(deps.artifacts, project)).expires_at)) return null
  const plans = await listed(deps.artifacts, `projects/${project.project_id}/migration_plan/`)
  const found = plans.find(({ key, pointer }) => pointer.sha256 === current.sha256 && key.endsWith(`-${made}.json`))
  return found?.pointer ?? null
}
