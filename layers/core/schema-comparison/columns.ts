import { ruleFor } from '../coercion.ts'
import { typeCoercionRulebook } from '../rulebooks.ts'
import type { CatalogColumn } from '../schemas/catalog.ts'
import type { SchemaDifference } from '../schemas/recon.ts'
import { type ColumnPair, difference, type Frame } from './frame.ts'
import { normalDefault, normalForm, plainType, sequenceOfDefault, spelled } from './normal-form.ts'
import { columnRenames } from './renames.ts'
import type { Rule } from './severity.ts'

/** Columns of one side only, and what differs between the columns that both sides have. */
export function columnDifferences(frame: Frame): SchemaDifference[] {
  return [
    ...onOneSide(frame),
    ...frame.columns.flatMap((pair) => onBothSides(frame, pair)),
    ...defaultCollation(frame),
    ...columnOrder(frame),
  ]
}

function onOneSide(frame: Frame): SchemaDifference[] {
  const renames = columnRenames(frame)
  const source = frame.source
  return frame.columns.flatMap((pair): SchemaDifference[] => {
    if (pair.planned !== null && pair.target === null) {
      const from = pair.planned.source.join(', ')
      const rule = 'column-missing'
      return [difference({ kind: 'column_removed', rule, where: frame.at(pair.planned.target), source: from, target: null })]
    }
    if (pair.target === null && pair.source !== null && source !== null) {
      const where = `${source.schema}.${source.name}.${pair.source.name}`
      const rename = renames.find((one) => one.source === pair.source?.name)
      // A plan that leaves a column out was approved by people who saw it.
      const more = { planned: frame.mapping !== null, rename }
      return [difference({ kind: 'column_removed', rule: 'column-missing', where, source: pair.source.type, target: null }, more)]
    }
    if (pair.source === null && pair.target !== null && pair.planned === null) {
      const rule = frame.mapping === null ? 'column-extra' : 'column-unplanned'
      const rename = renames.find((one) => one.target === pair.target?.name)
      return [
        difference({ kind: 'column_added', rule, where: frame.at(pair.target.name), source: null, target: pair.target.type }, { rename }),
      ]
    }
    return []
  })
}

function onBothSides(frame: Frame, pair: ColumnPair): SchemaDifference[] {
  const { source, target, planned } = pair
  if (target === null) return []
  const where = frame.at(target.name)
  const found: SchemaDifference[] = []
  if (planned !== null) {
    if (spelled(target.type) !== spelled(planned.target_type)) {
      const words = `planned ${planned.target_type}`
      found.push(difference({ kind: 'column_type', rule: 'type-unplanned', where, source: words, target: target.type }))
    }
    // A primary key makes its columns NOT NULL.
    const nullable = planned.nullable && !(frame.mapping?.key?.includes(target.name) && frame.target.primary_key?.includes(target.name))
    if (target.nullable !== nullable) {
      const words = `planned ${nullWords(nullable)}`
      found.push(difference({ kind: 'nullability', rule: 'nullability', where, source: words, target: nullWords(target.nullable) }))
    }
  }
  if (source === null) return found
  if (source.name !== target.name) {
    const names = { source: source.name, target: target.name }
    found.push(difference({ kind: 'column_renamed', rule: 'planned', where, ...names }, { planned: true }))
  }
  found.push(...types(frame, where, source, target, planned !== null))
  const carried = planned === null || planned.transform.kind === 'identity' || planned.transform.kind === 'cast'
  if (planned === null && frame.declared && source.nullable !== target.nullable) {
    const words = { source: nullWords(source.nullable), target: nullWords(target.nullable) }
    found.push(difference({ kind: 'nullability', rule: 'nullability', where, ...words }))
  }
  if (carried && frame.declared) found.push(...values(frame, where, source, target))
  if (!ofFile(frame) && source.comment !== target.comment) {
    found.push(difference({ kind: 'comment', rule: 'comment', where, source: source.comment, target: target.comment }))
  }
  return found
}

