import { getJson } from '../../layers/core/artifacts.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { replayLifecycle } from '../../layers/core/evidence/lifecycle-replay.ts'
import { keyOf, listed } from '../../layers/core/flow/storing.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { executionRecorded, mergedFaults } from '../../layers/core/recorded-reports.ts'
import type { ArtifactPointer } from '../../layers/core/schemas/common.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'
import { type ReconReport, reconReport } from '../../layers/core/schemas/recon.ts'
import { type ExecutionReport, executionReport } from '../../layers/core/schemas/work.ts'

export type RecordedDeps = Pick<Ports, 'artifacts'> & { audit: Pick<Ports['audit'], 'read'> }

/**
 * The comparison of a run: what lies under its own key, which is written once and by the function that merges alone, and which the audit log
 * names. What the project record points to is not asked.
 * @param log the audit log, where it was read already
 * @throws NOT_FOUND where the run was not merged, EVIDENCE_INVALID where key and log disagree
 */
export async function mergedReport(
  deps: RecordedDeps,
  projectId: string,
  runId: string,
  log?: readonly AuditEntry[],
): Promise<{ report: ReconReport; sha256: string }> {
  const pointer = await deps.artifacts.find(keyOf(projectId, 'recon_report', runId))
  if (pointer === null)
    throw new WaybillError('NOT_FOUND', `The comparison of run ${runId} was not stored. Start the reconciliation again.`)
  const report = await getJson(deps.artifacts, pointer, reconReport)
  const { sha256 } = pointer
  const faults = mergedFaults(log ?? (await deps.audit.read(projectId)), { run_id: runId, sha256, verdict: report.verdict })
  if (report.run_id !== runId) faults.push(`what is stored as the comparison of run ${runId} is of run ${report.run_id}`)
  if (faults.length > 0)
    throw new WaybillError(
      'EVIDENCE_INVALID',
      `Nothing was decided: ${faults[0]}. Find out who wrote it, then start the reconciliation again.`,
      {
        details: faults,
      },
    )
  return { report, sha256 }
}

/**
 * The execution report that the entry names by which the project became EXECUTED, from among those stored as such.
 * @throws EVIDENCE_INVALID where the log names none that was stored
 */
export async function recordedExecution(deps: RecordedDeps, projectId: string): Promise<ExecutionReport> {
  const found = await executionPointer(deps, projectId)
  if (found === null)
    throw new WaybillError(
      'EVIDENCE_INVALID',
      'Nothing was decided: the execution that the audit log records is not among the reports stored.',
    )
  return getJson(deps.artifacts, found, executionReport)
}

/** Where that report lies; null where the log names none that was stored. */
export async function executionPointer(deps: RecordedDeps, projectId: string): Promise<ArtifactPointer | null> {
  const [entries, stored] = await Promise.all([
    deps.audit.read(projectId),
    listed(deps.artifacts, `projects/${projectId}/execution_report/`),
  ])
  const named = executionRecorded(replayLifecycle(entries))
  return stored.find(({ pointer }) => pointer.sha256 === named)?.pointer ?? null
}
