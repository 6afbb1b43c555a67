import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LeaseStore } from '../../layers/core/ports.ts'
import type { UnderTest } from './samples.ts'

const START = Date.parse('2026-03-01T02:00:00.000Z')
const minute = (n: number) => new Date(START + n * 60_000)

export function leaseStoreContract(name: string, make: () => Promise<UnderTest<LeaseStore>>): void {
  describe(`lease store: ${name}`, () => {
    let on: UnderTest<LeaseStore>
    beforeEach(async () => {
      on = await make()
    })
    afterEach(() => on.done())

    const take = (store: LeaseStore, holder: string, at: number, minutes = 30, project_id = 'p1') =>
      store.take({ project_id, holder, now: minute(at), until: minute(at + minutes) })

    it('is held by one, and tells another who holds it and until when', async () => {
      const first = await take(on.store, 'run-a', 0)
      expect(first).toEqual({
        taken: true,
        lease: { project_id: 'p1', holder: 'run-a', fence: '1', expires_at: minute(30).toISOString() },
      })
      expect(await take(on.second, 'run-b', 10)).toEqual({ taken: false, lease: first.lease })
    })

    it('is the same lease for the same holder, whose first answer got lost', async () => {
      await take(on.store, 'run-a', 0)
      expect(await take(on.second, 'run-a', 5)).toMatchObject({ taken: true, lease: { fence: '1', expires_at: minute(35).toISOString() } })
    })

    it('is one for each project', async () => {
      await take(on.store, 'run-a', 0)
      expect(await take(on.store, 'run-b', 0, 30, 'p2')).toMatchObject({ taken: true, lease: { fence: '1' } })
    })

    it('of a dead run expires, not a moment before its time', async () => {
      await take(on.store, 'run-a', 0)
      const early = { project_id: 'p1', holder: 'run-b', now: new Date(minute(30).getTime() - 1), until: minute(60) }
      expect((await on.second.take(early)).taken).toBe(false)
      expect(await take(on.second, 'run-b', 30)).toMatchObject({ taken: true, lease: { holder: 'run-b', fence: '2' } })
    })

    it('is renewed by who holds it, and by nobody whom it was taken from', async () => {
      await take(on.store, 'run-a', 0)
      expect(await on.store.renew('p1', '1', minute(50))).toBe(true)
      expect((await take(on.second, 'run-b', 40)).taken).toBe(false)
      expect((await take(on.second, 'run-b', 50)).taken).toBe(true)
      expect(await on.store.renew('p1', '1', minute(90))).toBe(false)
      expect((await take(on.store, 'run-c', 60)).lease).toMatchObject({ holder: 'run-b', expires_at: minute(80).toISOString() })
    })

    it('expired and taken by nobody is still renewed by who had it', async () => {
      await take(on.store, 'run-a', 0)
      expect(await on.store.renew('p1', '1', minute(90))).toBe(true)
      expect((await take(on.second, 'run-b', 60)).taken).toBe(false)
    })

    it('is given back once, and then free with a greater fence, also for who had it', async () => {
      await take(on.store, 'run-a', 0)
      expect(await on.store.release('p1', '1')).toBe(true)
      expect(await on.store.renew('p1', '1', minute(90))).toBe(false)
      expect(await take(on.second, 'run-a', 1)).toMatchObject({ taken: true, lease: { fence: '2' } })
      expect(await on.store.release('p1', '1')).toBe(false)
      expect((await take(on.store, 'run-b', 2)).taken).toBe(false)
    })

    it('says no to a renewal or return where there is none', async () => {
      expect(await on.store.renew('p1', '1', minute(1))).toBe(false)
      expect(await on.store.release('p1', '1')).toBe(false)
    })

    it('goes to one of eight who take it at once', async () => {
      const all = await Promise.all(Array.from({ length: 8 }, (_, n) => take(n % 2 === 0 ? on.store : on.second, `run-${n}`, 0)))
      expect(all.filter(({ taken }) => taken)).toHaveLength(1)
      const winner = all.find(({ taken }) => taken)!.lease
      for (const each of all) expect(each.lease).toEqual(winner)
    })

    it('never gives one fence to two holders, whatever they do in whatever order', async () => {
      const step = fc.record({ what: fc.constantFrom('take', 'renew', 'release'), who: fc.integer({ min: 0, max: 2 }), wait: fc.nat(40) })
      let project = 0
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
          const id = `q${++project}`
          const owner = new Map<string, string>()
          const fences = new Map<number, string>()
          let at = 0
          let newest = 0n
          for (const { what, who, wait } of steps) {
            at += wait
            const store = who % 2 === 0 ? on.store : on.second
            const fence = fences.get(who) ?? '0'
            if (what === 'release') await store.release(id, fence)
            else if (what === 'renew') expect((await store.renew(id, fence, minute(at + 30))) && BigInt(fence) !== newest).toBe(false)
            else {
              const { taken, lease } = await take(store, `run-${who}`, at, 30, id)
              if (!taken) continue
              expect(owner.get(lease.fence) ?? `run-${who}`).toBe(`run-${who}`)
              expect(BigInt(lease.fence) >= newest).toBe(true)
              owner.set(lease.fence, `run-${who}`)
              fences.set(who, lease.fence)
              newest = BigInt(lease.fence)
            }
          }
        }),
        { numRuns: 25 },
      )
    })
  })
}
