import { getJson } from '../artifacts.ts'
import { keysIn } from '../flow/storing.ts'
import type { Ports } from '../ports.ts'
import { type NightRecord, nightRecord } from '../schemas/night.ts'
import type { ProjectRecord } from '../schemas/project.ts'
import { cleanNights, NIGHT_ACTIONS, recordedNights } from './count.ts'

export type Trend = {
  /** The newest ones, oldest first. */
  nights: NightRecord[]
  /** Clean nights of the present plan since its last mismatch. */
  clean: number
}

/** Keys begin with the day, so that the last ones are the newest nights; a night may have several. */
const SHOWN = 30

/**
 * The newest nights of a project, for people to look at. Only records whose digest stands in the audit log are given: what else lies in the
 * folder says nothing.
 */
export async function trendOf(deps: Pick<Ports, 'artifacts' | 'audit'>, project: ProjectRecord): Promise<Trend> {
  const entries = await deps.audit.read(project.project_id)
  const actions = new Set(Object.values(NIGHT_ACTIONS))
  const vouched = new Set(entries.filter(({ action }) => actions.has(action)).map(({ subject_sha256 }) => subject_sha256))
  const keys = (await keysIn(deps.artifacts, `projects/${project.project_id}/nights/`)).slice(-SHOWN)
  const found = await Promise.all(keys.map((key) => deps.artifacts.find(key)))
  const nights = await Promise.all(
    found.flatMap((pointer) => (pointer !== null && vouched.has(pointer.sha256) ? [getJson(deps.artifacts, pointer, nightRecord)] : [])),
  )
  const plan = project.artifacts.migration_plan?.sha256
  const clean = cleanNights(recordedNights(entries).filter((each) => each.plan_sha256 === plan)).nights.size
  return { nights: nights.sort((a, b) => (a.recorded_at < b.recorded_at ? -1 : 1)), clean }
}
