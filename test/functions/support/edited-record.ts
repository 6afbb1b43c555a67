import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { ProjectRecord } from '../../../layers/core/schemas/project.ts'

/** Runs `change` on a home's database itself, as somebody can who may write to the folder. */
export function inDatabase<T>(home: string, change: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(join(home, readdirSync(home).find((name) => /\.(db|sqlite3?)$/.test(name))!), { timeout: 30_000 })
  try {
    return change(db)
  } finally {
    db.close()
  }
}

/** Puts another record in a project's place, past the store, which writes none without its audit entry. */
export function editRecord(home: string, record: ProjectRecord): void {
  inDatabase(home, (db) =>
    db
      .prepare('UPDATE projects SET revision = ?, body = ? WHERE project_id = ?')
      .run(record.revision, JSON.stringify(record), record.project_id),
  )
}
