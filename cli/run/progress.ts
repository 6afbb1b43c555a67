import type { LocalPlatform } from '../../functions/local.ts'
import { stateName } from '../../layers/core/names.ts'
import { grouped, seconds, type Terminal } from '../terminal.ts'

const LOOK_EVERY_MS = 150
/** A worker silent for so long has ended; what comes next is another round, maybe after people were waited for. */
const ROUND_MS = 60_000

export type Progress = { worker(progress: Readonly<Record<string, string>>): void; stop(): void }

/** Prints each state as it is entered, and the rows a worker has done, until stopped. */
export function showProgress(terminal: Terminal, platform: () => LocalPlatform | null): Progress {
  const seen = new Set<string>()
  const rows = new Map<string, { worker: string; table: string; rows: bigint; since: number; last: number }>()
  const timer = setInterval(() => {
    const open = platform()
    if (open === null) return
    for (const name of open.runner.list()) {
      for (const { state } of open.runner.describe(name).standing) {
        const id = `${name} ${state}`
        if (seen.has(id)) continue
        seen.add(id)
        terminal.err(`${terminal.paint('cyan', '▸')} ${state}`)
      }
    }
  }, LOOK_EVERY_MS)
  return {
    worker({ worker, table_id, chunk_id, rows: count }) {
      if (worker === undefined || count === undefined) return
      const key = `${worker} ${chunk_id ?? table_id ?? ''}`
      const now = performance.now()
      const round = [...rows].filter(([, one]) => one.worker === worker)
      if (round.every(([, one]) => now - one.last > ROUND_MS)) for (const [old] of round) rows.delete(old)
      rows.set(key, { worker, table: table_id ?? '', rows: BigInt(count), since: rows.get(key)?.since ?? now, last: now })
      const same = [...rows.values()].filter((one) => one.worker === worker)
      const total = same.reduce((sum, one) => sum + one.rows, 0n)
      const elapsed = performance.now() - Math.min(...same.map((one) => one.since))
      const rate = elapsed > 500 ? ` · ${grouped(Math.round((Number(total) / elapsed) * 1000))} rows/s` : ''
      terminal.progress(`  ${stateName(worker)} ${grouped(total)} rows${rate} · ${seconds(elapsed)}`)
    },
    stop() {
      clearInterval(timer)
      terminal.endProgress()
    },
  }
}
