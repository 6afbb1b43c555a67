import type { CatalogColumn, CatalogTable } from '../schemas/catalog.ts'
import type { RenameSuggestion } from '../schemas/recon.ts'
import type { Frame } from './frame.ts'
import { spelled } from './normal-form.ts'

/** Below this a suggestion would be a guess. */
const LEAST = 0.5
/** Above this many pairs of tables only those with equal columns are weighed. */
const MOST_PAIRS = 250_000

/** Columns that only one side has and that may be one. Each column is suggested once, with its likeliest partner. */
export function columnRenames(frame: Frame): RenameSuggestion[] {
  const lost = frame.columns.flatMap(({ source, target, planned }) =>
    source !== null && target === null && planned === null ? [source] : [],
  )
  const added = frame.columns.flatMap(({ source, target, planned }) =>
    target !== null && source === null && planned === null ? [target] : [],
  )
  const all = { source: frame.source?.columns ?? [], target: frame.target.columns }
  const weighed = lost.flatMap((source) =>
    added.flatMap((target) => {
      const samePlace = all.source.indexOf(source) === all.target.indexOf(target)
      const ofType = (list: readonly CatalogColumn[]) => list.filter((column) => spelled(column.type) === spelled(source.type)).length
      return columnRename(source, target, samePlace, ofType(lost) === 1 && ofType(added) === 1) ?? []
    }),
  )
  return likeliest(weighed)
}

function columnRename(source: CatalogColumn, target: CatalogColumn, samePlace: boolean, onlyOne: boolean): RenameSuggestion | null {
  const sameType = spelled(source.type) === spelled(target.type)
  const { share, words } = likeness(source.name, target.name)
  const pair = { source: source.name, target: target.name }
  if (!sameType) return share === 1 ? { ...pair, confidence: 0.6, reason: `${words}; the types differ` } : null
  if (share >= 0.95) return { ...pair, confidence: share === 1 ? 0.95 : 0.9, reason: `${words}; same type` }
  const place = samePlace ? ', same position' : ''
  if (share >= 0.6)
    return { ...pair, confidence: rounded(0.35 + 0.4 * share + (samePlace ? 0.1 : 0)), reason: `${words}, same type${place}` }
  if (!samePlace || !onlyOne) return null
  return { ...pair, confidence: LEAST, reason: 'the only columns of this type that one side lacks, same position; the names are unlike' }
}

/** Tables that only one side has and that may be one: by their columns first, by their names second. Names are `schema.table`. */
export function tableRenames(onlySource: readonly CatalogTable[], onlyTarget: readonly CatalogTable[]): RenameSuggestion[] {
  const signature = (table: CatalogTable) => new Set(table.columns.map((column) => JSON.stringify([column.name, spelled(column.type)])))
  const targets = onlyTarget.map((table) => ({ table, columns: signature(table) }))
  const crowded = onlySource.length * onlyTarget.length > MOST_PAIRS
  const key = (columns: Set<string>) => [...columns].sort().join()
  const bySignature = crowded ? Map.groupBy(targets, ({ columns }) => key(columns)) : null
  const weighed = onlySource.flatMap((source) => {
    const columns = signature(source)
    return (bySignature === null ? targets : (bySignature.get(key(columns)) ?? [])).flatMap((other) => {
      const common = [...columns].filter((column) => other.columns.has(column)).length
      const most = Math.max(columns.size, other.columns.size)
      const overlap = most === 0 ? 0 : common / most
      const { share, words } = likeness(source.name, other.table.name)
      const confidence = rounded(Math.min(0.95, 0.55 * overlap + 0.4 * share))
      if (overlap < 0.5 || confidence < LEAST) return []
      const schema = source.schema === other.table.schema ? '' : ', in another schema'
      return [
        {
          source: `${source.schema}.${source.name}`,
          target: `${other.table.schema}.${other.table.name}`,
          confidence,
          reason: `${common} of ${most} columns have the same name and type; ${words}${schema}`,
        },
      ]
    })
  })
  return likeliest(weighed)
}

function likeliest(weighed: RenameSuggestion[]): RenameSuggestion[] {
  const byConfidence = weighed.sort((a, b) => b.confidence - a.confidence || (a.source + a.target < b.source + b.target ? -1 : 1))
  const taken = { source: new Set<string>(), target: new Set<string>() }
  return byConfidence.filter(({ source, target }) => {
    if (taken.source.has(source) || taken.target.has(target)) return false
    taken.source.add(source)
    taken.target.add(target)
    return true
  })
}

const rounded = (value: number) => Math.round(value * 100) / 100
const folded = (name: string) => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')
const parts = (name: string) =>
  name
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1_$2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean)

/** How alike two names are, 0 to 1, and in words. */
export function likeness(a: string, b: string): { share: number; words: string } {
  if (a === b) return { share: 1, words: 'the names are equal' }
  if (a.toLowerCase() === b.toLowerCase()) return { share: 1, words: 'the names differ only in case' }
  if (folded(a) !== '' && folded(a) === folded(b)) return { share: 0.95, words: 'the names have the same letters' }
  const [left, right] = [parts(a), parts(b)]
  const [few, many] = left.length <= right.length ? [left, right] : [right, left]
  const contained = few.length > 0 && few.every((part) => many.includes(part))
  const distance = editDistance(folded(a), folded(b))
  const share = 1 - distance / Math.max(folded(a).length, folded(b).length, 1)
  if (contained && share < 0.75) return { share: 0.75, words: 'one name holds the words of the other' }
  return { share, words: share >= 0.6 ? 'the names are alike' : 'the names are unlike' }
}

/** Levenshtein. Names are at most a few dozen characters long; longer ones are cut. */
function editDistance(first: string, second: string): number {
  const [a, b] = [first.slice(0, 128), second.slice(0, 128)]
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      current.push(Math.min(change, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}
