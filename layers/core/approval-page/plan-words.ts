import { counted, grouped } from '../count-words.ts'
import { type Weight, weightOf } from '../finding-weight.ts'
import { columnsInWords } from '../left-behind.ts'
import type { Finding } from '../schemas/finding.ts'
import type { Plan } from '../schemas/plan.ts'
import type { ColumnMapping, ManualDecision, TableMapping } from '../schemas/proposal.ts'
import type { RowFilter, SystemType } from '../schemas/spec.ts'
import { identityInWords } from '../system-identity.ts'
import { type Tolerance, toleranceInWords } from '../tolerance/request.ts'
import type { Mark, Section } from './section.ts'
import { moment } from './visible-text.ts'

/** How a column gets its value, in words. */
export function columnInWords(column: ColumnMapping): string {
  const from = column.source_types.join(', ')
  const what = transformInWords(column, from)
  return `${what}${column.lossy ? '; loses information' : ''}${column.pii ? '; personal data' : ''}`
}

function transformInWords(column: ColumnMapping, from: string): string {
  const { transform } = column
  switch (transform.kind) {
    case 'identity':
      return 'copied as it is'
    case 'cast':
      return `converted from ${from} to ${column.target_type}`
    case 'minutes_to_interval':
      return 'minutes become a duration'
    case 'lowercase':
      return 'made lower-case'
    case 'trim':
      return 'spaces at both ends removed'
    case 'e164':
      return `written as an international phone number, +${transform.country_code} where none is given`
    case 'scale':
      return `multiplied by ${transform.factor}, rounded to ${transform.decimals} decimals`
    case 'truncate_time':
      return `time cut to the ${transform.unit}`
    case 'concat':
      return `joined with "${transform.separator}"`
    case 'constant':
      return transform.value === null ? 'always empty (NULL)' : `always "${transform.value}"`
    case 'mask_partial':
      return `masked: only ${transform.keep} characters stay readable`
    case 'mask_redact':
      return `masked: replaced by "${transform.value}"`
    case 'mask_sha256':
      return 'masked: replaced by a fingerprint that cannot be read back'
  }
}

const OPERATORS: Record<RowFilter['all'][number]['op'], string> = {
  eq: 'is',
  ne: 'is not',
  lt: 'is less than',
  le: 'is at most',
  gt: 'is more than',
  ge: 'is at least',
  in: 'is one of',
  not_in: 'is none of',
  is_null: 'is empty',
  is_not_null: 'is not empty',
}

/** Which rows are moved, in words. */
export function filterInWords(filter: RowFilter | null): string {
  if (filter === null) return 'Every row is moved.'
  const terms = filter.all.map((term) => {
    const few = term.values.slice(0, 5)
    const more = term.values.length > few.length ? ` and ${term.values.length - few.length} more` : ''
    return `${term.column} ${OPERATORS[term.op]}${few.length > 0 ? ` ${few.join(', ')}${more}` : ''}`
  })
  return `Only rows are moved where ${terms.join(' and ')}. All other rows stay behind.`
}

const SYSTEMS: Readonly<Record<SystemType, string>> = {
  POSTGRESQL: 'a PostgreSQL database',
  PARQUET: 'Parquet files',
  CSV: 'CSV files',
  JSON: 'JSON files',
}

const name = (part: { schema: string; name: string }) => (part.schema === '' ? part.name : `${part.schema}.${part.name}`)

