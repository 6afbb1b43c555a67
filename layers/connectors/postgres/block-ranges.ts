import type { RowSide, RowStream } from '../../core/encoding/row-stream.ts'
import { copyOut } from './copy-stream.ts'
import type { SnapshotSide } from './snapshot.ts'
import type { TableFacts } from './table-facts.ts'
import { encodingOrder, rowsSql, type TablePlan } from './table-plan.ts'

/** A range of blocks is at least this many: below, starting a statement costs more than reading its rows. */
const RANGE_BLOCKS = 256
const MOST_RANGES = 1024
/** More rows than any page can hold. */
const ROWS_PER_BLOCK = 1200
/** Where a row lies, in 32 bits: the range in the upper 10, which row of it in the lower 22, in steps of 2^shift rows. */
const PLACE_BITS = 22
const MOST_STEPS = 2 ** PLACE_BITS - 1
/** Reading more than this share of a table in small pieces costs more than reading it from end to end. */
const WORTHWHILE = 0.4

/** Rows of one statement, and what their places in it are counted from. */
export type Piece = { stream: RowStream; place: Place }
/** Counts rows as they come; `place >>> 0` of a row is `first` and the row's number in steps. */
export type Place = { first: number; rows: number; shift: number }

/** One side of a table as hash buckets read it: once in pieces that together hold every row once, then again where rows differ. */
export type BucketedSide = {
  /** One iteration for each connection, all to be consumed at once. */
  lanes: readonly (() => AsyncIterable<Piece>)[]
  /**
   * Rows around the places that a first reading gave, `margin` blocks more on either side; every row for null. Null when only every
   * row will do: places are guesses, good only if blocks are filled about alike.
   */
  again(places: Uint32Array | null, margin: number): Promise<RowStream | null>
}

/** The place of the next row. */
export function nextPlace(place: Place): number {
  return (place.first + Math.min(place.rows++ >>> place.shift, MOST_STEPS)) >>> 0
}

/** A side that can only be read from end to end. */
function wholeSide(read: () => Promise<RowStream>): BucketedSide {
  async function* lane(): AsyncGenerator<Piece> {
    yield { stream: await read(), place: { first: 0, rows: 0, shift: 31 } }
  }
  return { lanes: [lane], again: async (places) => (places === null ? read() : null) }
}

/** A side that is not PostgreSQL. */
export function otherSide(side: RowSide, plan: TablePlan, signal: AbortSignal): BucketedSide {
  const mapping = { ...plan.mapping, columns: [...encodingOrder(plan.mapping)] }
  return wholeSide(() => side.read(mapping, signal, plan.forms))
}

/**
 * A table of PostgreSQL. Where the server reads ranges of blocks without reading the others (14 and newer, a table of its own storage), the
 * connections of the side share the ranges. Blocks that come after the last range began are in it.
 */
export async function tableSide(side: SnapshotSide, facts: TableFacts | null, plan: TablePlan): Promise<BucketedSide> {
  const doing = `reading the ${side.side} table ${plan[side.side].object}`
  const whole = async () => copyOut(side.main, rowsSql(plan, side.side), doing)
  const blocks = facts === null ? 0 : await blocksOf(side, facts)
  const count = Math.min(MOST_RANGES, Math.floor(blocks / RANGE_BLOCKS))
  if (count < 2) return wholeSide(whole)
  const starts = Array.from({ length: count + 1 }, (_, i) => Math.floor((i * blocks) / count))
  const shift = Math.max(0, Math.ceil(Math.log2(((blocks / count + 1) * ROWS_PER_BLOCK) / 2 ** PLACE_BITS)))
  const places = Array.from({ length: count }, (_, i): Place => ({ first: i * 2 ** PLACE_BITS, rows: 0, shift }))
  let next = 0
  const lane = (session: SnapshotSide['main']) =>
    async function* (): AsyncGenerator<Piece> {
      while (next < count) {
        const range = next++
        const sql = rowsSql(plan, side.side, blockRange(starts[range]!, range === count - 1 ? null : starts[range + 1]!))
        yield { stream: copyOut(session, sql, doing), place: places[range]! }
      }
    }
  return {
    lanes: side.sessions.map(lane),
    async again(wanted, margin) {
      if (wanted === null) return whole()
      const windows = windowsOf(wanted, margin, starts, places)
      const read = windows.reduce((sum, [from, to]) => sum + to - from, 0)
      return read > blocks * WORTHWHILE ? null : copyOut(side.main, windowsSql(plan, side.side, windows), doing)
    },
  }
}

/** 0 where ranges of blocks cannot be read on their own. */
async function blocksOf({ main }: SnapshotSide, facts: TableFacts): Promise<number> {
  if (main.serverVersion < 140000 || (facts.kind !== 'r' && facts.kind !== 'm') || facts.inherited) return 0
  const [[blocks]] = (await main.rows(
    `SELECT CASE WHEN current_setting('enable_tidscan')::boolean THEN pg_relation_size($1::oid::regclass) / current_setting('block_size')::bigint ELSE 0 END`,
    [facts.oid],
  )) as [[string]]
  return Number(blocks)
}

function blockRange(from: number, to: number | null): string {
  const lower = `w.ctid >= '(${from},0)'::tid`
  return to === null ? lower : `${lower} AND w.ctid < '(${to},0)'::tid`
}

type Window = [from: number, to: number]

/**
 * Where blocks hold about as many rows each, the n-th row of a range lies n / rows a block further on. The last range may end in empty blocks,
 * which tables grow by, so its rows a block are those of the one before. Windows in order, none touching another.
 */
function windowsOf(wanted: Uint32Array, margin: number, starts: readonly number[], places: readonly Place[]): Window[] {
  const windows: Window[] = []
  for (const place of wanted.toSorted()) {
    const range = place >>> PLACE_BITS
    const like = range === places.length - 1 ? range - 1 : range
    const rowsPerBlock = places[like]!.rows / (starts[like + 1]! - starts[like]!)
    const row = (place & MOST_STEPS) * 2 ** places[range]!.shift
    const block = Math.min(starts[range + 1]! - 1, starts[range]! + Math.floor(row / Math.max(rowsPerBlock, 1)))
    const window: Window = [Math.max(0, block - margin), block + margin + 1]
    const last = windows.at(-1)
    if (last !== undefined && window[0] <= last[1]) last[1] = window[1]
    else windows.push(window)
  }
  return windows
}

/** OFFSET 0 keeps the inner query a query of its own, whose blocks are then bounds and not a condition to join by. */
function windowsSql(plan: TablePlan, side: 'source' | 'target', windows: readonly Window[]): string {
  const list = (i: 0 | 1) => `'{${windows.map((window) => window[i]).join(',')}}'::bigint[]`
  const inside = `w.ctid >= format('(%s,0)', blocks.first)::tid AND w.ctid < format('(%s,0)', blocks.behind)::tid`
  const names = plan.columns.map((_, i) => `c${i}`)
  return `SELECT found.* FROM unnest(${list(0)}, ${list(1)}) AS blocks(first, behind), LATERAL (${rowsSql(plan, side, inside, names)} OFFSET 0) AS found`
}
