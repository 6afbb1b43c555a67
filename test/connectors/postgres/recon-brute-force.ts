import type pg from 'pg'
import type { Mismatch } from '../../../layers/core/schemas/recon.ts'

/**
 * A comparator that knows nothing of the engine: every row of both sides as text, counted in a map. `normal` brings values that count as
 * equal to one text. Returns differences as lines, sorted.
 */
export type PlainTable = { name: string; columns: readonly { name: string; type: string }[]; key: readonly string[] }

type Row = (string | null)[]

export const PLAIN_SESSION =
  "SET TimeZone='UTC'; SET IntervalStyle='iso_8601'; SET DateStyle='ISO'; SET extra_float_digits=1; SET bytea_output='hex'"

/** Every row; the client must have run `PLAIN_SESSION`. */
export async function plainRows(client: pg.Client, table: PlainTable): Promise<Row[]> {
  const list = table.columns.map((column) => `"${column.name}"::text`).join(', ')
  const result = await client.query({ text: `SELECT ${list} FROM public."${table.name}"`, rowMode: 'array' })
  return (result.rows as Row[]).map((row) => row.map((value, i) => normal(table.columns[i]!.type, value)))
}

/** Numbers without a declared scale: 1.0 is 1.00. Floats: however the exponent is written. */
export function normal(type: string, value: string | null): string | null {
  if (value === null) return null
  if (type === 'numeric') return value.includes('.') ? value.replace(/0+$/, '').replace(/\.$/, '') : value
  if (/^(real|double)/.test(type)) return Object.is(Number(value), -0) ? '-0' : String(Number(value))
  // CHAR(n): the report shows the padding, a cast to text does not.
  if (type.startsWith('character(')) return value.replace(/ +$/, '')
  return value
}

export function bruteForce(table: PlainTable, source: readonly Row[], target: readonly Row[]): string[] {
  const counts = new Map<string, [number, number]>()
  const count = (rows: readonly Row[], side: 0 | 1) => {
    for (const row of rows) {
      const text = JSON.stringify(row)
      const found = counts.get(text) ?? [0, 0]
      found[side]++
      counts.set(text, found)
    }
  }
  count(source, 0)
  count(target, 1)
  const differing = [...counts].filter(([, [a, b]]) => a !== b).map(([text, [a, b]]) => ({ row: JSON.parse(text) as Row, a, b }))
  const keyAt = table.key.map((name) => table.columns.findIndex((column) => column.name === name))
  const keyOf = (row: Row) => JSON.stringify(keyAt.map((i) => row[i]))
  const lines: string[] = []
  const paired = new Set<(typeof differing)[number]>()
  if (keyAt.length > 0) {
    for (const before of differing.filter((one) => one.a === 1 && one.b === 0)) {
      const sameKey = differing.filter((one) => keyOf(one.row) === keyOf(before.row))
      const after = sameKey.find((one) => one.a === 0 && one.b === 1)
      if (sameKey.length !== 2 || after === undefined) continue
      paired.add(before).add(after)
      const columns = table.columns.flatMap((column, i) =>
        before.row[i] === after.row[i] ? [] : [{ column: column.name, source: before.row[i], target: after.row[i] }],
      )
      lines.push(JSON.stringify(['changed', keyAt.map((i) => before.row[i]), columns.sort((x, y) => (x.column < y.column ? -1 : 1))]))
    }
  }
  for (const one of differing) {
    if (paired.has(one)) continue
    lines.push(JSON.stringify([one.a > one.b ? 'missing' : 'extra', one.row, one.a, one.b]))
  }
  return lines.sort()
}

/** The engine's mismatches in the same form. */
export function linesOf(table: PlainTable, mismatches: readonly Mismatch[]): string[] {
  const typeOf = (name: string) => table.columns.find((column) => column.name === name)!.type
  return mismatches
    .map((mismatch) => {
      const key = new Map(mismatch.key.map((part) => [part.column, normal(typeOf(part.column), part.value)]))
      if (mismatch.kind === 'changed') {
        const columns = mismatch.columns.map(({ column, source, target }) => ({
          column,
          source: normal(typeOf(column), source),
          target: normal(typeOf(column), target),
        }))
        return JSON.stringify(['changed', table.key.map((name) => key.get(name)), columns.sort((x, y) => (x.column < y.column ? -1 : 1))])
      }
      const values = new Map(
        mismatch.columns.map((part) => [part.column, normal(typeOf(part.column), mismatch.kind === 'missing' ? part.source : part.target)]),
      )
      const row = table.columns.map((column) => (key.has(column.name) ? key.get(column.name) : values.get(column.name)))
      return JSON.stringify([mismatch.kind, row, Number(mismatch.source_count), Number(mismatch.target_count)])
    })
    .sort()
}