/** What the plan changes. `limit`: columns listed over all tables; those left out are counted in words. */
export function planSections(plan: Plan, limit: number): Section[] {
  let room = limit
  const tables = plan.tables.slice(0, Math.max(1, Math.ceil(limit / 4))).map((table) => {
    const shown = table.columns.slice(0, Math.max(0, room))
    room -= shown.length
    return tableInWords(table, shown, {
      tolerances: plan.recon.tables.find((recon) => recon.table_id === table.table_id)?.tolerances ?? [],
      left: plan.left_behind.find((left) => left.table_id === table.table_id)?.columns ?? [],
    })
  })
  const hidden = plan.tables.length - tables.length
  const columns = plan.tables.flatMap((table) => table.columns)
  const masked = columns.filter((column) => column.transform.kind.startsWith('mask_')).length
  const lossy = columns.filter((column) => column.lossy).length
  const special = [...(masked > 0 ? [`${masked} masked`] : []), ...(lossy > 0 ? [`${lossy} losing information`] : [])]
  const left = plan.left_behind.reduce((sum, table) => sum + table.columns.length, 0)
  return [
    {
      title: 'What changes',
      says: `Data is copied from ${SYSTEMS[plan.source.system_type]} into new tables of ${SYSTEMS[plan.target.system_type]}. The source is only read.`,
      facts: [
        ['From', identityInWords(plan.source.identity)],
        ['To', identityInWords(plan.target.identity)],
        ['Tables', counted(plan.tables.length, 'table')],
        ['Columns', [grouped(columns.length), ...(special.length === 0 ? [] : [`of which ${special.join(' and ')}`])].join(', ')],
        [
          'Left behind',
          left === 0
            ? 'no column of these tables; other tables of the source are not looked at'
            : `${counted(left, 'column')} of the source, named below; other tables of the source are not looked at`,
        ],
        ['Rows', plan.estimate.rows === null ? (plan.estimate.reason ?? 'not estimated') : `about ${grouped(plan.estimate.rows)}`],
        [
          'If it goes wrong',
          plan.rollback.auto_rollback_enabled
            ? 'the new tables are dropped again by themselves, with everything in them; should they hold more rows than were copied, a person is asked first. The source stays'
            : 'a person decides about dropping the new tables, with everything in them; the source stays',
        ],
        ['Written by', plan.author],
        ['Valid until', moment(plan.expires_at)],
      ],
      tables: folded(
        hidden > 0
          ? [
              ...tables.slice(0, -1),
              { ...tables.at(-1)!, more: `${hidden} more tables are not shown here. Read them in the plan file before you decide.` },
            ]
          : tables,
      ),
    },
  ]
}

/** Columns that a page shows at once; of a longer plan only those that ask for a look stand open. */
const OPEN_COLUMNS = 12

function folded(tables: NonNullable<Section['tables']>): NonNullable<Section['tables']> {
  const columns = tables.reduce((sum, table) => sum + table.rows.length, 0)
  return columns <= OPEN_COLUMNS
    ? tables
    : tables.map((table) => ({ ...table, fold: { above: 0, noun: ['column', 'columns'], are: 'copied as they are' } }))
}

/** Nothing that an approver could object to: the value of the column of that name, of that type, and no person's. */
function arrivesAsItIs({ target, target_type, source, source_types, transform, lossy, pii }: ColumnMapping): boolean {
  const same = source.length === 1 && source[0] === target && source_types[0] === target_type
  return same && transform.kind === 'identity' && !lossy && !pii
}

function tableInWords(
  table: TableMapping,
  shown: readonly ColumnMapping[],
  { tolerances, left }: { tolerances: readonly Tolerance[]; left: readonly string[] },
): NonNullable<Section['tables']>[number] {
  const rest = table.columns.length - shown.length
  const key =
    table.key === null
      ? 'Rows have no key; they are compared as they are, duplicates counted.'
      : `Rows are identified by ${table.key.join(', ')}.`
  const foreign = table.foreign_keys.map((fk) => {
    const how = { enforced: 'must exist in', unvalidated: 'refers to (missing ones are kept and reported)', none: 'is checked against' }[
      fk.enforcement
    ]
    return ` ${fk.columns.join(', ')} ${how} ${fk.references.table}.`
  })
  return {
    caption: `${name(table.source)} becomes ${name(table.target)}`,
    says: `${filterInWords(table.filter)} ${leftInWords(left)} ${key}${foreign.join('')}${toleranceWords(tolerances)}`,
    head: ['New column', 'From', 'Type', 'What happens to the value'],
    rows: shown.map((column) => ({
      ...(arrivesAsItIs(column) && !tolerances.some((one) => one.column === column.target) ? {} : { mark: 'care' as const }),
      cells: [column.target, column.source.join(', ') || 'nothing', column.target_type, columnInWords(column)],
    })),
    ...(rest > 0 ? { more: `${rest} more columns are not shown here. Read them in the plan file before you decide.` } : {}),
  }
}

