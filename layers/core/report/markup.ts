import { escaped, visibleName } from '../approval-page/visible-text.ts'

/** HTML that is already safe. Only `html` makes it, from literals of this program and from text it escapes. */
export class Markup {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

export type Content = Markup | string | number | bigint | null | false | readonly Content[]

/** Names and values may be longer than what fits a line, but not without end. */
const LONGEST = 2000

/** Every `${…}` is text from strangers: escaped, hidden characters made visible. Nested `html` is kept. */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(strings.reduce((text, part, index) => text + render(values[index - 1] ?? null) + part))
}

function render(value: Content): string {
  if (value === null || value === false) return ''
  if (value instanceof Markup) return value.text
  if (typeof value === 'object') return value.map(render).join('')
  return escaped(String(value), LONGEST)
}

/** Isolated from the text around it, so that a name with right-to-left letters cannot reorder a line. */
export function name(text: string): Markup {
  return html`<bdi class="name">${visibleName(text, LONGEST)}</bdi>`
}

export function bytesInWords(bytes: bigint): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB']
  let size = Number(bytes)
  let unit = 0
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000
    unit += 1
  }
  return `${unit === 0 ? String(size) : size.toFixed(size < 10 ? 2 : 1)} ${units[unit]}`
}

export function duration(milliseconds: number): string {
  if (milliseconds < 1000) return `${milliseconds} ms`
  const seconds = milliseconds / 1000
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

export function moment(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
