import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAC_PURPOSES, type MacPurpose } from '../../layers/core/names.ts'
import { MAC_MESSAGE_BYTES, type Ports } from '../../layers/core/ports.ts'
import { refusal } from './samples.ts'

type Macs = Pick<Ports, 'macMakers' | 'macCheckers'>

/** @param make the same keys each time it is called; @param keyOf which purposes have a key in common on this platform */
export function macsContract(name: string, make: () => Promise<Macs>, keyOf: (purpose: MacPurpose) => string): void {
  describe(`message authentication codes: ${name}`, () => {
    it('are 32 bytes that check for this very message and no other, whatever the message', async () => {
      const { macMakers, macCheckers } = await make()
      await fc.assert(
        fc.asyncProperty(
          fc.uint8Array({ minLength: 1, maxLength: 300 }),
          fc.nat({ max: 255 }),
          fc.constantFrom(...MAC_PURPOSES),
          async (message, bit, purpose) => {
            const mac = await macMakers[purpose](message)
            const isOurs = macCheckers[purpose]
            expect([mac.length, await isOurs(message, mac)]).toEqual([32, true])
            const flipped = Uint8Array.from(mac)
            flipped[bit >> 3]! ^= 1 << (bit & 7)
            expect(await isOurs(message, flipped)).toBe(false)
            const other = Uint8Array.from(message)
            other[bit % message.length]! ^= 1
            for (const changed of [other, Buffer.concat([message, Buffer.of(0)])]) expect(await isOurs(changed, mac)).toBe(false)
          },
        ),
        { numRuns: 30 },
      )
    })

    it('are the same for the same message, today and in another process', async () => {
      const message = Buffer.from('somebody')
      const [first, again] = [await make(), await make()]
      for (const purpose of MAC_PURPOSES) {
        const mac = await first.macMakers[purpose](message)
        expect(Buffer.from(await again.macMakers[purpose](message)).equals(Buffer.from(mac))).toBe(true)
        expect(await again.macCheckers[purpose](message, mac)).toBe(true)
      }
    })

    it('of one key check with no other', async () => {
      const { macMakers, macCheckers } = await make()
      const message = Buffer.from('the same words')
      for (const made of MAC_PURPOSES)
        for (const checked of MAC_PURPOSES) {
          const same = keyOf(made) === keyOf(checked)
          expect([made, checked, await macCheckers[checked](message, await macMakers[made](message))]).toEqual([made, checked, same])
        }
    })

    it('are of one length, over messages of bounded length; anything else was made by nobody', async () => {
      const { macMakers, macCheckers } = await make()
      const longest = new Uint8Array(MAC_MESSAGE_BYTES).fill(120)
      const mac = await macMakers.page(longest)
      expect(await macCheckers.page(longest, mac)).toBe(true)
      for (const message of [new Uint8Array(0), new Uint8Array(MAC_MESSAGE_BYTES + 1)]) {
        expect(await refusal(macMakers.page(message))).toBe('BAD_INPUT')
        expect(await macCheckers.page(message, mac)).toBe(false)
      }
      for (const bad of [new Uint8Array(0), mac.subarray(1), Buffer.concat([mac, Buffer.of(0)]), new Uint8Array(7000)])
        expect(await macCheckers.page(longest, bad)).toBe(false)
    })
  })
}
