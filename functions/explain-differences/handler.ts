import { diffExplainerAgent } from '../../layers/agents/diff-explainer.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { planOf } from '../../layers/core/flow/project-artifacts.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { type ProposingDeps, propose } from '../work/proposing.ts'
import { mergedReport } from '../work/recorded-reports.ts'

type Deps = ProposingDeps & Pick<Ports, 'projects'>

/** Proposes why rows differ. It explains; the verdict stays what it is and travels on in `decision`. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await deps.projects.get(project_id)
    const { tables } = await planOf(deps.artifacts, project)
    const { report } = await mergedReport(deps, project_id, run_id)
    await propose(deps, {
      agent: diffExplainerAgent,
      facts: { mapping: { tables }, tables: report.tables },
      project,
      artifact: `explanation.${run_id}`,
      folder: 'explanation',
      part: run_id,
      action: 'DIFFERENCES_EXPLAINED',
    })
    return { project_id, run_id, decision: report.verdict }
  }
}
