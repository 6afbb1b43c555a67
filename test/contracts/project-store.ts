import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { chainFaults } from '../../layers/core/audit-chain.ts'
import { replayLifecycle } from '../../layers/core/evidence/lifecycle-replay.ts'
import type { AuditLog, ProjectStore } from '../../layers/core/ports.ts'
import { advance, open } from '../../layers/core/project-service.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { entryAfter } from './audit-log.ts'
import { projectRecord, refusal, told, type UnderTest } from './samples.ts'

/** `log`: where the entries land that tell of the records. `spoil`: what somebody can do who may write to the table. */
type Made = UnderTest<ProjectStore> & { log: AuditLog; spoil(projectId: string, body: string): Promise<void> }

export function projectStoreContract(name: string, make: () => Promise<Made>): void {
  describe(`project store: ${name}`, () => {
    let it_: Made
    beforeEach(async () => {
      it_ = await make()
    })
    afterEach(() => it_.done())

    const head = () => it_.log.head('p1')
    const opening = told(projectRecord('p1'), null)
    const opened = async (): Promise<AuditEntry> => {
      expect(await it_.store.create(projectRecord('p1'), opening)).toBe('WRITTEN')
      return opening
    }
    /** Nothing of a refused write is left. */
    const stands = async (record: ProjectRecord, entries: AuditEntry[]) => {
      expect(await it_.second.get('p1')).toEqual(record)
      expect(await it_.log.read('p1')).toEqual(entries)
    }

    it('gives back exactly what was created, also to another process, with the entry that tells of it', async () => {
      await opened()
      await stands(projectRecord('p1'), [opening])
    })

    it('creates a project once', async () => {
      await opened()
      const other = { ...projectRecord('p1'), title: 'other' }
      expect(await refusal(it_.second.create(other, told(other, opening)))).toBe('ALREADY_EXISTS')
      expect(await refusal(it_.second.create(other, told(other, null, 'grace@example.org')))).toBe('ALREADY_EXISTS')
      await stands(projectRecord('p1'), [opening])
    })

    it('creates a project behind what its log says already, and not beside it', async () => {
      const refused = entryAfter(null)
      await it_.log.append(refused)
      expect(await it_.store.create(projectRecord('p1'), opening)).toBe('HEAD_MOVED')
      expect(await refusal(it_.store.get('p1'))).toBe('NOT_FOUND')
      const behind = told(projectRecord('p1'), refused)
      expect(await it_.store.create(projectRecord('p1'), behind)).toBe('WRITTEN')
      await stands(projectRecord('p1'), [refused, behind])
    })

    it('writes only on the revision that was read', async () => {
      const first = await opened()
      const moved: ProjectRecord = { ...projectRecord('p1', 2), state: 'DISCOVERED' }
      const second = told(moved, first)
      expect(await it_.store.update(moved, second)).toBe('WRITTEN')
      for (const revision of [1, 2, 4]) {
        const late: ProjectRecord = { ...projectRecord('p1', revision), state: 'FAILED' }
        expect(await it_.second.update(late, told(late, second))).toBe('REVISION_MOVED')
        expect(await it_.second.update(late, told(late, first, 'grace@example.org'))).toBe('REVISION_MOVED')
      }
      await stands(moved, [first, second])
    })

    it('writes only behind the head that was read', async () => {
      const first = await opened()
      const between = entryAfter(first)
      await it_.log.append(between)
      const moved: ProjectRecord = { ...projectRecord('p1', 2), state: 'DISCOVERED' }
      for (const head of [first, null, entryAfter(between), entryAfter(first, 'mallory@example.org')])
        expect(await it_.second.update(moved, told(moved, head))).toBe('HEAD_MOVED')
      await stands(projectRecord('p1'), [first, between])
      const second = told(moved, between)
      expect(await it_.second.update(moved, second)).toBe('WRITTEN')
      await stands(moved, [first, between, second])
    })

    it('lets one of many simultaneous writers win', async () => {
      const first = await opened()
      const writers = Array.from({ length: 8 }, (_, n) => {
        const record = { ...projectRecord('p1', 2), clean_runs: n }
        return (n % 2 === 0 ? it_.store : it_.second).update(record, told(record, first, `writer${n}`))
      })
      const outcomes = await Promise.all(writers)
      expect(outcomes.filter((outcome) => outcome === 'WRITTEN')).toHaveLength(1)
      const winner = outcomes.indexOf('WRITTEN')
      expect((await it_.store.get('p1')).clean_runs).toBe(winner)
      expect((await it_.log.read('p1')).map(({ actor }) => actor)).toEqual(['ada@example.org', `writer${winner}`])
    })

    it('keeps record and log together under writers of both at once', async () => {
      await opened()
      const changing = async (store: ProjectStore, actor: string) => {
        for (let made = 0; made < 5; ) {
          const [behind, { revision }] = [await head(), await store.get('p1')]
          const record = projectRecord('p1', revision + 1)
          if ((await store.update(record, told(record, behind, actor))) === 'WRITTEN') made++
        }
      }
      const noting = async () => {
        for (let made = 0; made < 5; ) if ((await refusal(it_.log.append(entryAfter(await head())))) === 'no error') made++
      }
      await Promise.all([changing(it_.store, 'one'), changing(it_.second, 'two'), changing(it_.store, 'three'), noting()])
      const entries = await it_.log.read('p1')
      expect([entries.length, chainFaults(entries)]).toEqual([21, []])
      expect(replayLifecycle(entries)).toMatchObject({ revision: 16, faults: [] })
      expect((await it_.store.get('p1')).revision).toBe(16)
    })

    it('lets ten writers at once all get through', async () => {
      const clock = { now: () => new Date(), pauseUpTo: (milliseconds: number) => sleep(Math.random() * milliseconds) }
      const deps = (projects: ProjectStore) => ({ projects, audit: it_.log, clock, anchors: { anchor: async () => {} } })
      await open(deps(it_.store), projectRecord('p1'), { actor: 'ada@example.org', action: 'PROJECT_CREATED' })
      const artifact = projectRecord('p1').artifacts.spec!
      const writers = Array.from({ length: 10 }, (_, at) => {
        const artifacts = { [`recon_report.run-${at}`]: artifact }
        const set = (stored: ProjectRecord) => ({ clean_runs: stored.clean_runs + 1 })
        return advance(deps(at % 2 === 0 ? it_.store : it_.second), 'p1', { actor: `run-${at}`, action: 'RUN_RECORDED', artifacts, set })
      })
      await Promise.all(writers)
      expect(await it_.store.get('p1')).toMatchObject({ clean_runs: 10, revision: 11 })
      const entries = await it_.log.read('p1')
      expect([chainFaults(entries), replayLifecycle(entries)]).toMatchObject([[], { revision: 11, faults: [] }])
    })

    it('says which project is missing', async () => {
      expect(await refusal(it_.store.get('p1'))).toBe('NOT_FOUND')
      expect(await refusal(it_.store.update(projectRecord('p1', 2), told(projectRecord('p1', 2), null)))).toBe('NOT_FOUND')
      expect(await it_.log.read('p1')).toEqual([])
    })

    it('lists every project', async () => {
      for (const id of ['p2', 'p1', 'p10']) await it_.store.create(projectRecord(id), told(projectRecord(id), null))
      const { records, unreadable } = await it_.second.list()
      expect([records.map((record) => record.project_id), unreadable]).toEqual([['p1', 'p10', 'p2'], []])
    })

    it('names each record that somebody spoiled, beside all the others', async () => {
      for (const id of ['p1', 'p2', 'p3', 'p4', 'p5']) await it_.store.create(projectRecord(id), told(projectRecord(id), null))
      const spoiled = { p1: '{', p2: '{}', p4: JSON.stringify(projectRecord('p3')) }
      for (const [id, body] of Object.entries(spoiled)) await it_.spoil(id, body)
      const { records, unreadable } = await it_.second.list()
      expect(records).toEqual([projectRecord('p3'), projectRecord('p5')])
      expect(unreadable).toEqual(
        Object.keys(spoiled).map((id) => ({ project_id: id, says: expect.stringMatching(`^The record of project "${id}" in .*changed`) })),
      )
      for (const id of Object.keys(spoiled)) expect([id, await refusal(it_.store.get(id))]).toEqual([id, 'EVIDENCE_INVALID'])
      expect(await it_.store.get('p3')).toEqual(projectRecord('p3'))
    })

    it('stores nothing that is not a record, nor one whose entry is none or tells of another', async () => {
      const wrong = { ...projectRecord('p1'), state: 'DONE' } as unknown as ProjectRecord
      await expect(it_.store.create(wrong, opening)).rejects.toThrow()
      await expect(it_.store.create(projectRecord('p1'), { ...opening, action: 'x' })).rejects.toThrow()
      for (const other of [projectRecord('p2'), projectRecord('p1', 2), { ...projectRecord('p1'), state: 'FAILED' as const }])
        expect(await refusal(it_.store.create(projectRecord('p1'), told(other, null)))).toBe('BAD_INPUT')
      expect(await refusal(it_.store.create(projectRecord('p1'), entryAfter(null)))).toBe('BAD_INPUT')
      const first = await opened()
      expect(await refusal(it_.store.update(projectRecord('p1', 2), told(projectRecord('p1', 3), first)))).toBe('BAD_INPUT')
      await stands(projectRecord('p1'), [first])
    })
  })
}
