import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nextEntry } from '../../../layers/core/audit-chain.ts'
import { disagreement, replayLifecycle, unanchoredFaults } from '../../../layers/core/evidence/lifecycle-replay.ts'
import { recordDigest } from '../../../layers/core/record-digest.ts'
import type { AuditEntry } from '../../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../../layers/core/schemas/project.ts'

type Said = Record<string, string>
const change = (revision: number, from: string, to: string): Said => ({ revision: String(revision), from, to })

function chainOf(...said: Said[]): AuditEntry[] {
  const entries: AuditEntry[] = []
  for (const [seconds, details] of said.entries()) {
    const at = new Date(Date.parse('2026-03-01T00:00:00.000Z') + seconds * 1000).toISOString()
    entries.push(nextEntry(entries.at(-1) ?? null, { project_id: 'p', at, actor: 'anybody', action: 'MOVED', details }))
  }
  return entries
}

const executed: Said[] = [
  { revision: '1', to: 'CREATED' },
  change(2, 'CREATED', 'DISCOVERED'),
  change(3, 'DISCOVERED', 'PLAN_DRAFTED'),
  change(4, 'PLAN_DRAFTED', 'PLANNED'),
  change(5, 'PLANNED', 'EXECUTED'),
]

const fault = (seq: number, claimed: string, next: number) =>
  `audit entry ${seq} changes the project under ${claimed}, and the next one was ${next}: it was not written with the project`

describe('what a log makes of entries that were not written with the project', () => {
  it('follows an honest one to its end', () => {
    const replay = replayLifecycle(chainOf(...executed, { note: 'a remark' }, change(6, 'EXECUTED', 'EXECUTED')))
    expect(replay).toMatchObject({ state: 'EXECUTED', revision: 6, faults: [], gates: ['PLAN_DRAFTED->PLANNED', 'PLANNED->EXECUTED'] })
    expect(replay.lastChange?.seq).toBe(4)
    expect(replay.passed.get('PLANNED->EXECUTED')?.seq).toBe(4)
    expect(replayLifecycle([])).toMatchObject({ state: 'CREATED', revision: 0, lastChange: null, faults: [] })
  })

  it.each<[string, Said, string]>([
    ['one that was', change(5, 'EXECUTED', 'PLANNED'), fault(5, 'revision 5', 6)],
    ['the first', { revision: '1', to: 'CREATED' }, fault(5, 'revision 1', 6)],
    ['one ahead', change(7, 'EXECUTED', 'RECONCILED'), fault(5, 'revision 7', 6)],
    ['none', { from: 'EXECUTED', to: 'RECONCILED' }, fault(5, 'no revision', 6)],
    ['one that is no number', { from: 'EXECUTED', to: 'RECONCILED', revision: '6.0' }, fault(5, 'no revision', 6)],
    ['the next one, spelled otherwise', { from: 'EXECUTED', to: 'RECONCILED', revision: '06' }, fault(5, 'revision 06', 6)],
  ])('names an entry for %s, and does not follow it', (_what, said, says) => {
    const replay = replayLifecycle(chainOf(...executed, said))
    expect(replay).toMatchObject({ state: 'EXECUTED', revision: 5, faults: [says] })
    expect(replay.lastChange?.seq).toBe(4)
    const after = replayLifecycle(chainOf(...executed, said, change(6, 'EXECUTED', 'RECONCILED')))
    expect(after).toMatchObject({ state: 'RECONCILED', faults: [says] })
  })

  it('follows a project that begins anew, unless a plan of it was signed before', () => {
    const failed = (after: Said[], from: string) => [
      ...after,
      change(after.length + 1, from, 'FAILED'),
      change(after.length + 2, 'FAILED', 'CREATED'),
    ]
    expect(replayLifecycle(chainOf(...failed(executed.slice(0, 3), 'PLAN_DRAFTED')))).toMatchObject({ state: 'CREATED', faults: [] })
    const stale = [...executed.slice(0, 4), change(5, 'PLANNED', 'PLAN_DRAFTED')]
    for (const [said, from] of [
      [stale, 'PLAN_DRAFTED'],
      [executed, 'EXECUTED'],
    ] as const)
      expect(replayLifecycle(chainOf(...failed([...said], from))).faults).toEqual([
        expect.stringMatching(/moves the project from FAILED to CREATED, which the lifecycle does not have/),
      ])
  })

  it('takes nothing back, whatever says so', () => {
    for (const entry of ['4', '5', 'x']) {
      const replay = replayLifecycle(chainOf(...executed, { entry, revision: '5' }))
      expect([replay.state, replay.revision, replay.faults]).toEqual(['EXECUTED', 5, []])
    }
  })

  it('whatever is appended to an honest log, what it said before stands, and entries that are not the next change nothing', () => {
    const said = fc.record(
      {
        from: fc.constantFrom('CREATED', 'PLANNED', 'EXECUTED', 'x'),
        to: fc.constantFrom('CREATED', 'PLANNED', 'EXECUTED', 'RECONCILED', 'FAILED', 'x'),
        revision: fc.constantFrom('0', '1', '4', '5', '7', '8', '', 'x', '1e1', '-6', ' 6'),
        entry: fc.constantFrom('3', '4'),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.array(said, { maxLength: 6 }), (more) => {
        const replay = replayLifecycle(chainOf(...executed, ...(more as Said[])))
        expect([replay.state, replay.revision, replay.lastChange?.seq]).toEqual(['EXECUTED', 5, 4])
        expect(replay.faults).toHaveLength(more.filter(({ to }) => to !== undefined && to !== 'x').length)
      }),
    )
  })
})

