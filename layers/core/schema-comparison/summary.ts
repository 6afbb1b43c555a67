import { visible } from '../approval-page/visible-text.ts'
import type { FindingSeverity } from '../schemas/common.ts'
import type { SchemaDifference } from '../schemas/recon.ts'

const ORDER: readonly FindingSeverity[] = ['CRITICAL', 'ERROR', 'WARNING', 'INFO']
const WORDS: Readonly<Record<FindingSeverity, string>> = { CRITICAL: 'critical', ERROR: 'error', WARNING: 'warning', INFO: 'remark' }

const NOUNS: Readonly<Record<SchemaDifference['kind'], string>> = {
  column_added: 'column',
  column_removed: 'column',
  column_renamed: 'name',
  column_order: 'order of columns',
  column_type: 'type',
  collation: 'collation',
  nullability: 'nullability',
  default: 'default',
  constraint: 'constraint',
  index: 'index',
  partition: 'partitions',
  comment: 'comment',
  sequence: 'sequence',
  identity: 'identity',
  generated: 'generated value',
  table_kind: 'kind of table',
  trigger: 'trigger',
  policy: 'row policy',
}

/**
 * The differences in sentences for people, the gravest first, after one that counts them. Names and texts of a database are shown with
 * every control and reordering character as its code point; whoever prints HTML still escapes.
 */
export function schemaSummary(differences: readonly SchemaDifference[]): string[] {
  if (differences.length === 0) return ['The schemas say the same.']
  const counts = ORDER.flatMap((severity) => {
    const count = differences.filter((difference) => !difference.planned && difference.severity === severity).length
    return count === 0 ? [] : [`${count} ${WORDS[severity]}${count === 1 ? '' : 's'}`.replace('criticals', 'critical')]
  })
  const planned = differences.filter((difference) => difference.planned).length
  const parts = [...counts, ...(planned === 0 ? [] : [`${planned} planned`])]
  const head = `The schemas differ in ${differences.length} ${differences.length === 1 ? 'point' : 'points'}: ${parts.join(', ')}.`
  const sorted = differences.toSorted(
    (a, b) => Number(a.planned) - Number(b.planned) || ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity),
  )
  return [head, ...sorted.map(sentence)]
}

/** One difference as a sentence. */
export function sentence(difference: SchemaDifference): string {
  const where = visible(difference.where, 300)
  const [source, target] = [difference.source, difference.target].map((text) => (text === null ? null : visible(text, 300)))
  const asked = difference.planned ? ' This was asked for.' : ''
  const { rename } = difference
  const perhaps =
    rename === undefined
      ? ''
      : ` Perhaps ${visible(rename.source)} was renamed to ${visible(rename.target)} (${Math.round(rename.confidence * 100)} %: ${visible(rename.reason, 300)}).`
  if (difference.kind === 'column_removed')
    return `Only the source has the column ${where}${source ? ` (${source})` : ''}.${asked}${perhaps}`
  if (difference.kind === 'column_added') return `Only the target has the column ${where}${target ? ` (${target})` : ''}.${asked}${perhaps}`
  const noun = NOUNS[difference.kind]
  if (source === null) return `${where}: only the target has this ${noun}: ${target}.${asked}`
  if (target === null) return `${where}: only the source has this ${noun}: ${source}.${asked}`
  return `${where}: the ${noun} is ${source} in the source and ${target} in the target.${asked}`
}
