import { cleanNights, parallelRunApprovedAt, recordedNights } from '../nights/count.ts'
import type { Contents } from './contents.ts'

/** The clean nights that the policy asks for, counted again: distinct days, each with a run whose report lies in the pack and passed. */
export function cleanNightFaults({
  entries,
  recons,
  policy,
  replay,
}: Pick<Contents, 'entries' | 'recons' | 'policy' | 'replay'>): string[] {
  if (policy === null || !replay.reached.has('PARALLEL_VALIDATED')) return []
  const opened = entries.findIndex((entry) => entry.details.to === 'PARALLEL_VALIDATED')
  const said = entries.slice(0, opened)
  const passed = new Set(recons.filter(({ report }) => report.verdict === 'pass').map(({ report }) => report.run_id))
  const since = parallelRunApprovedAt(said)
  // What the log calls clean and no report of the pack shows is no clean night; what it calls a mismatch is one.
  const { nights } = cleanNights(
    recordedNights(said).filter((night) => night.seq > since && (night.result !== 'clean' || passed.has(night.run_id))),
  )
  // Logs from before nights had names count each run for itself.
  const drifted = said.findLastIndex(({ action }) => action === 'PARALLEL_RUN_DRIFTED')
  const counted = said.slice(drifted + 1).filter(({ action }) => action === 'PARALLEL_RUN_CLEAN')
  const unnamed = new Set(counted.flatMap(({ details }) => details.run_id ?? []))
  const clean = nights.size + [...unnamed].filter((run) => passed.has(run)).length
  const required = policy.value.clean_runs_required
  if (clean >= required) return []
  return [`the parallel run was called complete after ${clean} clean nights that the reports show; the policy asks for ${required}`]
}
