import { z } from 'zod'
import { artifactOf } from '../../layers/core/artifacts.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { readEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { record } from '../../layers/core/ledger.ts'
import { cleanNights, recordedNights } from '../../layers/core/nights/count.ts'
import { isOffPeak, nextOffPeak, nightOf } from '../../layers/core/nights/off-peak.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import type { Lease } from '../../layers/core/schemas/lease.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { isComparable, whyNotComparable } from '../work/comparable.ts'
import { leaseEnd } from '../work/lease.ts'
import { type NightDeps, recordNight } from '../work/nights.ts'

type Deps = NightDeps & ProjectDeps & Pick<Ports, 'projects' | 'leases' | 'nights'>

const openingEvent = taskEvent.extend({
  /** The execution; whoever asks again under the same name gets the same lease. */
  holder: z.string().min(1).max(256),
  /** `proof`: after copying. `parallel-run`: a night that the migration itself waits for. `night`: one that a schedule or a command began. */
  purpose: z.enum(['proof', 'parallel-run', 'night']).default('proof'),
  /** When the night was to begin. A present given by whoever starts would let a late delivery pass for one in time. */
  scheduled: z.iso.datetime().optional(),
  /** Compares once more although this night is clean already. */
  again: z.boolean().optional(),
})
type Opening = z.infer<typeof openingEvent>

/** `lease` goes with everything that this run writes. `until`: when to ask again. */
export type Opened = TaskResult & {
  decision: 'OPEN' | 'WAIT' | 'NOT_COMPARED'
  until?: string
  lease?: { fence: string; purpose: Opening['purpose']; night: string; opened_at: string }
}

/** Of nobody else's run: asked again soon, since it may be done long before its lease is over. */
const ASK_AGAIN_MS = 2 * 60_000

/**
 * Before anything is read: is it night, has nobody else begun, and under which fence is it done. A migration waits for both; a night that
 * cannot be compared is recorded as skipped, with its reason, and ends.
 */
export function createHandler(deps: Deps) {
  return async (input: unknown): Promise<Opened> => {
    const event = readEvent(openingEvent, input)
    const { project_id, run_id, purpose } = event
    const project = await deps.projects.get(project_id)
    const now = deps.clock.now()
    // Without a window nothing says which night a late one was meant for: it is the one in which it runs.
    const meant = event.scheduled !== undefined && deps.nights.off_peak !== null ? new Date(event.scheduled) : now
    const night = purpose === 'proof' ? '' : nightOf(nextOffPeak(meant, deps.nights), deps.nights)
    if (purpose !== 'proof') {
      const reason = await notNow(deps, project, event, night, now)
      if (reason === 'done') return { project_id, run_id, decision: 'NOT_COMPARED' }
      if (reason !== null && purpose === 'parallel-run')
        return { project_id, run_id, decision: 'WAIT', until: nextOffPeak(now, deps.nights).toISOString() }
      if (reason !== null) return skip(deps, project, event, night, reason)
    }
    const { taken, lease } = await deps.leases.take({ project_id, holder: event.holder, now, until: leaseEnd(now) })
    if (!taken && purpose === 'night')
      return skip(deps, project, event, night, `Already running: ${lease.holder} holds the lease until ${lease.expires_at}.`)
    if (!taken) {
      const until = Math.min(now.getTime() + ASK_AGAIN_MS, Math.max(now.getTime() + 1000, Date.parse(lease.expires_at)))
      return { project_id, run_id, decision: 'WAIT', until: new Date(until).toISOString() }
    }
    await fenceIn(deps, project, lease, { purpose, night })
    return { project_id, run_id, decision: 'OPEN', lease: { fence: lease.fence, purpose, night, opened_at: now.toISOString() } }
  }
}

/** Why this night is not compared now; `done` when nothing is left to say; null when it may be. */
async function notNow(deps: Deps, project: ProjectRecord, event: Opening, night: string, now: Date): Promise<string | 'done' | null> {
  if (!isComparable(project)) {
    const why = whyNotComparable(project)
    // Waiting would not help a migration whose project somebody ended meanwhile.
    if (event.purpose === 'parallel-run') throw new WaybillError('ILLEGAL_TRANSITION', why)
    return why
  }
  const plan = artifactOf(project, 'migration_plan').sha256
  const recorded = recordedNights(await deps.audit.read(project.project_id)).filter((each) => each.plan_sha256 === plan)
  const by = event.again === true ? undefined : cleanNights(recorded).nights.get(night)
  if (by !== undefined) return event.purpose === 'parallel-run' ? 'done' : `Compared already: run ${by} found this night clean.`
  const { off_peak, time_zone } = deps.nights
  if (off_peak === null || (isOffPeak(now, deps.nights) && nightOf(now, deps.nights) === night)) return null
  return `Outside the window: ${now.toISOString()} is not between ${off_peak.from} and ${off_peak.to} (${time_zone}) in the night of ${night}.`
}

async function skip(deps: Deps, project: ProjectRecord, event: Opening, night: string, reason: string): Promise<Opened> {
  const { project_id, run_id } = event
  if (project.artifacts.migration_plan === undefined) {
    const details = { night, run_id, result: 'skipped', reason }
    await record(deps, project_id, { actor: 'waybill/open-reconciliation', action: 'NIGHT_SKIPPED', details })
    return { project_id, run_id, decision: 'NOT_COMPARED' }
  }
  const at = deps.clock.now().toISOString()
  await recordNight(deps, project, {
    run_id,
    night,
    result: 'skipped',
    reason,
    opened_at: at,
    compared: null,
    tables: [],
    tables_not_listed: 0,
  })
  return { project_id, run_id, decision: 'NOT_COMPARED' }
}

/** COMMIT POINT of a lease: from here on the project takes nothing from a run with a smaller fence. */
async function fenceIn(deps: Deps, project: ProjectRecord, lease: Lease, why: { purpose: string; night: string }): Promise<void> {
  if (project.recon_fence === lease.fence) return
  await advance(deps, lease.project_id, {
    actor: 'waybill/open-reconciliation',
    action: 'RECONCILIATION_LEASED',
    set: (stored) => {
      if (BigInt(stored.recon_fence ?? '0') > BigInt(lease.fence))
        throw new WaybillError('LEASE_LOST', `Another reconciliation of ${lease.project_id} has begun since this one took its lease.`)
      return { recon_fence: lease.fence }
    },
    details: {
      fence: lease.fence,
      holder: lease.holder,
      until: lease.expires_at,
      purpose: why.purpose,
      ...(why.night && { night: why.night }),
    },
  })
}
