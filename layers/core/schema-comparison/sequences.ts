import type { CatalogSequence, CatalogTable } from '../schemas/catalog.ts'
import type { SchemaDifference } from '../schemas/recon.ts'
import { type ColumnPair, difference, type Frame } from './frame.ts'
import { spelled } from './normal-form.ts'
import type { Rule } from './severity.ts'

/** Sequences of columns that both sides have: how they count, and whether what they hand out next is in the table already. */
export function sequenceDifferences(frame: Frame): SchemaDifference[] {
  return frame.columns.flatMap((pair) => {
    const column = pair.target
    if (column === null) return []
    const target = sequenceOf(frame.target, column.name)
    const source = pair.source === null || frame.source === null ? undefined : sequenceOf(frame.source, pair.source.name)
    return [...rules(frame, pair, source, target), ...position(frame.at(column.name), source, target)]
  })
}

/** The one a column owns, before one that only feeds it. */
function sequenceOf(table: CatalogTable, column: string): CatalogSequence | undefined {
  const all = (table.sequences ?? []).filter((sequence) => sequence.column === column)
  return all.find((sequence) => sequence.owned) ?? all[0]
}

function rules(
  frame: Frame,
  pair: ColumnPair,
  source: CatalogSequence | undefined,
  target: CatalogSequence | undefined,
): SchemaDifference[] {
  // That one side has no sequence at all is told by the column's default or identity.
  if (source === undefined || target === undefined) return []
  const sameType = pair.source !== null && pair.target !== null && spelled(pair.source.type) === spelled(pair.target.type)
  const words = (one: CatalogSequence) =>
    `${sameType ? `AS ${one.type} ` : ''}START ${one.start} INCREMENT ${one.increment}${sameType ? ` MINVALUE ${one.min} MAXVALUE ${one.max}` : ''}${one.cycle ? ' CYCLE' : ''}${one.owned ? '' : ', not owned by the column'}`
  if (words(source) === words(target)) return []
  const where = frame.at(target.column)
  return [difference({ kind: 'sequence', rule: 'sequence-rules', where, source: words(source), target: words(target) })]
}

function position(where: string, source: CatalogSequence | undefined, target: CatalogSequence | undefined): SchemaDifference[] {
  const [before, after] = [source !== undefined && isBehind(source), target !== undefined && isBehind(target)]
  const found = (rule: Rule) => [
    difference({ kind: 'sequence', rule, where, source: source ? stand(source) : null, target: target ? stand(target) : null }),
  ]
  if (after) return found(before ? 'sequence-behind-both' : 'sequence-behind')
  if (before) return found('sequence-behind-source')
  if (source?.last_value === undefined || target?.last_value === undefined || source.last_value === target.last_value) return []
  return found('sequence-position')
}

/** True when the next value is not beyond the furthest of the column. Unknown figures are no evidence that it is. */
export function isBehind(sequence: CatalogSequence): boolean {
  if (sequence.last_value === undefined || sequence.reached === undefined || sequence.reached === null) return false
  if (!/^-?\d+$/.test(sequence.reached)) return false
  const step = BigInt(sequence.increment)
  const next = sequence.last_value === null ? BigInt(sequence.start) : BigInt(sequence.last_value) + step
  const reached = BigInt(sequence.reached)
  return step > 0n ? next <= reached : next >= reached
}

function stand(sequence: CatalogSequence): string {
  const last = sequence.last_value === undefined ? 'last value not readable' : `last value ${sequence.last_value ?? 'none'}`
  return sequence.reached === undefined ? last : `${last}, the column reaches ${sequence.reached ?? 'no value'}`
}
