import { ruleReasoningSha256 } from './action-rules.ts'
import { type EntryFields, nextEntry } from './audit-chain.ts'
import { isWaybillError, WaybillError } from './errors.ts'
import type { AuditLog, Clock } from './ports.ts'
import type { AuditEntry } from './schemas/governance.ts'

export type Happening = Omit<EntryFields, 'project_id' | 'at'>
export type LedgerDeps = { audit: AuditLog; clock: Clock }

/** Of eight writers at once each loses seven races in eight: fifty in a row happen once in a thousand entries, a thousand in a row never. */
const ATTEMPTS = 1000

/**
 * Appends one entry behind whatever the head is by then.
 * @throws CONFLICT when the head kept moving, BAD_INPUT for a field no entry can hold
 */
export async function record(deps: LedgerDeps, projectId: string, happening: Happening): Promise<AuditEntry> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entry = entryBehind(await deps.audit.head(projectId), projectId, happening, deps.clock.now())
    try {
      await deps.audit.append(entry)
      return entry
    } catch (error) {
      if (!isWaybillError(error) || error.code !== 'CONFLICT') throw error
      // A write whose answer got lost comes back as a conflict with itself.
      const there = (await deps.audit.read(projectId, entry.seq)).find(({ seq }) => seq === entry.seq)
      if (there?.entry_sha256 === entry.entry_sha256) return entry
    }
  }
  throw new WaybillError('CONFLICT', `the audit chain of ${projectId} kept growing while ${happening.action} was to be written; try again`)
}

/**
 * The entry for what happened, behind `head`. Whoever follows a rule and gives no reasoning of its own has the rule and its facts as reasoning.
 * Texts are cut to what an entry holds: a long failure reason must not prevent the failure from being recorded.
 * @throws BAD_INPUT for a field no entry can hold
 */
export function entryBehind(head: AuditEntry | null, projectId: string, happening: Happening, now: Date): AuditEntry {
  const details = Object.fromEntries(Object.entries(happening.details ?? {}).map(([name, text]) => [name, cut(text, 1000)]))
  const said = { ...happening, actor: cut(happening.actor, 300), details }
  return nextEntry(head, {
    ...said,
    reasoning_sha256: happening.reasoning_sha256 ?? ruleReasoningSha256(said),
    project_id: projectId,
    at: now.toISOString(),
  })
}

function cut(text: string, length: number): string {
  const whole = text.toWellFormed()
  return whole.length <= length ? whole : `${whole.slice(0, length - 1).toWellFormed()}…`
}
