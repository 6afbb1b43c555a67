import { expect, it } from 'vitest'
import { memoryReader, verifyPack } from '../../../layers/core/verifier/index.ts'
import { writtenPack } from '../../functions/support/written-pack.ts'
import { survivors } from './mutation.ts'

/** `npm run bench` makes ten thousand. */
const COUNT = 1500

it(`accepts none of ${COUNT} mutations of a pack that real handlers sealed`, { timeout: 300_000 }, async () => {
  const pack = await writtenPack()
  expect((await verifyPack(memoryReader(pack))).faults).toEqual([])
  expect(await survivors(pack, 20_260_301, COUNT)).toEqual([])
})
