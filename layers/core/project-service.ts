import { digestOf } from './canonical-json.ts'
import { isWaybillError, WaybillError } from './errors.ts'
import { entryBehind, type Happening, record } from './ledger.ts'
import { canResume, move, takesCorrectedSpec } from './lifecycle.ts'
import type { Anchors, AuditLog, Clock, ProjectStore, Written } from './ports.ts'
import { type Standing, standingOf } from './project-change.ts'
import { recordDigest } from './record-digest.ts'
import type { ArtifactPointer } from './schemas/common.ts'
import type { AuditEntry } from './schemas/governance.ts'
import { type LifecycleState, type ProjectRecord, projectRecord } from './schemas/project.ts'

export type ProjectDeps = { projects: ProjectStore; audit: AuditLog; clock: Clock; anchors: Anchors }

type Settable = Partial<
  Pick<ProjectRecord, 'failure' | 'title' | 'migration_id' | 'author' | 'archetype_id' | 'plan_version' | 'clean_runs' | 'recon_fence'>
>

export type Advance = Happening & {
  /** The state to be in afterwards; left out, the state stays. */
  to?: LifecycleState
  artifacts?: Readonly<Record<string, ArtifactPointer>>
  /** The project begins anew: it keeps the artifacts given here, and no other. */
  anew?: true
  /**
   * Fields to set. A function where the value grows from the stored one, because the record may have moved meanwhile; then give `to` or
   * an artifact of this very run too, since those tell a retry that the growth already happened.
   */
  set?: Settable | ((stored: ProjectRecord) => Settable)
}

/** Others keep writing the same log: see `record` in the ledger, which gives up as late. */
const ATTEMPTS = 1000

/**
 * Opens a project: the record and its first entry, in one write.
 * @throws ALREADY_EXISTS when another project has the id, EVIDENCE_INVALID when record and log disagree
 */
export async function open(deps: ProjectDeps, project: ProjectRecord, happening: Happening): Promise<ProjectRecord> {
  const parsed = checked(project)
  const opening = { ...happening, details: { ...happening.details, to: parsed.state, revision: '1', change_sha256: recordDigest(parsed) } }
  return written(deps, parsed.project_id, async ({ record: stored, entries }) => {
    if (stored !== null) {
      const same = sameProject(stored, parsed)
      await deps.anchors.anchor(parsed.project_id)
      return same
    }
    const entry = entryBehind(entries.at(-1) ?? null, parsed.project_id, opening, deps.clock.now())
    // COMMIT POINT, as in `advance`.
    const outcome = await createOnce(deps.projects, parsed, entry)
    if (outcome !== 'WRITTEN') return outcome
    await deps.anchors.anchor(parsed.project_id)
    return parsed
  })
}

/**
 * Moves a project on, adds artifacts, or both. Safe to call again after a crash anywhere inside: being in `to` already with the same
 * artifacts writes nothing new, and only anchors again.
 * @throws ILLEGAL_TRANSITION, NOT_FOUND, CONFLICT when others kept writing, BAD_INPUT, EVIDENCE_INVALID when record and log disagree
 */
export async function advance(deps: ProjectDeps, projectId: string, change: Advance): Promise<ProjectRecord> {
  if (change.to === undefined && change.artifacts === undefined && change.set === undefined) {
    const stored = await deps.projects.get(projectId)
    await record(deps, projectId, { ...change })
    return stored
  }
  return written(deps, projectId, async ({ record: stored, entries }) => {
    if (stored === null) throw new WaybillError('NOT_FOUND', `There is no project ${projectId}.`)
    if (alreadyThere(stored, change)) {
      if (change.to !== undefined) await deps.anchors.anchor(projectId)
      return stored
    }
    const now = deps.clock.now()
    const next = nextRecord(stored, change, now)
    const entry = entryBehind(entries.at(-1) ?? null, projectId, happeningOf(stored, next, change), now)
    // COMMIT POINT. Record and entry land together or not at all, behind the head and on the revision that were read. A crash after it leaves
    // a change without its anchor, which counts for nothing yet: the retry finds it made, and has it anchored.
    const outcome = await deps.projects.update(next, entry)
    if (outcome !== 'WRITTEN') return outcome
    if (next.state !== stored.state) await deps.anchors.anchor(projectId)
    return next
  })
}

