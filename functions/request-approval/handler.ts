import { artifactOf } from '../../layers/core/artifacts.ts'
import { type AskingDeps, approverFor, ask, type LinksDeps, type Question, sendLinks } from '../../layers/core/flow/asking.ts'
import { approvalEvent, readEvent, type TaskEvent, type TaskResult } from '../../layers/core/flow/event.ts'
import { artifactJson, specOf } from '../../layers/core/flow/project-artifacts.ts'
import { SUBJECTS } from '../../layers/core/flow/subject.ts'
import type { ArtifactStore, MakesMacs, Ports } from '../../layers/core/ports.ts'
import { outcome } from '../../layers/core/schemas/outcome.ts'
import type { GatedTransition } from '../../layers/core/schemas/policy.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { offerWithdrawal } from '../decide/plan-invitation.ts'
import { standingOf } from '../work/separation-of-duties.ts'

type Deps = AskingDeps & LinksDeps & MakesMacs<'withdrawalLink'> & Pick<Ports, 'projects' | 'artifacts' | 'log' | 'tasks' | 'trust'>

/** When the proof was made, for those who decide on one: nothing asks how old it is but they. */
async function proofTime(
  artifacts: ArtifactStore,
  project: ProjectRecord,
  transition: GatedTransition,
): Promise<NonNullable<Question['tells']>> {
  if (transition === 'PLAN_DRAFTED->PLANNED' || transition === 'PLANNED->EXECUTED') return {}
  const { proof_certificate: proof } = await artifactJson(artifacts, project, 'outcome', outcome)
  return { proof_made_at: new Date(proof.proof_timestamp).toISOString() }
}

/** Asks everyone whose approval of this very subject is still missing; completes the task at once when none is. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const event = readEvent(approvalEvent, input)
    const { project_id, run_id, transition, task_token } = event
    const project = await deps.projects.get(project_id)
    const { artifact, file } = SUBJECTS[transition]
    const subject = artifactOf(project, artifact)
    const answer = await standingOf(deps, project, transition, subject.sha256)
    if (answer === null || answer.approved || answer.refused.length > 0) {
      await deps.tasks.succeed(task_token, { decision: answer?.approved === true ? 'APPROVED' : 'REJECTED' })
      return { project_id, run_id }
    }
    const spec = await specOf(deps.artifacts, project)
    const people = answer.missing.map((role) => approverFor(spec, role))
    const tells = await proofTime(deps.artifacts, project, transition)
    const asked = { project, runId: run_id, taskToken: task_token, transition, subject, subjectName: file, people, tells }
    const question: Question = { ...asked, kind: 'approval' }
    await ask(deps, question, sendLinks)
    if (transition === 'PLAN_DRAFTED->PLANNED' || transition === 'PLANNED->EXECUTED') await offerWithdrawal(deps, project)
    return { project_id, run_id }
  }
}
