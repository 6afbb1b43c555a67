import { apartInWords } from '../alike.ts'
import { grouped } from '../count-words.ts'
import { leftOfTable } from '../left-behind.ts'
import type { TableResult } from '../schemas/recon.ts'
import { toleranceSentences } from '../tolerance/claim.ts'
import { bytesInWords, html, type Markup, name } from './markup.ts'
import { MISMATCHES_SHOWN, type ReportModel } from './model.ts'
import { mark, notMeasured } from './verdict-sections.ts'

export function migrated({ plan, execution, recon, outcome }: ReportModel): Markup {
  const rows = plan.tables.map((table) => {
    const copied = execution.tables.find((candidate) => candidate.table_id === table.table_id)
    const compared = recon.tables.find((candidate) => candidate.table_id === table.table_id)
    const proof = outcome.proof_certificate.tables.find((candidate) => candidate.table_id === table.table_id)
    return html`<tr><td>${name(sourceOf(table.source))}</td><td>${name(`${table.target.schema}.${table.target.name}`)}</td>
<td class="n">${compared ? grouped(compared.source_rows) : notMeasured('not compared')}</td><td class="n">${compared ? grouped(compared.target_rows) : notMeasured('not compared')}</td>
<td class="n">${copied ? bytesInWords(BigInt(copied.bytes)) : notMeasured()}</td><td class="n">${copied ? html`${grouped(copied.chunks_completed)} of ${grouped(copied.chunks_expected)}` : notMeasured()}</td>
<td>${table.key === null ? 'no key: compared as a multiset' : table.key.map((column, index) => html`${index > 0 ? ', ' : ''}${name(column)}`)}</td><td>${proof ? mark(proof.status) : notMeasured('not run')}${proof?.tolerances === undefined ? '' : html` <span class="small">within tolerance</span>`}</td></tr>`
  })
  return html`<h2>What was migrated</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Tables"><table><thead><tr><th>Source</th><th>Target</th><th class="n">Source records</th><th class="n">Target records</th><th class="n">Size</th><th class="n">Chunks</th><th>Key</th><th>Result</th></tr></thead><tbody>${rows}</tbody></table></div>${plan.tables.map(
    (table) => {
      const says = leftOfTable(plan, table)
      return says === null ? '' : html`<p class="small">${name(`${table.target.schema}.${table.target.name}`)}: ${says}</p>`
    },
  )}`
}

function sourceOf(source: { schema: string; name: string; kind: string }): string {
  return source.kind === 'file' ? source.name : `${source.schema}.${source.name}`
}

/** Cells in a map; a table with more segments shows several in one. */
const CELLS = 720

/** Which parts of each table differ: where to look before reading. */
export function heatMaps({ recon }: { recon: Pick<ReportModel['recon'], 'tables'> }): Markup {
  return html`<h2>Where the differences are</h2>
${recon.tables.map((table) => html`<section class="card"><h3>${name(table.target_object)} <span class="soft small">${grouped(table.segments.length)} of ${grouped(table.segments_expected)} ${table.mode === 'ordered' ? 'key ranges' : 'hash buckets'} compared</span></h3>${heatMap(table)}</section>`)}
<div class="legend"><span><i style="background:var(--cell)"></i>equal</span><span><i style="background:var(--bad)"></i>differs</span><span><i style="background:var(--none-bg);outline:1px dashed var(--none);outline-offset:-1px"></i>not compared</span></div>`
}

