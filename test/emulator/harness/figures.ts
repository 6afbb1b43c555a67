import { writeFileSync } from 'node:fs'
import type { ExecutionEvent } from '../../../layers/local/asl/execution.ts'
import type { Span } from './people.ts'

/** Events the service writes for one of the interpreter's: a task is scheduled, started, and succeeds or fails. */
const IN_THE_SERVICE: Readonly<Record<string, number>> = { TaskStarted: 3 }

/** Events in the execution's own history, as the service counts them. Items of a distributed Map have histories of their own. */
export function historyEvents(history: readonly ExecutionEvent[]): number {
  return history.filter(({ frame }) => frame === 'root').reduce((sum, { type }) => sum + (IN_THE_SERVICE[type] ?? 1), 0)
}

/** What is left of an execution's time, in ms, without that in which a worker ran or a person was waited for. */
export function controlPlaneMs(history: readonly ExecutionEvent[], busy: readonly Span[]): number {
  const at = history.map((event) => Date.parse(event.at))
  let [left, end] = [0, Math.min(...at)]
  const last = Math.max(...at)
  for (const { from, to } of busy.toSorted((a, b) => a.from - b.from)) {
    left += Math.max(0, Math.min(from, last) - end)
    end = Math.max(end, to)
  }
  return left + Math.max(0, last - end)
}

export type Figure = { what: string; measured: string; wanted: string }

/** Prints what was measured, and writes it as a table where WAYBILL_FIGURES names a file. */
export function report(figures: readonly Figure[]): void {
  const rows = figures.map(({ what, measured, wanted }) => `| ${what} | ${measured} | ${wanted} |`)
  const table = ['| what | measured | wanted |', '|---|---|---|', ...rows].join('\n')
  process.stdout.write(`\n${table}\n`)
  const file = process.env.WAYBILL_FIGURES
  if (file !== undefined)
    writeFileSync(
      file,
      `# A run in a deployed account\n\nMeasured on the emulated AWS by \`WAYBILL_FIGURES=bench/aws-results.md npm run test:aws\`, ${new Date().toISOString().slice(0, 10)}; seconds do not hold between machines.\n\n${table}\n`,
    )
}
