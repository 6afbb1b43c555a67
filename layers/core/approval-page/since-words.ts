import { counted, grouped } from '../count-words.ts'
import { madeAt, type NewestComparison, newestInWords, SINCE_THEN, type Since } from '../newest-comparison.ts'
import { moment } from '../report/markup.ts'
import type { Outcome } from '../schemas/outcome.ts'
import type { ReconReport, TableResult } from '../schemas/recon.ts'
import type { Line } from './in-short.ts'
import type { Mark, Section } from './section.ts'

const MARK: Readonly<Record<NewestComparison['found'], Mark>> = { equal: 'good', differs: 'bad', undecided: 'care' }
const MARK_OF_TABLE: Readonly<Partial<Record<TableResult['verdict'], Mark>>> = { pass: 'good', fail: 'bad' }

const REFUSED =
  'While this is the newest comparison, the cutover is not made, whoever approves it. See to the cause, then compare once more: waybill reconcile.'

/** A proof and what was found since, a line each: what speaks against the proof stands first, and a proof that it speaks against is no more than a note. */
export function provenAndSinceInShort(lines: readonly Line[], since: Since | null, outcome: Outcome): readonly Line[] {
  if (since === null) return lines
  const { newest } = since
  const line = { mark: MARK[newest.found], text: newestInWords(newest, outcome) }
  if (newest.found === 'equal') return [...lines, line]
  return [line, ...lines.map((each) => (each.mark === 'good' ? { ...each, mark: 'note' as const } : each))]
}

/** What was found since the proof was made: when, in which tables, and why where it is not that both are equal. */
export function sinceSection(since: Since | null, outcome: Outcome, limit: number): Section {
  if (since === null)
    return {
      title: 'Was it compared again since?',
      says: `No: the newest comparison is the one that the proof of ${madeAt(outcome)} is about.`,
    }
  const { newest, report } = since
  return {
    title: SINCE_THEN[newest.found],
    says: newestInWords(newest, outcome),
    ...(newest.found === 'equal' ? {} : { items: [{ mark: MARK[newest.found], text: REFUSED }] }),
    facts: [
      ['Compared', moment(Date.parse(newest.at))],
      ['Run', newest.run_id],
      ...(report === null ? [] : [['What', comparedInWords(report)] as const]),
    ],
    ...(report === null ? {} : { tables: [tableOf(report, limit)] }),
  }
}

function comparedInWords({ tables }: ReconReport): string {
  const sum = (side: 'source_rows' | 'target_rows') => tables.reduce((total, table) => total + BigInt(table[side]), 0n)
  return `${counted(tables.length, 'table')}: ${counted(sum('source_rows'), 'row')} of the source, ${counted(sum('target_rows'), 'row')} of the target`
}

function tableOf({ tables }: ReconReport, limit: number): NonNullable<Section['tables']>[number] {
  const shown = tables.toSorted((a, b) => Number(a.verdict === 'pass') - Number(b.verdict === 'pass')).slice(0, limit)
  const hidden = tables.length - shown.length
  return {
    caption: 'Rows compared since, table by table',
    fold: { above: 5, noun: ['table', 'tables'] },
    head: ['Table', 'Source rows', 'Target rows', 'Missing', 'Extra', 'Changed'],
    rows: shown.map((table) => ({
      mark: MARK_OF_TABLE[table.verdict] ?? 'care',
      cells: [table.target_object, ...[table.source_rows, table.target_rows, table.missing, table.extra, table.changed].map(grouped)],
    })),
    ...(hidden > 0 ? { more: `${counted(hidden, 'more table is', 'more tables are')} in the reconciliation report of this run.` } : {}),
  }
}
