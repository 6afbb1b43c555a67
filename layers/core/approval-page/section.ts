import { type Picture, renderPicture } from './picture.ts'
import { escaped } from './visible-text.ts'

export type Mark = 'good' | 'bad' | 'warn' | 'care' | 'note'

/** One part of the page. Every text in it is hostile until `renderSection` escapes it. */
export type Section = {
  title: string
  says?: string
  facts?: readonly (readonly [label: string, value: string])[]
  /** Drawn as inline pictures; everything a picture shows stands beside it in words. */
  pictures?: readonly Picture[]
  items?: readonly { mark: Mark; text: string }[]
  tables?: readonly {
    caption: string
    says?: string
    head: readonly string[]
    rows: readonly { mark?: Mark; cells: readonly string[] }[]
    more?: string
    /**
     * Above so many rows that ask for no look, those are folded behind a line that counts them by `noun` and says how they `are`; what asks for one
     * stays open.
     */
    fold?: { above: number; noun: readonly [one: string, many: string]; are?: string }
  }[]
}

const MARK_WORD: Record<Mark, string> = { good: 'Pass', bad: 'Fail', warn: 'Warning', care: 'Look', note: 'Note' }

export function renderSection(section: Section, index: number): string {
  const id = `s${index}`
  const facts = section.facts?.length
    ? `<dl>${section.facts.map(([label, value]) => `<div><dt>${escaped(label)}</dt><dd>${escaped(value, 600)}</dd></div>`).join('')}</dl>`
    : ''
  const items = renderMarks(section.items ?? [])
  const pictures = (section.pictures ?? []).map(renderPicture).join('')
  const tables = (section.tables ?? []).map((table, at) => renderTable(table, `${id}t${at}`)).join('')
  const says = section.says ? `<p>${escaped(section.says, 1000)}</p>` : ''
  return `<section aria-labelledby="${id}"><h2 id="${id}">${escaped(section.title)}</h2>${says}${pictures}${facts}${items}${tables}</section>`
}

/** A list whose lines say in a word how they are meant. */
export function renderMarks(items: NonNullable<Section['items']>): string {
  if (items.length === 0) return ''
  const lines = items.map(
    ({ mark, text }) => `<li><span class="mark ${mark}">${MARK_WORD[mark]}</span> <span>${escaped(text, 600)}</span></li>`,
  )
  return `<ul class="marks">${lines.join('')}</ul>`
}

function renderTable(table: NonNullable<Section['tables']>[number], id: string): string {
  const head = table.head.map((text) => `<th scope="col">${escaped(text)}</th>`).join('')
  const plain = table.rows.filter(({ mark }) => mark === undefined || mark === 'good')
  const folded = plain.length > (table.fold?.above ?? Number.POSITIVE_INFINITY) ? plain : []
  const open = folded.length === 0 ? table.rows : table.rows.filter((row) => !plain.includes(row))
  const grid = (rows: typeof table.rows) =>
    rows.length === 0 && folded.length > 0
      ? ''
      : `<table aria-labelledby="${id}"><thead><tr>${head}</tr></thead><tbody>${renderRows(table.head, rows)}</tbody></table>`
  const fold =
    folded.length === 0
      ? ''
      : `<details class="fold"><summary>${foldedInWords(folded.length, table.rows.length, table)}</summary>${grid(folded)}</details>`
  const says = table.says ? `<p>${escaped(table.says, 1000)}</p>` : ''
  const more = table.more ? `<p class="more">${escaped(table.more, 300)}</p>` : ''
  return `<h3 id="${id}">${escaped(table.caption)}</h3>${says}${grid(open)}${fold}${more}`
}

/** How many rows are folded, of how many that are shown, and how those are. */
function foldedInWords(folded: number, all: number, { fold, more }: NonNullable<Section['tables']>[number]): string {
  const look = all - folded
  const what = `${(fold?.noun ?? ['row', 'rows'])[all === 1 ? 0 : 1]}${more === undefined ? '' : ' shown here'}`
  const are = fold?.are
  if (look > 0)
    return `${look} of ${all} ${what} ${look === 1 ? 'needs' : 'need'} a look; show the other ${folded}${are === undefined ? '' : `, ${are}`}`
  if (are !== undefined) return `${all} ${what}, ${are}`
  return all === 1 ? `1 ${what}, which needs no look` : `${all} ${what}, none needs a look`
}

function renderRows(head: readonly string[], rows: NonNullable<Section['tables']>[number]['rows']): string {
  return rows
    .map(({ mark, cells }) => {
      const [first = '', ...rest] = cells
      const data = rest.map((cell, at) => `<td data-label="${escaped(head[at + 1] ?? '')}">${escaped(cell, 300)}</td>`).join('')
      return `<tr${mark ? ` class="${mark}"` : ''}><th scope="row">${escaped(first)}</th>${data}</tr>`
    })
    .join('')
}
