import { isWaybillError, WaybillError } from './errors.ts'
import { disagreement, replayLifecycle } from './evidence/lifecycle-replay.ts'
import type { AuditLog, Clock, ProjectStore } from './ports.ts'
import type { AuditEntry } from './schemas/governance.ts'
import type { ProjectRecord } from './schemas/project.ts'

/** `record`: null where there is none. `entries`: the audit chain, which says the same. */
export type Standing = { record: ProjectRecord | null; entries: readonly AuditEntry[] }

/**
 * A write of both is one, but two readings are not: somebody may write between them, and a database may show one half of a write a moment before
 * the other. Then they agree when they are read again. Where nothing moves any more and they still differ, nobody honest wrote them so.
 * The first reading after that follows at once; before each later one there is a pause of up to twice the one before, all together 3.6 s at the most: so long
 * may a half of a write stay behind before an honest change is called a forged one, and so long waits whoever asks about a forged one.
 */
const READINGS = 14
const PAUSE_MS = 10
const LONGEST_PAUSE_MS = 500

/**
 * Record and log of a project as they stand together.
 * @param known what was read before: entries are read on from there, and the record is read again only where it is not the one they tell of
 * @throws EVIDENCE_INVALID when they say different things
 */
export async function standingOf(
  deps: { projects: ProjectStore; audit: AuditLog; clock: Clock },
  projectId: string,
  known: Partial<Standing> = {},
): Promise<Standing> {
  let record = known.record === undefined ? await find(deps.projects, projectId) : known.record
  let entries = known.entries ?? []
  let [before, readings] = ['', 0]
  for (;;) {
    entries = [...entries, ...(await deps.audit.read(projectId, entries.length))]
    const replay = replayLifecycle(entries)
    const faults = [...replay.faults, ...disagreement(record, replay)]
    if (faults.length === 0) return { record, entries }
    const revision = record?.revision ?? 0
    const pair = `${revision} ${replay.revision}`
    readings = pair === before ? readings + 1 : 1
    if (replay.faults.length > 0 || revision === replay.revision || readings === READINGS) throw refusal(projectId, faults)
    before = pair
    if (readings > 1) await deps.clock.pauseUpTo?.(Math.min(PAUSE_MS * 2 ** (readings - 2), LONGEST_PAUSE_MS))
    record = await find(deps.projects, projectId)
  }
}

async function find(projects: ProjectStore, projectId: string): Promise<ProjectRecord | null> {
  try {
    return await projects.get(projectId)
  } catch (error) {
    if (isWaybillError(error) && error.code === 'NOT_FOUND') return null
    throw error
  }
}

function refusal(projectId: string, faults: readonly string[]): WaybillError {
  return new WaybillError(
    'EVIDENCE_INVALID',
    `Nothing was written to project ${projectId}, because ${faults[0]}. Somebody wrote there by hand: "waybill audit verify ${projectId}" says where. Find out who, then migrate under another project id.`,
    { details: faults },
  )
}

/**
 * For stores, before they write.
 * @throws BAD_INPUT when the entry does not tell of this record: of its project, its revision and its state
 */
export function checkTold({ project_id, revision, state }: ProjectRecord, entry: AuditEntry): void {
  const told = entry.project_id === project_id && entry.details.revision === String(revision) && entry.details.to === state
  if (!told) throw new WaybillError('BAD_INPUT', `The entry does not tell of revision ${revision} of ${project_id}; nothing was stored.`)
}
