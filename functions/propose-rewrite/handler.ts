import { rewriteAgent } from '../../layers/agents/rewrite.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { artifactJson, specOf } from '../../layers/core/flow/project-artifacts.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { schemaMapping } from '../../layers/core/schemas/proposal.ts'
import { type ProposingDeps, propose } from '../work/proposing.ts'

type Deps = ProposingDeps & Pick<Ports, 'projects'>

/** Writes the files a reviewer reads in the pull request. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await deps.projects.get(project_id)
    const spec = await specOf(deps.artifacts, project)
    const mapping = await artifactJson(deps.artifacts, project, 'schema_mapping', schemaMapping)
    const facts = { mapping, migration_id: spec.migration_id, title: spec.title, source_system_type: spec.source.system_type }
    await propose(deps, { agent: rewriteAgent, facts, project, artifact: 'rewrite', part: run_id, action: 'REWRITE_PROPOSED' })
    return { project_id, run_id }
  }
}
