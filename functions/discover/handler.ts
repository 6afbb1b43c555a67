import { discoveryAgent } from '../../layers/agents/discovery.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { specOf } from '../../layers/core/flow/project-artifacts.ts'
import { refuseSourceAsTarget, scopeOf } from '../../layers/core/flow/scope.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { connectorOptions, resolveEnds, using } from '../work/connections.ts'
import { type ProposingDeps, propose } from '../work/proposing.ts'

type Deps = ProposingDeps & Pick<Ports, 'connectors' | 'secrets' | 'projects'>

/** Reads the catalog of everything in scope, and what the target already holds under the planned names. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await deps.projects.get(project_id)
    const spec = await specOf(deps.artifacts, project)
    const ends = await resolveEnds(deps, spec)
    const options = connectorOptions(deps, spec, spec.execution_config.statement_timeout_ms)
    const scope = scopeOf(spec)
    const source = await using(deps.connectors.source(ends.source.systemType, ends.source.url, options), async (opened) => ({
      identity: await opened.identity(scope),
      running: (await opened.running?.()) ?? null,
      catalog: await opened.catalog(scope),
    }))
    const planned = new Set(spec.tables.map(({ target }) => JSON.stringify([target.schema, target.name])))
    // The planned tables need not be there yet, and a catalog of named tables insists that they are.
    const target = await using(
      deps.connectors.source(ends.target.systemType, ends.target.url, { ...options, side: 'target' as const }),
      async (opened) => ({
        identity: await opened.identity([]),
        running: (await opened.running?.()) ?? null,
        catalog: await opened.catalog([]),
      }),
    )
    refuseSourceAsTarget(spec, { source, target })
    const tables = target.catalog.tables.filter(({ schema, name }) => planned.has(JSON.stringify([schema, name])))
    await propose(deps, {
      agent: discoveryAgent,
      facts: {
        source: source.catalog,
        target: { ...target.catalog, tables },
        identities: { source: source.identity, target: target.identity },
      },
      project,
      artifact: 'discovery_report',
      part: run_id,
      action: 'DISCOVERY_PROPOSED',
    })
    return { project_id, run_id }
  }
}
