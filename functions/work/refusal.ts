import { isWaybillError, wholeMessage } from '../../layers/core/errors.ts'
import { type LedgerDeps, record } from '../../layers/core/ledger.ts'
import type { WorkerTask } from '../../layers/core/schemas/work.ts'

/**
 * Does a worker's task; one that it was not authorised for is entered in the audit log, whoever started it. This is for the process around
 * the worker: in AWS a worker may only read the log, so that none can record a state it did not reach, and RecordFailure enters what it
 * noted down.
 */
export async function recordingRefusal(deps: LedgerDeps, task: WorkerTask, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (error) {
    if (isWaybillError(error) && error.code === 'PLAN_NOT_AUTHORISED') {
      const why = wholeMessage(error)
      const details = { run_id: task.run_id, items: String(task.ids.length), why }
      // An entry that cannot be written must not hide why the worker refused.
      await record(deps, task.project_id, { actor: `waybill/${task.worker}`, action: 'WORK_REFUSED', details }).catch(() => {})
    }
    throw error
  }
}
