import { hash } from 'node:crypto'
import { decodeFrame } from '../../core/encoding/row-frame.ts'
import { WaybillError } from '../../core/errors.ts'
import type { Mismatch } from '../../core/schemas/recon.ts'
import { copyOut } from './copy-stream.ts'
import { valueText } from './row-value.ts'
import { boundLiteral } from './segment-bounds.ts'
import type { Session } from './session.ts'
import { rowsSql, type TablePlan } from './table-plan.ts'

/** More differing keys than this are not read again: what is remembered of them must stay small. */
const MOST_KEYS = 50_000
/** Without an index that was held against the heap every look at a key is a scan of the table, so all keys are looked for in one. */
const MOST_KEYS_A_SCAN = 2000
const KEYS_A_STATEMENT = 500

export type LiveKey = { id: string; values: readonly (string | null)[]; segment: number }
/** Rows of both sides under one key, each side in the order of its bytes. */
export type KeyRows = { source: readonly Buffer[]; target: readonly Buffer[] }

/** The differing keys of one table, each once. */
export class LiveKeys {
  readonly #keys = new Map<string, LiveKey>()
  #tooMany = false

  add(mismatch: Mismatch): void {
    const values = mismatch.key.map((part) => part.value)
    const id = JSON.stringify(values)
    if (this.#keys.has(id)) return
    if (this.#keys.size < MOST_KEYS) this.#keys.set(id, { id, values, segment: mismatch.segment })
    else this.#tooMany = true
  }

  get size(): number {
    return this.#keys.size
  }

  all(): LiveKey[] {
    return [...this.#keys.values()]
  }

  /** Why these keys cannot be read again, or null. */
  obstacle(plan: TablePlan): string | null {
    if (plan.keyWidth === 0) return 'the table has no key by which rows could be read again; name one'
    if (plan.tolerant.length > 0) return 'columns with a tolerance are not read again'
    if (plan.mapping.order_key !== null) return 'the sequence of an order key is not followed while it changes'
    if (this.#tooMany) return `more than ${MOST_KEYS} keys differ, too many to read again`
    if (plan.mode === 'bucketed' && this.size > MOST_KEYS_A_SCAN)
      return `more than ${MOST_KEYS_A_SCAN} keys differ, too many to read again without an index on both sides`
    return null
  }
}

/**
 * The rows of these keys as they are under the sessions' snapshots. A key that neither side has any more is one that both sides were really
 * asked for. @throws SEGMENT_INCOMPLETE when a key does not come back from its own text
 */
export async function readKeys(
  source: Session,
  target: Session,
  plan: TablePlan,
  keys: readonly LiveKey[],
  onBatch: (rows: ReadonlyMap<string, KeyRows>) => void,
): Promise<void> {
  const step = plan.mode === 'ordered' ? KEYS_A_STATEMENT : Math.max(1, keys.length)
  for (let from = 0; from < keys.length; from += step) {
    const batch = keys.slice(from, from + step)
    const [left, right] = await Promise.all([readSide(source, plan, 'source', batch), readSide(target, plan, 'target', batch)])
    const rows = new Map(batch.map(({ id }) => [id, { source: left.get(id) ?? [], target: right.get(id) ?? [] }]))
    await proveAsked(
      target,
      plan,
      batch.filter(({ id }) => left.get(id) === undefined && right.get(id) === undefined),
    )
    onBatch(rows)
  }
}

async function readSide(
  session: Session,
  plan: TablePlan,
  side: 'source' | 'target',
  keys: readonly LiveKey[],
): Promise<Map<string, Buffer[]>> {
  const wanted = new Set(keys.map((key) => key.id))
  const found = new Map<string, Buffer[]>()
  const sql = rowsSql(plan, side, keysSql(plan, side, keys))
  const stream = copyOut(session, sql, `reading keys of the ${side} table ${plan[side].object} again`)
  for await (const frame of framesOf(stream.chunks)) {
    const id = idOf(frame, plan)
    if (!wanted.has(id)) continue
    const rows = found.get(id)
    if (rows === undefined) found.set(id, [Buffer.from(frame)])
    else rows.push(Buffer.from(frame))
  }
  for (const rows of found.values()) rows.sort(Buffer.compare)
  return found
}

/** "Gone on both sides" is a claim: it must not come from a key that the server reads otherwise than it was written. */
async function proveAsked(session: Session, plan: TablePlan, keys: readonly LiveKey[]): Promise<void> {
  const columns = plan.columns.slice(0, plan.keyWidth)
  for (let from = 0; from < keys.length; from += KEYS_A_STATEMENT) {
    const batch = keys.slice(from, from + KEYS_A_STATEMENT)
    const typed = (value: string | null, i: number) => {
      const column = columns[i]!
      if (column.wire === 'utf8') return `(${value === null ? 'NULL' : boundLiteral(value, column)})::text`
      return value === null ? `NULL::${column.type}` : boundLiteral(value, column)
    }
    const sql = batch.map(({ values }) => `SELECT ${values.map(typed).join(', ')}`).join(' UNION ALL ')
    const back = new Set<string>()
    for await (const frame of framesOf(copyOut(session, sql, 'checking the keys that were asked for').chunks)) back.add(idOf(frame, plan))
    if (batch.some(({ id }) => !back.has(id))) {
      throw new WaybillError('SEGMENT_INCOMPLETE', 'A key does not come back from its own text, so its rows cannot be read again.')
    }
  }
}

/** Every row under one of the keys, and perhaps others that the server takes for the same. */
function keysSql(plan: TablePlan, side: 'source' | 'target', keys: readonly LiveKey[]): string {
  const columns = plan.columns.slice(0, plan.keyWidth)
  const literals = ({ values }: LiveKey) => values.map((value, i) => (value === null ? null : boundLiteral(value, columns[i]!)))
  const whole = keys.map(literals).filter((key): key is string[] => !key.includes(null))
  const partial = keys.map(literals).filter((key) => key.includes(null))
  const expressions = columns.map((column) => column[side])
  const terms: string[] = []
  if (whole.length > 0) {
    const list = expressions.length === 1 ? whole.map(([only]) => only) : whole.map((key) => `(${key.join(', ')})`)
    terms.push(`${expressions.length === 1 ? expressions[0] : `(${expressions.join(', ')})`} IN (${list.join(', ')})`)
  }
  for (const key of partial)
    terms.push(key.map((value, i) => (value === null ? `${expressions[i]} IS NULL` : `${expressions[i]} = ${value}`)).join(' AND '))
  return terms.map((term) => `(${term})`).join(' OR ')
}

function idOf(frame: Buffer, plan: TablePlan): string {
  const fields = decodeFrame(frame).slice(0, plan.keyWidth)
  return JSON.stringify(fields.map((field, i) => (field === null ? null : valueText(plan.columns[i]!.wire, field))))
}

async function* framesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    for (let at = 0; at < bytes.byteLength; ) {
      const end = at + 1 + bytes.readInt32BE(at + 1)
      yield bytes.subarray(at, end)
      at = end
    }
  }
}

export function sameRows({ source, target }: KeyRows): boolean {
  return source.length === target.length && source.every((row, i) => row.equals(target[i]!))
}

/** What both sides hold under a key, in 64 characters. */
export function contentOf({ source, target }: KeyRows): string {
  return hash('sha256', Buffer.concat([Buffer.from(`${source.length} ${target.length} `), ...source, ...target]), 'hex')
}
