import type { Comparison, ComparisonEstimate } from '../../layers/core/comparison-report/comparison.ts'
import { counted, grouped } from '../../layers/core/count-words.ts'
import { bytesInWords, duration } from '../../layers/core/report/markup.ts'
import { sentence } from '../../layers/core/schema-comparison/summary.ts'
import type { Verdict } from '../../layers/core/schemas/common.ts'
import type { Mismatch, TableResult } from '../../layers/core/schemas/recon.ts'
import { equalInWords } from '../../layers/core/tolerance/claim.ts'
import { apart } from '../alike.ts'
import { columns, type Terminal, visible } from '../terminal.ts'

const SHOWN = 20
/** Up to this many tables each equal one has its line; above, they are counted. */
const SINGLY = 20
const NOTES_SHOWN = 12

const value = (text: string | null) => (text === null ? 'NULL' : visible(JSON.stringify(text)))

function mismatchLine(mismatch: Mismatch): string {
  const key = mismatch.key.map((part) => `${visible(part.column)}=${value(part.value)}`).join(' ')
  const cells = mismatch.columns.map((cell) => {
    if (mismatch.kind === 'changed') return `${visible(cell.column)}: ${apart(cell.source, cell.target, value).join(' → ')}`
    return `${visible(cell.column)}=${value(mismatch.kind === 'missing' ? cell.source : cell.target)}`
  })
  const copies =
    mismatch.source_count !== mismatch.target_count
      ? ` (${mismatch.source_count} in the source, ${mismatch.target_count} in the target)`
      : ''
  return `${mismatch.kind.padEnd(7)} ${[key, cells.join(', ')].filter((part) => part !== '').join('  ')}${copies}`
}

function tableLines(terminal: Terminal, table: TableResult, mode: Comparison['mode']): string[] {
  // What changes nothing for rows is said only to someone who asked about schemas.
  const notes = table.schema_differences
    .filter((difference) => difference.severity !== 'INFO' || mode === 'schema')
    .map((difference) => `${difference.severity === 'INFO' ? 'remark' : 'schema'}: ${sentence(difference)}`)
  const figures = table.aggregates
    .filter((aggregate) => aggregate.verdict === 'fail')
    .map((a) => `${a.kind} of ${visible(a.column)}: ${value(a.source)} → ${value(a.target)}`)
  const lines = [...table.reasons.map(visible), ...figures].map((line) => `  ${line}`)
  lines.push(...notes.slice(0, NOTES_SHOWN).map((line) => `  ${line}`))
  if (notes.length > NOTES_SHOWN) lines.push(`  … and ${notes.length - NOTES_SHOWN} more differences of the schema; --json lists all`)
  for (const mismatch of table.mismatches.slice(0, SHOWN)) lines.push(`  ${terminal.paint('yellow', mismatchLine(mismatch))}`)
  const total = BigInt(table.missing) + BigInt(table.extra) + BigInt(table.changed)
  if (table.mismatches.length > SHOWN) lines.push(`  … ${grouped(total)} rows differ in all; --differences FILE.jsonl lists every one`)
  return lines
}

function figures({ mode }: Comparison, table: TableResult): string {
  // What was not read to its end was not counted: a zero would be a claim.
  if (mode === 'schema' || (table.verdict === 'inconclusive' && table.segments.length === 0 && table.aggregates.length === 0)) return ''
  const counts = [`${grouped(table.source_rows)} rows`, `${grouped(table.target_rows)} rows`]
  if (mode === 'aggregates') return columns([counts])
  return columns([[...counts, `${table.missing} missing`, `${table.extra} extra`, `${table.changed} changed`]])
}

const both = (source: string, target: string) => (source === target ? visible(source) : `${visible(source)} = ${visible(target)}`)

/** The result as a person reads it: one line a table, below each table what is to be said of it, and last the claim. */
export function printComparison(terminal: Terminal, comparison: Comparison, options: { verbose: boolean }): void {
  const mark: Record<Verdict, string> = {
    pass: terminal.paint('green', 'equal'),
    fail: terminal.paint('red', 'DIFFERS'),
    inconclusive: terminal.paint('yellow', 'undecided'),
    'not-applicable': 'n/a',
  }
  if (comparison.mode === 'schema') mark.pass = terminal.paint('green', 'agrees')
  const equal = comparison.tables.filter((table) => table.verdict === 'pass' && tableLines(terminal, table, comparison.mode).length === 0)
  const fold = !options.verbose && equal.length > SINGLY
  for (const table of comparison.tables) {
    if (fold && equal.includes(table)) continue
    const rows = figures(comparison, table)
    const says =
      table.verdict === 'pass' && table.tolerances !== undefined ? terminal.paint('green', equalInWords(table)) : mark[table.verdict]
    terminal.out(`${says}  ${both(table.source_object, table.target_object)}  ${rows}`.trimEnd())
    for (const line of tableLines(terminal, table, comparison.mode)) terminal.out(line)
  }
  if (fold) {
    const rows = equal.reduce((sum, table) => sum + BigInt(table.target_rows), 0n)
    terminal.out(
      `${mark.pass}  ${grouped(equal.length)} tables${comparison.mode === 'schema' ? '' : `, ${grouped(rows)} rows`}; --verbose lists them`,
    )
  }
  for (const table of options.verbose ? comparison.earlier : []) {
    terminal.out(
      `${mark.pass}  ${both(table.source_object, table.target_object)}  ${grouped(table.rows)} rows, compared ${table.finished_at}`,
    )
  }
  if (comparison.earlier.length > 0) {
    const times = comparison.earlier.map((table) => table.finished_at).sort()
    terminal.out(
      `${mark.pass}  ${grouped(comparison.earlier.length)} tables by an earlier run, ${times[0]} to ${times.at(-1)}, under snapshots of their own`,
    )
  }
  for (const line of problemLines(comparison.problems, options.verbose, mark)) terminal.out(line)
  const style = { pass: ['bold', 'green'], fail: ['bold', 'red'], inconclusive: ['bold', 'yellow'], 'not-applicable': ['bold'] } as const
  terminal.out(terminal.paint([...style[comparison.verdict]], comparison.claim))
}

/** One line a table that has no other to be held against; many of one kind are counted after the first. */
export function problemLines(problems: Comparison['problems'], verbose: boolean, mark?: Readonly<Record<Verdict, string>>): string[] {
  const kinds = Map.groupBy(problems, ({ verdict, what }) => JSON.stringify([verdict, what]))
  return [...kinds.values()].flatMap((alike) => {
    const shown = verbose || alike.length <= SINGLY ? alike : alike.slice(0, SINGLY)
    const before = (verdict: Verdict) => (mark === undefined ? '' : `${mark[verdict]}  `)
    const lines = shown.map((one) => `${before(one.verdict)}${visible(one.table)}  ${visible(one.what)}`)
    const more = alike.length - shown.length
    return more === 0 ? lines : [...lines, `  … and ${grouped(more)} more: ${visible(alike[0]!.what)}; --verbose lists them`]
  })
}

/** `12 tables · about 3,000,000 rows · 1.20 GB a side · about 20 s`; what nobody knows is said to be unknown. */
export function estimateLine(estimate: ComparisonEstimate): string {
  return [
    counted(estimate.tables, 'table'),
    estimate.rows === null ? 'rows unknown' : `about ${grouped(estimate.rows)} rows`,
    estimate.bytes === null ? 'size unknown' : `${bytesInWords(BigInt(estimate.bytes))} a side`,
    estimate.seconds === null ? 'time unknown' : `about ${duration(Math.ceil(estimate.seconds) * 1000)}`,
  ].join(' · ')
}