const ofFile = (frame: Frame) => frame.source?.kind === 'file' || frame.target.kind === 'file'
const nullWords = (nullable: boolean) => (nullable ? 'NULL allowed' : 'NOT NULL')

function types(frame: Frame, where: string, source: CatalogColumn, target: CatalogColumn, planned: boolean): SchemaDifference[] {
  const [from, to] = [local(source.type, frame.source?.schema), local(target.type, frame.target.schema)]
  const words = (column: CatalogColumn) => (column.type_definition ? `${column.type} ${column.type_definition}` : column.type)
  const found: SchemaDifference[] = []
  if (from !== to) {
    const asked = planned && spelled(source.type) !== spelled(target.type)
    const shown = { source: source.type, target: target.type }
    const rule = ofFile(frame) ? 'type-of-file' : typeRule(source.type, target.type)
    found.push(difference({ kind: 'column_type', rule, where, ...shown }, { planned: asked }))
  } else if (source.type_definition !== undefined && target.type_definition !== undefined) {
    if (source.type_definition !== target.type_definition) {
      const rule = definitionRule(source.type_definition ?? '', target.type_definition ?? '')
      found.push(difference({ kind: 'column_type', rule, where, source: words(source), target: words(target) }))
    }
  }
  if (source.collation !== target.collation && !ofFile(frame)) {
    found.push(difference({ kind: 'collation', rule: 'collation', where, source: source.collation, target: target.collation }))
  }
  return found
}

/** A type of the table's own schema without that schema: `old.mood` and `new.mood` are one name, compared by what they hold. */
function local(type: string, schema: string | undefined): string {
  const printed = spelled(type)
  return schema !== undefined && printed.startsWith(`${schema}.`) ? printed.slice(schema.length + 1) : printed
}

function typeRule(source: string, target: string): Rule {
  const rule = ruleFor(typeCoercionRulebook, [source], target, 'cast')
  return rule === null || rule.lossy ? 'type-narrower' : 'type-wider'
}

