import { sha256 } from '../core/digest.ts'
import { WaybillError } from '../core/errors.ts'
import type { ManualDecision } from '../core/schemas/proposal.ts'

export type Answer = { decision_id: string; choice: string }

/** Takes the mapping's questions: one that was answered is settled, any other stays open for a person. */
export type DecisionDesk = {
  /** The answered choice, or null while nobody has answered. @throws SPEC_INVALID for an answer that is not among the choices */
  ask(decision: ManualDecision): string | null
  open(): ManualDecision[]
  /** Answers to questions that never came up. */
  unasked(): string[]
  /** Position in the answers of a settled decision, for citations. */
  settled(): { decision_id: string; position: number }[]
}

/** The choice that sends the author back to the spec. */
export const REVISE = 'revise-spec'
export const REVISE_CHOICE = {
  choice: REVISE,
  label: 'Neither: the spec must change',
  consequence: 'This run stops here. Correct the spec and run it again under the same migration_id.',
}

export function decisionDesk(answers: readonly Answer[]): DecisionDesk {
  const given = new Map(answers.map((answer, position) => [answer.decision_id, { choice: answer.choice, position }]))
  const open: ManualDecision[] = []
  const settled: { decision_id: string; position: number }[] = []
  const asked = new Set<string>()
  return {
    ask(decision) {
      const answer = given.get(decision.decision_id)
      if (asked.has(decision.decision_id)) {
        throw new WaybillError(
          'PROPOSAL_INVALID',
          `Two questions share the id ${decision.decision_id}. Rename one of the columns they are about.`,
        )
      }
      asked.add(decision.decision_id)
      if (answer === undefined) {
        open.push(decision)
        return null
      }
      const choices = decision.choices.map((choice) => choice.choice)
      if (!choices.includes(answer.choice)) {
        throw new WaybillError(
          'SPEC_INVALID',
          `Decision ${decision.decision_id} was answered "${answer.choice}", which is none of its choices: ${choices.join(', ')}.`,
        )
      }
      if (answer.choice === REVISE) {
        throw new WaybillError(
          'SPEC_INVALID',
          `Decision ${decision.decision_id} was answered "${REVISE}": correct the spec and run it again under the same migration_id. It asked: ${decision.question}`,
        )
      }
      settled.push({ decision_id: decision.decision_id, position: answer.position })
      return answer.choice
    },
    open: () => open,
    unasked: () => [...given.keys()].filter((id) => !asked.has(id)).sort(),
    settled: () => settled,
  }
}

/** An id for a question about some columns of a table; names that are not slugs give a digest, so that two questions never share one. */
export function questionId(kind: string, tableId: string, columns: readonly string[]): string {
  const plain = [kind, tableId, ...columns].join('-')
  if (columns.every((column) => /^[a-z0-9_]+$/.test(column)) && plain.length <= 80) return plain
  return `${kind}-${sha256(JSON.stringify([tableId, ...columns])).slice(0, 32)}`
}
