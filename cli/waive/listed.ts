import { isDrafted, type OpenFinding, openFindings } from '../../functions/work/waiving.ts'
import type { Policy } from '../../layers/core/schemas/policy.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import type { Place } from '../platform/platform.ts'

/** A finding, whom the link that waives it was mailed to, and who waived it. `passed`: the waiver counts no longer. */
export type ListedFinding = OpenFinding & {
  mailed: { to: string; role: string; at: string } | null
  waived: { by: string; until: string; passed: boolean } | null
}

/**
 * What keeps the newest plan from being signed, with what the audit log tells of it; what kept it from that, where it is signed or over: then
 * nobody may waive any more.
 * @param ports `policy`: what that plan is judged by
 * @throws NOT_FOUND while no plan was validated
 */
export async function listedFindings(
  ports: Pick<Place['ports'], 'artifacts' | 'audit' | 'clock'> & { policy: Policy },
  project: ProjectRecord,
): Promise<ListedFinding[]> {
  const plan = project.artifacts.migration_plan?.sha256
  const about = (await ports.audit.read(project.project_id)).filter(({ subject_sha256 }) => subject_sha256 === plan)
  const offer = about.findLast(({ action }) => action === 'WAIVER_OFFERED')
  const mailed = offer === undefined ? null : { to: offer.details.person ?? '', role: offer.details.role ?? '', at: offer.at }
  const late = isDrafted(project) ? null : `findings are waived before a plan is signed, and ${project.project_id} is ${project.state}`
  return (await openFindings(ports, project)).map((finding) => {
    const signed = about.findLast(({ action, details }) => action === 'WAIVER_SIGNED' && details.finding_id === finding.finding_id)
    const until = signed?.details.until ?? ''
    const passed = !(Date.parse(until) > ports.clock.now().getTime())
    return { ...finding, barred: late ?? finding.barred, mailed, waived: signed === undefined ? null : { by: signed.actor, until, passed } }
  })
}
