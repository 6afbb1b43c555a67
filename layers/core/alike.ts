import { visible } from './approval-page/visible-text.ts'

/**
 * Of two values that look alike and are not: the code points in which each differs from the other, and where those begin, such as
 * `U+0061 U+0301 at character 12`. Null for values that look different, or are the same.
 */
export function apartInWords(source: string | null, target: string | null): [source: string, target: string] | null {
  if (source === null || target === null || source === target || looks(source) !== looks(target)) return null
  const [own, other] = [[...source], [...target]]
  const least = Math.min(own.length, other.length)
  let before = 0
  while (before < least && own[before] === other[before]) before++
  let after = 0
  while (after < least - before && own.at(-1 - after) === other.at(-1 - after)) after++
  const between = (points: readonly string[]) => codePoints(points.slice(before, points.length - after), before + 1)
  return [between(own), between(other)]
}

/** How a page and a terminal mark a character that hides; written out in a value, a mark looks the same. */
const MARK = /\[U\+0*([0-9A-F]+)\]|\\u\{0*([0-9A-F]+)\}/gi

/** The same for any two texts that a person takes for one another: composed otherwise, in other forms of a letter, or with other blanks. */
function looks(text: string): string {
  return visible(text.normalize('NFKC'), Number.POSITIVE_INFINITY)
    .replace(MARK, (_mark, page?: string, terminal?: string) => `[U+${(page ?? terminal ?? '').toUpperCase()}]`)
    .replace(/\s+/g, ' ')
    .trim()
}

const MOST = 8

/** `at`: counted from 1, in code points. */
function codePoints(differing: readonly string[], at: number): string {
  if (differing.length === 0) return `nothing at character ${at}`
  const named = differing.slice(0, MOST).map((character) => `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`)
  const more = differing.length - MOST
  return `${named.join(' ')}${more > 0 ? ` and ${more} more` : ''} at character ${at}`
}
