import { visible } from '../approval-page/visible-text.ts'
import { grouped } from '../count-words.ts'
import { lightDrift, WEIGHT_WORDS, type Weight, weightOf } from '../finding-weight.ts'
import { leftOfTable, omissions } from '../left-behind.ts'
import { inOneLine } from '../one-line.ts'
import type { CheckResult } from '../schemas/recon.ts'
import { toleranceSentences } from '../tolerance/claim.ts'
import { bytesInWords, duration, moment } from './markup.ts'
import type { ReportModel } from './model.ts'

const MISMATCHES_IN_MARKDOWN = 20

/** Text from strangers inside Markdown: no markup, no mention, no link, no table cell that ends early. */
export function plain(text: string): string {
  return visible(text, 300).replace(/[\\`*_{}[\]()#+!|<>~@:&$]/g, (character) => `&#${character.codePointAt(0)};`)
}

const STATUS = { PASS: '✅ pass', FAIL: '❌ fail', INCONCLUSIVE: '⚠️ not decided', NOT_APPLICABLE: '➖ not applicable' } as const
const SIGN: Readonly<Record<Weight, string>> = {
  pass: '✅',
  accepted: '⚠️',
  fail: '❌',
  undecided: '⚠️',
  warning: '⚠️',
  note: 'ℹ️',
  'not-applicable': '➖',
}
const PROOF = { VALID: '✅ Proven', INVALID: '❌ Not proven', INCONCLUSIVE: '⚠️ Not decided' } as const

/** `report.md`, for a pull request: the verdict first, every figure from the outcome, nothing that a name could break. */
export function reportMarkdown(model: ReportModel): string {
  const { outcome } = model
  const proof = outcome.proof_certificate
  const held = proof.proof_status === 'VALID' && proof.tables.some((table) => table.tolerances !== undefined)
  const omitted = omissions(model.plan)
  const lines = [
    `# ${plain(model.title)}`,
    '',
    `**${PROOF[proof.proof_status]}${held ? ' within tolerance' : ''}**, as of ${moment(proof.proof_timestamp)} · ${outcome.rollback_verdict.rollback_decision.replaceAll('_', ' ').toLowerCase()}: ${plain(outcome.rollback_verdict.rollback_decision_rationale)}`,
    '',
    ...(omitted.length === 0 ? [] : [`By plan, not everything arrives as it was: ${omitted.join(', ')}.`, '']),
    `Migration ${plain(proof.migration_id)}, project ${outcome.project_id}, run ${outcome.run_id}, ${moment(outcome.timestamp)}.`,
    '',
    ...resultLines(model),
    ...tableLines(model),
    ...mismatchLines(model),
    ...checkLines(model),
    ...signOffLines(model),
    '## Verify',
    '',
    '`waybill verify evidence_pack`, or the `openssl` and `sha256sum` lines of its `VERIFY.md`.',
    '',
    `Plan \`${outcome.inputs.plan_sha256}\`, reconciliation report \`${outcome.inputs.recon_report_sha256}\`.`,
    '',
  ]
  return lines.join('\n')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [`| ${head.join(' | ')} |`, `|${head.map(() => '---').join('|')}|`, ...rows.map((row) => `| ${row.join(' | ')} |`), '']
}

function resultLines({ outcome }: ReportModel): string[] {
  const { integrity_result: i, completeness_result: c, consistency_result: k, ordering_result: o } = outcome.proof_certificate
  const reasons = (list: readonly string[]) => plain(inOneLine(list.slice(0, 3)))
  const score = outcome.rollback_verdict.bps_current
  const drift = lightDrift(outcome)
  return [
    ...table(
      ['Result', 'Status', 'Why'],
      [
        ['Integrity', STATUS[i.status], reasons(i.reasons)],
        [
          'Completeness',
          STATUS[c.status],
          reasons(c.reasons) ||
            (c.source_record_count === null || c.target_record_count === null
              ? 'not measured'
              : `${grouped(c.source_record_count)} → ${grouped(c.target_record_count)} records`),
        ],
        ['Consistency', STATUS[k.status], k.status === 'PASS' && drift !== null ? plain(drift) : reasons(k.reasons)],
        ['Ordering', STATUS[o.status], reasons(o.reasons)],
      ],
    ),
    `Score ${score ?? 'not measured'} (${outcome.rollback_verdict.bps_status ?? 'a component is unknown'}).`,
    '',
  ]
}

function tableLines({ plan, execution, recon, outcome }: ReportModel): string[] {
  const rows = plan.tables.map((mapping) => {
    const copied = execution.tables.find((candidate) => candidate.table_id === mapping.table_id)
    const compared = recon.tables.find((candidate) => candidate.table_id === mapping.table_id)
    const result = outcome.proof_certificate.tables.find((candidate) => candidate.table_id === mapping.table_id)
    return [
      plain(`${mapping.target.schema}.${mapping.target.name}`),
      compared ? grouped(compared.source_rows) : 'not compared',
      compared ? grouped(compared.target_rows) : 'not compared',
      copied ? bytesInWords(BigInt(copied.bytes)) : 'not measured',
      result ? `${STATUS[result.status]}${result.tolerances === undefined ? '' : ' within tolerance'}` : '⬜ not run',
    ]
  })
  const held = recon.tables.flatMap((compared) =>
    toleranceSentences(compared).map((sentence) => `${plain(compared.target_object)}: ${plain(sentence)}`),
  )
  const left = plan.tables.flatMap((mapping) => {
    const says = leftOfTable(plan, mapping)
    return says === null ? [] : [`${plain(`${mapping.target.schema}.${mapping.target.name}`)}: ${plain(says)}`]
  })
  const copy = outcome.execution_timeline.phase_data_transfer.duration_ms
  return [
    '## What was migrated',
    '',
    ...table(['Table', 'Source records', 'Target records', 'Size', 'Result'], rows),
    ...[...held, ...left].map((sentence) => `- ${sentence}`),
    ...(held.length + left.length === 0 ? [] : ['']),
    `Copied in ${duration(copy)}.`,
    '',
  ]
}

function mismatchLines({ recon }: ReportModel): string[] {
  const all = recon.tables.flatMap((result) => result.mismatches.map((mismatch) => ({ result, mismatch })))
  const total = recon.tables.reduce((sum, result) => sum + BigInt(result.missing) + BigInt(result.extra) + BigInt(result.changed), 0n)
  if (total === 0n) return []
  const rows = all
    .slice(0, MISMATCHES_IN_MARKDOWN)
    .map(({ result, mismatch }) => [
      plain(result.target_object),
      mismatch.kind,
      mismatch.key.length === 0 ? 'no key' : plain(mismatch.key.map(({ column, value }) => `${column} = ${value ?? 'NULL'}`).join(', ')),
      plain(mismatch.columns.map(({ column }) => column).join(', ')),
    ])
  const rest = total - BigInt(rows.length)
  return [
    '## Differing records',
    '',
    ...table(['Table', 'What', 'Key', 'Columns'], rows),
    ...(rest > 0n ? [`${grouped(rest)} more are in the reconciliation report.`, ''] : []),
  ]
}

function checkLines({ plan, checks, outcome }: ReportModel): string[] {
  const accepted = new Set(outcome.findings.filter((finding) => finding.accepted).map((finding) => finding.id))
  const seen = new Set(checks.checks.map((check) => check.check_id))
  const rows = [
    ...checks.checks.map((check) => [
      weightWords(check, accepted.has(check.check_id)),
      check.kind.replaceAll('_', ' '),
      plain(check.where),
      plain(check.explanation),
    ]),
    ...plan.checks
      .filter(({ check_id }) => !seen.has(check_id))
      .map(({ request }) => ['⬜ not run', request.kind.replaceAll('_', ' '), plain(request.table), 'no result came back']),
  ]
  return rows.length === 0 ? [] : ['## Checks', '', ...table(['Verdict', 'Check', 'Where', 'Found'], rows)]
}

function weightWords(check: CheckResult, accepted: boolean): string {
  const weight = weightOf(check, accepted)
  return `${SIGN[weight]} ${WEIGHT_WORDS[weight]}${weight === 'fail' || weight === 'undecided' ? ` ${check.severity}` : ''}`
}

/** A report is made with the proof; the gates after it are decided later. */
const DECIDED_LATER =
  'This is what was decided when the proof was made. What was decided later, such as the cutover, is in `approvals/` of the evidence pack, and `waybill audit show` lists it.'

function signOffLines({ approvals }: ReportModel): string[] {
  if (approvals.length === 0) return []
  const rows = approvals.map(({ predicate }) => [
    predicate.role.replaceAll('_', ' '),
    plain(predicate.approver),
    predicate.decision.toLowerCase(),
    predicate.transition.replace('->', ' → '),
    `\`${predicate.subject_sha256.slice(0, 16)}…\``,
  ])
  return ['## Sign-off', '', ...table(['Role', 'Person', 'Decision', 'On', 'Reviewed'], rows), '', DECIDED_LATER]
}
