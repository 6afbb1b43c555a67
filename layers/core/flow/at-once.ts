/** Requests to a store that one function has under way at once: an artifact takes tens of milliseconds, and a plan may have ten thousand. */
const AT_ONCE = 32

/**
 * Does `work` for every item, some at once. @returns the results in the items' order
 * @throws the first error, once nothing is under way any more; items not begun by then are left alone
 */
export async function atOnce<T, R>(items: readonly T[], work: (item: T) => Promise<R>, most = AT_ONCE): Promise<R[]> {
  const results = new Array<R>(items.length)
  const failures: unknown[] = []
  let next = 0
  const lane = async () => {
    while (next < items.length && failures.length === 0) {
      const at = next++
      try {
        results[at] = await work(items[at]!)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, lane))
  if (failures.length > 0) throw failures[0]
  return results
}
