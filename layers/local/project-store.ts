import type { DatabaseSync } from 'node:sqlite'
import { WaybillError } from '../core/errors.ts'
import type { ProjectStore } from '../core/ports.ts'
import { type ProjectRecord, projectRecord } from '../core/schemas/project.ts'
import { checked, stored } from './record.ts'

export function sqliteProjectStore({ db }: { db: DatabaseSync }): ProjectStore {
  const insert = db.prepare('INSERT INTO projects (project_id, revision, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING')
  const select = db.prepare('SELECT body FROM projects WHERE project_id = ?')
  const replace = db.prepare('UPDATE projects SET revision = ?, body = ? WHERE project_id = ? AND revision = ?')
  const all = db.prepare('SELECT body FROM projects ORDER BY project_id')
  const read = (row: Record<string, unknown>): ProjectRecord => stored(projectRecord, row.body, 'the project record')

  return {
    async create(record) {
      const body = checked(projectRecord, record, 'a project record')
      if (insert.run(body.project_id, body.revision, JSON.stringify(body)).changes === 0)
        throw new WaybillError('ALREADY_EXISTS', `Project ${body.project_id} exists already. Use another id, or resume it.`)
    },
    async get(projectId) {
      const row = select.get(projectId)
      if (row === undefined) throw missing(projectId)
      return read(row)
    },
    async update(record) {
      const body = checked(projectRecord, record, 'a project record')
      // Commit point: the write lands only on the revision its writer read.
      if (replace.run(body.revision, JSON.stringify(body), body.project_id, body.revision - 1).changes === 1) return
      if (select.get(body.project_id) === undefined) throw missing(body.project_id)
      throw new WaybillError('CONFLICT', `Project ${body.project_id} was changed by someone else. Read it again and retry.`)
    },
    async list() {
      return all.all().map(read)
    },
  }
}

function missing(projectId: string): WaybillError {
  return new WaybillError('NOT_FOUND', `There is no project ${projectId}.`)
}
