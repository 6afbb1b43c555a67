import { counted, grouped } from '../count-words.ts'
import { omissions } from '../left-behind.ts'
import { madeAt } from '../newest-comparison.ts'
import type { Finding } from '../schemas/finding.ts'
import type { Outcome } from '../schemas/outcome.ts'
import type { Plan } from '../schemas/plan.ts'
import type { Mark } from './section.ts'

export type Line = { mark: Mark; text: string }

/** A plan in three lines: how much, what is lost or hidden on the way, what the validators say. */
export function planInShort(plan: Plan, findings: readonly Finding[]): Line[] {
  const omitted = omissions(plan)
  const rows = plan.estimate.rows === null ? 'An unknown number of rows' : `About ${grouped(plan.estimate.rows)} rows`
  const open = findings.filter((finding) => finding.verdict !== 'pass').length
  return [
    { mark: 'note', text: `${rows} in ${counted(plan.tables.length, 'table')} are copied; the source is only read.` },
    omitted.length === 0
      ? { mark: 'good', text: 'Nothing is lost, masked or left behind on the way.' }
      : { mark: 'care', text: `Not everything arrives as it was: ${omitted.join(', ')}.` },
    findings.length === 0
      ? { mark: 'care', text: 'No check of the plan was made.' }
      : open === 0
        ? { mark: 'good', text: `All ${counted(findings.length, 'check')} of the plan passed.` }
        : { mark: 'care', text: `${counted(open, 'check')} of the plan did not simply pass; read them below.` },
  ]
}

/** A proof in one line. */
export function proofInShort(outcome: Outcome, plan: Plan): Line[] {
  const omitted = omissions(plan)
  switch (outcome.proof_certificate.proof_status) {
    case 'VALID':
      return [
        {
          mark: 'good',
          text: `On ${madeAt(outcome)} source and target were equal, row by row, in all that the plan moves; the proof is valid.`,
        },
        ...(omitted.length === 0
          ? []
          : [{ mark: 'care' as const, text: `By plan, not everything arrived as it was: ${omitted.join(', ')}.` }]),
      ]
    case 'INVALID':
      return [{ mark: 'bad', text: 'Source and target differ; the proof is not valid.' }]
    default:
      return [{ mark: 'care', text: 'Whether source and target are equal could not be decided. That is not the same as equal.' }]
  }
}