function heatMap(table: TableResult): Markup {
  const size = Math.max(1, Math.ceil(table.segments_expected / CELLS))
  const count = Math.max(1, Math.ceil(table.segments_expected / size))
  const done = new Array<number>(count).fill(0)
  const differing = new Array<number>(count).fill(0)
  const ranges = new Array<string>(count).fill('')
  for (const segment of table.segments) {
    const cell = Math.floor(segment.index / size)
    if (cell >= count) continue
    done[cell]! += 1
    if (segment.source_sha256 === segment.target_sha256 && segment.source_rows === segment.target_rows) continue
    differing[cell]! += 1
    ranges[cell] ||= segment.range
  }
  const cells = done.map((completed, cell) => {
    const expected = Math.min(size, table.segments_expected - cell * size)
    const bad = differing[cell]!
    const tone = bad > 0 ? 'd' : completed < expected || expected <= 0 ? 'u' : ''
    const first = cell * size
    const says = { d: `${bad} differ, ${ranges[cell]}`, u: 'not compared', '': 'equal' }[tone]
    return html`<i class="${tone}" title="${size === 1 ? `segment ${first}` : `segments ${first}–${first + expected - 1}`}: ${says}"></i>`
  })
  const bad = differing.reduce((sum, cell) => sum + cell, 0)
  const label = `${bad} of ${table.segments.length} segments of ${table.target_object} differ`
  return html`<div class="map" role="img" aria-label="${label}">${cells}</div>
<p class="small soft">${bad === 0 ? 'No segment differs' : html`<b>${grouped(bad)}</b> ${bad === 1 ? 'segment differs' : 'segments differ'}`}; roots <code>${table.source_root.slice(0, 16)}…</code> and <code>${table.target_root.slice(0, 16)}…</code></p>${toleranceSentences(table).map((sentence) => html`<p class="small">${sentence}</p>`)}`
}

/** What a comparison without a plan has as well. */
type Compared = { recon: Pick<ReportModel['recon'], 'tables' | 'verdict'>; explanation: ReportModel['explanation'] }

/** The rows themselves. Keys and values are masked unless policy says otherwise. */
export function mismatches({ recon, explanation }: Compared): Markup {
  const all = recon.tables.flatMap((table) => table.mismatches.map((mismatch) => ({ table, mismatch })))
  const total = recon.tables.reduce((sum, table) => sum + BigInt(table.missing) + BigInt(table.extra) + BigInt(table.changed), 0n)
  if (total === 0n) {
    const says =
      recon.verdict === 'inconclusive'
        ? 'The comparison was not decided; no list of differences can be complete.'
        : recon.tables.some((table) => table.tolerances !== undefined)
          ? 'No record is missing, extra or changed by more than its tolerance.'
          : 'No record is missing, extra or changed.'
    return html`<h2>Differing records</h2><div class="card">${says}</div>`
  }
  const shown = all.slice(0, MISMATCHES_SHOWN)
  const rows = shown.map(
    ({ table, mismatch }) =>
      html`<tr><td>${name(table.target_object)}</td><td>${mismatch.kind}</td><td class="wide">${
        mismatch.key.length === 0
          ? html`<span class="soft">no key</span>`
          : mismatch.key.map(({ column, value }, index) => html`${index > 0 ? ', ' : ''}${name(column)} = ${cell(value)}`)
      }</td><td class="n">${mismatch.source_count} → ${mismatch.target_count}</td><td class="wide">${mismatch.columns.map(
        ({ column, source, target }, index) => {
          const told = apartInWords(source, target)
          return html`${index > 0 ? html`<br>` : ''}${name(column)}: ${cell(source)}${points(told?.[0])} → ${cell(target)}${points(told?.[1])}`
        },
      )}</td></tr>`,
  )
  const rest = total - BigInt(shown.length)
  return html`<h2>Differing records</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Differing records"><table><thead><tr><th>Table</th><th>What</th><th>Key</th><th class="n">Source → target</th><th>Columns: source → target</th></tr></thead><tbody>${rows}</tbody></table></div>
${rest > 0n ? html`<p class="small soft">${grouped(rest)} more are in the reconciliation report and the differences file.</p>` : ''}${explained(explanation)}`
}

/** In which code points a value differs from one that looks like it. */
function points(words: string | undefined): Markup | '' {
  return words === undefined ? '' : html` <span class="small soft">(${words})</span>`
}

function cell(value: string | null): Markup {
  return value === null ? html`<span class="mark">NULL</span>` : html`<bdi><code>${value}</code></bdi>`
}

function explained(explanation: ReportModel['explanation']): Markup | '' {
  const tables = (explanation?.tables ?? []).filter((table) => table.likely_causes.length > 0)
  if (tables.length === 0) return ''
  return html`<section class="card"><p class="kicker">Proposed explanation, by an agent</p>${tables.map(
    (table) =>
      html`<h3>${name(table.table_id)}</h3><p>${table.summary}</p><ul>${table.likely_causes.map((cause) => html`<li>${cause.cause} <span class="soft small">(${cause.evidence}; confidence ${cause.confidence})</span></li>`)}</ul>`,
  )}</section>`
}
