import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { nextEntry } from '../../../layers/core/audit-chain.ts'
import type { Ports } from '../../../layers/core/ports.ts'
import { recordDigest } from '../../../layers/core/record-digest.ts'
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

/** Writes another record with the entry that tells of it, as any function can that may change a project. */
export async function writeRecord(
  { projects, audit, clock }: Pick<Ports, 'projects' | 'audit' | 'clock'>,
  record: ProjectRecord,
): Promise<void> {
  const { project_id, state, revision } = record
  const next = { ...record, revision: revision + 1 }
  const details = { from: state, to: state, revision: String(next.revision), change_sha256: recordDigest(next) }
  const fields = { project_id, at: clock.now().toISOString(), actor: 'waybill/another', action: 'PROJECT_CHANGED', details }
  const outcome = await projects.update(next, nextEntry(await audit.head(project_id), fields))
  if (outcome !== 'WRITTEN') throw new Error(outcome)
}

/** Puts another record in a project's place, past the store, which writes none without its audit entry. */
export function editRecord(home: string, record: ProjectRecord): void {
  inDatabase(home, (db) =>
    db
      .prepare('UPDATE projects SET revision = ?, body = ? WHERE project_id = ?')
      .run(record.revision, JSON.stringify(record), record.project_id),
  )
}
