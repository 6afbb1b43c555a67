/** A decimal as an integer and how many decimals it has; null for anything else. */
export type Exact = { digits: bigint; scale: number }

export function exactDecimal(text: string): Exact | null {
  const match = /^(-?)(\d{1,60})(?:\.(\d{1,60}))?$/.exec(text)
  if (match === null) return null
  const [, sign = '', whole = '', fraction = ''] = match
  return { digits: BigInt(`${sign}${whole}${fraction}`), scale: fraction.length }
}

const power = (scale: number): bigint => 10n ** BigInt(scale)

/** a/b = c/d, exactly; false where a divisor is zero. */
export function sameRatio(a: Exact, b: Exact, c: Exact, d: Exact): boolean {
  if (b.digits === 0n || d.digits === 0n) return false
  return a.digits * d.digits * power(b.scale + c.scale) === c.digits * b.digits * power(a.scale + d.scale)
}

/** a − b, exactly. */
export function difference(a: Exact, b: Exact): Exact {
  return { digits: a.digits * power(b.scale) - b.digits * power(a.scale), scale: a.scale + b.scale }
}

/** |a| as a fraction of |b| is below one in `parts`. */
export function isSmall(a: Exact, b: Exact, parts: bigint): boolean {
  const magnitude = (value: bigint) => (value < 0n ? -value : value)
  return magnitude(a.digits) * parts * power(b.scale) < magnitude(b.digits) * power(a.scale)
}

/** Microseconds since 1970 of `2001-01-01 00:01:00.5` or its ISO form; null for anything else. A zone is not read: both sides are printed in UTC. */
export function microseconds(text: string): bigint | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})[ T](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?(?:Z|\+00(?::?00)?)?$/.exec(text)
  if (match === null) return null
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number)
  const millis = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second)
  return BigInt(millis) * 1000n + BigInt((match[7] ?? '').padEnd(6, '0'))
}
