import { reconAgent } from '../../layers/agents/recon.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { artifactJson, specOf } from '../../layers/core/flow/project-artifacts.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { schemaMapping } from '../../layers/core/schemas/proposal.ts'
import { discoveryReport, profilingReport } from '../../layers/core/schemas/report.ts'
import { tableIds } from '../../layers/core/table-id.ts'
import { requestedTolerances } from '../../layers/core/tolerance/request.ts'
import { type ProposingDeps, propose } from '../work/proposing.ts'

type Deps = ProposingDeps & Pick<Ports, 'projects'>

/** Proposes how each table pair is compared. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await deps.projects.get(project_id)
    const spec = await specOf(deps.artifacts, project)
    const { tables } = await artifactJson(deps.artifacts, project, 'schema_mapping', schemaMapping)
    const { source } = await artifactJson(deps.artifacts, project, 'discovery_report', discoveryReport)
    const { profile } = await artifactJson(deps.artifacts, project, 'profiling_report', profilingReport)
    const ids = tableIds(spec.tables.map((table) => table.target))
    const tolerances = spec.tables.flatMap((table, index) =>
      table.tolerances === undefined ? [] : [{ table_id: ids[index]!, tolerances: requestedTolerances(table.tolerances) }],
    )
    const facts = {
      mapping: { tables },
      source_system_type: spec.source.system_type,
      target_system_type: spec.target.system_type,
      source,
      profile,
      ...(tolerances.length === 0 ? {} : { tolerances }),
    }
    await propose(deps, { agent: reconAgent, facts, project, artifact: 'recon_proposal', part: run_id, action: 'RECON_PROPOSED' })
    return { project_id, run_id }
  }
}
