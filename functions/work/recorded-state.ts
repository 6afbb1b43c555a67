import { anchorFaults, chainFaults } from '../../layers/core/audit-chain.ts'
import { replayLifecycle, unanchoredFaults } from '../../layers/core/evidence/lifecycle-replay.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { type AuditAnchor, type AuditEntry, auditAnchor } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { openPredicate } from '../../layers/core/statement.ts'

/** Clocks of two machines may differ by this much. A clock further behind what was signed last was set back, and expired plans with it. */
const CLOCK_DIFFERENCE_MS = 10 * 60_000

/**
 * Where the project record says something other than what was recorded, in sentences. The record is one row that a hand can edit; the
 * audit chain, `entries`, cannot be changed without breaking it, nor cut behind what its newest anchor signed. What was appended since
 * moves nothing: a change of state counts once an anchor lies over it, and from then on it is not taken back.
 * @throws EVIDENCE_INVALID when an anchor is not authentic
 */
export async function stateFaults(
  deps: Pick<Ports, 'artifacts' | 'clock' | 'trust'>,
  project: ProjectRecord,
  entries: readonly AuditEntry[],
): Promise<string[]> {
  const keys = await deps.artifacts.list(`projects/${project.project_id}/anchors/`)
  // The earlier ones matter only to a change that was taken back.
  const takenBack = entries.some(({ action }) => action === 'CHANGE_NOT_MADE')
  const anchors = (await Promise.all((takenBack ? keys : keys.slice(-1)).map((key) => anchorUnder(deps, key)))).flatMap(
    (each) => each ?? [],
  )
  const newest = anchors.at(-1)
  if (newest === undefined) return ['the audit chain has no signed anchor, so nothing vouches for it']
  const anchored = anchors.map(({ sequence }) => sequence)
  const replay = replayLifecycle(entries, anchored)
  const faults = [...chainFaults(entries), ...anchorFaults(entries, anchors), ...replay.faults, ...unanchoredFaults(replay, anchored)]
  if (entries[0] !== undefined && entries[0].project_id !== project.project_id) faults.push('the audit chain is another project’s')
  if (replay.state !== project.state) faults.push(`the project says it is ${project.state}, its audit chain says ${replay.state}`)
  const now = deps.clock.now()
  if (now.getTime() < Date.parse(newest.anchored_at) - CLOCK_DIFFERENCE_MS)
    faults.push(`the clock of this machine says ${now.toISOString()}, and an anchor was signed at ${newest.anchored_at}: set the clock`)
  return faults
}

async function anchorUnder(deps: Pick<Ports, 'artifacts' | 'trust'>, key: string): Promise<AuditAnchor | null> {
  const pointer = await deps.artifacts.find(key)
  return pointer === null ? null : openPredicate(await deps.artifacts.get(pointer), deps.trust, 'anchor', auditAnchor).predicate
}
