import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cleanNights, NIGHT_ACTIONS, type RecordedNight, recordedNights } from '../../../layers/core/nights/count.ts'
import type { AuditEntry } from '../../../layers/core/schemas/governance.ts'
import type { NightResult } from '../../../layers/core/schemas/night.ts'

const PLAN = 'a'.repeat(64)
const nightsOf = (...given: [day: number, result: NightResult][]): RecordedNight[] =>
  given.map(([day, result], seq) => ({
    seq,
    night: `2026-03-${String(day).padStart(2, '0')}`,
    run_id: `run-${seq}`,
    result,
    plan_sha256: PLAN,
  }))
const counted = (...given: [number, NightResult][]) => cleanNights(nightsOf(...given)).nights.size
const results = fc.constantFrom<NightResult>('clean', 'mismatch', 'undecided', 'skipped')
const history = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), results), { maxLength: 40 })

describe('clean nights', () => {
  it('are distinct days: two runs in one night are one', () => {
    expect(counted([1, 'clean'], [1, 'clean'], [2, 'clean'])).toBe(2)
  })

  it('begin again after a mismatch, also for what was clean earlier that night', () => {
    expect(counted([1, 'clean'], [2, 'clean'], [2, 'mismatch'], [3, 'clean'])).toBe(1)
    expect(counted([1, 'mismatch'], [1, 'clean'])).toBe(1)
  })

  it('neither grow nor shrink by a night that was skipped or not decided', () => {
    expect(counted([1, 'clean'], [2, 'skipped'], [3, 'undecided'], [4, 'clean'])).toBe(2)
    expect(cleanNights(nightsOf([1, 'mismatch'], [2, 'skipped'])).last?.result).toBe('mismatch')
  })

  it('agree with counting the days behind the last mismatch one by one', () => {
    fc.assert(
      fc.property(history, (given) => {
        const behind = given.slice(given.findLastIndex(([, result]) => result === 'mismatch') + 1)
        expect(counted(...given)).toBe(new Set(behind.filter(([, result]) => result === 'clean').map(([day]) => day)).size)
      }),
    )
  })

  it('are never more after a mismatch, and at most one more after anything else', () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 1, max: 9 }), results, (given, day, result) => {
        const before = counted(...given)
        const after = counted(...given, [day, result])
        if (result === 'mismatch') expect(after).toBe(0)
        else if (result === 'clean') expect([before, before + 1]).toContain(after)
        else expect(after).toBe(before)
      }),
    )
  })
})

describe('recorded nights', () => {
  const entry = (seq: number, action: string, details: Record<string, string>): AuditEntry => ({
    seq,
    prev_sha256: PLAN,
    project_id: 'p',
    at: '2026-03-01T10:00:00.000Z',
    actor: 'waybill',
    action,
    subject_sha256: null,
    reasoning_sha256: null,
    details,
    entry_sha256: PLAN,
  })
  const clean = (seq: number, night: string) => entry(seq, NIGHT_ACTIONS.clean, { night, run_id: `r${seq}`, plan_sha256: PLAN })

  it('are the entries of nights, and nothing that is appended about one takes it away', () => {
    const mismatch = entry(2, NIGHT_ACTIONS.mismatch, { night: '2026-03-02', run_id: 'r2', plan_sha256: PLAN })
    const entries = [
      clean(0, '2026-03-01'),
      entry(1, 'CHANGE_NOT_MADE', { entry: '0' }),
      mismatch,
      entry(3, 'CHANGE_NOT_MADE', { entry: '2' }),
    ]
    expect(recordedNights(entries).map(({ night, result }) => [night, result])).toEqual([
      ['2026-03-01', 'clean'],
      ['2026-03-02', 'mismatch'],
    ])
    expect(cleanNights(recordedNights(entries)).nights.size).toBe(0)
  })

  it('leave out an entry that does not say which night, run or plan', () => {
    expect(recordedNights([entry(0, NIGHT_ACTIONS.clean, { run_id: 'r', plan_sha256: PLAN })])).toEqual([])
    expect(recordedNights([entry(0, 'RECONCILIATION_MERGED', { night: '2026-03-01', run_id: 'r', plan_sha256: PLAN })])).toEqual([])
  })
})
