import { anchorFaults, chainFaults } from '../../layers/core/audit-chain.ts'
import { replayLifecycle } from '../../layers/core/evidence/lifecycle-replay.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { type AuditEntry, auditAnchor } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { openPredicate } from '../../layers/core/statement.ts'

/** Clocks of two machines may differ by this much. A clock further behind what was signed last was set back, and expired plans with it. */
const CLOCK_DIFFERENCE_MS = 10 * 60_000

/**
 * Where the project record says something other than what was recorded, in sentences. The record is one row that a hand can edit; the
 * audit chain, `entries`, cannot be changed without breaking it, nor cut behind what its newest anchor signed.
 * @throws EVIDENCE_INVALID when the newest anchor is not authentic
 */
export async function stateFaults(
  deps: Pick<Ports, 'artifacts' | 'clock' | 'trust'>,
  project: ProjectRecord,
  entries: readonly AuditEntry[],
): Promise<string[]> {
  const newest = (await deps.artifacts.list(`projects/${project.project_id}/anchors/`)).at(-1)
  const pointer = newest === undefined ? null : await deps.artifacts.find(newest)
  if (pointer === null) return ['the audit chain has no signed anchor, so nothing vouches for it']
  const { predicate } = openPredicate(await deps.artifacts.get(pointer), deps.trust, 'anchor', auditAnchor)
  const replay = replayLifecycle(entries)
  const faults = [...chainFaults(entries), ...anchorFaults(entries, [predicate]), ...replay.faults]
  if (entries[0] !== undefined && entries[0].project_id !== project.project_id) faults.push('the audit chain is another project’s')
  if (replay.state !== project.state) faults.push(`the project says it is ${project.state}, its audit chain says ${replay.state}`)
  const now = deps.clock.now()
  if (now.getTime() < Date.parse(predicate.anchored_at) - CLOCK_DIFFERENCE_MS)
    faults.push(`the clock of this machine says ${now.toISOString()}, and an anchor was signed at ${predicate.anchored_at}: set the clock`)
  return faults
}
