import { grouped } from './count-words.ts'

/** Names in one sentence; of many the first, and how many more there are. */
export function namesInShort(names: readonly string[], most = 5): string {
  const more = names.length - most
  return more > 0 ? `${names.slice(0, most).join(', ')} and ${grouped(more)} more` : names.join(', ')
}