it('a move that was only appended is named as such', () => {
  const forward = replayLifecycle(chainOf(...executed, change(6, 'EXECUTED', 'RECONCILED')))
  expect(unanchoredFaults(forward, [4])).toEqual(['the change to RECONCILED (entry 5) was not anchored'])
  expect(unanchoredFaults(forward, [4, 5])).toEqual([])
})

it('a record that is not the one its log tells of is named', () => {
  const record: ProjectRecord = {
    project_id: 'p',
    revision: 5,
    state: 'EXECUTED',
    failed_from: null,
    failure: null,
    title: 'T',
    migration_id: 'p',
    author: 'ada@example.org',
    archetype_id: 'postgres-to-postgres',
    plan_version: 1,
    clean_runs: 0,
    created_at: '2026-03-01T08:00:00.000Z',
    updated_at: '2026-03-01T08:00:00.000Z',
    artifacts: {},
  }
  const replay = replayLifecycle(chainOf(...executed))
  const told = { ...replay, told: { ...replay.told!, details: { ...replay.told!.details, change_sha256: recordDigest(record) } } }
  expect(disagreement(record, told)).toEqual([])
  expect(disagreement({ ...record, updated_at: '2026-03-02T08:00:00.000Z' }, told)).toEqual([])
  expect(disagreement(null, replayLifecycle([]))).toEqual([])
  const not = [`what is stored as revision 5 of the project is not what audit entry ${replay.told?.seq} tells of it`]
  const others: Partial<ProjectRecord>[] = [
    { failed_from: 'PLANNED' },
    { title: 'U' },
    { migration_id: 'q' },
    { author: 'eve@example.org' },
    { archetype_id: 'files-to-postgres' },
    { plan_version: 2 },
    { clean_runs: 3 },
    { recon_fence: '1' },
    { failure: { code: 'X', reason: 'y', at: record.created_at } },
    { artifacts: { spec: { uri: 'file:///s', version_id: 'v', sha256: 'a'.repeat(64) } } },
  ]
  for (const other of others) expect(disagreement({ ...record, ...other }, told), JSON.stringify(other)).toEqual(not)
  // An entry that tells nothing of what is stored vouches for nothing.
  expect(disagreement(record, replay)).toEqual(not)
  expect(disagreement({ ...record, revision: 4 }, told)).toEqual(['the project is stored in revision 4, the chain leaves it in revision 5'])
  expect(disagreement({ ...record, state: 'PLANNED' }, told)).toEqual(['the project is stored as PLANNED, the chain leaves it in EXECUTED'])
})
