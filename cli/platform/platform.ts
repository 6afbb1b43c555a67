import type { Ports } from '../../layers/core/ports.ts'
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

/** What was written down, read without driving anything. */
export type Records = Place & {
  /** Executions that have not ended, by project. */
  running(): Promise<ReadonlyMap<string, readonly Standing[]>>
}

/** Where migrations run. A laptop drives them itself; an account drives them, and is watched. */
export type Platform = Place & {
  /** Where people decide, for the line that says what was started. */
  people: string
  /** Stores the spec and starts the migration. @throws SPEC_INVALID, ALREADY_EXISTS when there is a project of that id */
  start(specText: string): Promise<Started>
  /** Takes up what is unfinished, of one project or of all. */
  takeUp(projectId?: string): Promise<Started[]>
  /** Waits for the end and gives the project as it then stands. @throws INTERRUPTED, SPEC_INVALID when no project was created */
  finished(started: Started): Promise<ProjectRecord>
  /** Starts a reconciliation of a project whose target was filled. @throws NOT_FOUND */
  reconcile(projectId: string): Promise<Reconciliation>
  reconciled(started: Reconciliation): Promise<void>
}

/** An id for a reconciliation started by hand, from the second it was asked for: `r20260131081500`. */
export function reconciliationId(now: Date): string {
  return `r${now.toISOString().replace(/\D/g, '').slice(0, 14)}`
}
