import { apartInWords } from '../layers/core/alike.ts'

/** Both values as text; where they look alike and are not, each with the code points in which it differs, and where those begin. */
export function apart(source: string | null, target: string | null, shown: (text: string | null) => string): [string, string] {
  const told = apartInWords(source, target)
  if (told === null) return [shown(source), shown(target)]
  return [`${shown(source)} (${told[0]})`, `${shown(target)} (${told[1]})`]
}
