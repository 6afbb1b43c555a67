import { expect, it } from 'vitest'
import { canonicalBytes, digestOf } from '../../../layers/core/canonical-json.ts'
import { sha256 } from '../../../layers/core/digest.ts'
import { NIGHT_ACTIONS } from '../../../layers/core/nights/count.ts'
import type { AuditEntry } from '../../../layers/core/schemas/governance.ts'
import type { NightRecord } from '../../../layers/core/schemas/night.ts'
import { cleanNightFaults } from '../../../layers/core/verifier/clean-nights.ts'
import type { Contents } from '../../../layers/core/verifier/contents.ts'
import { nightOf } from '../nights/samples.ts'

const PROJECT = 'flights'
const PLAN = canonicalBytes({ plan: 1 })
type Said = [action: string, details: Record<string, string>, subject?: string | undefined, at?: string]
const day = (number: number) => `2026-03-0${number}`
const approved: Said = [
  'DECISION_TAKEN',
  { transition: 'PR_CREATED->PARALLEL_VALIDATED', decision: 'APPROVED' },
  undefined,
  `${day(1)}T00:00:00.000Z`,
]
const complete: Said = ['PARALLEL_RUN_COMPLETE', { to: 'PARALLEL_VALIDATED' }, undefined, `${day(9)}T12:00:00.000Z`]
const reportOf = (run_id: string, more: object = {}) => ({
  run_id,
  project_id: PROJECT,
  plan_sha256: sha256(PLAN),
  verdict: 'pass',
  ...more,
})
const recordOf = (number: number, run_id = `r${number}`, more: Partial<NightRecord> = {}): NightRecord => {
  const sample = nightOf(number, 'clean', { run_id, plan_sha256: sha256(PLAN) })
  return { ...sample, compared: { ...sample.compared!, recon_report_sha256: digestOf(reportOf(run_id)) }, ...more }
}
const merged = (number: number, run = `r${number}`): Said => [
  'RECONCILIATION_MERGED',
  { run_id: run, verdict: 'pass' },
  digestOf(reportOf(run)),
  `${day(number)}T01:35:00.000Z`,
]
const night = (result: keyof typeof NIGHT_ACTIONS, number: number, run = `r${number}`, record = recordOf(number, run)): Said => [
  NIGHT_ACTIONS[result],
  { night: day(number), run_id: run, plan_sha256: sha256(PLAN) },
  digestOf(record),
  `${day(number)}T01:40:00.000Z`,
]
const clean = (number: number, run?: string): Said[] => [merged(number, run), night('clean', number, run)]

type Pack = { records?: NightRecord[]; reports?: object[]; proven?: string[] }
const ALL = ['r1', 'r2', 'r3', 'other']

/** Faults of a pack whose log says this, in which two clean nights are asked for. */
function faultsOf(said: Said[], pack: Pack = {}): string[] {
  const entries = said.map(
    ([action, details, subject_sha256 = null, at = `${day(1)}T00:00:00.000Z`], seq) =>
      ({ seq, project_id: PROJECT, at, action, details, subject_sha256 }) as unknown as AuditEntry,
  )
  const asReport = (report: object) => ({ path: '', bytes: canonicalBytes(report), report })
  const records = pack.records ?? [1, 2, 3].map((number) => recordOf(number))
  const contents = {
    entries,
    nights: records.map(asReport),
    recons: (pack.reports ?? ALL.map((run) => reportOf(run))).map(asReport),
    certificates: (pack.proven ?? ALL).map((run_id) => ({ predicate: { run_id, plan_sha256: sha256(PLAN), proof_status: 'VALID' } })),
    plan: { bytes: PLAN },
    policy: { value: { clean_runs_required: 2 } },
    replay: { reached: new Set(['PARALLEL_VALIDATED']) },
  }
  return cleanNightFaults(contents as unknown as Contents)
}
const counted = (faults: string[]) => /after (\d+) clean nights/.exec(faults[0] ?? '')?.[1] ?? 'enough'

it('takes two nights with their records, comparisons and certificates', () => {
  expect(faultsOf([approved, ...clean(1), ...clean(2), complete])).toEqual([])
})

