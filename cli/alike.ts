import { visible } from './terminal.ts'

/** Both values as text; where they look alike and are not, each with the code points of what is not ASCII. */
export function apart(source: string | null, target: string | null, shown: (text: string | null) => string): [string, string] {
  const alike = source !== null && target !== null && source !== target && source.normalize('NFKC') === target.normalize('NFKC')
  if (!alike) return [shown(source), shown(target)]
  return [`${shown(source)} (${codePoints(source)})`, `${shown(target)} (${codePoints(target)})`]
}

const MOST = 8

function codePoints(text: string): string {
  const points = [...text].filter((character) => character.codePointAt(0)! > 0x7f)
  const named = points.slice(0, MOST).map((character) => `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`)
  return visible(points.length === 0 ? 'ASCII only' : `${named.join(' ')}${points.length > MOST ? ' …' : ''}`)
}
