import { grouped } from '../../layers/core/count-words.ts'
import type { Trend } from '../../layers/core/nights/trend.ts'
import type { NightRecord } from '../../layers/core/schemas/night.ts'
import { columns, type Terminal, visible } from '../terminal.ts'

const WORDS: Record<NightRecord['result'], string> = {
  clean: 'clean',
  mismatch: 'differs',
  undecided: 'not decided',
  skipped: 'not compared',
}

/** `2 clean nights; the newest, 2026-03-29, differs: Source and target differ.` Null where there was none. */
export function nightsInWords({ nights, clean }: Trend): string | null {
  const newest = nights.at(-1)
  if (newest === undefined) return null
  const reason = newest.reason === '' ? '' : `: ${visible(newest.reason)}`
  return `${clean} clean ${clean === 1 ? 'night' : 'nights'}; the newest, ${newest.night}, ${newest.result === 'clean' ? 'is clean' : WORDS[newest.result]}${reason}`
}

/** The trend, a line a night. */
export function printNights(terminal: Terminal, trend: Trend): void {
  if (trend.nights.length === 0) return
  const rows = trend.nights.map(({ night, result, compared }) => {
    if (compared === null) return [night, WORDS[result], '', '', '', '']
    const differing = (BigInt(compared.missing) + BigInt(compared.extra) + BigInt(compared.changed)).toString()
    const all = (BigInt(compared.source_rows) + BigInt(compared.target_rows)).toString()
    const pace = compared.rows_per_second === null ? '' : grouped(String(compared.rows_per_second))
    return [night, WORDS[result], grouped(all), grouped(differing), String(compared.seconds), pace]
  })
  const head = ['night', 'found', 'rows, both sides', 'differing', 'seconds', 'rows/s']
  terminal.out(`\n${columns([head, ...rows], new Set([2, 3, 4, 5]))}`)
  terminal.out(`${nightsInWords(trend)}`)
}
