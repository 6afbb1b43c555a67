import { artifactOf, getJson } from '../../layers/core/artifacts.ts'
import { keyOf, type StoringDeps, storeJsonOnce } from '../../layers/core/flow/storing.ts'
import { NIGHT_ACTIONS, recordedNights } from '../../layers/core/nights/count.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import { type NightRecord, nightRecord } from '../../layers/core/schemas/night.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { underFence } from './lease.ts'

export type NightDeps = StoringDeps & ProjectDeps & Pick<Ports, 'audit'>

type Found = Omit<NightRecord, 'schema' | 'project_id' | 'plan_sha256' | 'recorded_at' | 'last_clean'>

/**
 * Keeps what a night came to: the record as an artifact, its digest in the audit log, which is what is counted. With a fence only while that is
 * the newest. A night recorded once is not recorded again by a retry.
 * @throws LEASE_LOST
 */
export async function recordNight(deps: NightDeps, project: ProjectRecord, found: Found, fence?: string): Promise<NightRecord> {
  const id = project.project_id
  const plan = artifactOf(project, 'migration_plan').sha256
  if (fence !== undefined) underFence(fence)(await deps.projects.get(id))
  const part = fence === undefined ? `${found.night}-skipped-${found.run_id}` : `${found.night}-${fence}`
  const pointer = await storeJsonOnce(deps, keyOf(id, 'nights', part), async (): Promise<NightRecord> => {
    const before = recordedNights(await deps.audit.read(id)).filter((each) => each.plan_sha256 === plan)
    const last = before.findLast((each) => each.result === 'clean')
    return nightRecord.parse({
      schema: 'waybill/night/v1',
      project_id: id,
      plan_sha256: plan,
      recorded_at: deps.clock.now().toISOString(),
      last_clean: last === undefined ? null : { night: last.night, run_id: last.run_id },
      ...found,
    })
  })
  const kept = await getJson(deps.artifacts, pointer, nightRecord)
  await advance(deps, id, {
    actor: fence === undefined ? 'waybill/open-reconciliation' : 'waybill/close-reconciliation',
    action: NIGHT_ACTIONS[kept.result],
    subject_sha256: pointer.sha256,
    artifacts: { night: pointer },
    // A night that was not compared holds no lease, and says nothing that a fence would have to keep out.
    set: fence === undefined ? () => ({}) : underFence(fence),
    details: {
      night: kept.night,
      run_id: kept.run_id,
      result: kept.result,
      plan_sha256: kept.plan_sha256,
      ...(fence !== undefined && { fence }),
      ...(kept.reason !== '' && { reason: kept.reason }),
    },
  })
  return kept
}
