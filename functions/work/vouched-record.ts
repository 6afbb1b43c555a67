import { WaybillError } from '../../layers/core/errors.ts'
import { record } from '../../layers/core/ledger.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { AuditAnchor, AuditEntry } from '../../layers/core/schemas/governance.ts'
import { lifecycleState, type ProjectRecord } from '../../layers/core/schemas/project.ts'
import { anchorsOf } from './anchors.ts'
import { stateFaults } from './recorded-state.ts'

export type VouchedDeps = Pick<Ports, 'artifacts' | 'audit' | 'clock' | 'projects' | 'trust'>

/**
 * Another function may be between a change of state and its anchor just now, or made both between two readings here: how often that is looked at, and how long
 * after. Five seconds together: a function that anchors may have to start first.
 */
const LOOKS = 11
const PAUSE_MS = 500

/**
 * The record of a project, once signed anchors vouch for where it stands: for whoever signs, proves, counts or seals. A refusal is entered in the audit log.
 * @param actor who asks. A change of its own that it died behind before the anchor is its own to finish: the project is judged as it stood before.
 * @throws PLAN_NOT_AUTHORISED, with every reason; EVIDENCE_INVALID when an anchor is not authentic
 */
export async function vouchedRecord(deps: VouchedDeps, projectId: string, actor: string): Promise<ProjectRecord> {
  for (let look = 1; ; look++) {
    const project = await deps.projects.get(projectId)
    // Anchors before the log: one made meanwhile lies over entries that an earlier reading does not have.
    const anchors = await anchorsOf(deps, projectId)
    const log = await deps.audit.read(projectId)
    const faults = await faultsFor(actor, deps, project, log, anchors)
    if (faults.length === 0) return project
    if ((openMove(log, anchors) !== undefined || isBehind(project, log)) && look < LOOKS) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      continue
    }
    // An entry that cannot be written must not hide why nothing was done.
    await record(deps, projectId, { actor, action: 'RECORD_NOT_VOUCHED', details: { why: faults.join('; ') } }).catch(() => {})
    throw new WaybillError('PLAN_NOT_AUTHORISED', `nothing was done, because ${faults[0]}`, { details: faults })
  }
}

/** As `stateFaults`, for a function that may finish a change of its own. */
export async function faultsFor(actor: string, ...[deps, project, log, anchors]: Parameters<typeof stateFaults>): Promise<string[]> {
  const open = openMove(log, anchors)
  const before = open?.actor === actor ? beforeMove(project, open) : null
  return open === undefined || before === null
    ? stateFaults(deps, project, log, anchors)
    : stateFaults(deps, before, log.slice(0, open.seq), anchors)
}

/** Whether the log tells of a later change of the project than the record that was read before it. */
function isBehind({ revision }: ProjectRecord, log: readonly AuditEntry[]): boolean {
  return log.some(({ details }) => details.to !== undefined && Number(details.revision) > revision)
}

/** The first change of state that no anchor lies over. */
function openMove(log: readonly AuditEntry[], anchors: readonly AuditAnchor[]): AuditEntry | undefined {
  const anchored = anchors.at(-1)?.sequence ?? -1
  return log.find(({ seq, details }) => seq > anchored && details.to !== undefined && details.to !== details.from)
}

/** The project as it stood before a change that the log has and no anchor lies over; null where the record is not behind it, as it is behind every entry. */
function beforeMove(project: ProjectRecord, { details }: AuditEntry): ProjectRecord | null {
  const from = lifecycleState.safeParse(details.from)
  if (!from.success || project.state !== details.to) return null
  return { ...project, state: from.data }
}
