import { grouped } from '../count-words.ts'
import type { NightRecord, NightResult } from '../schemas/night.ts'
import { html, type Markup } from './markup.ts'

const WORDS: Record<NightResult, { tone: string; says: string }> = {
  clean: { tone: 'pass', says: 'clean' },
  mismatch: { tone: 'fail', says: 'differs' },
  undecided: { tone: 'warn', says: 'not decided' },
  skipped: { tone: 'none', says: 'not compared' },
}
const FILL: Record<NightResult, string> = { clean: 'var(--good)', mismatch: 'var(--bad)', undecided: 'var(--warn)', skipped: 'var(--none)' }
const BAR = 14
const HIGH = 60

/** The newest nights: a bar each, as high as it was fast, and the figures below. Nothing where there was none. */
export function nightSection(nights: readonly NightRecord[]): Markup | '' {
  if (nights.length === 0) return ''
  const fastest = Math.max(1, ...nights.map(({ compared }) => compared?.rows_per_second ?? 0))
  const bars = nights.map(({ compared, night, result }, at) => {
    const height = Math.max(4, Math.round(((compared?.rows_per_second ?? 0) / fastest) * HIGH))
    return html`<rect x="${at * BAR}" y="${HIGH - height}" width="${BAR - 4}" height="${height}" rx="2" style="fill:${FILL[result]}"><title>${night}: ${WORDS[result].says}</title></rect>`
  })
  const rows = nights.map(({ night, result, reason, compared }) => {
    const differing = compared === null ? null : BigInt(compared.missing) + BigInt(compared.extra) + BigInt(compared.changed)
    const figures =
      compared === null
        ? html`<td class="n">–</td><td class="n">–</td><td class="n">–</td><td class="n">–</td>`
        : html`<td class="n">${grouped(BigInt(compared.source_rows) + BigInt(compared.target_rows))}</td><td class="n">${grouped(differing ?? 0n)}</td><td class="n">${compared.seconds}</td><td class="n">${compared.rows_per_second === null ? '–' : grouped(compared.rows_per_second)}</td>`
    return html`<tr><td class="n">${night}</td><td><span class="mark ${WORDS[result].tone}">${WORDS[result].says}</span>${reason === '' ? '' : html`<br><span class="small">${reason}</span>`}</td>${figures}</tr>`
  })
  return html`<h3>Compared again by night</h3>
<div class="card"><svg role="img" aria-label="Rows a second, night by night" viewBox="0 0 ${nights.length * BAR} ${HIGH}" width="${nights.length * BAR}" height="${HIGH}" style="max-width:100%">${bars}</svg><p class="small soft">One bar a night, as high as it was fast: at most ${grouped(fastest)} rows a second.</p></div>
<div class="scroll" tabindex="0" role="region" aria-label="Nights"><table><thead><tr><th>Night</th><th>Found</th><th>Rows of both sides</th><th>Differing</th><th>Seconds</th><th>Rows/s</th></tr></thead><tbody>${rows}</tbody></table></div>`
}
