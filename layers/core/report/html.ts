import { checkTable, driftSection } from './check-sections.ts'
import { heatMaps, migrated, mismatches } from './data-sections.ts'
import { html } from './markup.ts'
import type { ReportModel } from './model.ts'
import { framed } from './page-frame.ts'
import { closing, scoreSection, serviceLevels, signOff, timeline } from './run-sections.ts'
import { fourResults, head, summary } from './verdict-sections.ts'

export type { ReportModel } from './model.ts'

/**
 * `report.html`: one file that loads nothing, runs no script and prints. Every name and value in it is hostile text and escaped; the
 * policy in its head forbids scripts and connections even so.
 */
export function reportHtml(model: ReportModel): string {
  const sections = [
    head,
    summary,
    migrated,
    fourResults,
    heatMaps,
    mismatches,
    checkTable,
    driftSection,
    scoreSection,
    serviceLevels,
    timeline,
    signOff,
    closing,
  ]
  return framed(
    html`${model.title} – ${model.outcome.proof_certificate.proof_status}`,
    html`${sections.map((section) => html`${section(model)}\n`)}
<footer class="small soft">Made by Waybill from the documents named above.</footer>`,
  )
}
