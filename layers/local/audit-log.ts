import type { DatabaseSync } from 'node:sqlite'
import { WaybillError } from '../core/errors.ts'
import type { AuditLog } from '../core/ports.ts'
import { type AuditEntry, auditEntry } from '../core/schemas/governance.ts'
import { transaction } from './database.ts'
import { checked, stored } from './record.ts'

/** Appends inside a transaction of the caller's, in which nobody can land an entry in between. @returns false, and writes nothing, when the entry does not follow the head */
export function appending(db: DatabaseSync): (entry: AuditEntry) => boolean {
  const newest = db.prepare('SELECT seq, entry_sha256 FROM audit_entries WHERE project_id = ? ORDER BY seq DESC LIMIT 1')
  const insert = db.prepare('INSERT INTO audit_entries (project_id, seq, entry_sha256, body) VALUES (?, ?, ?, ?)')
  return (entry) => {
    const head = newest.get(entry.project_id)
    const follows = head === undefined ? entry.seq === 0 : entry.seq === Number(head.seq) + 1 && entry.prev_sha256 === head.entry_sha256
    if (follows) insert.run(entry.project_id, entry.seq, entry.entry_sha256, JSON.stringify(entry))
    return follows
  }
}

export function sqliteAuditLog({ db }: { db: DatabaseSync }): AuditLog {
  const newest = db.prepare('SELECT body FROM audit_entries WHERE project_id = ? ORDER BY seq DESC LIMIT 1')
  const all = db.prepare('SELECT body FROM audit_entries WHERE project_id = ? AND seq >= ? ORDER BY seq')
  const append = appending(db)

  return {
    async head(projectId) {
      const row = newest.get(projectId)
      return row === undefined ? null : stored(auditEntry, row.body, 'An audit entry')
    },

    async append(entry) {
      const body = checked(auditEntry, entry, 'an audit entry')
      // Commit point: the entry lands only if its predecessor is the one it names.
      if (!transaction(db, () => append(body)))
        throw new WaybillError('CONFLICT', `The audit chain of ${body.project_id} has another head. Read it again and retry.`)
    },

    async read(projectId, from = 0) {
      return all.all(projectId, from).map((row) => stored(auditEntry, row.body, 'An audit entry'))
    },
  }
}
