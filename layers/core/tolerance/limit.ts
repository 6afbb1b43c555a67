import { decimal } from '../schemas/common.ts'

/** True when `value` is above `limit`, negative, or when either is no plain decimal number: what cannot be compared is not within. */
export function exceeds(value: string, limit: string): boolean {
  if (!decimal.safeParse(value).success || !decimal.safeParse(limit).success || value.startsWith('-')) return true
  const decimals = Math.max(fraction(value).length, fraction(limit).length)
  return whole(value, decimals) > whole(limit, decimals)
}

function fraction(text: string): string {
  return text.split('.')[1] ?? ''
}

function whole(text: string, decimals: number): bigint {
  return BigInt(`${text.split('.')[0]}${fraction(text).padEnd(decimals, '0')}`)
}
