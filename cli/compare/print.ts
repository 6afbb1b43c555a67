import type { Mismatch, TableResult } from '../../layers/core/schemas/recon.ts'
import { columns, grouped, type Terminal, visible } from '../terminal.ts'
import type { Comparison } from './run.ts'

const SHOWN = 20

const value = (text: string | null) => (text === null ? 'NULL' : visible(JSON.stringify(text)))

function mismatchLine(mismatch: Mismatch): string {
  const key = mismatch.key.map((part) => `${visible(part.column)}=${value(part.value)}`).join(' ')
  const cells = mismatch.columns.map((cell) => {
    if (mismatch.kind === 'changed') return `${visible(cell.column)}: ${value(cell.source)} → ${value(cell.target)}`
    return `${visible(cell.column)}=${value(mismatch.kind === 'missing' ? cell.source : cell.target)}`
  })
  const copies =
    mismatch.source_count !== mismatch.target_count
      ? ` (${mismatch.source_count} in the source, ${mismatch.target_count} in the target)`
      : ''
  return `${mismatch.kind.padEnd(7)} ${[key, cells.join(', ')].filter((part) => part !== '').join('  ')}${copies}`
}

function tableLines(terminal: Terminal, table: TableResult): string[] {
  const lines: string[] = []
  for (const reason of table.reasons) lines.push(`  ${visible(reason)}`)
  for (const difference of table.schema_differences.filter((d) => !d.planned && d.severity !== 'INFO')) {
    lines.push(`  schema  ${difference.kind} ${visible(difference.where)}: ${value(difference.source)} → ${value(difference.target)}`)
  }
  for (const mismatch of table.mismatches.slice(0, SHOWN)) lines.push(`  ${terminal.paint('yellow', mismatchLine(mismatch))}`)
  const total = BigInt(table.missing) + BigInt(table.extra) + BigInt(table.changed)
  if (total > BigInt(Math.min(SHOWN, table.mismatches.length)))
    lines.push(`  … ${grouped(total)} differences in all; --json lists the first 1,000 of each table`)
  return lines
}

/** The result as a person reads it: one line a table, and below each table that differs, what differs. */
export function printComparison(terminal: Terminal, comparison: Comparison): void {
  const mark = {
    pass: terminal.paint('green', 'equal'),
    fail: terminal.paint('red', 'DIFFERS'),
    inconclusive: terminal.paint('yellow', 'undecided'),
    'not-applicable': 'n/a',
  }
  for (const table of comparison.tables) {
    const names = table.source_object === table.target_object ? table.source_object : `${table.source_object} = ${table.target_object}`
    const rows = columns([
      [
        `${grouped(table.source_rows)} rows`,
        `${grouped(table.target_rows)} rows`,
        `${table.missing} missing`,
        `${table.extra} extra`,
        `${table.changed} changed`,
      ],
    ])
    terminal.out(`${mark[table.verdict]}  ${visible(names)}  ${rows}`)
    for (const line of tableLines(terminal, table)) terminal.out(line)
  }
  for (const problem of comparison.problems) terminal.out(`${mark[problem.verdict]}  ${visible(problem.table)}  ${problem.what}`)
  const summary = {
    pass: terminal.paint(['bold', 'green'], 'Equal: every row of every table compared, both ways.'),
    fail: terminal.paint(['bold', 'red'], 'Not equal.'),
    inconclusive: terminal.paint(['bold', 'yellow'], 'Not decided: see the reasons above. This is not "equal".'),
    'not-applicable': '',
  }
  terminal.out(summary[comparison.verdict])
}
