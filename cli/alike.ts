import { visible } from './terminal.ts'

/** Both values as text; where they look alike and are not, each with the code points in which it differs, and where those begin. */
export function apart(source: string | null, target: string | null, shown: (text: string | null) => string): [string, string] {
  if (source === null || target === null || source === target || looks(source) !== looks(target)) return [shown(source), shown(target)]
  const [own, other] = [[...source], [...target]]
  const least = Math.min(own.length, other.length)
  let before = 0
  while (before < least && own[before] === other[before]) before++
  let after = 0
  while (after < least - before && own.at(-1 - after) === other.at(-1 - after)) after++
  const between = (points: readonly string[]) => codePoints(points.slice(before, points.length - after), before + 1)
  return [`${shown(source)} (${between(own)})`, `${shown(target)} (${between(other)})`]
}

/** The same for any two texts that a person takes for one another: composed otherwise, in other forms of a letter, or with other blanks. */
function looks(text: string): string {
  return visible(text.normalize('NFKC')).replace(/\s+/g, ' ').trim()
}

const MOST = 8

/** `U+0061 U+0301 at character 12`. `at`: counted from 1, in code points. */
function codePoints(differing: readonly string[], at: number): string {
  if (differing.length === 0) return `nothing at character ${at}`
  const named = differing.slice(0, MOST).map((character) => `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`)
  const more = differing.length - MOST
  return `${named.join(' ')}${more > 0 ? ` and ${more} more` : ''} at character ${at}`
}
