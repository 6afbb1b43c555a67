import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ArtifactStore } from '../../layers/core/ports.ts'
import { refusal, type UnderTest } from './samples.ts'

const kept = { contentType: 'application/json', retainUntil: new Date('2126-01-01T00:00:00.000Z') }
const text = (value: string) => new TextEncoder().encode(value)
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** @param make `elapse` moves the store's clock past every retention; a store whose clock cannot be moved has none */
export function artifactStoreContract(name: string, make: () => Promise<UnderTest<ArtifactStore> & { elapse?: () => void }>): void {
  describe(`artifact store: ${name}`, () => {
    let it_: UnderTest<ArtifactStore> & { elapse?: () => void }
    beforeEach(async () => {
      it_ = await make()
    })
    afterEach(() => it_.done())

    it('gives back the bytes under a pointer with their digest, also to another process', async () => {
      const pointer = await it_.store.put('projects/p1/spec/1.json', text('{}'), kept)
      expect(pointer.sha256).toBe(digest(text('{}')))
      expect(Buffer.from(await it_.second.get(pointer)).toString()).toBe('{}')
      expect(await it_.second.find('projects/p1/spec/1.json')).toEqual(pointer)
      expect(await it_.second.find('projects/p1/spec/2.json')).toBeNull()
    })

    it('keeps any bytes as they are', async () => {
      let n = 0
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), async (bytes) => {
          const pointer = await it_.store.put(`projects/p1/any/${n++}.bin`, bytes, kept)
          expect(Buffer.from(await it_.second.get(pointer)).equals(Buffer.from(bytes))).toBe(true)
        }),
        { numRuns: 25 },
      )
    })

    it('writes a key once: the same bytes again are the same artifact, others are refused', async () => {
      const pointer = await it_.store.put('k/1', text('one'), kept)
      expect(await it_.second.put('k/1', text('one'), kept)).toEqual(pointer)
      expect(await refusal(it_.second.put('k/1', text('two'), kept))).toBe('ALREADY_EXISTS')
      expect(Buffer.from(await it_.store.get(pointer)).toString()).toBe('one')
    })

    it('lets one of many simultaneous writers of a key win, and keeps that one', async () => {
      const writers = Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? it_.store : it_.second).put('k/1', text(`writer ${n}`), kept))
      const outcomes = await Promise.allSettled(writers)
      const won = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
      expect(won).toHaveLength(1)
      expect(digest(await it_.store.get(won[0]!))).toBe(won[0]!.sha256)
      expect(await it_.store.find('k/1')).toEqual(won[0])
    })

    it('refuses a pointer to other bytes, another version or another place', async () => {
      const pointer = await it_.store.put('k/1', text('one'), kept)
      expect(await refusal(it_.store.get({ ...pointer, sha256: digest(text('two')) }))).toBe('EVIDENCE_INVALID')
      expect(await refusal(it_.store.get({ ...pointer, version_id: `${pointer.version_id}0` }))).toBe('NOT_FOUND')
      for (const uri of ['k/1', 'file:///etc/passwd', 'artifact:../../etc/passwd', 'artifact:/etc/passwd', 's3://elsewhere/k/1'])
        expect(await refusal(it_.store.get({ ...pointer, uri }))).toBe('NOT_FOUND')
    })

    it('removes nothing before its retention ends', async () => {
      const pointer = await it_.store.put('k/1', text('one'), kept)
      expect(await refusal(it_.store.remove(pointer))).toBe('RETENTION_ACTIVE')
      expect(Buffer.from(await it_.second.get(pointer)).toString()).toBe('one')
    })

    it('does not shorten a retention by writing the same bytes again', async () => {
      const pointer = await it_.store.put('k/1', text('one'), kept)
      await it_.store.put('k/1', text('one'), { ...kept, retainUntil: new Date('2027-01-01T00:00:00.000Z') }).catch(() => undefined)
      expect(await refusal(it_.store.remove(pointer))).toBe('RETENTION_ACTIVE')
    })

    it('removes after the retention, and then the key is free', async () => {
      const pointer = await it_.store.put('k/1', text('one'), kept)
      if (it_.elapse === undefined) return expect(await refusal(it_.store.remove(pointer))).toBe('RETENTION_ACTIVE')
      it_.elapse()
      await it_.store.remove(pointer)
      expect(await it_.second.find('k/1')).toBeNull()
      expect(await refusal(it_.second.get(pointer))).toBe('NOT_FOUND')
      expect(await refusal(it_.store.remove(pointer))).toBe('NOT_FOUND')
      expect(Buffer.from(await it_.second.get(await it_.store.put('k/1', text('two'), kept))).toString()).toBe('two')
    })

    it('lists keys under a prefix, sorted by code unit', async () => {
      for (const key of ['p/b', 'p/B', 'p/a/1', 'q/1', 'p/a-1']) await it_.store.put(key, text(key), kept)
      expect(await it_.second.list('p/')).toEqual(['p/B', 'p/a-1', 'p/a/1', 'p/b'])
      expect(await it_.second.list('p/a/')).toEqual(['p/a/1'])
      expect(await it_.second.list('%')).toEqual([])
    })
  })
}
