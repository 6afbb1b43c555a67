import { manualDecisions } from '../../layers/core/flow/decision-answers.ts'
import { artifactJson } from '../../layers/core/flow/project-artifacts.ts'
import { DECISION_SUBJECT } from '../../layers/core/flow/subject.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { visible } from '../terminal.ts'

/** Questions shown; the page has them all. */
const SHOWN = 20

/** The state in which a run waits for answers. */
export const ASKING = 'RequestDecisions'

/** The open questions of a project, each with the id and the choices that answer it in a spec. */
export async function questionLines({ projects, artifacts }: Pick<Ports, 'projects' | 'artifacts'>, projectId: string): Promise<string[]> {
  const project = await projects.get(projectId)
  const { decisions } = await artifactJson(artifacts, project, DECISION_SUBJECT.artifact, manualDecisions)
  const lines = decisions
    .slice(0, SHOWN)
    .flatMap(({ decision_id, question, choices }) => [
      `  ${decision_id}: ${choices.map(({ choice }) => choice).join(' | ')}`,
      `    ${visible(question)}`,
    ])
  const more = decisions.length - SHOWN
  return more > 0 ? [...lines, `  … and ${more} more on the page`] : lines
}
