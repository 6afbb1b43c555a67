import { digestOf } from './canonical-json.ts'
import { isWaybillError, WaybillError } from './errors.ts'
import { type Happening, record } from './ledger.ts'
import { canResume, move } from './lifecycle.ts'
import type { Anchors, AuditLog, Clock, ProjectStore } from './ports.ts'
import type { ArtifactPointer } from './schemas/common.ts'
import type { AuditEntry } from './schemas/governance.ts'
import { type LifecycleState, type ProjectRecord, projectRecord } from './schemas/project.ts'

export type ProjectDeps = { projects: ProjectStore; audit: AuditLog; clock: Clock; anchors: Anchors }

type Settable = Partial<
  Pick<ProjectRecord, 'failure' | 'title' | 'migration_id' | 'archetype_id' | 'plan_version' | 'clean_runs' | 'recon_fence'>
>

export type Advance = Happening & {
  /** The state to be in afterwards; left out, the state stays. */
  to?: LifecycleState
  artifacts?: Readonly<Record<string, ArtifactPointer>>
  /**
   * Fields to set. A function where the value grows from the stored one, because the record may have moved meanwhile; then give `to` or
   * an artifact of this very run too, since those tell a retry that the growth already happened.
   */
  set?: Settable | ((stored: ProjectRecord) => Settable)
}

const ATTEMPTS = 20

/**
 * Opens a project: first audit entry, then the record.
 * @throws ALREADY_EXISTS when another project has the id
 */
export async function open(deps: ProjectDeps, project: ProjectRecord, happening: Happening): Promise<ProjectRecord> {
  const parsed = checked(project)
  const stored = await find(deps.projects, parsed.project_id)
  if (stored !== null) {
    const same = sameProject(stored, parsed)
    await deps.anchors.anchor(parsed.project_id)
    return same
  }
  await appendOnce(deps, parsed.project_id, { ...happening, details: { ...happening.details, to: parsed.state, revision: '1' } })
  try {
    await deps.projects.create(parsed)
  } catch (error) {
    if (!isWaybillError(error) || error.code !== 'ALREADY_EXISTS') throw error
    return sameProject(await deps.projects.get(parsed.project_id), parsed)
  }
  await deps.anchors.anchor(parsed.project_id)
  return parsed
}

/**
 * Moves a project on, adds artifacts, or both. Safe to call again after a crash anywhere inside: being in `to` already with the same
 * artifacts writes nothing new, and only anchors again.
 * @throws ILLEGAL_TRANSITION, NOT_FOUND, CONFLICT when others kept writing the record, BAD_INPUT
 */
export async function advance(deps: ProjectDeps, projectId: string, change: Advance): Promise<ProjectRecord> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const stored = await deps.projects.get(projectId)
    if (change.to === undefined && change.artifacts === undefined && change.set === undefined) {
      await record(deps, projectId, { ...change })
      return stored
    }
    if (alreadyThere(stored, change)) {
      if (change.to !== undefined) await deps.anchors.anchor(projectId)
      return stored
    }
    const next = nextRecord(stored, change, deps.clock.now())
    // COMMIT POINT. The audit entry is appended before the record is written. A crash between the two leaves an entry for a change
    // that has not happened yet: the retry finds that very entry (same revision, same digest of the change), does not repeat it, and
    // writes the record. The other order would leave a state nobody recorded, which no retry could tell from an honest one. When
    // another writer took the revision, the entry stays, followed by CHANGE_NOT_MADE, and the change is entered again under the next.
    // Who took it says so of everybody entered before, and only then has it anchored: under an anchor nothing is taken back any more.
    const { seq, known } = await appendOnce(deps, projectId, happeningOf(stored, next, change))
    try {
      await deps.projects.update(next)
    } catch (error) {
      if (!isWaybillError(error) || error.code !== 'CONFLICT') throw error
      // Another process made this very change, perhaps under this very entry.
      if (!alreadyThere(await deps.projects.get(projectId), change)) await notMade(deps, projectId, change.actor, next.revision, seq)
      continue
    }
    const before = [...known, ...(seq > known.length ? await deps.audit.read(projectId, known.length) : [])]
    for (const rival of before) {
      const same = rival.seq < seq && rival.details.to !== undefined && rival.details.revision === String(next.revision)
      if (same) await notMade(deps, projectId, change.actor, next.revision, rival.seq)
    }
    if (next.state !== stored.state) await deps.anchors.anchor(projectId)
    return next
  }
  throw new WaybillError('CONFLICT', `project ${projectId} was written by others ${ATTEMPTS} times in a row; try again`)
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
    artifacts: { ...stored.artifacts, ...change.artifacts },
  })
}

/** A failed project moves as if it still were where it failed. */
function checkMove(stored: ProjectRecord, to: LifecycleState): void {
  if (stored.state === 'FAILED' && stored.failed_from !== null) {
    if (canResume(stored.failed_from, to)) return
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
  const { revision, state, failed_from, failure, title, migration_id, archetype_id, plan_version, clean_runs, recon_fence, artifacts } =
    next
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
      // Time is left out: a retry happens later and is still the same change.
      change_sha256: digestOf({
        failed_from,
        failure: failure?.code ?? null,
        title,
        migration_id,
        archetype_id,
        plan_version,
        clean_runs,
        ...(recon_fence === undefined ? {} : { recon_fence }),
        artifacts,
      }),
    },
  }
}

async function notMade(deps: ProjectDeps, projectId: string, actor: string, revision: number, entry: number): Promise<void> {
  const details = { revision: String(revision), entry: String(entry) }
  await appendOnce(deps, projectId, { actor, action: 'CHANGE_NOT_MADE', details })
}

/** Appends unless the chain already has an entry saying exactly this. @returns its number in the chain, and the entries read before */
async function appendOnce(deps: ProjectDeps, projectId: string, happening: Happening): Promise<{ seq: number; known: AuditEntry[] }> {
  const saying = (entry: Pick<Happening, 'actor' | 'action' | 'details'>): string =>
    digestOf([
      entry.actor,
      entry.action,
      entry.details?.from ?? '',
      entry.details?.to ?? '',
      entry.details?.revision ?? '',
      entry.details?.change_sha256 ?? '',
      entry.details?.entry ?? '',
    ])
  const wanted = saying(happening)
  const chain = await deps.audit.read(projectId)
  const there = chain.find((entry) => saying(entry) === wanted)
  return { seq: there?.seq ?? (await record(deps, projectId, happening)).seq, known: chain }
}

async function find(projects: ProjectStore, projectId: string): Promise<ProjectRecord | null> {
  try {
    return await projects.get(projectId)
  } catch (error) {
    if (isWaybillError(error) && error.code === 'NOT_FOUND') return null
    throw error
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
