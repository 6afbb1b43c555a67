import { followsRule, ruleReasoning } from '../../layers/core/action-rules.ts'
import type { AuditReview } from '../../layers/core/audit-review.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'
import { SPOILED } from '../status/unreadable.ts'
import { type Terminal, visible } from '../terminal.ts'
import type { Log } from './log.ts'

/** An entry with the rule that stands behind it; null where an agent gave a reasoning of its own. */
export function explained(entry: AuditEntry) {
  return { ...entry, reasoning: followsRule(entry) ? ruleReasoning(entry).rule : null }
}

/** Four columns in 79 characters. */
export function printLog(terminal: Terminal, { project, entries, fault, record }: Log, details: boolean): void {
  terminal.out(`${terminal.paint('bold', visible(project))}  ${entries.length} entries`)
  for (const said of [fault, record]) if (said !== null) terminal.out(terminal.paint('red', visible(said)))
  if (record !== null) terminal.out(SPOILED)
  for (const entry of entries) {
    const cells = [
      String(entry.seq).padStart(4),
      entry.at.slice(0, 19).replace('T', ' '),
      padded(entry.actor, 25),
      padded(entry.action, 25),
    ]
    terminal.out(cells.join('  ').trimEnd())
    const moved = entry.details.to !== undefined && entry.details.from !== entry.details.to
    if (moved) terminal.out(`      ${visible(entry.details.from ?? 'nothing')} → ${visible(entry.details.to ?? '')}`)
    if (!details) continue
    if (entry.subject_sha256 !== null) terminal.out(`      about ${entry.subject_sha256}`)
    for (const [name, value] of Object.entries(entry.details)) terminal.out(`      ${visible(name)}: ${visible(value)}`)
    const { reasoning } = explained(entry)
    terminal.out(`      why: ${reasoning ?? `reasoning ${entry.reasoning_sha256 ?? 'not given'}`}`)
  }
}

function padded(text: string, width: number): string {
  const shown = visible(text)
  return shown.length <= width ? shown.padEnd(width) : `${shown.slice(0, width - 1)}…`
}

export function printReview(
  terminal: Terminal,
  { project, entries, record }: Log,
  { faults, anchors, state, unanchored }: AuditReview,
): void {
  if (faults.length === 0) {
    terminal.out(
      `${terminal.paint('green', 'intact')}  ${visible(project)}: ${entries.length} entries, ${anchors.length} anchors, in ${state}.`,
    )
    if (unanchored > 0)
      terminal.out(`        ${unanchored} entries are newer than the newest anchor: cutting them off would leave no trace here.`)
    return
  }
  terminal.out(`${terminal.paint(['bold', 'red'], 'BROKEN')}  ${visible(project)}: ${visible(faults[0]!)}`)
  for (const fault of faults.slice(1)) terminal.out(`        also: ${visible(fault)}`)
  if (record !== null) terminal.out(`        ${SPOILED}`)
}
