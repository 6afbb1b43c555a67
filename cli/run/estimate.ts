import { counted, grouped } from '../../layers/core/count-words.ts'
import type { RunEstimate, ScaleEstimate } from '../../layers/core/scale/estimate.ts'
import type { Against } from '../../layers/core/scale/limits.ts'
import { columns, type Terminal, visible } from '../terminal.ts'

/** What a migration would take and cost in an account, in a screenful; then what the figures rest on. */
export function printEstimate(terminal: Terminal, estimate: ScaleEstimate): void {
  const { tables, rows, bytes, chunks, parallelism, migration, reconciliation } = estimate
  const size = [
    counted(tables, 'table'),
    rows === null ? 'rows unknown' : `${grouped(rows)} rows`,
    bytes === null ? 'bytes unknown' : bytesInWords(BigInt(bytes)),
    ...(chunks === null ? [] : [counted(chunks, 'chunk')]),
    `${parallelism} at once`,
  ]
  terminal.out(`${size.join(' · ')}\n`)
  if (estimate.reason !== null) terminal.out(`${visible(estimate.reason)}\nWithout that there is no estimate of time or dollars.\n`)
  const row = (what: string, run: RunEstimate) => [
    what,
    run.seconds === null ? 'unknown' : duration(run.seconds),
    run.usd === null ? 'unknown' : `$${run.usd.toFixed(2)}`,
    run.tasks === null ? 'unknown' : grouped(run.tasks),
    run.transitions === null ? 'unknown' : grouped(run.transitions),
  ]
  terminal.out(
    columns(
      [
        ['in an AWS account', 'time', 'cost', 'tasks', 'transitions'],
        row('the migration, with two reconciliations', migration),
        row('one more reconciliation, as each night', reconciliation),
      ],
      new Set([1, 2, 3, 4]),
    ),
  )
  const dear = migration.lines.filter(({ usd }) => usd >= 0.01)
  if (dear.length > 0) {
    const lines = dear.map(({ amount, unit, usd, basis }) => [`  $${usd.toFixed(2)}`, grouped(Math.round(amount)), unit, basis])
    terminal.out(`\nOf the migration's dollars:\n${columns(lines, new Set([0, 1]))}`)
  }
  terminal.out(`\n${limitLines(estimate.limits).join('\n')}`)
  terminal.out(`\nWhat this rests on:\n${estimate.basis.map((line) => `  ${line}`).join('\n')}`)
  terminal.out('\nNothing was moved and nothing was kept; only the catalog of the source was read.')
}

function limitLines(limits: readonly Against[]): string[] {
  const words = ({ what, reached, allowed, unit }: Against) => `${what}: ${grouped(reached ?? 0)} of ${grouped(allowed)} ${unit}`
  const exceeded = limits.filter(({ within }) => within === false)
  const unmeasured = limits.filter(({ within }) => within === null)
  return [
    ...exceeded.map((limit) => `${limit.raisable ? 'Ask AWS for more first' : 'Beyond a limit'}: ${words(limit)} (${limit.basis}).`),
    `Within ${limits.length - exceeded.length - unmeasured.length} of ${limits.length} limits of the services.`,
    ...(unmeasured.length > 0 ? [`Not known: ${unmeasured.map(({ what }) => what).join(', ')} (${unmeasured[0]?.reason ?? ''}).`] : []),
  ]
}

/** 90 → `90 s`, 5400 → `1 h 30 min`. */
function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

function bytesInWords(bytes: bigint): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB']
  let at = 0
  let value = Number(bytes)
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000
    at += 1
  }
  return `${at === 0 ? value : value.toFixed(1)} ${units[at]}`
}
