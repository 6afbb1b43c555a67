import { WaybillError } from '../../layers/core/errors.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import type { WorkerTask } from '../../layers/core/schemas/work.ts'
import type { WorkContext, WorkerDeps } from './working.ts'

/** A run that died keeps others waiting this long; one that lives renews its lease long before. */
const LEASE_MS = 30 * 60_000
const RENEW_MS = 5 * 60_000

export function leaseEnd(now: Date): Date {
  return new Date(now.getTime() + LEASE_MS)
}

/**
 * For `advance`: lets a write pass only under the newest fence. The record is written on the revision it was read at, so that between this look
 * and the write nobody can have come with a greater one. Threat: a run that slept through the end of its lease wakes and records what it found,
 * over what another run found since.
 */
export function underFence(fence: string | undefined): (stored: ProjectRecord) => Record<string, never> {
  return (stored) => {
    if ((stored.recon_fence ?? null) === (fence ?? null)) return {}
    throw lost(stored.project_id)
  }
}

function lost(projectId: string): WaybillError {
  return new WaybillError(
    'LEASE_LOST',
    `Another reconciliation of ${projectId} has begun since this one last gave a sign of life. Nothing of this one is recorded; the other one counts.`,
  )
}

export type LeasedDeps = WorkerDeps & Pick<Ports, 'leases'>

/** Renews the lease of a task while `act` works, and stops it once the lease is another's. @throws LEASE_LOST */
export async function leased(
  deps: LeasedDeps,
  task: WorkerTask,
  context: WorkContext,
  act: (deps: LeasedDeps, task: WorkerTask, context: WorkContext) => Promise<void>,
): Promise<void> {
  const { project_id, fence } = task
  if (fence === undefined) return act(deps, task, context)
  const gone = new AbortController()
  const renew = async () => {
    if (!(await deps.leases.renew(project_id, fence, leaseEnd(deps.clock.now())))) gone.abort(lost(project_id))
  }
  await renew()
  gone.signal.throwIfAborted()
  // A renewal that could not be made is made by the next one, of which there are several before the lease ends.
  const timer = setInterval(() => void renew().catch(() => undefined), RENEW_MS)
  try {
    await act(deps, task, { ...context, signal: AbortSignal.any([context.signal, gone.signal]) })
    gone.signal.throwIfAborted()
  } catch (error) {
    throw gone.signal.aborted ? lost(project_id) : error
  } finally {
    clearInterval(timer)
  }
}
