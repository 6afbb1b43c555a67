const BASE = 10_000
const POWERS = [1, 10, 100, 1000]
const POSITIVE = 0x0000
const NEGATIVE = 0x4000
const HEAD = 8
/** 38 digits and up to three zeros at each end. */
const MOST_DIGITS = 11

/** Room for one value: head and digits. */
export const NUMERIC_BYTES = HEAD + 2 * MOST_DIGITS

/**
 * Writes scaled whole numbers as PostgreSQL sends a `numeric`: int16 count of digits, int16 weight, uint16 sign, uint16 scale, digits to base
 * 10000 without zeros at either end. Nothing is divided that a double does not hold exactly; larger numbers go through bigint.
 */
export class NumericWriter {
  /** Bytes of a value in memory: 2, 4, 8 or 16. */
  readonly #width: number
  readonly #scale: number
  /** The scale that is declared; null: the least that the value needs. */
  readonly #declared: number | null
  /** Zeros behind the last digit, so that the fraction fills its groups of four. */
  readonly #padding: number
  readonly #groups = new Uint16Array(MOST_DIGITS)

  constructor(width: number, scale: number, declared: number | null) {
    this.#width = width
    this.#scale = scale
    this.#declared = declared
    this.#padding = (4 - (scale % 4)) % 4
  }

  /** Writes the value of one row at `at`; returns its bytes. */
  write(data: DataView, row: number, out: DataView, at: number): number {
    const from = row * this.#width
    if (this.#width === 2) return this.#small(data.getInt16(from, true), out, at)
    if (this.#width === 4) return this.#small(data.getInt32(from, true), out, at)
    const low = data.getUint32(from, true)
    const high = data.getInt32(from + 4, true)
    if (this.#width === 16) {
      const [third, top] = [data.getInt32(from + 8, true), data.getInt32(from + 12, true)]
      if (third !== high >> 31 || top !== high >> 31) {
        return this.#large((data.getBigInt64(from + 8, true) << 64n) | data.getBigUint64(from, true), out, at)
      }
    }
    const value = high * 2 ** 32 + low
    return Number.isSafeInteger(value) ? this.#small(value, out, at) : this.#large(data.getBigInt64(from, true), out, at)
  }

  /** A safe integer: whole part and fraction are split first, and every quotient is put right by its remainder. */
  #small(value: number, out: DataView, at: number): number {
    const size = Math.abs(value)
    const groups = this.#groups
    let used = 0
    let rest = size
    if (this.#padding > 0) {
      const split = 10 ** (4 - this.#padding)
      const quotient = Math.floor(rest / split)
      groups[used++] = (rest - quotient * split) * POWERS[this.#padding]!
      rest = quotient
    }
    while (rest > 0) {
      const quotient = Math.floor(rest / BASE)
      groups[used++] = rest - quotient * BASE
      rest = quotient
    }
    return this.#print(value < 0, used, out, at)
  }

  #large(value: bigint, out: DataView, at: number): number {
    let rest = (value < 0n ? -value : value) * BigInt(POWERS[this.#padding]!)
    let used = 0
    while (rest > 0n) {
      this.#groups[used++] = Number(rest % 10_000n)
      rest /= 10_000n
    }
    return this.#print(value < 0n, used, out, at)
  }

  /** `used` groups, the lowest first; the lowest stands for 10000^−(groups of the fraction). */
  #print(negative: boolean, used: number, out: DataView, at: number): number {
    const groups = this.#groups
    let top = used
    while (top > 0 && groups[top - 1] === 0) top--
    let bottom = 0
    while (bottom < top && groups[bottom] === 0) bottom++
    const count = top - bottom
    const fraction = (this.#scale + this.#padding) / 4
    out.setInt16(at, count)
    out.setInt16(at + 2, count === 0 ? 0 : top - 1 - fraction)
    out.setUint16(at + 4, negative && count > 0 ? NEGATIVE : POSITIVE)
    out.setUint16(at + 6, this.#declared ?? leastScale(fraction - bottom, groups[bottom]!, count))
    for (let group = top - 1, to = at + HEAD; group >= bottom; group--, to += 2) out.setUint16(to, groups[group]!)
    return HEAD + 2 * count
  }
}

/** Decimals without trailing zeros, of a value whose last group is the `groups`-th of its fraction. */
function leastScale(groups: number, last: number, count: number): number {
  if (count === 0 || groups <= 0) return 0
  let zeros = 0
  while (last % POWERS[zeros + 1]! === 0) zeros++
  return groups * 4 - zeros
}
