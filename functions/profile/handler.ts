import { profilingAgent } from '../../layers/agents/profiling.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { artifactJson, specOf } from '../../layers/core/flow/project-artifacts.ts'
import { scopeOf } from '../../layers/core/flow/scope.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { discoveryReport } from '../../layers/core/schemas/report.ts'
import { connectorOptions, resolveEnds, using } from '../work/connections.ts'
import { type ProposingDeps, propose } from '../work/proposing.ts'

type Deps = ProposingDeps & Pick<Ports, 'connectors' | 'secrets' | 'projects'>

/** Measures the source: rows, NULLs, duplicates. The project is DISCOVERED. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await deps.projects.get(project_id)
    const spec = await specOf(deps.artifacts, project)
    const { source } = await artifactJson(deps.artifacts, project, 'discovery_report', discoveryReport)
    const ends = await resolveEnds(deps, spec)
    const options = connectorOptions(deps, spec, spec.execution_config.statement_timeout_ms)
    const profile = await using(deps.connectors.source(ends.source.systemType, ends.source.url, options), (opened) =>
      opened.profile(scopeOf(spec)),
    )
    const facts = { source, profile, pii_name_fragments: deps.policy.pii.name_fragments }
    await propose(deps, {
      agent: profilingAgent,
      facts,
      project,
      artifact: 'profiling_report',
      part: run_id,
      action: 'PROFILE_PROPOSED',
      to: 'DISCOVERED',
    })
    return { project_id, run_id }
  }
}
