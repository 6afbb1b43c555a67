import { digestOf } from './canonical-json.ts'
import { WaybillError } from './errors.ts'
import { type AuditAnchor, type AuditEntry, auditEntry } from './schemas/governance.ts'

/** `prev_sha256` of the first entry. */
export const GENESIS = '0'.repeat(64)

export type EntryFields = {
  project_id: string
  at: string
  actor: string
  action: string
  subject_sha256?: string | null
  reasoning_sha256?: string | null
  details?: Readonly<Record<string, string>>
}

/** SHA-256 over the canonical JSON of every field but `entry_sha256` itself. */
export function entryDigest(entry: Omit<AuditEntry, 'entry_sha256'>): string {
  const { seq, prev_sha256, project_id, at, actor, action, subject_sha256, reasoning_sha256, details } = entry
  return digestOf({ seq, prev_sha256, project_id, at, actor, action, subject_sha256, reasoning_sha256, details })
}

/**
 * The entry that follows `head`, or the first one. @throws BAD_INPUT when a field is not acceptable or the head is another project's
 */
export function nextEntry(head: AuditEntry | null, fields: EntryFields): AuditEntry {
  if (head !== null && head.project_id !== fields.project_id) {
    throw new WaybillError('BAD_INPUT', `an entry of project ${fields.project_id} cannot follow one of project ${head.project_id}`)
  }
  const body = {
    seq: head === null ? 0 : head.seq + 1,
    prev_sha256: head === null ? GENESIS : head.entry_sha256,
    project_id: fields.project_id,
    at: fields.at,
    actor: fields.actor,
    action: fields.action,
    subject_sha256: fields.subject_sha256 ?? null,
    reasoning_sha256: fields.reasoning_sha256 ?? null,
    details: { ...fields.details },
  }
  const entry = auditEntry.safeParse({ ...body, entry_sha256: entryDigest(body) })
  if (!entry.success) {
    const details = entry.error.issues.map((issue) => `${issue.path.join('/')}: ${issue.message}`)
    throw new WaybillError('BAD_INPUT', `this cannot be written to the audit log: ${details[0]}`, { details })
  }
  return entry.data
}

/**
 * What is wrong with a chain, in sentences; empty when nothing is. A chain alone cannot show that its tail was cut or that it was
 * rewritten whole: `anchorFaults` compares it with what was signed.
 */
export function chainFaults(entries: readonly AuditEntry[]): string[] {
  if (entries.length === 0) return ['the audit chain is empty; every project has at least the entry that opened it']
  const faults: string[] = []
  const project = entries[0]?.project_id
  let previous = GENESIS
  for (const [index, entry] of entries.entries()) {
    if (entry.seq !== index) faults.push(`entry ${index} says it is number ${entry.seq}: an entry is missing, doubled or moved`)
    if (entry.project_id !== project) faults.push(`entry ${index} belongs to project ${entry.project_id}, the chain to ${project}`)
    if (entry.prev_sha256 !== previous) faults.push(`entry ${index} does not follow the entry before it`)
    if (entryDigest(entry) !== entry.entry_sha256) faults.push(`entry ${index} was changed: its digest does not recompute`)
    previous = entry.entry_sha256
  }
  return faults
}

/** What an anchor says about a chain whose newest entry is `head`. */
export function anchorOf(head: AuditEntry, anchoredAt: string): AuditAnchor {
  return {
    schema: 'waybill/audit-anchor/v1',
    project_id: head.project_id,
    sequence: head.seq,
    head_sha256: head.entry_sha256,
    count: head.seq + 1,
    anchored_at: anchoredAt,
  }
}

/** Where a chain disagrees with anchors whose signatures were already checked; empty when nowhere. */
export function anchorFaults(entries: readonly AuditEntry[], anchors: readonly AuditAnchor[]): string[] {
  const faults: string[] = []
  for (const anchor of anchors) {
    const entry = entries[anchor.sequence]
    if (anchor.count !== anchor.sequence + 1) faults.push(`the anchor at ${anchor.sequence} counts ${anchor.count} entries`)
    if (entry === undefined) faults.push(`the chain was cut: entry ${anchor.sequence} was anchored at ${anchor.anchored_at} and is gone`)
    else if (entry.entry_sha256 !== anchor.head_sha256 || entry.project_id !== anchor.project_id) {
      faults.push(`the chain was rewritten: entry ${anchor.sequence} is not the one anchored at ${anchor.anchored_at}`)
    }
  }
  return faults
}
