import { grouped } from '../count-words.ts'
import { heatMaps, mismatches } from '../report/data-sections.ts'
import { bytesInWords, duration, html, type Markup, moment, name } from '../report/markup.ts'
import { framed } from '../report/page-frame.ts'
import { mark, notMeasured } from '../report/verdict-sections.ts'
import { sentence } from '../schema-comparison/summary.ts'
import type { TableResult } from '../schemas/recon.ts'
import { moments, withinTolerance } from './claim.ts'
import type { Comparison } from './comparison.ts'

const TONE = { pass: 'good', fail: 'bad', inconclusive: 'warn', 'not-applicable': 'warn' } as const
const STAMP = {
  pass: html`<path d="M27 41l9 10 18-21" fill="none" stroke="currentColor" stroke-width="6" stroke-linecap="round" stroke-linejoin="round"/>`,
  fail: html`<path d="M28 28l24 24M52 28L28 52" fill="none" stroke="currentColor" stroke-width="6" stroke-linecap="round"/>`,
  inconclusive: html`<path d="M40 24v20M40 54v1" fill="none" stroke="currentColor" stroke-width="6.5" stroke-linecap="round"/>`,
  'not-applicable': html``,
}
const WORD = { pass: 'equal', fail: 'differs', inconclusive: 'not decided', 'not-applicable': 'not applicable' } as const
const MODE = {
  full: 'every row',
  sample: 'a sample of rows',
  aggregates: 'figures only, no rows',
  schema: 'schemas only, no rows',
} as const

/** Tables with a heat map of their own; the others have their row in the table. */
const MAPS_SHOWN = 40

/**
 * One self-contained page: the claim, the tables, where the differing segments lie, the first differing rows. Loads nothing, runs nothing;
 * every name and value in it is hostile text and escaped. Shows values as the comparison holds them, so mask before.
 */
export function comparisonPage(comparison: Comparison): string {
  const differing = comparison.tables.filter((table) => table.verdict === 'fail' && table.segments.some(differs))
  return framed(
    html`${comparison.source} = ${comparison.target}: ${wordOf(comparison)}`,
    html`<p class="kicker">Comparison</p>
<h1>${name(comparison.source)} and ${name(comparison.target)}</h1>
<p class="soft small">${MODE[comparison.mode]}${comparison.filter.length > 0 ? html` where ${comparison.filter.map((term, i) => html`${i > 0 ? ' and ' : ''}<code>${term}</code>`)}` : ''} · ${moment(Date.parse(comparison.started_at))} · took ${duration(Date.parse(comparison.finished_at) - Date.parse(comparison.started_at))}</p>
${summary(comparison)}
${tables(comparison)}
${differing.length === 0 ? '' : heatMaps({ recon: { tables: differing.slice(0, MAPS_SHOWN) } })}
${differing.length > MAPS_SHOWN ? html`<p class="small soft">${grouped(differing.length - MAPS_SHOWN)} more tables differ; their maps are left out.</p>` : ''}
${comparison.mode === 'full' || comparison.mode === 'sample' ? rows(comparison) : ''}
${figures(comparison)}
${schemas(comparison)}
<footer class="small soft">Made by <code>waybill compare</code>. Nothing was written to either side.${comparison.masked ? ' Values are shown as fingerprints under a key that was thrown away: equal fingerprints, equal values.' : ' Values are shown as they are: treat this page like the data.'}</footer>`,
  )
}

function wordOf(comparison: Comparison): string {
  return comparison.verdict === 'pass' && withinTolerance(comparison) ? 'equal within tolerance' : WORD[comparison.verdict]
}

const differs = (segment: TableResult['segments'][number]) =>
  segment.source_sha256 !== segment.target_sha256 || segment.source_rows !== segment.target_rows

function summary(comparison: Comparison): Markup {
  const { tables, earlier, problems, verdict } = comparison
  const sum = (of: (table: TableResult) => string) => tables.reduce((total, table) => total + BigInt(of(table)), 0n)
  const sourceRows = sum((table) => table.source_rows) + earlier.reduce((total, table) => total + BigInt(table.rows), 0n)
  const targetRows = sum((table) => table.target_rows) + earlier.reduce((total, table) => total + BigInt(table.rows), 0n)
  const equal = tables.filter((table) => table.verdict === 'pass').length + earlier.length
  const all = tables.length + earlier.length + problems.length
  const times = moments(comparison)
  const readRows = comparison.mode === 'full' || comparison.mode === 'sample'
  return html`<section class="slip" aria-label="Verdict">
<div class="verdict ${TONE[verdict]}">
<svg class="stamp" viewBox="0 0 80 80" role="img" aria-label="${wordOf(comparison)}"><circle cx="40" cy="40" r="36" fill="none" stroke="currentColor" stroke-width="3"/><circle cx="40" cy="40" r="31" fill="none" stroke="currentColor" stroke-width="1" stroke-dasharray="1 3.9"/>${STAMP[verdict]}</svg>
<div><strong>${{ pass: comparison.mode === 'schema' ? 'The schemas agree' : withinTolerance(comparison) ? 'Equal within tolerance' : 'Equal', fail: 'Not equal', inconclusive: 'Not decided', 'not-applicable': 'Not applicable' }[verdict]}</strong><p>${comparison.claim}</p></div>
</div>
<div class="facts">
<div><p class="kicker">Tables</p><b>${grouped(equal)} of ${grouped(all)}</b><span class="small soft">${comparison.mode === 'schema' ? 'agree' : withinTolerance(comparison) ? 'equal or within tolerance' : 'equal'}</span></div>
<div><p class="kicker">Rows</p><b>${readRows ? grouped(sourceRows) : notMeasured('not compared')}</b><span class="small soft">${readRows ? `${grouped(targetRows)} in the target` : 'no row was read for this'}</span></div>
<div><p class="kicker">Differing</p><b>${readRows ? grouped(sum((table) => table.missing) + sum((table) => table.extra) + sum((table) => table.changed)) : notMeasured('not compared')}</b><span class="small soft">${readRows ? `${grouped(sum((table) => table.missing))} missing, ${grouped(sum((table) => table.extra))} extra, ${grouped(sum((table) => table.changed))} changed` : ''}</span></div>
<div><p class="kicker">Size</p><b>${comparison.estimate.bytes === null ? notMeasured('unknown') : bytesInWords(BigInt(comparison.estimate.bytes))}</b><span class="small soft">${!readRows ? 'a side' : times > 1 ? 'read at different times' : 'a side, one snapshot each'}</span></div>
</div>
</section>`
}

