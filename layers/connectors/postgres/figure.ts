/** Exact decimals as text: parsed to whole numbers over a power of ten, never to doubles. */
export type Decimal = { units: bigint; scale: number }

/** Also with an exponent, as floats are printed. Null for anything else, such as NaN or Infinity. */
export function readDecimal(text: string): Decimal | null {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text)
  if (match === null) return null
  const fraction = match[3] ?? ''
  const scale = fraction.length - Number(match[4] ?? '0')
  const digits = BigInt(`${match[2]}${fraction}`) * (scale < 0 ? 10n ** BigInt(-scale) : 1n)
  return { units: match[1] === '-' ? -digits : digits, scale: Math.max(0, scale) }
}

export function compareDecimals(a: Decimal, b: Decimal): number {
  const scale = Math.max(a.scale, b.scale)
  const difference = at(a, scale) - at(b, scale)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/** The sum, at the finer of the two scales. */
export function addDecimals(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale)
  return { units: at(a, scale) + at(b, scale), scale }
}

export function printDecimal({ units, scale }: Decimal): string {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  const fraction = scale === 0 ? '' : digits.slice(-scale).replace(/0+$/, '')
  return `${units < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

/** Decimal text without trailing zeros; other text as it is. */
export function plain(text: string | null): string | null {
  const parsed = text === null ? null : readDecimal(text)
  return parsed === null ? text : printDecimal(parsed)
}

/** part ÷ whole with twelve digits, cut, never rounded up: 0.999999999999 is not 1. */
export function share(part: bigint, whole: bigint): string {
  return printDecimal({ units: whole === 0n ? 0n : (part * 10n ** 12n) / whole, scale: 12 })
}

function at({ units, scale }: Decimal, wanted: number): bigint {
  return units * 10n ** BigInt(wanted - scale)
}
