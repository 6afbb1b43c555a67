/**
 * A number as what it is: `unscaled` ÷ 10^`scale`, with `scale` ≥ 0, or one of the three values that are no number. A float is the exact
 * decimal expansion of its bits, so nothing here ever rounds.
 */
export type Exact = { unscaled: bigint; scale: number } | 'NaN' | 'Infinity' | '-Infinity'
export type Decimal = Exclude<Exact, string>

/** Reads plain decimal text such as `-12.50`. The caller has checked that it is that. */
export function decimalOf(text: string): Decimal {
  const [whole = '0', fraction = ''] = text.split('.')
  return { unscaled: BigInt(whole + fraction), scale: fraction.length }
}

/** Plain text without an exponent and without trailing zeros. */
export function decimalText({ unscaled, scale }: Decimal): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, '')
  return `${unscaled < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

const DOUBLE = new DataView(new ArrayBuffer(8))
const FRACTION_BITS = 52n
const IMPLICIT_BIT = 1n << FRACTION_BITS
/** Exponent of the last bit of a double whose stored exponent is 0. */
const LOWEST_EXPONENT = -1074

/** The exact value of a double (a float32 is one too). −0 is 0: their difference is none. */
export function exactDouble(value: number): Exact {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity'
  DOUBLE.setFloat64(0, value)
  const bits = DOUBLE.getBigUint64(0)
  const stored = Number((bits >> FRACTION_BITS) & 0x7ffn)
  const fraction = bits & (IMPLICIT_BIT - 1n)
  const size = stored === 0 ? fraction : fraction | IMPLICIT_BIT
  const exponent = LOWEST_EXPONENT + Math.max(0, stored - 1)
  const signed = bits >> 63n === 1n ? -size : size
  // m ÷ 2^n is m × 5^n ÷ 10^n.
  if (exponent >= 0) return { unscaled: signed << BigInt(exponent), scale: 0 }
  return { unscaled: signed * 5n ** BigInt(-exponent), scale: -exponent }
}

export function scaledTo({ unscaled, scale }: Decimal, wanted: number): bigint {
  return unscaled * 10n ** BigInt(wanted - scale)
}

/** `a` ÷ `b` rounded up; both not negative, `b` not 0. */
export function ceilingOf(a: bigint, b: bigint): bigint {
  return (a + b - 1n) / b
}
