import { anchorFaults, chainFaults } from '../../layers/core/audit-chain.ts'
import { replayLifecycle, unanchoredFaults } from '../../layers/core/evidence/lifecycle-replay.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { AuditAnchor, AuditEntry } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'

/** Clocks of two machines may differ by this much. A clock further behind what was signed last was set back, and expired plans with it. */
const CLOCK_DIFFERENCE_MS = 10 * 60_000

/**
 * Where the project record says something other than what was recorded, in sentences. The record is one row that a hand can edit; the
 * audit chain, `entries`, cannot be rewritten or cut behind any of its signed anchors. Threat: a chain rewritten with valid hashes agrees
 * with an anchor made later, so every anchor is held against it, not the newest alone. What was appended since moves nothing: a change of
 * state counts once an anchor lies over it, and from then on it is not taken back.
 * @throws EVIDENCE_INVALID when an anchor is not authentic
 */
export async function stateFaults(
  deps: Pick<Ports, 'artifacts' | 'clock' | 'trust'>,
  project: ProjectRecord,
  entries: readonly AuditEntry[],
  anchors: readonly AuditAnchor[],
): Promise<string[]> {
  const newest = anchors.at(-1)
  if (newest === undefined) return ['the audit chain has no signed anchor, so nothing vouches for it']
  const anchored = anchors.map(({ sequence }) => sequence)
  const replay = replayLifecycle(entries)
  const faults = [...chainFaults(entries), ...anchorFaults(entries, anchors), ...replay.faults, ...unanchoredFaults(replay, anchored)]
  if (entries[0] !== undefined && entries[0].project_id !== project.project_id) faults.push('the audit chain is another project’s')
  if (replay.state !== project.state) faults.push(`the project says it is ${project.state}, its audit chain says ${replay.state}`)
  const now = deps.clock.now()
  if (now.getTime() < Date.parse(newest.anchored_at) - CLOCK_DIFFERENCE_MS)
    faults.push(`the clock of this machine says ${now.toISOString()}, and an anchor was signed at ${newest.anchored_at}: set the clock`)
  return faults
}
