/** Exact arithmetic for figures. Counts come in as decimal text or bigint and leave as the one form the outcome allows. */

/** A JSON number up to 2^53 − 1, decimal text beyond. */
export function countFigure(value: bigint): number | string {
  const safe = BigInt(Number.MAX_SAFE_INTEGER)
  return value >= -safe && value <= safe ? Number(value) : String(value)
}

export type Rounding = 'floor' | 'ceil' | 'half-up'

/** numerator ÷ denominator as an integer count of 10^-digits, for non-negative numbers and a positive denominator. */
export function scaledRatio(numerator: bigint, denominator: bigint, digits: number, rounding: Rounding): bigint {
  const scaled = numerator * 10n ** BigInt(digits)
  const whole = scaled / denominator
  const rest = scaled % denominator
  if (rest === 0n || rounding === 'floor') return whole
  return rounding === 'ceil' || rest * 2n >= denominator ? whole + 1n : whole
}

/** numerator ÷ denominator rounded to `digits` decimals. */
export function ratio(numerator: bigint, denominator: bigint, digits: number, rounding: Rounding): number {
  return fromScaled(scaledRatio(numerator, denominator, digits, rounding), digits)
}

/** 847n, 4 → 0.0847: the double nearest to the decimal, so that it prints as the decimal. */
export function fromScaled(scaled: bigint, digits: number): number {
  return Number(`${scaled}e-${digits}`)
}

/** The decimal a double prints as, in units of 10^-digits, rounded half up; for 0 ≤ value < 10^15. */
export function toScaled(value: number, digits: number): bigint {
  const [mantissa = '0', exponent = '0'] = value.toString().split('e')
  const [whole = '0', fraction = ''] = mantissa.split('.')
  const shift = Number(exponent) - fraction.length + digits
  const number = BigInt(whole + fraction)
  if (shift >= 0) return number * 10n ** BigInt(shift)
  const divisor = 10n ** BigInt(-shift)
  return (number + divisor / 2n) / divisor
}

/** Differences and means of doubles, printed as people write them: rounded half up to `digits` decimals, sign kept. */
export function rounded(value: number, digits: number): number {
  const magnitude = fromScaled(toScaled(Math.abs(value), digits), digits)
  return value < 0 && magnitude !== 0 ? -magnitude : magnitude
}

/** a − b in exact decimals of `digits` places. */
export function difference(a: number, b: number, digits: number): number {
  const scaled = signed(a, digits) - signed(b, digits)
  return fromScaled(scaled, digits)
}

function signed(value: number, digits: number): bigint {
  return value < 0 ? -toScaled(-value, digits) : toScaled(value, digits)
}

/** Nearest-rank percentile of numbers in any order; null for none. */
export function percentile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
}

/** Stands for a figure nobody measured; becomes null plus its reason in `not_measured`. */
export class Unmeasured {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}
export type Figure<T> = T | Unmeasured

export function unmeasured(reason: string): Unmeasured {
  return new Unmeasured(reason)
}

/** Replaces every `Unmeasured` below `draft` by null and lists the reasons by JSON pointer. */
export function settle(draft: unknown): { document: unknown; reasons: Record<string, string> } {
  const reasons: Record<string, string> = {}
  const walk = (value: unknown, at: string): unknown => {
    if (value instanceof Unmeasured) {
      reasons[at] = value.reason
      return null
    }
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map((item, index) => walk(item, `${at}/${index}`))
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, walk(item, `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)]),
    )
  }
  return { document: walk(draft, ''), reasons }
}