/** An enum that still has every label holds every value; domains are judged by their base; of other definitions nobody knows. */
function definitionRule(source: string, target: string): Rule {
  const both = (form: RegExp) => form.test(source) && form.test(target)
  if (both(/^\('/)) {
    const labels = (text: string) => text.match(/'(?:[^']|'')*'/g) ?? []
    const kept = new Set(labels(target))
    return labels(source).every((label) => kept.has(label)) ? 'type-wider' : 'type-narrower'
  }
  if (!both(/^[^(]/)) return 'type-narrower'
  const base = (text: string) => text.replace(/ (?:NOT NULL|DEFAULT|CHECK)\b[\s\S]*$/, '')
  return base(source) === base(target) ? 'type-rules' : typeRule(base(source), base(target))
}

function values(frame: Frame, where: string, source: CatalogColumn, target: CatalogColumn): SchemaDifference[] {
  const found: SchemaDifference[] = []
  const identity = [identityWords(source), identityWords(target)] as const
  const fed = [sequenceOfDefault(source.default) !== null, sequenceOfDefault(target.default) !== null] as const
  // One way of numbering rows for another is one difference, not a lost default and a new identity.
  if ((fed[0] && target.identity && !source.identity) || (fed[1] && source.identity && !target.identity)) {
    const refuses = identity.includes('GENERATED ALWAYS AS IDENTITY')
    const rule = refuses ? 'identity' : 'identity-for-default'
    return [difference({ kind: 'identity', rule, where, source: identity[0] ?? source.default, target: identity[1] ?? target.default })]
  }
  if (identity[0] !== identity[1] && !(source.identity && target.identity && unknownIdentity(source, target))) {
    found.push(difference({ kind: 'identity', rule: 'identity', where, source: identity[0], target: identity[1] }))
  }
  const generated = [generation(source, frame, 'sourceNames'), generation(target, frame, 'targetNames')] as const
  const known = !(source.generated && target.generated && (source.generation === undefined || target.generation === undefined))
  if (source.generated !== target.generated || (known && generated[0].form !== generated[1].form)) {
    found.push(difference({ kind: 'generated', rule: 'generated', where, source: generated[0].words, target: generated[1].words }))
  }
  const owners = frame.source?.sequences !== undefined && frame.target.sequences !== undefined
  const defaults = [
    defaultForm(owners ? frame.source : null, source, frame.sourceNames),
    defaultForm(owners ? frame.target : null, target, frame.targetNames),
  ]
  if (defaults[0] !== defaults[1]) {
    found.push(difference({ kind: 'default', rule: 'default', where, source: source.default, target: target.default }))
  }
  return found
}

const unknownIdentity = (...columns: CatalogColumn[]) => columns.some((column) => column.identity_kind === undefined)

function identityWords(column: CatalogColumn): string | null {
  if (!column.identity) return null
  if (column.identity_kind === 'always') return 'GENERATED ALWAYS AS IDENTITY'
  return column.identity_kind === 'by-default' ? 'GENERATED BY DEFAULT AS IDENTITY' : 'identity'
}

function generation(
  column: CatalogColumn,
  frame: Frame,
  side: 'sourceNames' | 'targetNames',
): { form: string | null; words: string | null } {
  if (!column.generated) return { form: null, words: null }
  if (!column.generation) return { form: null, words: 'generated' }
  const storage = column.generation.stored ? 'STORED' : 'VIRTUAL'
  const form = `${normalForm(column.generation.expression, frame[side])} ${storage}`
  return { form, words: `GENERATED ALWAYS AS (${column.generation.expression}) ${storage}` }
}

/** A sequence that belongs to the column is the column's own, whatever its name. A null table: nobody knows whose sequence it is. */
function defaultForm(table: Frame['source'], column: CatalogColumn, names: Frame['sourceNames']): string | null {
  const sequence = sequenceOfDefault(column.default)
  if (sequence === null) return normalDefault(column.default, column.type, names)
  if (table === null) return 'nextval'
  const owned = table.sequences?.some((one) => one.column === column.name && one.name === sequence && one.owned)
  return owned ? 'nextval' : `nextval ${sequence}`
}

const COLLATED = /^(?:text|character|character varying|name|citext)(?:\[\])?$/

/** Told once for a table, if any column of both sides goes by it. */
function defaultCollation(frame: Frame): SchemaDifference[] {
  const [before, after] = [frame.source?.default_collation, frame.target.default_collation]
  if (before === undefined || after === undefined || before === after) return []
  const goesByIt = ({ source, target }: ColumnPair) =>
    source !== null && target !== null && [source, target].every((one) => one.collation === null && COLLATED.test(plainType(one.type)))
  if (!frame.columns.some(goesByIt)) return []
  const words = { source: `database default ${before}`, target: `database default ${after}` }
  return [difference({ kind: 'collation', rule: 'collation', where: frame.at(), ...words })]
}

function columnOrder(frame: Frame): SchemaDifference[] {
  const expected = frame.mapping
    ? frame.mapping.columns.map((column) => column.target)
    : (frame.source?.columns ?? []).flatMap((column) => frame.targetColumn(column.name) ?? [])
  const found = frame.target.columns.map((column) => column.name)
  const kept = (name: string, other: readonly string[]) => other.includes(name) && !frame.excluded.has(name)
  const [before, after] = [expected.filter((name) => kept(name, found)), found.filter((name) => kept(name, expected))]
  if (before.join('\u0000') === after.join('\u0000')) return []
  const words = { source: before.join(', '), target: after.join(', ') }
  return [difference({ kind: 'column_order', rule: 'column-order', where: frame.at(), ...words })]
}
