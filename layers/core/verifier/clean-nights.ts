import { sha256 } from '../digest.ts'
import { type NightEvidence, nightsOfParallelRun } from '../nights/shown.ts'
import type { Contents } from './contents.ts'

/** The clean nights that the policy asks for, counted again: each with its record, its comparison and its certificate in the pack. */
export function cleanNightFaults(
  contents: Pick<Contents, 'entries' | 'recons' | 'nights' | 'certificates' | 'plan' | 'policy' | 'replay'>,
): string[] {
  const { entries, plan, policy, replay } = contents
  if (policy === null || !replay.reached.has('PARALLEL_VALIDATED')) return []
  // What the log calls clean and the pack does not show is no clean night; what it calls a mismatch is one.
  const clean = nightsOfParallelRun(entries, evidenceOf(contents), plan === null ? '' : sha256(plan.bytes))
  const required = policy.value.clean_runs_required
  if (clean >= required) return []
  return [`the parallel run was called complete after ${clean} clean nights that the pack shows; the policy asks for ${required}`]
}

function evidenceOf({ nights, recons, certificates }: Pick<Contents, 'nights' | 'recons' | 'certificates'>): NightEvidence {
  const valid = certificates.filter(({ predicate }) => predicate.proof_status === 'VALID')
  return {
    records: new Map(nights.map(({ bytes, report }) => [sha256(bytes), report])),
    reports: new Map(recons.map(({ bytes, report }) => [report.run_id, { sha256: sha256(bytes), report }])),
    proven: new Map(valid.map(({ predicate }) => [predicate.run_id, predicate.plan_sha256])),
  }
}
