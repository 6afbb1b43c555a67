import { z } from 'zod'
import { artifactOf } from '../../layers/core/artifacts.ts'
import { isWaybillError } from '../../layers/core/errors.ts'
import { readEvent, type TaskResult, taskEvent } from '../../layers/core/flow/event.ts'
import { findJson, keyOf } from '../../layers/core/flow/storing.ts'
import { record } from '../../layers/core/ledger.ts'
import { cleanNights, recordedNights } from '../../layers/core/nights/count.ts'
import { figuresOf } from '../../layers/core/nights/figures.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { count, instant } from '../../layers/core/schemas/common.ts'
import { type NightRecord, night } from '../../layers/core/schemas/night.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { reconReport } from '../../layers/core/schemas/recon.ts'
import { isProven, type ProofDeps, proveRun } from '../prove-outcome/proof.ts'
import { storeReports } from '../prove-outcome/report-files.ts'
import { type NightDeps, recordNight } from '../work/nights.ts'
import { mergedReport } from '../work/recorded-reports.ts'
import { type VouchedDeps, vouchedRecord } from '../work/vouched-record.ts'
import { type TellingDeps, tellNight } from './telling.ts'

const ACTOR = 'waybill/close-reconciliation'

type Deps = NightDeps & ProofDeps & TellingDeps & VouchedDeps & Pick<Ports, 'leases'>

const closingEvent = taskEvent.extend({
  /** Left out by a run that was never opened. */
  fence: count.optional(),
  /** Empty for a run that is no night. */
  night: z.union([night, z.literal('')]).optional(),
  opened_at: instant.optional(),
  decision: z.string().max(64).nullish(),
  /** Set behind RecordFailure: nothing was compared, and `decision` says why. */
  failed: z.boolean().optional(),
})
type Closing = z.infer<typeof closingEvent>

/**
 * Ends a reconciliation, whatever it came to: a night is proven and recorded, people are told what is not clean, and the lease is given back.
 * `decision` is what it was before.
 */
export function createHandler(deps: Deps) {
  return async (input: unknown): Promise<TaskResult> => {
    const event = readEvent(closingEvent, input)
    const { project_id, run_id, fence } = event
    const result: TaskResult = { project_id, run_id, ...(event.decision ? { decision: event.decision } : {}) }
    if (fence === undefined) return result
    const project = await deps.projects.get(project_id)
    if (event.night) {
      const kept = await closeNight(deps, project, event, { fence, night: event.night })
      if (kept !== null) await tellNight(deps, await deps.projects.get(project_id), kept)
    }
    const run = { run_id, fence }
    const checks = event.failed === true ? {} : await checksNamed(deps, project_id, run_id)
    const released = await deps.leases.release(project_id, fence)
    if (released) await record(deps, project_id, { actor: ACTOR, action: 'RECONCILIATION_CLOSED', details: { ...run, ...checks } })
    else await record(deps, project_id, { actor: ACTOR, action: 'RECONCILIATION_SUPERSEDED', details: run })
    return result
  }
}

/**
 * Commit point: from here on the log knows the checks of this run by their digest, and another report of them decides nothing. A run that failed or was
 * superseded names none: whatever it stored, its comparison was not completed.
 */
async function checksNamed({ artifacts }: Deps, projectId: string, runId: string): Promise<{ checks_report_sha256?: string }> {
  const checks = await artifacts.find(keyOf(projectId, 'checks_report', runId))
  return checks === null ? {} : { checks_report_sha256: checks.sha256 }
}

/** Null for a failed run whose lease is another's by now: what that one finds is what counts. @throws LEASE_LOST for one that did not fail */
async function closeNight(
  deps: Deps,
  project: ProjectRecord,
  event: Closing,
  { fence, night }: { fence: string; night: string },
): Promise<NightRecord | null> {
  const opened_at = event.opened_at ?? deps.clock.now().toISOString()
  const base = { run_id: event.run_id, night, opened_at }
  if (event.failed !== true) {
    const { outcome, ...found } = await judged(deps, await vouchedRecord(deps, project.project_id, ACTOR), event.run_id)
    const kept = await recordNight(deps, project, { ...base, ...found }, fence)
    // After the record, so that the report's trend ends with this night.
    await storeReports(deps, await deps.projects.get(project.project_id), outcome, event.run_id)
    return kept
  }
  const reason = `The comparison could not be made (${event.decision ?? 'UNEXPECTED'}); the audit log says why.`
  try {
    return await recordNight(
      deps,
      project,
      { ...base, result: 'undecided', reason, compared: null, tables: [], tables_not_listed: 0 },
      fence,
    )
  } catch (error) {
    if (isWaybillError(error) && error.code === 'LEASE_LOST') return null
    throw error
  }
}

/** A night is clean when its proof holds. What is not proven differs, or is not known: nothing else may be told of it. */
async function judged(deps: Deps, project: ProjectRecord, runId: string) {
  const { report, sha256 } = await mergedReport(deps, project.project_id, runId)
  const { outcome } = await proveRun(deps, project, runId)
  const plan = artifactOf(project, 'migration_plan').sha256
  const before = recordedNights(await deps.audit.read(project.project_id)).filter((each) => each.plan_sha256 === plan)
  const lastClean = before.findLast((each) => each.result === 'clean')
  const earlier =
    lastClean === undefined
      ? null
      : await findJson(deps.artifacts, keyOf(project.project_id, 'recon_report', lastClean.run_id), reconReport)
  const figures = { ...figuresOf(report, earlier, sha256), outcome }
  if (isProven(outcome)) return { ...figures, result: 'clean' as const, reason: '' }
  const lostNights = cleanNights(before).nights.size
  const takenAway = lostNights === 0 ? '' : ` Clean nights counted so far (${lostNights}) no longer count.`
  if (report.verdict === 'fail') return { ...figures, result: 'mismatch' as const, reason: `Source and target differ.${takenAway}` }
  if (outcome.proof_certificate.proof_status === 'INVALID')
    return {
      ...figures,
      result: 'mismatch' as const,
      reason: `Every row was found in both, but a check does not hold or rows are out of order; the report says which.${takenAway}`,
    }
  return {
    ...figures,
    result: 'undecided' as const,
    reason: 'Whether source and target are equal could not be decided; the report says why.',
  }
}
