import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { chainFaults, nextEntry } from '../../layers/core/audit-chain.ts'
import type { AuditLog } from '../../layers/core/ports.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'
import { AT, refusal, type UnderTest } from './samples.ts'

export function entryAfter(head: AuditEntry | null, actor = 'ada@example.org', projectId = 'p1'): AuditEntry {
  return nextEntry(head, { project_id: projectId, at: AT, actor, action: 'PLAN_SIGNED', details: { note: 'ключ' } })
}

/** Appends against the head it reads, again and again until it lands, as every writer does. @returns how many tries it took */
export async function appendOne(log: AuditLog, actor: string): Promise<number> {
  for (let tries = 1; ; tries++) {
    const outcome = await refusal(log.append(entryAfter(await log.head('p1'), actor)))
    if (outcome === 'no error') return tries
    if (outcome !== 'CONFLICT') throw new Error(outcome)
  }
}

export function auditLogContract(name: string, make: () => Promise<UnderTest<AuditLog>>): void {
  describe(`audit log: ${name}`, () => {
    let it_: UnderTest<AuditLog>
    beforeEach(async () => {
      it_ = await make()
    })
    afterEach(() => it_.done())

    it('starts empty', async () => {
      expect(await it_.store.head('p1')).toBeNull()
      expect(await it_.store.read('p1')).toEqual([])
    })

    it('gives back a chain as it was appended, also to another process', async () => {
      const first = entryAfter(null)
      const second = entryAfter(first)
      await it_.store.append(first)
      await it_.store.append(second)
      expect(await it_.second.read('p1')).toEqual([first, second])
      expect(await it_.second.head('p1')).toEqual(second)
      expect(await it_.second.read('p1', 1)).toEqual([second])
      expect(await it_.second.read('p1', 2)).toEqual([])
    })

    it('refuses an entry that does not follow the head', async () => {
      const first = entryAfter(null)
      const second = entryAfter(first)
      expect(await refusal(it_.store.append(second))).toBe('CONFLICT')
      await it_.store.append(first)
      expect(await refusal(it_.store.append(first))).toBe('CONFLICT')
      expect(await refusal(it_.store.append(entryAfter(second)))).toBe('CONFLICT')
      expect(await refusal(it_.store.append(entryAfter(entryAfter(null, 'mallory@example.org'))))).toBe('CONFLICT')
      expect(await it_.store.read('p1')).toEqual([first])
    })

    it('keeps the chains of projects apart', async () => {
      await it_.store.append(entryAfter(null))
      await it_.store.append(entryAfter(null, 'ada@example.org', 'p2'))
      expect(await it_.store.read('p1')).toHaveLength(1)
      expect((await it_.store.head('p2'))?.project_id).toBe('p2')
    })

    it('stays one chain under many writers at once', async () => {
      const writers = Array.from({ length: 8 }, async (_, n) => {
        for (let i = 0; i < 5; i++) await appendOne(n % 2 === 0 ? it_.store : it_.second, `writer${n}`)
      })
      await Promise.all(writers)
      const entries = await it_.store.read('p1')
      expect(entries).toHaveLength(40)
      expect(chainFaults(entries)).toEqual([])
      for (let n = 0; n < 8; n++) expect(entries.filter((entry) => entry.actor === `writer${n}`)).toHaveLength(5)
    })

    it('stores nothing that is not an entry', async () => {
      const wrong = { ...entryAfter(null), action: 'x' } as AuditEntry
      await expect(it_.store.append(wrong)).rejects.toThrow()
      expect(await it_.store.head('p1')).toBeNull()
    })
  })
}
