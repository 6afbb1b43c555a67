import { describe, expect, it } from 'vitest'
import { type EntryFields, nextEntry } from '../../layers/core/audit-chain.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { repeatedMergings } from '../../layers/core/recorded-reports.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'

function chainOf(happenings: Partial<EntryFields>[]): AuditEntry[] {
  const entries: AuditEntry[] = []
  for (const each of happenings)
    entries.push(
      nextEntry(entries.at(-1) ?? null, { project_id: 'p', at: '2026-03-02T10:00:00.000Z', actor: 'anybody', action: 'X', ...each }),
    )
  return entries
}

const merged = (run: string, report: string) => ({
  action: 'RECONCILIATION_MERGED',
  subject_sha256: sha256(report),
  details: { run_id: run, verdict: 'pass' },
})

describe('comparisons that are recorded as merged', () => {
  it('are each recorded once', () => {
    expect(repeatedMergings(chainOf([merged('a', '1'), merged('b', '2'), { action: 'NIGHT_CLEAN' }]))).toEqual([])
  })

  it('are named where a run, or a report, stands there again', () => {
    expect(repeatedMergings(chainOf([merged('a', '1'), merged('b', '2'), merged('a', '1')]))).toEqual([
      'audit entry 2 records the comparison of run a, or its report, a second time',
    ])
    expect(repeatedMergings(chainOf([merged('a', '1'), merged('c', '1')]))).toHaveLength(1)
    expect(repeatedMergings(chainOf([merged('a', '1'), merged('a', '2')]))).toHaveLength(1)
  })
})
