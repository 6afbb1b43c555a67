import type { Outcome } from '../schemas/outcome.ts'
import type { CutoverProposal } from '../schemas/proposal.ts'
import { grouped, markOf } from './plan-words.ts'
import type { Mark, Section } from './section.ts'

const STATUS: Record<string, { mark: Mark; word: string }> = {
  PASS: { mark: 'good', word: 'holds' },
  FAIL: { mark: 'bad', word: 'does not hold' },
  INCONCLUSIVE: { mark: 'care', word: 'could not be decided' },
  NOT_APPLICABLE: { mark: 'note', word: 'does not apply' },
}

/** What the comparison of source and target came to. */
export function proofSections(outcome: Outcome, limit: number): Section[] {
  const proof = outcome.proof_certificate
  const part = (name: string, result: { status: string; reasons: readonly string[] }) => {
    const status = STATUS[result.status] ?? STATUS.INCONCLUSIVE!
    return { mark: status.mark, text: `${name} ${status.word}. ${result.reasons.slice(0, 3).join(' ')}` }
  }
  const tables = proof.tables.slice(0, limit)
  const hidden = proof.tables.length - tables.length
  const bps = outcome.rollback_verdict
  return [
    {
      title: 'Is the copy equal to the source?',
      says:
        proof.proof_status === 'VALID'
          ? 'Yes. Every row was compared, and the proof is valid.'
          : proof.proof_status === 'INVALID'
            ? 'No. The proof is not valid: source and target differ.'
            : 'Not known. The comparison could not decide; that is not the same as equal.',
      items: [
        part('Integrity (same content)', proof.integrity_result),
        part('Completeness (same rows)', proof.completeness_result),
        part('Consistency (same structure)', proof.consistency_result),
        part('Ordering (same sequence)', proof.ordering_result),
      ],
      facts: [
        [
          'Risk score',
          bps.bps_current === null
            ? 'not measured'
            : `${bps.bps_current} (warning from ${bps.bps_threshold_warning}, critical from ${bps.bps_threshold_critical})`,
        ],
        ['What follows', bps.rollback_decision_rationale],
      ],
      tables: [
        {
          caption: 'Rows compared, table by table',
          head: ['Table', 'Source rows', 'Target rows', 'Missing', 'Extra', 'Changed'],
          rows: tables.map((table) => ({
            mark: STATUS[table.status]?.mark ?? 'care',
            cells: [
              table.target_object,
              ...[table.source_record_count, table.target_record_count, table.missing, table.extra, table.changed].map(grouped),
            ],
          })),
          ...(hidden > 0 ? { more: `${hidden} more tables are in outcome.json.` } : {}),
        },
      ],
    },
    {
      title: 'What you should know before you decide',
      ...(outcome.findings.length === 0 ? { says: 'No findings.' } : {}),
      items: outcome.findings.slice(0, limit).map((finding) => ({
        mark: finding.accepted && finding.verdict === 'fail' ? 'care' : markOf(finding.verdict),
        text: `${finding.what}${finding.accepted ? ' (accepted in the plan)' : ''}`,
      })),
    },
  ]
}

/** The runbook, step by step. */
export function cutoverSections(cutover: CutoverProposal, limit: number): Section[] {
  const steps = cutover.steps.slice(0, limit)
  const hidden = cutover.steps.length - steps.length
  return [
    {
      title: 'What will be done',
      tables: [
        {
          caption: 'Steps of the cutover',
          head: ['Step', 'Who', 'What', 'How it is checked', 'How it is undone'],
          rows: steps.map((step) => ({ cells: [String(step.step), step.who, step.what, step.verify, step.undo] })),
          ...(hidden > 0 ? { more: `${hidden} more steps are in the runbook.` } : {}),
        },
      ],
    },
  ]
}
