import type { Log, Progress } from '../core/ports.ts'
import type { WorkProgress } from '../core/schemas/progress.ts'

/** Progress as it is, and what a finished task did for the dashboard: rows, and the seconds of a container it took. */
export function plotted(progress: Progress, log: Log): Progress {
  return {
    ...progress,
    async report(row) {
      await progress.report(row)
      if (row.state !== 'working') log.info('task ended', { metrics: measuresOf(row) })
    },
  }
}

/** Counts of rows lose precision as numbers here and nowhere else: they are drawn, not reconciled. */
function measuresOf(row: WorkProgress): Record<string, number> {
  const seconds = (Date.parse(row.beat_at) - Date.parse(row.started_at)) / 1000
  return {
    WorkerSeconds: seconds,
    ...(row.worker === 'copy-chunk' && row.state === 'done' && { RowsCopied: Number(row.rows) }),
    ...(row.worker === 'hash-segments' && row.state === 'done' && { RowsCompared: Number(row.rows) }),
  }
}
