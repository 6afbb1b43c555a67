import type { DatabaseSync } from 'node:sqlite'
import type { LeaseStore } from '../core/ports.ts'
import { lease as leaseSchema } from '../core/schemas/lease.ts'
import { transaction } from './database.ts'
import { checked } from './record.ts'

/** One row a project. Its fence only grows; a lease given back keeps its row, so that no fence is ever given out twice. */
export function sqliteLeaseStore({ db }: { db: DatabaseSync }): LeaseStore {
  const select = db.prepare('SELECT project_id, holder, fence, expires_at, released FROM leases WHERE project_id = ?')
  const insert = db.prepare("INSERT INTO leases (project_id, holder, fence, expires_at, released) VALUES (?, ?, '1', ?, 0)")
  const replace = db.prepare('UPDATE leases SET holder = ?, fence = ?, expires_at = ?, released = 0 WHERE project_id = ?')
  const extend = db.prepare('UPDATE leases SET expires_at = ? WHERE project_id = ? AND fence = ? AND released = 0')
  const free = db.prepare('UPDATE leases SET released = 1 WHERE project_id = ? AND fence = ?')
  const read = (projectId: string) => {
    const row = select.get(projectId)
    if (row === undefined) return null
    const { released, ...rest } = row
    return { lease: checked(leaseSchema, rest, 'a lease'), released: released === 1 }
  }

  return {
    async take({ project_id, holder, now, until }) {
      const wanted = checked(leaseSchema, { project_id, holder, fence: '1', expires_at: until.toISOString() }, 'a lease')
      // Commit point: of two that take it at once, the second finds the first.
      return transaction(db, () => {
        const there = read(project_id)
        if (there === null) insert.run(project_id, holder, wanted.expires_at)
        else if (!there.released && there.lease.holder === holder) extend.run(wanted.expires_at, project_id, there.lease.fence)
        else if (there.released || Date.parse(there.lease.expires_at) <= now.getTime())
          replace.run(holder, (BigInt(there.lease.fence) + 1n).toString(), wanted.expires_at, project_id)
        const { lease } = read(project_id)!
        return { taken: lease.holder === holder, lease }
      })
    },
    async renew(projectId, fence, until) {
      return extend.run(until.toISOString(), projectId, fence).changes === 1
    },
    async release(projectId, fence) {
      return free.run(projectId, fence).changes === 1
    },
  }
}
