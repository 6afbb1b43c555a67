/** `1,234,567`: a count, or a decimal, with its whole part in groups of three. */
export function grouped(count: number | string | bigint): string {
  return String(count).replace(/^(-?)(\d+)/, (_, sign: string, digits: string) => sign + digits.replace(/\B(?=(\d{3})+$)/g, ','))
}

/** `1 table`, `2,000 tables`, and of none `0 tables`: whoever leaves out what is not there does so before. */
export function counted(count: number | bigint, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${String(count) === '1' ? one : many}`
}
