import { WaybillError } from '../../layers/core/errors.ts'
import type { Ports, TrustRoot } from '../../layers/core/ports.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'

/** A migration that was started or taken up. `how`, in words, where it was taken up. */
export type Started = { projectId: string; execution: string; how?: string }

/** A reconciliation of its own, outside a migration. Its report carries `runId` and a number. */
export type Reconciliation = { projectId: string; runId: string; execution: string }

/** Where an execution of a project stands: states that have begun and not ended, newest last. */
export type Standing = { execution: string; machine: string; states: readonly string[]; since: string }

/** One place where Waybill writes things down: a home here, or an account. */
export type Place = {
  ports: Pick<Ports, 'projects' | 'audit' | 'artifacts' | 'approvals' | 'progress' | 'clock'>
  /** What a sentence calls it: `this home`, `Waybill-prod in eu-central-1`. */
  name: string
  /** How a command names this place again: nothing, or ` --aws`. */
  flags: string
}

/** Anchors of a log, each with its name, and what cannot be read or lies over one, in sentences. */
export type StoredAnchors = { anchors: { name: string; bytes: Uint8Array }[]; faults: string[] }

/** What was written down, read without driving anything. */
export type Records = Place & {
  /** Executions that have not ended, by project. */
  running(): Promise<ReadonlyMap<string, readonly Standing[]>>
  /** The public halves of the keys this place signs with, as it gives them itself: no independent witness. */
  trust(): Promise<TrustRoot>
  anchors(projectId: string): Promise<StoredAnchors>
}

/** Where migrations run. A laptop drives them itself; an account drives them, and is watched. */
export type Platform = Place & {
  /** Where people decide, for the line that says what was started. */
  people: string
  /** Stores the spec and starts the migration. @throws SPEC_INVALID, ALREADY_EXISTS when there is a project of that id */
  start(specText: string): Promise<Started>
  /** Takes up what is unfinished, of one project or of all whose record can be read. */
  takeUp(projectId?: string): Promise<Started[]>
  /** Waits for the end and gives the project as it then stands. @throws INTERRUPTED, SPEC_INVALID when no project was created */
  finished(started: Started): Promise<ProjectRecord>
  /** Starts a reconciliation of a project whose target was filled, as the night that it is now where `night`. @throws NOT_FOUND, ALREADY_EXISTS */
  reconcile(projectId: string, night: boolean): Promise<Reconciliation>
  reconciled(started: Reconciliation): Promise<void>
}

/**
 * A reconciliation started by hand, and what starts it: `r20260131081500` after the second it was asked for, or, as a night, the name by which
 * the schedule of an account starts one, `recon-<project>-20260131-0815`.
 */
export function reconciliationOf(
  projectId: string,
  now: Date,
  night: boolean,
): { started: Reconciliation; input: { project_id: string; run_id: string; purpose?: string; scheduled?: string } } {
  const digits = now.toISOString().replace(/\D/g, '')
  const runId = night ? `recon-${projectId}-${digits.slice(0, 8)}-${digits.slice(8, 12)}` : `r${digits.slice(0, 14)}`
  if (runId.length > 80)
    throw new WaybillError('BAD_INPUT', `A night is named after its project; ${projectId} is too long for that: at most 60 characters.`)
  const purpose = night ? { purpose: 'night', scheduled: now.toISOString() } : {}
  return {
    started: { projectId, runId, execution: night ? runId : `${projectId}-${runId}` },
    input: { project_id: projectId, run_id: runId, ...purpose },
  }
}
