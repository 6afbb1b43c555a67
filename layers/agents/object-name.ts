/** `schema.name`, for people. Two names with dots could print alike, so nothing is ever looked up by it. */
export function objectName(object: { schema: string; name: string }): string {
  return `${object.schema}.${object.name}`
}

/** Share of `part` in `whole` with six decimals, exact integer arithmetic; null when there is no whole. */
export function share(part: string, whole: string): string | null {
  const total = BigInt(whole)
  if (total === 0n) return null
  const millionths = (BigInt(part) * 1_000_000n) / total
  return `${millionths / 1_000_000n}.${(millionths % 1_000_000n).toString().padStart(6, '0')}`
}
