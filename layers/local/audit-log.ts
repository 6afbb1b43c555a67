import type { DatabaseSync } from 'node:sqlite'
import { WaybillError } from '../core/errors.ts'
import type { AuditLog } from '../core/ports.ts'
import { auditEntry } from '../core/schemas/governance.ts'
import { transaction } from './database.ts'
import { checked, stored } from './record.ts'

export function sqliteAuditLog({ db }: { db: DatabaseSync }): AuditLog {
  const newest = db.prepare('SELECT seq, entry_sha256, body FROM audit_entries WHERE project_id = ? ORDER BY seq DESC LIMIT 1')
  const insert = db.prepare('INSERT INTO audit_entries (project_id, seq, entry_sha256, body) VALUES (?, ?, ?, ?)')
  const all = db.prepare('SELECT body FROM audit_entries WHERE project_id = ? AND seq >= ? ORDER BY seq')

  return {
    async head(projectId) {
      const row = newest.get(projectId)
      return row === undefined ? null : stored(auditEntry, row.body, 'An audit entry')
    },

    async append(entry) {
      const body = checked(auditEntry, entry, 'an audit entry')
      // Commit point: the entry lands only if its predecessor is the one it names, and nobody can land one in between.
      transaction(db, () => {
        const head = newest.get(body.project_id)
        const follows = head === undefined ? body.seq === 0 : body.seq === Number(head.seq) + 1 && body.prev_sha256 === head.entry_sha256
        if (!follows) throw new WaybillError('CONFLICT', `The audit chain of ${body.project_id} has another head. Read it again and retry.`)
        insert.run(body.project_id, body.seq, body.entry_sha256, JSON.stringify(body))
      })
    },

    async read(projectId, from = 0) {
      return all.all(projectId, from).map((row) => stored(auditEntry, row.body, 'An audit entry'))
    },
  }
}