function tables({ tables, earlier, problems }: Comparison): Markup {
  const object = (table: { source_object: string; target_object: string }) =>
    table.source_object === table.target_object
      ? name(table.source_object)
      : html`${name(table.source_object)} = ${name(table.target_object)}`
  const order = { fail: 0, inconclusive: 1, 'not-applicable': 2, pass: 3 } as const
  const sorted = tables.toSorted((a, b) => order[a.verdict] - order[b.verdict])
  const own = sorted.map((table) => {
    const count = (text: string) =>
      table.verdict === 'inconclusive' && table.segments.length === 0 && table.aggregates.length === 0 ? '–' : grouped(text)
    const verdict =
      table.verdict === 'pass' && table.tolerances !== undefined
        ? html`${mark(table.verdict)} <span class="small">within tolerance</span>`
        : mark(table.verdict)
    return html`<tr><td>${verdict}</td><td>${object(table)}</td><td class="n">${count(table.source_rows)}</td><td class="n">${count(table.target_rows)}</td><td class="n">${count(table.missing)}</td><td class="n">${count(table.extra)}</td><td class="n">${count(table.changed)}</td><td class="wide small">${table.reasons.map((reason, i) => html`${i > 0 ? html`<br>` : ''}${reason}`)}</td></tr>`
  })
  const before = earlier.map(
    (table) =>
      html`<tr><td>${mark('pass')}</td><td>${object(table)}</td><td class="n">${grouped(table.rows)}</td><td class="n">${grouped(table.rows)}</td><td class="n">0</td><td class="n">0</td><td class="n">0</td><td class="wide small">found equal by an earlier run, ${moment(Date.parse(table.finished_at))}, under another snapshot</td></tr>`,
  )
  const without = problems.map(
    (problem) =>
      html`<tr><td>${mark(problem.verdict)}</td><td>${name(problem.table)}</td><td colspan="6" class="small">${problem.what}</td></tr>`,
  )
  return html`<h2>Tables</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Tables"><table><thead><tr><th>Verdict</th><th>Table</th><th class="n">Source rows</th><th class="n">Target rows</th><th class="n">Missing</th><th class="n">Extra</th><th class="n">Changed</th><th>What is to be said</th></tr></thead><tbody>${without}${own}${before}</tbody></table></div>`
}

function rows({ tables, verdict }: Comparison): Markup {
  return mismatches({ recon: { tables, verdict }, explanation: null })
}

function figures({ mode, tables }: Comparison): Markup | '' {
  const all = tables.flatMap((table) => table.aggregates.map((aggregate) => ({ table, aggregate })))
  const shown = all.filter(({ aggregate }) => aggregate.verdict === 'fail')
  if (mode !== 'aggregates' && shown.length === 0) return ''
  return html`<h2>Figures</h2><p>${grouped(all.length)} compared, ${grouped(shown.length)} differ.</p>
${shown.length === 0 ? '' : html`<div class="scroll" tabindex="0" role="region" aria-label="Figures"><table><thead><tr><th>Table</th><th>Figure</th><th>Source</th><th>Target</th></tr></thead><tbody>${shown.map(({ table, aggregate: a }) => html`<tr><td>${name(table.target_object)}</td><td>${a.kind} of ${name(a.column)}</td><td>${a.source ?? 'NULL'}</td><td>${a.target ?? 'NULL'}</td></tr>`)}</tbody></table></div>`}`
}

function schemas({ tables }: Comparison): Markup | '' {
  const all = tables.flatMap((table) => table.schema_differences.filter((difference) => difference.severity !== 'INFO'))
  if (all.length === 0) return ''
  return html`<details class="card" open><summary>Differences of the schemas (${grouped(all.length)})</summary><ul class="small">${all.slice(0, 500).map((difference) => html`<li><span class="mark ${difference.severity === 'WARNING' ? 'warn' : 'fail'}">${difference.severity}</span> ${sentence(difference)}</li>`)}</ul></details>`
}
