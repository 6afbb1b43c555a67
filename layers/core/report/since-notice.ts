import { type NewestComparison, newestInWords, SINCE_THEN } from '../newest-comparison.ts'
import type { Outcome } from '../schemas/outcome.ts'
import { plain } from './markdown.ts'
import { html } from './markup.ts'

const MAIN = '<main>\n'

/** A report as it was stored, with a notice above it where the newest comparison found something else. The stored one stays as it is. */
export function withNotice(kind: 'html' | 'md', report: string, newest: NewestComparison | null, outcome: Outcome): string {
  if (newest === null || newest.found === 'equal') return report
  const words = newestInWords(newest, outcome)
  const head = SINCE_THEN[newest.found]
  if (kind === 'md') return `> **${newest.found === 'differs' ? '❌' : '⚠️'} ${head}.** ${plain(words)}\n\n${report}`
  const tone = newest.found === 'differs' ? 'bad' : 'warn'
  const notice = html`<section class="slip" style="margin-bottom:2rem" aria-label="Newest comparison"><div class="verdict ${tone}"><div><strong>${head}</strong><p>${words}</p></div></div></section>
`
  return report.includes(MAIN) ? report.replace(MAIN, () => MAIN + notice.text) : notice.text + report
}
