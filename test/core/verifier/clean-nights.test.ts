import { expect, it } from 'vitest'
import { NIGHT_ACTIONS } from '../../../layers/core/nights/count.ts'
import type { AuditEntry } from '../../../layers/core/schemas/governance.ts'
import { cleanNightFaults } from '../../../layers/core/verifier/clean-nights.ts'
import type { Contents } from '../../../layers/core/verifier/contents.ts'

const PLAN = 'a'.repeat(64)
type Said = [action: string, details: Record<string, string>]
const approved: Said = ['DECISION_TAKEN', { transition: 'PR_CREATED->PARALLEL_VALIDATED', decision: 'APPROVED' }]
const complete: Said = ['PARALLEL_RUN_COMPLETE', { to: 'PARALLEL_VALIDATED' }]
const night = (result: keyof typeof NIGHT_ACTIONS, day: number, run = `r${day}`): Said => [
  NIGHT_ACTIONS[result],
  { night: `2026-03-0${day}`, run_id: run, plan_sha256: PLAN },
]

/** Faults of a pack whose log says this, in which two clean nights are asked for and the reports of `passed` lie. */
function faultsOf(said: Said[], passed: string[] = ['r1', 'r2', 'r3']): string[] {
  const entries = said.map(([action, details], seq) => ({ seq, action, details }) as unknown as AuditEntry)
  const recons = passed.map((run_id) => ({ path: '', report: { run_id, verdict: 'pass' } }))
  const contents = { entries, recons, policy: { value: { clean_runs_required: 2 } }, replay: { reached: new Set(['PARALLEL_VALIDATED']) } }
  return cleanNightFaults(contents as unknown as Contents)
}
const counted = (faults: string[]) => /after (\d+) clean nights/.exec(faults[0] ?? '')?.[1] ?? 'enough'

it('takes two nights with their reports', () => {
  expect(faultsOf([approved, night('clean', 1), night('clean', 2), complete])).toEqual([])
})

it('notices one night counted twice, a mismatch in between, a report that is not there, and nights before the approval or after the step', () => {
  const found = [
    faultsOf([approved, night('clean', 1), night('clean', 1, 'r2'), complete]),
    faultsOf([approved, night('clean', 1), night('mismatch', 2), night('clean', 3), complete]),
    faultsOf([approved, night('clean', 1), night('clean', 2), complete], ['r1']),
    faultsOf([night('clean', 1), night('clean', 2), approved, complete]),
    faultsOf([approved, night('clean', 1), complete, night('clean', 2)]),
    faultsOf([night('clean', 1), night('clean', 2), complete]),
    faultsOf([approved, night('skipped', 1), night('undecided', 2), complete]),
  ]
  expect(found.map(counted)).toEqual(['1', '1', '1', '0', '1', '0', '0'])
})

it('counts the runs of an earlier log one by one, since its last drift', () => {
  const run = (action: string, run_id: string): Said => [action, { run_id }]
  expect(faultsOf([approved, run('PARALLEL_RUN_CLEAN', 'r1'), run('PARALLEL_RUN_CLEAN', 'r2'), complete])).toEqual([])
  const drifted = [approved, run('PARALLEL_RUN_CLEAN', 'r1'), run('PARALLEL_RUN_DRIFTED', 'r3'), run('PARALLEL_RUN_CLEAN', 'r2'), complete]
  expect(counted(faultsOf(drifted))).toBe('1')
})
