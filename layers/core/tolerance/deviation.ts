import { ceilingOf, type Decimal, decimalOf, decimalText, type Exact, scaledTo } from './exact.ts'
import type { Tolerance } from './request.ts'

/** Decimals that a stated deviation has beyond those of its tolerance. */
const MORE_DECIMALS = 6

/** `units`: the deviation in units of the last decimal of `DeviationScale`, rounded up; null where there is no finite one. */
export type Judged = { state: 'equal' } | { state: 'within' | 'beyond'; units: bigint | null }

/**
 * Holds pairs of values to one tolerance, without rounding either of them:
 * absolute and time: |a − b| ≤ tolerance; relative: |a − b| ≤ tolerance × max(|a|, |b|).
 * NULL equals NULL only, NaN equals NaN only, each infinity only itself; nothing is near to any of these.
 * Times are given in milliseconds. A stated deviation is rounded up, so "at most" stays true, and never above the tolerance it is within.
 */
export class DeviationScale {
  readonly #relative: boolean
  readonly #limit: Decimal
  readonly #decimals: number

  constructor(tolerance: Pick<Tolerance, 'kind' | 'value'>) {
    this.#relative = tolerance.kind === 'relative'
    this.#limit = decimalOf(tolerance.value)
    this.#decimals = this.#limit.scale + MORE_DECIMALS
  }

  judge(a: Exact | null, b: Exact | null): Judged {
    if (a === b) return { state: 'equal' }
    if (a === null || b === null || typeof a === 'string' || typeof b === 'string') return { state: 'beyond', units: null }
    const scale = Math.max(a.scale, b.scale)
    const [left, right] = [scaledTo(a, scale), scaledTo(b, scale)]
    const apart = size(left - right)
    if (apart === 0n) return { state: 'equal' }
    // Both of one unit: the value 1 at this scale, or the larger of the two values.
    const whole = this.#relative ? larger(size(left), size(right)) : 10n ** BigInt(scale)
    const within = apart * 10n ** BigInt(this.#limit.scale) <= this.#limit.unscaled * whole
    return { state: within ? 'within' : 'beyond', units: ceilingOf(apart * 10n ** BigInt(this.#decimals), whole) }
  }

  /** A deviation as decimal text, in the unit of the tolerance. */
  text(units: bigint): string {
    return decimalText({ unscaled: units, scale: this.#decimals })
  }
}

function size(value: bigint): bigint {
  return value < 0n ? -value : value
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
