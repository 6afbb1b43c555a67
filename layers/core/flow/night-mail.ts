import { escapeMarkup, unlinked, visible } from '../approval-page/visible-text.ts'
import { counted, grouped } from '../count-words.ts'
import type { Mail } from '../ports.ts'
import type { NightRecord, NightTable } from '../schemas/night.ts'
import type { ProjectRecord } from '../schemas/project.ts'

/** Tables in the mail; the report has all of them. */
const LISTED = 20

type Line = { label: string; says: string }

const SUBJECTS: Record<Exclude<NightRecord['result'], 'clean'>, string> = {
  mismatch: 'Source and target differ',
  undecided: 'Not known whether source and target are equal',
  skipped: 'Source and target were not compared',
}

/** One mail about a night that is not clean. Counts and names of tables only; names are hostile and shown as they are. */
export function nightMail(project: Pick<ProjectRecord, 'title' | 'project_id'>, night: NightRecord, to: string): Mail {
  const { result } = night
  const what = SUBJECTS[result === 'clean' ? 'undecided' : result]
  const title = unlinked(project.title, 120)
  const lines: Line[] = [
    { label: 'Migration', says: title },
    { label: 'Night', says: night.night },
    { label: 'Found', says: visible(night.reason, 600) },
    ...comparedLines(night),
    {
      label: 'Last clean night',
      says: night.last_clean === null ? 'none so far under this plan' : `${night.last_clean.night} (run ${night.last_clean.run_id})`,
    },
    { label: 'What it means', says: MEANING[result] },
    { label: 'Next', says: `waybill status ${project.project_id}` },
  ]
  const tables = night.tables.slice(0, LISTED)
  const more = night.tables.length - tables.length + night.tables_not_listed
  const rest = more === 0 ? null : `And ${more} more ${more === 1 ? 'table' : 'tables'}; the report lists all of them.`
  return {
    to,
    subject: `${what}: ${title} (night of ${night.night})`.slice(0, 180),
    text: textOf(what, lines, tables, rest),
    html: htmlOf(what, lines, tables, rest),
  }
}

const MEANING: Record<NightRecord['result'], string> = {
  clean: 'The night counts.',
  mismatch: 'Clean nights are counted anew from here. Nothing was changed in either system, and nothing is repaired by itself.',
  undecided: 'The night does not count, and takes nothing away from those that do. What could not be compared is not called equal.',
  skipped: 'The night does not count, and takes nothing away from those that do.',
}

function comparedLines({ compared }: NightRecord): Line[] {
  if (compared === null) return []
  const pace = compared.rows_per_second === null ? '' : `, ${grouped(compared.rows_per_second)} rows/s`
  return [
    {
      label: 'Compared',
      says: `${grouped(compared.source_rows)} rows in the source with ${grouped(compared.target_rows)} in the target, ${counted(compared.tables, 'table')}, ${compared.seconds} s${pace}`,
    },
    { label: 'Differences', says: differences(compared) },
  ]
}

const differences = ({ missing, extra, changed }: Pick<NightTable, 'missing' | 'extra' | 'changed'>) =>
  `${grouped(missing)} missing in the target, ${grouped(extra)} only there, ${grouped(changed)} changed`

/** What is to be said of one table, besides its name. */
function tableLines(table: NightTable): string[] {
  const now = `${grouped(table.source_rows)} rows in the source, ${grouped(table.target_rows)} in the target`
  const then =
    table.clean === null ? [] : [`in the last clean night: ${grouped(table.clean.source_rows)} and ${grouped(table.clean.target_rows)}`]
  return [...(table.verdict === 'pass' ? ['equal, with other counts than before'] : [differences(table)]), now, ...then]
}

function textOf(what: string, lines: readonly Line[], tables: readonly NightTable[], rest: string | null): string {
  const paragraphs = [
    `${what}.`,
    ...lines.map(({ label, says }) => `${label}: ${says}`),
    ...(tables.length === 0 ? [] : ['Tables:']),
    ...tables.map((table) => [`- ${unlinked(table.target_object)}`, ...tableLines(table).map((line) => `  ${line}`)].join('\n')),
    ...(rest === null ? [] : [rest]),
  ]
  return `${paragraphs.join('\n\n')}\n`
}

/** Inline styles only, no picture, nothing from anywhere; one column, so that a telephone shows all of it. */
function htmlOf(what: string, lines: readonly Line[], tables: readonly NightTable[], rest: string | null): string {
  const line = ({ label, says }: Line) =>
    `<p style="${PARAGRAPH}"><span style="${SOFT}">${escapeMarkup(label)}</span><br>${escapeMarkup(says)}</p>`
  const card = (table: NightTable) =>
    `<div style="margin:0 0 12px;padding:12px 16px;border-left:4px solid ${table.verdict === 'pass' ? '#7a8797' : '#b3261e'};background:#f4f6f8;overflow-wrap:anywhere"><b>${escapeMarkup(unlinked(table.target_object))}</b>${tableLines(
      table,
    )
      .map((text) => `<br>${escapeMarkup(text)}`)
      .join('')}</div>`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeMarkup(what)}</title></head>
<body style="margin:0;padding:24px;background:#ffffff;color:#1c2430;font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif"><div style="max-width:600px;margin:0 auto">
<p style="margin:0 0 8px;${SOFT}">Waybill</p>
<h1 style="font-size:22px;line-height:1.3;margin:0 0 16px">${escapeMarkup(what)}</h1>
${lines.map(line).join('\n')}
${tables.length === 0 ? '' : '<h2 style="font-size:18px;margin:24px 0 12px">Tables</h2>\n'}${tables.map(card).join('\n')}
${rest === null ? '' : `<p style="${PARAGRAPH}">${escapeMarkup(rest)}</p>`}
</div></body></html>`
}

const PARAGRAPH = 'margin:0 0 16px;overflow-wrap:anywhere'
const SOFT = 'color:#4c5a6b;font-size:14px'
