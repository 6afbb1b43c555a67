import fc from 'fast-check'
import { expect, it } from 'vitest'
import { atOnce } from '../../../layers/core/flow/at-once.ts'

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn++) await Promise.resolve()
}

it('does everything once, in any order, and answers in order, never more at once than said', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(20), { maxLength: 100 }), fc.integer({ min: 1, max: 40 }), async (waits, most) => {
      let running = 0
      let highest = 0
      const results = await atOnce(
        waits.map((wait, at) => ({ wait, at })),
        async ({ wait, at }) => {
          highest = Math.max(highest, ++running)
          await turns(wait)
          running -= 1
          return at
        },
        most,
      )
      expect(results).toEqual(waits.map((_, at) => at))
      expect(highest).toBe(Math.min(most, waits.length))
    }),
  )
})

it('throws the first error when nothing runs any more, and begins nothing after it', async () => {
  const begun: number[] = []
  const ended: number[] = []
  const work = async (item: number) => {
    begun.push(item)
    await turns(item === 1 ? 2 : 10)
    ended.push(item)
    if (item === 1) throw new Error('the first')
    if (item === 2) throw new Error('a later one')
    return item
  }
  await expect(atOnce([0, 1, 2, 3, 4], work, 3)).rejects.toThrow('the first')
  expect(begun).toEqual([0, 1, 2])
  expect(ended.toSorted()).toEqual([0, 1, 2])
})
