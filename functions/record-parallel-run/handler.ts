import { artifactOf } from '../../layers/core/artifacts.ts'
import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { keyOf } from '../../layers/core/flow/storing.ts'
import { cleanNights } from '../../layers/core/nights/count.ts'
import { nextNight, nightOf } from '../../layers/core/nights/off-peak.ts'
import { shownNights } from '../../layers/core/nights/shown.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import type { ArtifactPointer } from '../../layers/core/schemas/common.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { nightEvidence } from '../work/night-evidence.ts'
import { type SignedPolicyDeps, signedPolicy } from '../work/signed-policy.ts'
import { type VouchedDeps, vouchedRecord } from '../work/vouched-record.ts'

const ACTOR = 'waybill/record-parallel-run'

type Deps = SignedPolicyDeps & ProjectDeps & VouchedDeps & Pick<Ports, 'nights'>

/** `next_at`: when the next night may begin. */
type Counted = TaskResult & { next_at?: string }

/**
 * Counts the clean nights since the parallel run was approved that records, comparisons and certificates show, whoever began them. `decision`: CLEAN_ENOUGH (the project is PARALLEL_VALIDATED),
 * MORE, or DRIFT when the newest night that decided anything found a difference.
 */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<Counted> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const project = await vouchedRecord(deps, project_id, ACTOR)
    const plan = artifactOf(project, 'migration_plan').sha256
    const entries = await deps.audit.read(project_id)
    const recorded = shownNights(entries, await nightEvidence(deps, project_id, entries), plan, deps.clock.now())
    const { nights, last } = cleanNights(recorded)
    const { clean_runs_required: required } = await signedPolicy(deps, project)
    const details = { clean_nights: String(nights.size), required: String(required), nights: [...nights.keys()].join(' ') }
    if (project.clean_runs !== nights.size)
      await advance(deps, project_id, { actor: ACTOR, action: 'CLEAN_NIGHTS_COUNTED', set: { clean_runs: nights.size }, details })
    if (last?.result === 'mismatch') return { project_id, run_id, decision: 'DRIFT' }
    if (last !== null) await takeProof(deps, project, last.run_id)
    if (nights.size < required) return { project_id, run_id, decision: 'MORE', next_at: nextOf(deps, recorded.at(-1)?.night) }
    const proof = artifactOf(await deps.projects.get(project_id), 'proof_certificate').sha256
    await advance(deps, project_id, {
      to: 'PARALLEL_VALIDATED',
      actor: ACTOR,
      action: 'PARALLEL_RUN_COMPLETE',
      subject_sha256: proof,
      details,
    })
    return { project_id, run_id, decision: 'CLEAN_ENOUGH' }
  }
}

/** The newest clean night's proof becomes the project's: it is what the next gate shows. */
async function takeProof(deps: Deps, project: ProjectRecord, runId: string): Promise<void> {
  const id = project.project_id
  const files = {
    outcome: keyOf(id, 'outcome', runId),
    proof_certificate: keyOf(id, 'proof_certificate', runId, 'dsse.json'),
    report_html: keyOf(id, 'report_html', runId, 'html'),
    report_md: keyOf(id, 'report_md', runId, 'md'),
  }
  const found = await Promise.all(Object.entries(files).map(async ([name, key]) => [name, await deps.artifacts.find(key)] as const))
  const artifacts = Object.fromEntries(found.filter((each): each is [string, ArtifactPointer] => each[1] !== null))
  if (artifacts.proof_certificate === undefined || artifacts.outcome === undefined) return
  await advance(deps, id, {
    actor: ACTOR,
    action: 'PARALLEL_RUN_PROOF_TAKEN',
    subject_sha256: artifacts.proof_certificate.sha256,
    artifacts,
    details: { run_id: runId },
  })
}

/** Nights that another clock recorded ahead of this one are over as well. */
function nextOf(deps: Deps, newest: string | undefined): string {
  const now = deps.clock.now()
  const today = nightOf(now, deps.nights)
  return nextNight(now, newest !== undefined && newest > today ? newest : today, deps.nights).toISOString()
}
