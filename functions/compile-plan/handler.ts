import { digestOf } from '../../layers/core/canonical-json.ts'
import { decisionAnswers } from '../../layers/core/flow/decision-answers.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { artifactJson, specOf } from '../../layers/core/flow/project-artifacts.ts'
import { keyOf, type StoringDeps, storeJsonOnce } from '../../layers/core/flow/storing.ts'
import { compilePlan } from '../../layers/core/plan-compiler.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import { archetype as archetypeSchema } from '../../layers/core/schemas/policy.ts'
import { reconProposal, schemaMapping } from '../../layers/core/schemas/proposal.ts'
import { discoveryReport, profilingReport } from '../../layers/core/schemas/report.ts'

type Deps = StoringDeps & ProjectDeps & Pick<Ports, 'projects'>

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
    const plan = await storeJsonOnce(deps, keyOf(project_id, 'migration_plan', `${run_id}-${made}`), () => compilePlan(facts))
    const policy = await storeJsonOnce(deps, keyOf(project_id, 'policy', digestOf(deps.policy).slice(0, 16)), () => deps.policy)
    await advance(deps, project_id, {
      ...(project.state === 'PLAN_DRAFTED' ? {} : { to: 'PLAN_DRAFTED' as const }),
      actor: 'waybill/compile-plan',
      action: 'PLAN_COMPILED',
      subject_sha256: plan.sha256,
      artifacts: { migration_plan: plan, policy },
      details: { plan_version: String(facts.planVersion), policy_version: deps.policy.version, decisions: String(facts.answers.length) },
    })
    return { project_id, run_id }
  }
}
