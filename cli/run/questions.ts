import { manualDecisions } from '../../layers/core/flow/decision-answers.ts'
import { artifactJson } from '../../layers/core/flow/project-artifacts.ts'
import { DECISION_SUBJECT } from '../../layers/core/flow/subject.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { visible } from '../terminal.ts'

/** Questions shown of one round; the page has them all. */
const SHOWN = 20

/** The state in which a run waits for answers. */
export const ASKING = 'RequestDecisions'

type Reading = Pick<Ports, 'projects' | 'artifacts' | 'approvals' | 'clock'>

/** A question that waits for its answer: its lines name the id and the choices that answer it in a spec. */
type OpenQuestion = { key: string; lines: string[] }

/** The questions that somebody is being asked now; none before the request was sent, nor once it was answered. */
async function openQuestions({ projects, artifacts, approvals, clock }: Reading, projectId: string): Promise<OpenQuestion[]> {
  const project = await projects.get(projectId)
  const subject = project.artifacts[DECISION_SUBJECT.artifact]?.sha256
  const asked = (await approvals.byProject(projectId)).filter((each) => each.kind === 'decisions' && each.subject.sha256 === subject)
  const waiting = asked.filter(({ status, expires_at }) => status === 'PENDING' && Date.parse(expires_at) > clock.now().getTime())
  const decided = new Set(
    asked.filter(({ decision }) => decision === 'ANSWERED' || decision === 'REJECTED').map(({ group_id }) => group_id),
  )
  if (waiting.every(({ group_id }) => decided.has(group_id))) return []
  const { decisions } = await artifactJson(artifacts, project, DECISION_SUBJECT.artifact, manualDecisions)
  return decisions.map(({ decision_id, question, choices }) => ({
    // The same question about another mapping is another question.
    key: `${subject} ${decision_id}`,
    lines: [`  ${decision_id}: ${choices.map(({ choice }) => choice).join(' | ')}`, `    ${visible(question)}`],
  }))
}

/**
 * Remembers what it has told, so that a question is told once, and again only where a new round asks it about another mapping.
 * @returns lines to print; null while nobody is being asked
 */
export function questionTeller(ports: Reading): (projectId: string) => Promise<string[] | null> {
  const told = new Set<string>()
  return async (projectId) => {
    const open = await openQuestions(ports, projectId)
    if (open.length === 0) return null
    const fresh = open.filter(({ key }) => !told.has(`${projectId} ${key}`))
    for (const { key } of fresh) told.add(`${projectId} ${key}`)
    const lines = fresh.slice(0, SHOWN).flatMap((each) => each.lines)
    const more = fresh.length - SHOWN
    return more > 0 ? [...lines, `  … and ${more} more on the page`] : lines
  }
}
