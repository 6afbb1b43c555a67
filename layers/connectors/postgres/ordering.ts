import { decodeFrame } from '../../core/encoding/row-frame.ts'
import type { TableResult } from '../../core/schemas/recon.ts'
import type { Differ } from './row-difference.ts'
import type { Session } from './session.ts'
import type { TablePlan } from './table-plan.ts'

type OrderingResult = NonNullable<TableResult['ordering']>

/** Distinct order key values among lone rows that are remembered; beyond it the figure is not known. */
const MAX_VALUES = 500_000

/**
 * Watches differing rows for their order key. A violation is a row whose place in the sequence changed: with a key, a changed row whose
 * order key changed; without one, an order key value that is gone while another one came. Rows only missing or only extra leave the
 * order of the others as it was.
 */
export class OrderWatch {
  readonly #column: number
  readonly #byKey: boolean
  #changed = 0n
  /** Order key value → rows missing − rows extra. */
  #balance: Map<string, number> | null = new Map()

  constructor(column: number, byKey: boolean) {
    this.#column = column
    this.#byKey = byKey
  }

  watch(make: Differ): Differ {
    return {
      lone: (kind, frame, segment, sourceCount, targetCount) => {
        if (!this.#byKey) this.#lone(frame, Number(sourceCount - targetCount))
        return make.lone(kind, frame, segment, sourceCount, targetCount)
      },
      changed: (source, target, segment) => {
        if (this.#value(source) !== this.#value(target)) this.#changed++
        return make.changed(source, target, segment)
      },
    }
  }

  #value(frame: Uint8Array): string {
    const field = decodeFrame(frame)[this.#column]
    return field === null || field === undefined ? 'null' : `=${Buffer.from(field).toString('latin1')}`
  }

  #lone(frame: Uint8Array, rows: number): void {
    if (this.#balance === null) return
    const value = this.#value(frame)
    this.#balance.set(value, (this.#balance.get(value) ?? 0) + rows)
    if (this.#balance.size > MAX_VALUES) this.#balance = null
  }

  /** Null when there were too many different values to tell. */
  violations(): bigint | null {
    if (this.#balance === null) return null
    let gone = 0n
    let came = 0n
    for (const rows of this.#balance.values()) {
      if (rows > 0) gone += BigInt(rows)
      else came += BigInt(-rows)
    }
    return this.#changed + (gone < came ? gone : came)
  }
}

export const ORDER_MEANING =
  'Violations are rows whose place in the sequence of the order key changed; first and last are the smallest and largest value of it on either side.'

export function orderingResult(
  orderKey: string,
  watch: OrderWatch,
  source: readonly [string | null, string | null],
  target: readonly [string | null, string | null],
  mask: (value: string | null) => string | null,
): OrderingResult {
  const violations = watch.violations()
  const same = source[0] === target[0] && source[1] === target[1]
  return {
    order_key: orderKey,
    verdict: violations === 0n && same ? 'pass' : violations === null && same ? 'inconclusive' : 'fail',
    violations: violations === null ? null : String(violations),
    first_source: mask(source[0]),
    first_target: mask(target[0]),
    last_source: mask(source[1]),
    last_target: mask(target[1]),
    reason: violations === null ? `${ORDER_MEANING} Too many different values differ to count the violations.` : ORDER_MEANING,
  }
}

/** Smallest and largest value of the order key on one PostgreSQL side, as text; text by bytes. NULLs are left out. */
export async function firstAndLast(
  session: Session,
  plan: TablePlan,
  side: 'source' | 'target',
  column: number,
): Promise<[string | null, string | null]> {
  const { [side]: expression, wire } = plan.columns[column]!
  const query = plan[side]
  const collate = wire === 'utf8' ? ' COLLATE "C"' : ''
  const terms = [query.where, `${expression} IS NOT NULL`].filter((term) => term !== null)
  const edge = (direction: string) =>
    `(SELECT v::text FROM (SELECT ${expression} AS v FROM ${query.object} AS w WHERE ${terms.map((term) => `(${term})`).join(' AND ')}) AS x ORDER BY x.v${collate} ${direction} LIMIT 1)`
  const [[first, last]] = (await session.rows(`SELECT ${edge('ASC')}, ${edge('DESC')}`)) as [[string | null, string | null]]
  return [first, last]
}
