/** Sentences or phrases in one line, separated by semicolons; a full stop before one is dropped, and the last part keeps its own. What says nothing has no place in it. */
export function inOneLine(parts: readonly string[]): string {
  const said = parts.filter((part) => /[^.\s]/.test(part))
  return said.map((part, at) => (at === said.length - 1 ? part : part.replace(/[.\s]+$/, ''))).join('; ')
}
