import { describe, expect, it } from 'vitest'
import { nextEntry } from '../../../layers/core/audit-chain.ts'
import { replayLifecycle, unanchoredFaults } from '../../../layers/core/evidence/lifecycle-replay.ts'
import type { AuditEntry } from '../../../layers/core/schemas/governance.ts'

type Said = Record<string, string>
const change = (revision: number, from: string, to: string): Said => ({ revision: String(revision), from, to })
const notMade = (entry: number, revision: number): Said & { entry: string } => ({ entry: String(entry), revision: String(revision) })

function chainOf(...said: Said[]): AuditEntry[] {
  const entries: AuditEntry[] = []
  for (const [seconds, details] of said.entries()) {
    const action = details.entry === undefined ? 'MOVED' : 'CHANGE_NOT_MADE'
    const at = new Date(Date.parse('2026-03-01T00:00:00.000Z') + seconds * 1000).toISOString()
    entries.push(nextEntry(entries.at(-1) ?? null, { project_id: 'p', at, actor: 'anybody', action, details }))
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
const all = (count: number) => Array.from({ length: count }, (_, seq) => seq)

describe('what a log makes of moves that were taken back', () => {
  it('nothing takes back what an anchor lies over, also with a later entry for the same revision', () => {
    for (const more of [
      [notMade(4, 5)],
      [change(5, 'PLANNED', 'PLANNED'), notMade(4, 5)],
      [change(5, 'PLANNED', 'PLAN_DRAFTED'), notMade(4, 5), notMade(3, 4)],
    ]) {
      const replay = replayLifecycle(chainOf(...executed, ...more), all(5))
      expect([replay.state, replay.faults]).toEqual(['EXECUTED', []])
    }
  })

  it('nothing takes back a move that nobody else made instead, nor one of another revision', () => {
    for (const more of [
      [notMade(4, 5)],
      [notMade(4, 4), change(4, 'PLANNED', 'PLANNED')],
      [change(6, 'EXECUTED', 'EXECUTED'), notMade(4, 5)],
    ]) {
      const replay = replayLifecycle(chainOf(...executed, ...more), [3])
      expect([replay.state, replay.faults]).toEqual(['EXECUTED', []])
    }
  })

  it('an entry that was laid out beforehand is no winner: it is not later than the one it would replace', () => {
    const laid = [...executed.slice(0, 4), change(5, 'PLANNED', 'PLANNED'), change(5, 'PLANNED', 'EXECUTED')]
    const replay = replayLifecycle(chainOf(...laid, notMade(4, 5), notMade(5, 5)), [3])
    expect([replay.state, replay.faults]).toEqual(['EXECUTED', []])
  })

  it('the loser of a race is taken back by the winner, before the anchor of the winner', () => {
    const race = [...executed.slice(0, 4), change(5, 'PLANNED', 'EXECUTED'), change(5, 'PLANNED', 'FAILED'), notMade(4, 5)]
    const replay = replayLifecycle(chainOf(...race), [3, 6])
    expect([replay.state, replay.faults, replay.reached.has('EXECUTED')]).toEqual(['FAILED', [], false])
    expect(replayLifecycle(chainOf(...race), [3, 5]).state).toBe('EXECUTED')
  })

  it('a writer that came too late changed nothing', () => {
    const late = [...executed, change(5, 'PLANNED', 'FAILED')]
    const replay = replayLifecycle(chainOf(...late), [4])
    expect([replay.state, replay.faults]).toEqual(['EXECUTED', []])
  })

  it('an entry that takes a revision far ahead keeps no honest change from counting', () => {
    const ahead = [...executed.slice(0, 4), change(900, 'PLANNED', 'PLANNED'), change(5, 'PLANNED', 'EXECUTED')]
    const replay = replayLifecycle(chainOf(...ahead), [5])
    expect([replay.state, replay.faults]).toEqual(['EXECUTED', []])
  })

  it('a change that names no revision is a fault', () => {
    for (const revision of [{}, { revision: '0' }, { revision: '6.0' }, { revision: 'x' }])
      expect(replayLifecycle(chainOf(...executed, { from: 'EXECUTED', to: 'RECONCILED', ...revision }), [5]).faults).toEqual([
        'audit entry 5 changes the project and does not say which revision of it',
      ])
  })
})

it('a move that was only appended is named as such', () => {
  const forward = replayLifecycle(chainOf(...executed, change(6, 'EXECUTED', 'RECONCILED')), [4])
  expect(unanchoredFaults(forward, [4])).toEqual(['the change to RECONCILED (entry 5) was not anchored'])
  expect(unanchoredFaults(forward, [4, 5])).toEqual([])
})
