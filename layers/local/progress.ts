import type { DatabaseSync } from 'node:sqlite'
import type { Progress } from '../core/ports.ts'
import { workProgress } from '../core/schemas/progress.ts'
import { checked } from './record.ts'

const KEPT_MS = 30 * 86_400_000

/** Rows not written for 30 days are gone. */
export function sqliteProgress({ db }: { db: DatabaseSync }): Progress {
  const write = db.prepare(
    'INSERT INTO progress (project_id, task, beat_at, body) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET beat_at = excluded.beat_at, body = excluded.body',
  )
  const forget = db.prepare('DELETE FROM progress WHERE beat_at < ?')
  const select = db.prepare('SELECT body FROM progress WHERE project_id = ? ORDER BY task')
  return {
    async report(row) {
      const { project_id, run_id, worker, part, beat_at } = checked(workProgress, row, 'a progress row')
      write.run(project_id, `${run_id}#${worker}#${part}`, beat_at, JSON.stringify(row))
      forget.run(new Date(Date.parse(beat_at) - KEPT_MS).toISOString())
    },
    async read(projectId) {
      return select.all(projectId).map(({ body }) => checked(workProgress, JSON.parse(String(body)), 'a progress row'))
    },
  }
}
