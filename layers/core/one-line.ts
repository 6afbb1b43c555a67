/** Sentences or phrases in one line, separated by semicolons; a full stop before one is dropped, and the last part keeps its own. */
export function inOneLine(parts: readonly string[]): string {
  return parts.map((part, at) => (at === parts.length - 1 ? part : part.replace(/[.\s]+$/, ''))).join('; ')
}
