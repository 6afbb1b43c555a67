import { mappingAgent } from '../../layers/agents/mapping.ts'
import { artifactOf } from '../../layers/core/artifacts.ts'
import { digestOf } from '../../layers/core/canonical-json.ts'
import { type DecisionAnswers, decisionAnswers, type ManualDecisions } from '../../layers/core/flow/decision-answers.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { artifactJson, specOf } from '../../layers/core/flow/project-artifacts.ts'
import { keyOf, storeJsonOnce } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { typeCoercionRulebook } from '../../layers/core/rulebooks.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { discoveryReport, profilingReport } from '../../layers/core/schemas/report.ts'
import { type ProposingDeps, propose } from '../work/proposing.ts'

type Deps = ProposingDeps & Pick<Ports, 'projects'>

/** Proposes the mapping from facts, spec and the answers given so far. Open decisions stop planning. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await deps.projects.get(project_id)
    const spec = await specOf(deps.artifacts, project)
    const { source, target } = await artifactJson(deps.artifacts, project, 'discovery_report', discoveryReport)
    const { profile } = await artifactJson(deps.artifacts, project, 'profiling_report', profilingReport)
    const answers = (await answersOf(deps, project)).map(({ decision_id, choice }) => ({ decision_id, choice }))
    const facts = { spec, source, target, profile, rulebook: typeCoercionRulebook, policy: deps.policy, answers }
    const mapping = await propose(deps, {
      agent: mappingAgent,
      facts,
      project,
      artifact: 'schema_mapping',
      // Asked again with answers it is another proposal, under another key.
      part: `${run_id}-${digestOf(answers).slice(0, 12)}`,
      action: 'MAPPING_PROPOSED',
      also: async (proposal, pointer) => {
        if (proposal.decisions.length === 0) return {}
        const questions: ManualDecisions = {
          schema: 'waybill/manual-decisions/v1',
          project_id,
          mapping_sha256: pointer.sha256,
          spec_sha256: artifactOf(project, 'spec').sha256,
          decisions: proposal.decisions,
        }
        const key = keyOf(project_id, 'manual_decisions', digestOf(questions).slice(0, 32))
        return { manual_decisions: await storeJsonOnce(deps, key, () => questions) }
      },
    })
    return { project_id, run_id, decision: mapping.decisions.length === 0 ? 'DECISIONS_CLOSED' : 'DECISIONS_OPEN' }
  }
}

async function answersOf(deps: Deps, project: ProjectRecord): Promise<DecisionAnswers['answers']> {
  if (project.artifacts.decision_answers === undefined) return []
  return (await artifactJson(deps.artifacts, project, 'decision_answers', decisionAnswers)).answers
}