function leftInWords(left: readonly string[]): string {
  if (left.length === 0) return 'Every column is moved.'
  return `Left behind in the source, neither moved nor compared: ${columnsInWords(left)}.`
}

/** What an approver excuses with this plan. */
function toleranceWords(tolerances: readonly Tolerance[]): string {
  if (tolerances.length === 0) return ''
  const each = tolerances.map(
    (one) => `${one.column} up to ${toleranceInWords(one)}${one.kind === 'relative' ? ' of the larger value' : ''}`,
  )
  return ` Not compared exactly: source and target may differ in ${each.join(', ')}.`
}

/** A finding that somebody took responsibility for, so that it does not stop the plan. */
export type WaivedFinding = {
  rule_id: Finding['rule_id']
  where: string
  /** What the finding says, where one place has several. */
  what?: string
  approver: string
  role: string
  reason: string
  expires_at: string
}

/** Validator results: what weighs most first, with who waived it and why. */
export function findingSection(findings: readonly Finding[], limit = 60, waived: readonly WaivedFinding[] = []): Section {
  const waiverOf = (finding: Finding) =>
    finding.verdict === 'pass'
      ? undefined
      : waived.find(
          (each) =>
            each.rule_id === finding.rule_id && each.where === finding.where && (each.what === undefined || each.what === finding.what),
        )
  const sorted = gravestFirst(findings, (finding) => weightOf(finding))
  const shown = sorted.slice(0, limit).map((finding) => {
    const waiver = waiverOf(finding)
    const remedy = finding.verdict === 'pass' || finding.remedy === '' ? '' : ` What helps: ${finding.remedy}`
    const taken = waiver && ` Waived by ${waiver.approver} (${waiver.role}) until ${moment(waiver.expires_at)}: ${waiver.reason}`
    return { mark: waiver ? ('care' as const) : MARK_OF[weightOf(finding)], text: `${finding.what}${taken ?? remedy}` }
  })
  const rest = sorted.length - shown.length
  return {
    title: 'What the validators found',
    ...(findings.length === 0 ? { says: 'No findings are recorded.' } : {}),
    items: rest > 0 ? [...shown, { mark: 'note' as const, text: `${rest} more findings are in the findings file.` }] : shown,
  }
}

const GRAVEST: readonly Weight[] = ['fail', 'undecided', 'accepted', 'warning', 'not-applicable', 'note', 'pass']

/** What weighs most stands first, so that a shortened list never leaves out what matters. */
export function gravestFirst<T>(findings: readonly T[], weight: (finding: T) => Weight): T[] {
  return findings.toSorted((a, b) => GRAVEST.indexOf(weight(a)) - GRAVEST.indexOf(weight(b)))
}

/** How each weight looks on a page. */
export const MARK_OF: Readonly<Record<Weight, Mark>> = {
  pass: 'good',
  accepted: 'care',
  fail: 'bad',
  undecided: 'care',
  warning: 'warn',
  note: 'note',
  'not-applicable': 'note',
}

/** Questions that were asked, and who answered them how. */
export function decisionSection(plan: Plan, questions: readonly ManualDecision[]): Section {
  const answers = new Map(plan.decisions.map((decision) => [decision.decision_id, decision]))
  const items = questions.slice(0, 50).map((question) => {
    const answer = answers.get(question.decision_id)
    const label = question.choices.find((choice) => choice.choice === answer?.choice)
    return answer
      ? {
          mark: 'note' as const,
          text: `${question.question} Answer: ${label?.label ?? answer.choice} (${answer.answered_by}). ${label?.consequence ?? ''}`,
        }
      : { mark: 'care' as const, text: `Still open: ${question.question}` }
  })
  const asked = new Set(questions.map((question) => question.decision_id))
  const others = plan.decisions.filter((decision) => !asked.has(decision.decision_id)).slice(0, 50)
  return {
    title: 'Decisions taken and questions still open',
    ...(items.length + others.length === 0 ? { says: 'No question needed a person, and none is open.' } : {}),
    items: [...items, ...others.map((d) => ({ mark: 'note' as const, text: `${d.decision_id}: ${d.choice} (${d.answered_by})` }))],
  }
}
