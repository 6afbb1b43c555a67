import { WaybillError } from '../../core/errors.ts'
import type { LaneResult } from './lockstep.ts'
import type { RowColumn } from './row-column.ts'
import { type Bound, rangeSql } from './segment-bounds.ts'
import type { Session } from './session.ts'
import { quoteLiteral } from './sql.ts'
import { rowsSql, type TablePlan } from './table-plan.ts'

/** Segments digested by one statement: few round trips, and never more than this much of the server's time between two looks at the signal. */
const SEGMENTS_AT_ONCE = 32

export type PushedSegment = { index: number; rows: bigint; sha256: string }

/** Digests of segments `from` up to, not including, `to`, computed by the server over the very bytes that a stream would have carried. */
export async function pushedDigests(
  session: Session,
  plan: TablePlan,
  side: 'source' | 'target',
  header: Uint8Array,
  bounds: readonly Bound[],
  from: number,
  to: number,
  onRows: (rows: bigint) => void,
): Promise<PushedSegment[]> {
  const done: PushedSegment[] = []
  // A statement cannot be slowed down once it runs, so under a limit each one is as small as can be.
  const atOnce = session.pace === undefined ? SEGMENTS_AT_ONCE : 1
  for (let first = from; first < to; first += atOnce) {
    const last = Math.min(to, first + atOnce)
    const parts = Array.from({ length: last - first }, (_, i) => segmentSql(plan, side, header, bounds, first + i))
    const rows = await session.rows(parts.join(' UNION ALL '))
    for (const [index, count, sha256] of rows) done.push({ index: Number(index), rows: BigInt(count!), sha256: sha256! })
    const counted = rows.reduce((sum, [, count]) => sum + BigInt(count!), 0n)
    onRows(counted)
    await session.pace?.take(Number(counted))
  }
  done.sort((a, b) => a.index - b.index)
  if (done.length !== to - from || done.some((segment, i) => segment.index !== from + i)) {
    throw new WaybillError('SEGMENT_INCOMPLETE', `The ${side} answered for other segments than it was asked. Run the comparison again.`)
  }
  return done
}

function segmentSql(plan: TablePlan, side: 'source' | 'target', header: Uint8Array, bounds: readonly Bound[], index: number): string {
  const keys = plan[side].keys
  const range = rangeSql(keys, bounds[index - 1] ?? null, bounds[index] ?? null)
  const names = plan.columns.map((_, i) => `c${i}`)
  const inner = rowsSql(plan, side, range, names)
  const body = `int2send(${plan.columns.length}::int2) || ${plan.columns.map((column, i) => fieldSql(column, names[i]!)).join(' || ')}`
  return (
    `SELECT ${index}, count(*)::text, encode(sha256(${quoteLiteral(`\\x${Buffer.from(header).toString('hex')}`)}::bytea || ` +
    `coalesce(string_agg('\\x64'::bytea || int4send(octet_length(body) + 4) || body, ''::bytea), ''::bytea)), 'hex') ` +
    `FROM (SELECT ${body} AS body FROM (${inner} ORDER BY ${keys.join(', ')}) AS ordered_rows) AS frames`
  )
}

/** One field as COPY would send it: length and bytes, or −1. */
function fieldSql(column: RowColumn, name: string): string {
  // A cast of CHAR(n) to text would take its padding off.
  const padded = /^(character(\(|$)|bpchar)/.test(column.type)
  const sent = padded ? `bpcharsend(${name})` : `${SEND[column.wire]}(${column.wire === 'utf8' ? `concat(${name})` : name})`
  return `CASE WHEN ${name} IS NULL THEN '\\xffffffff'::bytea ELSE int4send(octet_length(${sent})) || ${sent} END`
}

const SEND: Readonly<Record<RowColumn['wire'], string>> = {
  bool: 'boolsend',
  bytea: 'byteasend',
  char: 'charsend',
  date: 'date_send',
  float4: 'float4send',
  float8: 'float8send',
  int2: 'int2send',
  int4: 'int4send',
  int8: 'int8send',
  interval: 'interval_send',
  jsonb: 'jsonb_send',
  money: 'cash_send',
  numeric: 'numeric_send',
  pg_lsn: 'pg_lsn_send',
  time: 'time_send',
  timestamp: 'timestamp_send',
  timestamptz: 'timestamptz_send',
  tsquery: 'tsquerysend',
  utf8: 'textsend',
  uuid: 'uuid_send',
}

/** A lane whose servers digest: both sides at once. Segments that differ are in `reread`. */
export async function pushedLane(
  sources: Promise<PushedSegment[]>,
  targets: Promise<PushedSegment[]>,
  describe: (index: number) => string,
): Promise<LaneResult> {
  const [left, right] = await Promise.all([sources, targets])
  const total = (segments: readonly PushedSegment[]) => segments.reduce((sum, segment) => sum + segment.rows, 0n)
  const segments = left.map((source, i) => ({
    index: source.index,
    range: describe(source.index),
    source_rows: String(source.rows),
    target_rows: String(right[i]!.rows),
    source_sha256: source.sha256,
    target_sha256: right[i]!.sha256,
  }))
  const reread = segments.filter((segment) => segment.source_sha256 !== segment.target_sha256).map((segment) => segment.index)
  return { segments, sourceRows: total(left), targetRows: total(right), reread }
}
