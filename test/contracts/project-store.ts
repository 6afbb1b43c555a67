import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ProjectStore } from '../../layers/core/ports.ts'
import { projectRecord, refusal, type UnderTest } from './samples.ts'

export function projectStoreContract(name: string, make: () => Promise<UnderTest<ProjectStore>>): void {
  describe(`project store: ${name}`, () => {
    let it_: UnderTest<ProjectStore>
    beforeEach(async () => {
      it_ = await make()
    })
    afterEach(() => it_.done())

    it('gives back exactly what was created, also to another process', async () => {
      await it_.store.create(projectRecord('p1'))
      expect(await it_.second.get('p1')).toEqual(projectRecord('p1'))
    })

    it('creates a project once', async () => {
      await it_.store.create(projectRecord('p1'))
      expect(await refusal(it_.second.create({ ...projectRecord('p1'), title: 'other' }))).toBe('ALREADY_EXISTS')
      expect((await it_.store.get('p1')).title).toBe(projectRecord('p1').title)
    })

    it('writes only on the revision that was read', async () => {
      await it_.store.create(projectRecord('p1'))
      await it_.store.update({ ...projectRecord('p1', 2), state: 'DISCOVERED' })
      expect(await refusal(it_.second.update({ ...projectRecord('p1', 2), state: 'FAILED' }))).toBe('CONFLICT')
      expect(await refusal(it_.second.update({ ...projectRecord('p1', 4), state: 'FAILED' }))).toBe('CONFLICT')
      expect(await it_.second.get('p1')).toMatchObject({ revision: 2, state: 'DISCOVERED' })
    })

    it('lets one of many simultaneous writers win', async () => {
      await it_.store.create(projectRecord('p1'))
      const writers = Array.from({ length: 8 }, (_, n) =>
        (n % 2 === 0 ? it_.store : it_.second).update({ ...projectRecord('p1', 2), clean_runs: n }),
      )
      const outcomes = await Promise.all(writers.map(refusal))
      expect(outcomes.filter((outcome) => outcome === 'no error')).toHaveLength(1)
      expect(outcomes.filter((outcome) => outcome === 'CONFLICT')).toHaveLength(7)
      expect((await it_.store.get('p1')).clean_runs).toBe(outcomes.indexOf('no error'))
    })

    it('says which project is missing', async () => {
      expect(await refusal(it_.store.get('p1'))).toBe('NOT_FOUND')
      expect(await refusal(it_.store.update(projectRecord('p1', 2)))).toBe('NOT_FOUND')
    })

    it('lists every project', async () => {
      for (const id of ['p2', 'p1', 'p10']) await it_.store.create(projectRecord(id))
      expect((await it_.second.list()).map((record) => record.project_id)).toEqual(['p1', 'p10', 'p2'])
    })

    it('stores nothing that is not a record', async () => {
      const wrong = { ...projectRecord('p1'), state: 'DONE' } as unknown as ReturnType<typeof projectRecord>
      await expect(it_.store.create(wrong)).rejects.toThrow()
      expect(await it_.store.list()).toEqual([])
    })
  })
}
