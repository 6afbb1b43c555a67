/**
 * Whether a column's name suggests personal data. Names are taken apart into words first (`firstName`, `first-name` and `FIRST_NAME` are
 * all `first_name`), so that `class_name` does not hold `ssn`; a fragment of several words is also found written in one.
 */
export function suspectedPii(column: string, fragments: readonly string[]): boolean {
  const spaced = words(column)
  const joined = spaced.replaceAll('_', '')
  return fragments.some((fragment) => {
    const wanted = words(fragment)
    if (wanted === '') return false
    return spaced.includes(wanted) || (wanted.includes('_') && joined.includes(wanted.replaceAll('_', '')))
  })
}

function words(text: string): string {
  return text
    .normalize('NFKC')
    .replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, '$1_$2')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '_')
    .replace(/^_+|_+$/g, '')
}
