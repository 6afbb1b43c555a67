import { getJson } from '../../layers/core/artifacts.ts'
import { type ErrorCode, isWaybillError } from '../../layers/core/errors.ts'
import { failureEvent, readEvent, type TaskEvent, type TaskResult } from '../../layers/core/flow/event.ts'
import { type FailureReason, failureReason } from '../../layers/core/flow/failure-reason.ts'
import { keysIn } from '../../layers/core/flow/storing.ts'
import { record } from '../../layers/core/ledger.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { advance, type ProjectDeps } from '../../layers/core/project-service.ts'
import { failuresPrefix, workFailure } from '../work/working.ts'

type Deps = ProjectDeps & Pick<Ports, 'projects' | 'artifacts'>

/** Decisions that end a run without an error, in words. */
const ENDINGS: Readonly<Record<string, string>> = {
  FAIL: 'The plan did not pass its validation. The findings say what to change ("waybill waive" lists them); then start again.',
  HOLD: 'The proof does not hold, or could not be decided, and the plan does not allow an automatic rollback. The report says what differs.',
  DRIFT: 'A parallel run did not find source and target equal. The reconciliation report says what differs.',
}

/**
 * No project (a spec that was refused), one that has ended (its evidence could not be sealed), or one whose record and log disagree (somebody
 * wrote there by hand): there is no state to change, and the log alone says what happened.
 */
const STATELESS: readonly ErrorCode[] = ['NOT_FOUND', 'ILLEGAL_TRANSITION', 'EVIDENCE_INVALID']

/**
 * Ends a run in a recorded state with its reason; `decision` is the reason's code. With scope `reconciliation` only the audit log is
 * written: a nightly comparison that could not be made does not stop a migration.
 */
export function createHandler(deps: Deps) {
  return async (input: TaskEvent): Promise<TaskResult> => {
    const event = readEvent(failureEvent, input)
    const { project_id, run_id } = event
    const { code, reason } = await reasonOf(deps, event)
    if (event.scope === 'reconciliation') {
      await record(deps, project_id, {
        actor: 'waybill/record-failure',
        action: 'RECONCILIATION_FAILED',
        details: { run_id, code, reason },
      })
      return { project_id, run_id, decision: code }
    }
    const at = deps.clock.now().toISOString()
    const change = {
      actor: 'waybill/record-failure',
      action: 'RUN_FAILED',
      details: { run_id, code, reason },
      set: { failure: { code, reason, at } },
    }
    try {
      await advance(deps, project_id, { to: 'FAILED', ...change })
    } catch (error) {
      if (!isWaybillError(error) || !STATELESS.includes(error.code)) throw error
      await record(deps, project_id, change)
    }
    return { project_id, run_id, decision: code }
  }
}

type Failure = ReturnType<typeof failureEvent.parse>

const STILL_RUNNING = ' Its workers could not be stopped and may still be running: docs/runbook.md says how to stop them.'

async function reasonOf(deps: Deps, event: Failure): Promise<FailureReason> {
  const { code, reason } = await causeOf(deps, event)
  return { code, reason: event.workers === 'not stopped' ? reason.slice(0, 1800) + STILL_RUNNING : reason }
}

async function causeOf(deps: Deps, event: Failure): Promise<FailureReason> {
  if (!event.error) {
    const code = event.decision ?? 'UNEXPECTED'
    return { code, reason: ENDINGS[code] ?? 'The run ended without saying why.' }
  }
  const caught = failureReason(event.error, event.cause ?? '')
  if (caught.code !== 'UNEXPECTED' && caught.code !== 'States.Timeout') return caught
  // A stopped container tells the service nothing of why; what it wrote down before it stopped does.
  const keys = await keysIn(deps.artifacts, failuresPrefix(event.project_id, event.run_id))
  const pointer = keys.length === 0 ? null : await deps.artifacts.find(keys.at(-1)!)
  if (pointer === null) return caught
  const last = await getJson(deps.artifacts, pointer, workFailure)
  return { code: last.error, reason: last.reason }
}