it('notices one night counted twice, a mismatch in between, and nights before the approval or after the step', () => {
  const again = { records: [recordOf(1), recordOf(1, 'other')] }
  const found = [
    faultsOf([approved, ...clean(1), ...clean(1, 'other'), complete], again),
    faultsOf([approved, ...clean(1), night('mismatch', 2), ...clean(3), complete]),
    faultsOf([...clean(1), ...clean(2), approved, complete]),
    faultsOf([approved, ...clean(1), complete, ...clean(2)]),
    faultsOf([...clean(1), ...clean(2), complete]),
    faultsOf([approved, night('skipped', 1), night('undecided', 2), complete]),
  ]
  expect(found.map(counted)).toEqual(['1', '1', '0', '1', '0', '0'])
})

it('counts no night that an entry alone says, whatever else of it is there', () => {
  const both = [approved, ...clean(1), ...clean(2), complete]
  const record = (change: Partial<NightRecord>) => recordOf(2, 'r2', change)
  /** The entry names the changed record, which lies in the pack. */
  const kept = (changed: NightRecord) =>
    faultsOf([approved, ...clean(1), merged(2), night('clean', 2, 'r2', changed), complete], { records: [recordOf(1), changed] })
  const late = record({ opened_at: `${day(5)}T01:30:00.000Z`, recorded_at: `${day(5)}T01:40:00.000Z` })
  const early = record({ night: day(5) })
  const failed = reportOf('r2', { verdict: 'fail' })
  const over = record({ compared: { ...recordOf(2).compared!, recon_report_sha256: digestOf(failed) } })
  const counting = (number: number, merging: Said, changed: NightRecord) =>
    faultsOf([approved, ...clean(1), merging, night('clean', number, 'r2', changed), complete], { records: [recordOf(1), changed] })
  const found = {
    'no record': faultsOf(both, { records: [recordOf(1)] }),
    'no comparison': faultsOf(both, { reports: [reportOf('r1')] }),
    'a comparison that failed': faultsOf(both, { reports: [reportOf('r1'), reportOf('r2', { verdict: 'fail' })] }),
    'no certificate': faultsOf(both, { proven: ['r1'] }),
    'a comparison that failed, as the log and the record say': faultsOf(
      [
        approved,
        ...clean(1),
        [merged(2)[0], { run_id: 'r2', verdict: 'fail' }, digestOf(failed), merged(2)[3]!],
        night('clean', 2, 'r2', over),
        complete,
      ],
      { records: [recordOf(1), over], reports: [reportOf('r1'), failed] },
    ),
    'a comparison that was not merged': faultsOf([approved, ...clean(1), night('clean', 2), complete]),
    'one merged before the approval': faultsOf([merged(2), approved, ...clean(1), night('clean', 2), complete]),
    'one merged after the entry': faultsOf([approved, ...clean(1), night('clean', 2), merged(2), complete]),
    'a record of another night': kept(record({ night: day(3) })),
    'a record of another run': kept(record({ run_id: 'other' })),
    'a record of another plan': kept(record({ plan_sha256: 'f'.repeat(64) })),
    'a record of another project': kept(record({ project_id: 'another' })),
    'a record of a mismatch': kept(record({ result: 'mismatch' })),
    'a record of another comparison': kept(record({ compared: recordOf(2, 'other').compared })),
    'a night begun days after it': counting(2, merged(5, 'r2'), late),
    'a night begun days before it': counting(5, merged(2), early),
    'a night begun before the approval': kept(record({ opened_at: '2026-02-28T23:00:00.000Z' })),
    'a night recorded before its comparison': kept(record({ recorded_at: `${day(2)}T01:31:00.000Z` })),
    'a night recorded after the step': kept(record({ recorded_at: '2026-03-09T13:00:00.000Z' })),
  }
  expect(Object.entries(found).filter(([, faults]) => counted(faults) !== '1')).toEqual([])
})

it('counts one run as one night', () => {
  const second = recordOf(2, 'r1', { opened_at: `${day(1)}T01:30:00.000Z` })
  const said = [approved, ...clean(1), night('clean', 2, 'r1', second), complete]
  expect(counted(faultsOf(said, { records: [recordOf(1), second] }))).toBe('1')
})

it('counts nothing by entries of logs from before nights were kept', () => {
  const run = (run_id: string): Said => ['PARALLEL_RUN_CLEAN', { run_id }]
  expect(counted(faultsOf([approved, run('r1'), run('r2'), complete]))).toBe('0')
})
