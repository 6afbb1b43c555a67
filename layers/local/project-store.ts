import type { DatabaseSync } from 'node:sqlite'
import { isWaybillError, WaybillError } from '../core/errors.ts'
import type { ListedProjects, ProjectStore } from '../core/ports.ts'
import { checkTold } from '../core/project-change.ts'
import { type AuditEntry, auditEntry } from '../core/schemas/governance.ts'
import { type ProjectRecord, projectRecord } from '../core/schemas/project.ts'
import { appending } from './audit-log.ts'
import { transaction } from './database.ts'
import { checked, stored } from './record.ts'

/** Records, and the audit entries that tell of them, in the one file in which both lie. */
export function sqliteProjectStore({ db }: { db: DatabaseSync }): ProjectStore {
  const insert = db.prepare('INSERT INTO projects (project_id, revision, body) VALUES (?, ?, ?)')
  const select = db.prepare('SELECT project_id, revision, body FROM projects WHERE project_id = ?')
  const replace = db.prepare('UPDATE projects SET revision = ?, body = ? WHERE project_id = ?')
  const all = db.prepare('SELECT project_id, body FROM projects ORDER BY project_id')
  /** @throws EVIDENCE_INVALID also for another project's record: whoever reads `p1` must not be told of `p2` */
  const read = (row: Record<string, unknown>): ProjectRecord => {
    const what = `The record of project ${JSON.stringify(row.project_id)}`
    const record = stored(projectRecord, row.body, what)
    if (record.project_id === row.project_id) return record
    throw new WaybillError('EVIDENCE_INVALID', `${what} in the home is that of another project; it was changed by something else.`)
  }
  const append = appending(db)
  const both = (record: ProjectRecord, entry: AuditEntry) => {
    const pair = { body: checked(projectRecord, record, 'a project record'), told: checked(auditEntry, entry, 'an audit entry') }
    checkTold(pair.body, pair.told)
    return pair
  }

  return {
    async create(record, entry) {
      const { body, told } = both(record, entry)
      // Commit point: record and entry, or neither.
      return transaction(db, () => {
        if (select.get(body.project_id) !== undefined)
          throw new WaybillError('ALREADY_EXISTS', `Project ${body.project_id} exists already. Use another id, or resume it.`)
        if (!append(told)) return 'HEAD_MOVED'
        insert.run(body.project_id, body.revision, JSON.stringify(body))
        return 'WRITTEN'
      })
    },
    async get(projectId) {
      const row = select.get(projectId)
      if (row === undefined) throw missing(projectId)
      return read(row)
    },
    async update(record, entry) {
      const { body, told } = both(record, entry)
      // Commit point: record and entry, or neither; on the revision that their writer read, behind the head that it read.
      return transaction(db, () => {
        const row = select.get(body.project_id)
        if (row === undefined) throw missing(body.project_id)
        if (Number(row.revision) !== body.revision - 1) return 'REVISION_MOVED'
        if (!append(told)) return 'HEAD_MOVED'
        replace.run(body.revision, JSON.stringify(body), body.project_id)
        return 'WRITTEN'
      })
    },
    async list() {
      const listed: ListedProjects = { records: [], unreadable: [] }
      for (const row of all.all()) {
        try {
          listed.records.push(read(row))
        } catch (error) {
          if (!isWaybillError(error)) throw error
          listed.unreadable.push({ project_id: String(row.project_id), says: error.message })
        }
      }
      return listed
    },
  }
}

function missing(projectId: string): WaybillError {
  return new WaybillError('NOT_FOUND', `There is no project ${projectId}.`)
}