/** Reads how a project stands and lets `act` write on it, again and again until nobody else wrote in between. */
async function written(
  deps: ProjectDeps,
  projectId: string,
  act: (standing: Standing) => Promise<ProjectRecord | Exclude<Written, 'WRITTEN'>>,
): Promise<ProjectRecord> {
  let known: Partial<Standing> = {}
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const standing = await standingOf(deps, projectId, known)
    const outcome = await act(standing)
    if (typeof outcome !== 'string') return outcome
    known = outcome === 'HEAD_MOVED' ? standing : { entries: standing.entries }
  }
  throw new WaybillError('CONFLICT', `project ${projectId} was written by others ${ATTEMPTS} times in a row; try again`)
}

/** Somebody who opened the project meanwhile is looked at as whoever finds it there. */
async function createOnce(projects: ProjectStore, project: ProjectRecord, entry: AuditEntry): Promise<Written> {
  try {
    return await projects.create(project, entry)
  } catch (error) {
    if (isWaybillError(error) && error.code === 'ALREADY_EXISTS') return 'REVISION_MOVED'
    throw error
  }
}

function nextRecord(stored: ProjectRecord, change: Advance, now: Date): ProjectRecord {
  const to = change.to ?? stored.state
  if (change.to !== undefined) checkMove(stored, change.to)
  const set = typeof change.set === 'function' ? change.set(stored) : (change.set ?? {})
  const failed = to === 'FAILED'
  if (failed && change.to !== undefined && (set.failure ?? null) === null) {
    throw new WaybillError('BAD_INPUT', 'a failed project needs set.failure with code, reason and time')
  }
  return checked({
    ...stored,
    ...set,
    revision: stored.revision + 1,
    state: to,
    failed_from: failed ? (stored.state === 'FAILED' ? stored.failed_from : stored.state) : null,
    failure: failed ? (set.failure ?? stored.failure) : null,
    updated_at: now.toISOString(),
    artifacts: { ...(change.anew ? {} : stored.artifacts), ...change.artifacts },
  })
}

/** A failed project moves as if it still were where it failed. */
function checkMove(stored: ProjectRecord, to: LifecycleState): void {
  if (stored.state === 'FAILED' && stored.failed_from !== null) {
    if (canResume(stored.failed_from, to) && (to !== 'CREATED' || takesCorrectedSpec(stored))) return
    throw new WaybillError(
      'ILLEGAL_TRANSITION',
      `project ${stored.project_id} failed in ${stored.failed_from}; it cannot go to ${to} from there`,
    )
  }
  move(stored.state, to)
}

function alreadyThere(stored: ProjectRecord, change: Advance): boolean {
  const artifacts = Object.entries(change.artifacts ?? {})
  const sameArtifacts = artifacts.every(([name, pointer]) => {
    const there = Object.hasOwn(stored.artifacts, name) ? stored.artifacts[name] : undefined
    return there !== undefined && digestOf(there) === digestOf(pointer)
  })
  if (!sameArtifacts) return false
  if (change.to !== undefined) return stored.state === change.to
  if (typeof change.set === 'function') return artifacts.length > 0
  return Object.entries(change.set ?? {}).every(([name, value]) => digestOf(stored[name as keyof Settable]) === digestOf(value))
}

function happeningOf(stored: ProjectRecord, next: ProjectRecord, change: Advance): Happening {
  const { revision, state } = next
  return {
    actor: change.actor,
    action: change.action,
    subject_sha256: change.subject_sha256 ?? null,
    reasoning_sha256: change.reasoning_sha256 ?? null,
    details: {
      ...change.details,
      from: stored.state,
      to: state,
      revision: String(revision),
      change_sha256: recordDigest(next),
    },
  }
}

/** A retried opening finds its own project, perhaps already further on; another migration under the same id is refused. */
function sameProject(stored: ProjectRecord, wanted: ProjectRecord): ProjectRecord {
  if (
    stored.migration_id === wanted.migration_id &&
    stored.author === wanted.author &&
    stored.artifacts.spec?.sha256 === wanted.artifacts.spec?.sha256
  ) {
    return stored
  }
  throw new WaybillError('ALREADY_EXISTS', `there is another project with the id ${wanted.project_id}; choose another one`)
}

function checked(project: ProjectRecord): ProjectRecord {
  const parsed = projectRecord.safeParse(project)
  if (parsed.success) return parsed.data
  const details = parsed.error.issues.map((issue) => `${issue.path.join('/')}: ${issue.message}`)
  throw new WaybillError('BAD_INPUT', `this project record cannot be written: ${details[0]}`, { details })
}
