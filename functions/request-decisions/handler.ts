import { artifactOf } from '../../layers/core/artifacts.ts'
import { type AskingDeps, approverFor, ask, type Question, sendLink } from '../../layers/core/flow/asking.ts'
import { manualDecisions } from '../../layers/core/flow/decision-answers.ts'
import { readEvent, type TaskEvent, type TaskResult, waitingEvent } from '../../layers/core/flow/event.ts'
import { artifactJson, specOf } from '../../layers/core/flow/project-artifacts.ts'
import { DECISION_SUBJECT } from '../../layers/core/flow/subject.ts'
import type { Ports } from '../../layers/core/ports.ts'

type Deps = AskingDeps & Pick<Ports, 'projects' | 'artifacts'>

/** Ids in a mail; the page has them all. */
const MOST_IDS = 20

/** Asks the tech lead named in the spec every open manual decision, and leaves the task waiting. */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id, task_token } = readEvent(waitingEvent, input)
    const project = await deps.projects.get(project_id)
    const spec = await specOf(deps.artifacts, project)
    const { decisions } = await artifactJson(deps.artifacts, project, DECISION_SUBJECT.artifact, manualDecisions)
    const question: Question = {
      project,
      runId: run_id,
      taskToken: task_token,
      kind: 'decisions',
      transition: null,
      subject: artifactOf(project, DECISION_SUBJECT.artifact),
      subjectName: DECISION_SUBJECT.file,
      people: [approverFor(spec, 'tech_lead')],
      tells: { questions: { count: decisions.length, ids: decisions.slice(0, MOST_IDS).map(({ decision_id }) => decision_id) } },
    }
    await ask(deps, question, sendLink)
    return { project_id, run_id }
  }
}
