import { z } from 'zod'
import { cutoverAgent } from '../../layers/agents/cutover.ts'
import { artifactOf } from '../../layers/core/artifacts.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { artifactJson, planOf, specOf } from '../../layers/core/flow/project-artifacts.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { outcome as outcomeSchema } from '../../layers/core/schemas/outcome.ts'
import { isProven } from '../prove-outcome/proof.ts'
import { type ProposingDeps, propose } from '../work/proposing.ts'
import { keptPolicy } from '../work/signed-policy.ts'

type Deps = ProposingDeps & Pick<Ports, 'projects'>

const pullRequest = z.looseObject({ pull_request: z.string() })

/** Writes the runbook for the cutover. The project is CUTOVER_READY. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await deps.projects.get(project_id)
    const { artifacts } = deps
    const outcome = await artifactJson(artifacts, project, 'outcome', outcomeSchema)
    const plan = await planOf(artifacts, project)
    const facts = {
      plan,
      approvers: (await specOf(artifacts, project)).approvers,
      proof_sha256: artifactOf(project, 'proof_certificate').sha256,
      proof_valid: isProven(outcome),
      clean_runs: project.clean_runs,
      clean_runs_required: (await keptPolicy(deps, project_id, plan.policy.sha256)).clean_runs_required,
      pull_request: (await artifactJson(artifacts, project, 'pull_request', pullRequest)).pull_request,
    }
    await propose(deps, {
      agent: cutoverAgent,
      facts,
      project,
      artifact: 'cutover_plan',
      part: run_id,
      action: 'CUTOVER_PLANNED',
      to: 'CUTOVER_READY',
    })
    return { project_id, run_id }
  }
}
