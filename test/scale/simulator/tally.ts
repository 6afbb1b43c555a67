import { AsyncLocalStorage } from 'node:async_hooks'

/** Requests by service and operation, such as `s3.get`; units of DynamoDB as `dynamodb.read-units`; bytes as `s3.bytes-read`. */
export type Tally = Record<string, number>

const current = new AsyncLocalStorage<Tally[]>()

export function count(what: string, by = 1): void {
  for (const tally of current.getStore() ?? []) tally[what] = (tally[what] ?? 0) + by
}

/** Whatever `work` asks for is counted into `tally` too, besides whoever counts already. */
export function counting<T>(tally: Tally, work: () => Promise<T>): Promise<T> {
  return current.run([...(current.getStore() ?? []), tally], work)
}

/** Whatever `work` asks for is counted by nobody. */
export function uncounted<T>(work: () => Promise<T>): Promise<T> {
  return current.run([], work)
}

export function add(tally: Tally, more: Tally, times = 1): void {
  for (const [what, by] of Object.entries(more)) tally[what] = (tally[what] ?? 0) + by * times
}

/** Adds to everybody who counts here. */
export function countAll(more: Tally): void {
  for (const [what, by] of Object.entries(more)) count(what, by)
}
