import { checkTable, driftSection } from './check-sections.ts'
import { heatMaps, migrated, mismatches } from './data-sections.ts'
import { html, Markup } from './markup.ts'
import type { ReportModel } from './model.ts'
import { closing, scoreSection, serviceLevels, signOff, timeline } from './run-sections.ts'
import { STYLE } from './style.ts'
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
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>${model.title} – ${model.outcome.proof_certificate.proof_status}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<main>
${sections.map((section) => html`${section(model)}\n`)}
<footer class="small soft">Made by Waybill from the documents named above.</footer>
</main>
</body>
</html>
`
  return page.text
}
