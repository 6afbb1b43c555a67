import type { Ports } from '../../layers/core/ports.ts'
import { BEAT_SECONDS, type WorkProgress } from '../../layers/core/schemas/progress.ts'
import type { WorkerTask } from '../../layers/core/schemas/work.ts'

export type ReportingDeps = Pick<Ports, 'progress' | 'clock' | 'log'>
/** For the last word: finished work must not wait for a row that does not get through. */
const PATIENCE_MS = 5000
type Said = Readonly<Record<string, string>>

/**
 * Says that a task is alive and how far it is: at its start, every `BEAT_SECONDS` and at its end. `note` takes what the work itself says
 * of its progress. A row that cannot be written is a warning in the log, once; the work goes on.
 */
export function reporting(deps: ReportingDeps, task: WorkerTask): { note(said: Said): void; end(state: 'done' | 'failed'): Promise<void> } {
  const now = () => deps.clock.now().toISOString()
  const started_at = now()
  const rowsOf = new Map<string, bigint>()
  let table_id: string | null = null
  let warned = false
  let last: Promise<void> = Promise.resolve()

  const write = (state: WorkProgress['state']): Promise<void> => {
    const row: WorkProgress = {
      project_id: task.project_id,
      run_id: task.run_id,
      worker: task.worker,
      part: task.ids[0] ?? 'plan',
      items: String(task.ids.length),
      table_id,
      rows: [...rowsOf.values()].reduce((sum, rows) => sum + rows, 0n).toString(),
      state,
      started_at,
      beat_at: now(),
    }
    // One after another, so that the last row is the last word.
    last = last
      .then(() => deps.progress.report(row))
      .catch(() => {
        if (!warned) deps.log.warn('progress could not be written; the work goes on', { worker: task.worker })
        warned = true
      })
    return last
  }

  void write('working')
  const timer = setInterval(() => void write('working'), BEAT_SECONDS * 1000)
  timer.unref()
  return {
    note(said) {
      table_id = said.table_id ?? table_id
      const part = said.chunk_id ?? said.table_id
      if (part !== undefined && /^\d{1,30}$/.test(said.rows ?? '')) rowsOf.set(part, BigInt(said.rows!))
    },
    async end(state) {
      clearInterval(timer)
      await Promise.race([write(state), patience()])
    },
  }
}

function patience(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, PATIENCE_MS).unref()
  })
}
