import type { z } from 'zod'
import type { Agent } from '../../layers/agents/agent.ts'
import { runAgent } from '../../layers/agents/orchestrator.ts'
import { keyOf, type StoringDeps, storeJsonOnce } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import type { ArtifactPointer } from '../../layers/core/schemas/common.ts'
import type { LifecycleState, ProjectRecord } from '../../layers/core/schemas/project.ts'

export type ProposingDeps = StoringDeps & ProjectDeps & Pick<Ports, 'model'>

type Ask<F extends object, S extends z.ZodType> = {
  agent: Agent<F, S>
  facts: F
  project: ProjectRecord
  /** The proposal's logical name. */
  artifact: string
  /** The folder it is stored in, where that is not its logical name. */
  folder?: string
  /** Distinguishes this run, and within it this asking. */
  part: string
  action: string
  to?: LifecycleState
  /** More artifacts that follow from the proposal. */
  also?: (proposal: z.infer<S>, pointer: ArtifactPointer) => Promise<Record<string, ArtifactPointer>>
}

/**
 * Runs an agent, stores proposal and reasoning as artifacts, and enters both digests in the audit log. The agent holds no port; what it
 * emits is data that later steps judge; whether a model was asked, and why its answer was refused, is in the entry.
 */
export async function propose<F extends object, S extends z.ZodType>(deps: ProposingDeps, ask: Ask<F, S>): Promise<z.infer<S>> {
  const { project, agent } = ask
  const id = project.project_id
  const { proposal, reasoning, model } = await runAgent(agent, ask.facts, deps.model)
  const pointer = await storeJsonOnce(deps, keyOf(id, ask.folder ?? ask.artifact, ask.part), () => proposal)
  const name = `${agent.name.replaceAll('-', '_')}_reasoning`
  const why = await storeJsonOnce(deps, keyOf(id, name, ask.part), () => reasoning)
  const also = (await ask.also?.(proposal, pointer)) ?? {}
  await advance(deps, id, {
    ...(ask.to === undefined || project.state === ask.to ? {} : { to: ask.to }),
    actor: `agent/${agent.name}`,
    action: ask.action,
    subject_sha256: pointer.sha256,
    reasoning_sha256: why.sha256,
    artifacts: { [ask.artifact]: pointer, [name]: why, ...also },
    details: { engine: reasoning.engine, confidence: String(reasoning.confidence), model },
  })
  // An earlier attempt may have died before the anchor of its change.
  if (project.state === ask.to) await deps.anchors.anchor(id)
  return proposal
}
