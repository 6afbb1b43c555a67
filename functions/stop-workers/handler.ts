import { readEvent, type TaskEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { type LedgerDeps, record } from '../../layers/core/ledger.ts'
import type { Ports } from '../../layers/core/ports.ts'

type Deps = LedgerDeps & Pick<Ports, 'workers'>

/**
 * Stops the workers of a run that failed or timed out: a state that ends does not end the task it had started, which would go on copying
 * behind a recorded failure.
 */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const { project_id, run_id } = readEvent(taskEvent, input)
    const running = await deps.workers.running(project_id, run_id)
    if (running.length > 0) {
      // Entered first: a stop without a word about it would look like a worker that died.
      const details = { run_id, workers: String(running.length) }
      await record(deps, project_id, { actor: 'waybill/stop-workers', action: 'WORKERS_STOPPED', details })
      for (const worker of running) await deps.workers.stop(worker, `The run ${run_id} of ${project_id} failed.`)
    }
    return { project_id, run_id }
  }
}
