/** Whether a column's name suggests personal data: it holds one of the policy's fragments, letters and digits only, in any case. */
export function suspectedPii(column: string, fragments: readonly string[]): boolean {
  const plain = letters(column)
  return fragments.some((fragment) => {
    const wanted = letters(fragment)
    return wanted !== '' && plain.includes(wanted)
  })
}

function letters(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '')
}
