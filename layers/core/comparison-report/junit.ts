import { unambiguous } from '../approval-page/visible-text.ts'
import type { TableResult } from '../schemas/recon.ts'
import { toleranceSentences } from '../tolerance/claim.ts'
import type { Comparison } from './comparison.ts'

const codePoint = (hex: string) => `\\u{${hex.toLowerCase().replace(/^0+(?=.)/, '')}}`

/** What XML 1.0 cannot hold, and what hides or reorders in the tools that show it, as its code point. */
function xml(text: string): string {
  return unambiguous(text, codePoint).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
}

/** Sentences, a line each. */
const lines = (text: string) => text.split('\n').map(xml).join('&#10;')

const seconds = (from: string, to: string) => Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000).toFixed(3)

/** One test case a table: `failure` where it differs, `error` where it was not decided. Counts and reasons only, no values of rows. */
export function junitXml(comparison: Comparison): string {
  const cases: { name: string; time: string; kind: 'failure' | 'error' | null; message: string; note?: string }[] = [
    ...comparison.tables.map((table) => ({
      name: nameOf(table),
      time: seconds(table.started_at, table.finished_at),
      kind: table.verdict === 'pass' ? null : table.verdict === 'fail' ? ('failure' as const) : ('error' as const),
      message: table.reasons.map((reason) => unambiguous(reason, codePoint)).join('\n') || `verdict ${table.verdict}`,
      note: table.verdict === 'pass' ? toleranceSentences(table).join('\n') : '',
    })),
    ...comparison.earlier.map((table) => ({ name: nameOf(table), time: '0.000', kind: null, message: '' })),
    ...comparison.problems.map((problem) => ({
      name: problem.table,
      time: '0.000',
      kind: problem.verdict === 'fail' ? ('failure' as const) : ('error' as const),
      message: problem.what,
    })),
  ]
  // A run that was not decided as a whole must not look green where tables that finished are.
  if (comparison.verdict !== 'pass' && cases.every((one) => one.kind === null)) {
    cases.push({ name: 'the comparison as a whole', time: '0.000', kind: 'error', message: comparison.claim })
  }
  const count = (kind: string) => cases.filter((one) => one.kind === kind).length
  const attributes = `tests="${cases.length}" failures="${count('failure')}" errors="${count('error')}" time="${seconds(comparison.started_at, comparison.finished_at)}"`
  const body = cases.map((one) => {
    const open = `    <testcase classname="waybill.compare" name="${xml(one.name)}" time="${one.time}"`
    if (one.kind === null && (one.note ?? '') !== '')
      return `${open}>\n      <system-out>${lines(one.note ?? '')}</system-out>\n    </testcase>`
    if (one.kind === null) return `${open}/>`
    return `${open}>\n      <${one.kind} message="${xml(one.message.split('\n')[0]!)}">${lines(one.message)}</${one.kind}>\n    </testcase>`
  })
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="waybill compare" ${attributes}>
  <testsuite name="${xml(`${comparison.source} = ${comparison.target}`)}" timestamp="${comparison.started_at.slice(0, 19)}" ${attributes}>
${body.join('\n')}
    <system-out>${xml(comparison.claim)}</system-out>
  </testsuite>
</testsuites>
`
}

function nameOf(table: Pick<TableResult, 'source_object' | 'target_object'>): string {
  return table.source_object === table.target_object ? table.source_object : `${table.source_object} = ${table.target_object}`
}
