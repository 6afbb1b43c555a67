import { decodeFrame, encodeFrame } from '../../core/encoding/row-frame.ts'
import { WaybillError } from '../../core/errors.ts'
import { printedSql } from '../../core/sql-text.ts'
import { copyOut } from './copy-stream.ts'
import { keyOrder } from './key-order.ts'
import type { Session } from './session.ts'
import { quoteIdentifier, quoteLiteral } from './sql.ts'
import type { TableFacts } from './table-facts.ts'
import type { TablePlan } from './table-plan.ts'

/** The first key of a segment: as a frame to compare rows with, as SQL literals, and as text for people. */
export type Bound = { frame: Buffer; literals: readonly string[]; text: readonly string[] }

/** Below this many pages (16 MiB) every key is looked at; above, a sample of pages, the same on every run over the same table. */
const SAMPLE_FROM_PAGES = 2048
const SAMPLE_PAGES = 600
const SAMPLE_ROWS_PER_SEGMENT = 30

/**
 * At most `segments - 1` ascending key values of the source that cut it into pieces of about the same size. The first segment begins
 * and the last one ends open, so that together they hold every key there can be. Fewer for small tables.
 */
export async function segmentBounds(session: Session, plan: TablePlan, facts: TableFacts, segments: number): Promise<Bound[]> {
  if (segments < 2) return []
  const keyColumns = plan.columns.slice(0, plan.keyWidth)
  const { object, where, keys } = plan.source
  const list = keys.join(', ')
  const [n, total] = ['waybill n', 'waybill total'].map((name) => unlike(name, keys))
  const sql =
    `SELECT ${keyColumns.map((column) => column.source).join(', ')}, ${keyColumns.map((column) => printedSql(column.source)).join(', ')} FROM (` +
    `SELECT ${list}, row_number() OVER (ORDER BY ${list}) - 1 AS ${n}, count(*) OVER () AS ${total} ` +
    `FROM ${object} AS w${sample(facts, segments)}${where === null ? '' : ` WHERE ${where}`}) AS numbered ` +
    `WHERE ${n} > 0 AND ${n} * ${segments} / ${total} <> (${n} - 1) * ${segments} / ${total} ` +
    `ORDER BY ${n}`
  const bounds: Bound[] = []
  const stream = copyOut(session, sql, `choosing segments of the source table ${object}`)
  for await (const chunk of stream.chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    for (let at = 0; at < bytes.byteLength; at += 1 + bytes.readInt32BE(at + 1)) {
      const fields = decodeFrame(bytes.subarray(at, at + 1 + bytes.readInt32BE(at + 1)))
      const text = fields.slice(plan.keyWidth).map((field) => Buffer.from(field!).toString('utf8'))
      bounds.push({
        frame: Buffer.from(encodeFrame(fields.slice(0, plan.keyWidth))),
        literals: text.map((value, i) => boundLiteral(value, keyColumns[i]!)),
        text,
      })
    }
  }
  const order = keyOrder(keyColumns)
  if (bounds.some((bound, i) => i > 0 && order.compare(bounds[i - 1]!.frame, 0, bound.frame, 0) >= 0)) {
    throw new WaybillError(
      'SEGMENT_INCOMPLETE',
      `The source does not sort the key of ${object} as its type says. Use mode "bucketed" for this table.`,
    )
  }
  return bounds
}

/** A quoted name that no key column has. */
function unlike(name: string, keys: readonly string[]): string {
  const quoted = quoteIdentifier(name)
  return keys.includes(`w.${quoted}`) ? unlike(`${name}'`, keys) : quoted
}

/** A key's value as SQL, of the type that the row encoding gives it. */
export function boundLiteral(text: string, column: { wire: string; type: string }): string {
  return column.wire === 'utf8' ? quoteLiteral(text) : `${quoteLiteral(text)}::${column.type}`
}

function sample(facts: TableFacts, segments: number): string {
  if (facts.pages < SAMPLE_FROM_PAGES || !['r', 'p', 'm'].includes(facts.kind)) return ''
  const byRows = (100 * segments * SAMPLE_ROWS_PER_SEGMENT) / Math.max(1, facts.estimatedRows)
  const byPages = (100 * SAMPLE_PAGES) / facts.pages
  const percent = Math.max(byRows, byPages)
  return percent >= 50 ? '' : ` TABLESAMPLE SYSTEM (${percent.toFixed(6)}) REPEATABLE (0)`
}

/** The condition that a row lies in `[from, to)`; null bounds are open. Null when every row does. */
export function rangeSql(keys: readonly string[], from: Bound | null, to: Bound | null): string | null {
  const compare = (operator: string, bound: Bound) =>
    keys.length === 1 ? `${keys[0]} ${operator} ${bound.literals[0]}` : `(${keys.join(', ')}) ${operator} (${bound.literals.join(', ')})`
  const terms = [from === null ? null : compare('>=', from), to === null ? null : compare('<', to)].filter((term) => term !== null)
  return terms.length === 0 ? null : terms.join(' AND ')
}

/** A segment's bounds for people. */
export function rangeText(bounds: readonly Bound[], index: number, mask: (value: string | null) => string | null): string {
  const show = (bound: Bound | undefined) => (bound === undefined ? '…' : bound.text.map((value) => mask(value) ?? 'NULL').join(', '))
  return `[${show(bounds[index - 1])}; ${show(bounds[index])})`.slice(0, 512)
}
