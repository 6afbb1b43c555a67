import { grouped } from '../count-words.ts'
import { lightDrift, weightOf } from '../finding-weight.ts'
import { madeAt } from '../newest-comparison.ts'
import { inOneLine } from '../one-line.ts'
import type { Outcome } from '../schemas/outcome.ts'
import type { CutoverProposal } from '../schemas/proposal.ts'
import { toleranceSentences } from '../tolerance/claim.ts'
import { type Picture, share } from './picture.ts'
import { gravestFirst, MARK_OF } from './plan-words.ts'
import type { Mark, Section } from './section.ts'

const STATUS: Record<string, { mark: Mark; word: string }> = {
  PASS: { mark: 'good', word: 'holds' },
  FAIL: { mark: 'bad', word: 'does not hold' },
  INCONCLUSIVE: { mark: 'care', word: 'could not be decided' },
  NOT_APPLICABLE: { mark: 'note', word: 'does not apply' },
}

/** No age of a proof closes a gate, so that whoever decides has to be told. */
const SINCE = 'What was written to either side since then it does not know, and nothing asks how old it is.'

/** What the comparison of source and target came to, and when. */
export function proofSections(outcome: Outcome, limit: number): Section[] {
  const proof = outcome.proof_certificate
  const made = madeAt(outcome)
  const part = (name: string, result: { status: string; reasons: readonly string[] }) => {
    const status = STATUS[result.status] ?? STATUS.INCONCLUSIVE!
    return { mark: status.mark, text: `${name} ${status.word}. ${inOneLine(result.reasons.slice(0, 3))}` }
  }
  const drift = lightDrift(outcome)
  const consistency = proof.consistency_result
  const withDrift =
    consistency.status === 'PASS' && drift !== null ? { ...consistency, reasons: [...consistency.reasons, drift] } : consistency
  const tables = proof.tables.toSorted((a, b) => Number(a.status === 'PASS') - Number(b.status === 'PASS')).slice(0, limit)
  const hidden = proof.tables.length - tables.length
  const bps = outcome.rollback_verdict
  const held = proof.tables.flatMap((table) => {
    const verdict = table.status === 'PASS' ? ('pass' as const) : ('fail' as const)
    return toleranceSentences({ tolerances: table.tolerances, verdict }).map((sentence) => `${table.target_object}: ${sentence}`)
  })
  return [
    {
      title: 'Is the copy equal to the source?',
      says:
        proof.proof_status === 'VALID'
          ? held.length === 0
            ? `It was, in all that the plan moves, on ${made}. Every row of it was compared, and the proof is valid. ${SINCE}`
            : `Within tolerance, not exactly, on ${made}. Every row was compared, and the proof is valid; how far values are apart stands below. ${SINCE}`
          : proof.proof_status === 'INVALID'
            ? `No. The proof made on ${made} is not valid: source and target differ.`
            : `Not known. The comparison of ${made} could not decide; that is not the same as equal.`,
      pictures: [...rowPicture(proof.tables), ...riskPicture(bps)],
      items: [
        part('Integrity (same content)', proof.integrity_result),
        part('Completeness (same rows)', proof.completeness_result),
        part('Consistency (same structure)', withDrift),
        part('Ordering (same sequence)', proof.ordering_result),
        ...held.slice(0, limit).map((text) => ({ mark: 'care' as const, text })),
        ...(held.length > limit
          ? [{ mark: 'care' as const, text: `${held.length - limit} more columns held to a tolerance are in outcome.json.` }]
          : []),
      ],
      facts: [
        ...(bps.bps_current === null ? ([['Risk score', 'not measured']] as const) : []),
        ['What follows', bps.rollback_decision_rationale],
      ],
      tables: [
        {
          caption: 'Rows compared, table by table',
          fold: { above: 5, noun: ['table', 'tables'] },
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
    knowledgeSection(outcome.findings, limit),
  ]
}

/** Findings that stand beside the proof: each with its place, and how they stand to what was decided above. */
function knowledgeSection(findings: Outcome['findings'], limit: number): Section {
  const weight = (finding: Outcome['findings'][number]) => weightOf(finding, finding.accepted)
  const blocking = findings.filter((finding) => ['fail', 'undecided'].includes(weight(finding))).length
  const rest = findings.length - limit
  return {
    title: 'What you should know before you decide',
    says:
      findings.length === 0
        ? 'No findings.'
        : blocking === 0
          ? 'None of this makes the proof fail. Warnings count towards the score; you decide with them.'
          : 'What failed or was not decided stands first; a warning, a note, and what the plan accepts make no proof fail. Warnings count towards the score.',
    items: [
      ...gravestFirst(findings, weight)
        .slice(0, limit)
        .map((finding) => {
          const { where, what, accepted } = finding
          const place = where === '' || what.includes(where) ? '' : `${where}: `
          return { mark: MARK_OF[weight(finding)], text: `${place}${what}${accepted ? ' (accepted in the plan)' : ''}` }
        }),
      ...(rest > 0 ? [{ mark: 'note' as const, text: `${rest} more ${rest === 1 ? 'finding is' : 'findings are'} in outcome.json.` }] : []),
    ],
  }
}

type Compared = Outcome['proof_certificate']['tables'][number]

/** Of all rows of both sides' tables: how many are equal, how many differ or are on one side only. Nothing where nothing was counted. */
function rowPicture(tables: readonly Compared[]): Picture[] {
  const sum = (of: (table: Compared) => string | number) => tables.reduce((total, table) => total + BigInt(of(table)), 0n)
  const source = sum((table) => table.source_record_count)
  const [missing, extra, changed] = [sum((table) => table.missing), sum((table) => table.extra), sum((table) => table.changed)]
  const undecided = tables.filter((table) => table.status !== 'PASS' && table.status !== 'FAIL').length
  const whole = source + extra
  if (whole === 0n) return []
  const differ = missing + extra + changed
  const equal = whole - differ
  const words = `${grouped(String(equal))} of ${grouped(String(whole))} equal; ${grouped(String(missing))} missing, ${grouped(String(extra))} extra, ${grouped(String(changed))} changed.`
  return [
    {
      label: 'Rows',
      says: undecided > 0 ? `${words} ${undecided} ${undecided === 1 ? 'table' : 'tables'} could not be decided.` : words,
      parts: [
        { share: share(equal, whole), mark: undecided > 0 ? 'note' : 'good' },
        { share: share(differ, whole), mark: 'bad' },
      ],
    },
  ]
}

/** The breakdown point score between 0 and 1, with the lines where a warning and a roll-back begin. */
function riskPicture(verdict: Outcome['rollback_verdict']): Picture[] {
  const { bps_current: score, bps_threshold_warning: warning, bps_threshold_critical: critical } = verdict
  if (score === null) return []
  const at = Number(score)
  return [
    {
      label: 'Risk score',
      says: `${score} on a scale from 0 (best) to 1; warning from ${warning}, critical from ${critical}.`,
      parts: [{ share: at, mark: at >= Number(critical) ? 'bad' : at >= Number(warning) ? 'care' : 'good' }],
      limits: [Number(warning), Number(critical)],
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
