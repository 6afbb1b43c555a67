import type { CatalogTable } from '../schemas/catalog.ts'
import type { SchemaDifference } from '../schemas/recon.ts'
import { type Fact, factDifferences } from './facts.ts'
import { difference, type Frame } from './frame.ts'
import { type Names, namesIn, normalForm } from './normal-form.ts'

/** Kind of table, indexes, partitions, triggers, row policies and the table's comment. */
export function objectDifferences(frame: Frame): SchemaDifference[] {
  const { source, target } = frame
  if (source === null || source.kind === 'file' || target.kind === 'file') return []
  return [
    ...tableKind(frame, source),
    ...(frame.declared ? declarations(frame, source) : []),
    ...(source.comment === target.comment
      ? []
      : [difference({ kind: 'comment', rule: 'comment', where: frame.at(), source: source.comment, target: target.comment })]),
  ]
}

function declarations(frame: Frame, source: CatalogTable): SchemaDifference[] {
  return [
    ...indexes(frame, source),
    ...partitions(frame, source),
    ...named(frame, 'trigger', source.triggers, frame.target.triggers),
    ...policies(frame, source),
  ]
}

/** That a table is divided into partitions is told by its partition key; rows of tables that inherit are read with it. */
function tableKind(frame: Frame, source: CatalogTable): SchemaDifference[] {
  const plain = (kind: CatalogTable['kind']) => (kind === 'partitioned' ? 'table' : kind)
  const heirs = ({ inherited_by: names = [] }: CatalogTable) => (names.length === 0 ? '' : `, with the rows of ${names.join(', ')}`)
  const said = (table: CatalogTable) => `${table.kind}${heirs(table)}`
  if (plain(source.kind) === plain(frame.target.kind) && heirs(source) === heirs(frame.target)) return []
  return [difference({ kind: 'table_kind', rule: 'table-kind', where: frame.at(), source: said(source), target: said(frame.target) })]
}

function fact(frame: Frame, names: Names, definition: string, more: { about?: string[]; shown?: string; form?: string } = {}): Fact[] {
  const used = [...namesIn(definition)].filter((name) => names.types.has(name))
  if (used.some((name) => frame.excluded.has(name))) return []
  const leftOut = names === frame.sourceNames && used.some((name) => frame.targetColumn(name) === null)
  const form = more.form ?? normalForm(definition, names)
  return [{ form, about: more.about ?? [form], shown: more.shown ?? definition, leftOut }]
}

function indexFacts(frame: Frame, table: CatalogTable, names: Names): (Fact & { unique: boolean })[] {
  return table.indexes
    .filter((index) => index.constraint !== true)
    .flatMap((index) => {
      const shape = index.shape ?? index.definition.replace(/^.*? USING /, 'USING ')
      const form = JSON.stringify([normalForm(shape, names), index.unique, index.valid])
      const shown = `${index.unique ? 'UNIQUE ' : ''}INDEX ${shape}${index.valid ? '' : ' (invalid)'}`
      const used = [...namesIn(shape)].filter((name) => names.types.has(name)).map((name) => names.renamed.get(name) ?? name)
      return fact(frame, names, shape, { form, shown, about: [JSON.stringify(used.sort())] }).map((one) => ({
        ...one,
        unique: index.unique,
      }))
    })
}

function indexes(frame: Frame, source: CatalogTable): SchemaDifference[] {
  const [before, after] = [indexFacts(frame, source, frame.sourceNames), indexFacts(frame, frame.target, frame.targetNames)]
  const unique = new Set([...before, ...after].filter((one) => one.unique).map((one) => one.form))
  return factDifferences(before, after).map(({ source: lost, target: added }) => {
    const isUnique = [lost, added].some((one) => one !== null && unique.has(one.form))
    const rule = isUnique ? 'index-unique' : lost === null ? 'index-extra' : 'index-missing'
    const planned = frame.mapping !== null && added === null && (lost?.leftOut ?? false)
    const shown = { source: lost?.shown ?? null, target: added?.shown ?? null }
    return difference({ kind: 'index', rule, where: frame.at(), ...shown }, { planned })
  })
}

function partitions(frame: Frame, source: CatalogTable): SchemaDifference[] {
  const { target } = frame
  if (source.partition_key === undefined || target.partition_key === undefined) return []
  const form = (key: string | null, names: Names) => (key === null ? null : normalForm(key, names))
  if (form(source.partition_key, frame.sourceNames) !== form(target.partition_key, frame.targetNames)) {
    const words = (key: string | null) => (key === null ? null : `PARTITION BY ${key}`)
    const shown = { source: words(source.partition_key), target: words(target.partition_key) }
    return [difference({ kind: 'partition', rule: 'partition-key', where: frame.at(), ...shown })]
  }
  const bounds = (table: CatalogTable, names: Names) => (table.partition_bounds ?? []).flatMap((one) => fact(frame, names, one.definition))
  return factDifferences(bounds(source, frame.sourceNames), bounds(target, frame.targetNames)).map(({ source: lost, target: added }) => {
    const rule = lost === null ? 'partition-extra' : 'partition-missing'
    return difference({ kind: 'partition', rule, where: frame.at(), source: lost?.shown ?? null, target: added?.shown ?? null })
  })
}

type Named = readonly { name: string; definition: string }[] | undefined

/** A trigger's definition without its state. */
const body = (definition: string) => definition.replace(/(?: DISABLED| ON REPLICA ONLY| ALWAYS)$/, '')

/** Compared by what they do; of two that do different things under one name, one is the other changed. */
function named(frame: Frame, kind: 'trigger' | 'policy', source: Named, target: Named): SchemaDifference[] {
  if (source === undefined || target === undefined) return []
  const facts = (list: NonNullable<Named>, names: Names) =>
    list.flatMap((one) =>
      fact(frame, names, one.definition, { about: [`name ${one.name}`, body(one.definition)], shown: `${one.name}: ${one.definition}` }),
    )
  return factDifferences(facts(source, frame.sourceNames), facts(target, frame.targetNames)).map(({ source: lost, target: added }) =>
    difference({ kind, rule: kind, where: frame.at(), source: lost?.shown ?? null, target: added?.shown ?? null }),
  )
}

function policies(frame: Frame, source: CatalogTable): SchemaDifference[] {
  const [before, after] = [source.row_security, frame.target.row_security]
  const switched =
    before === undefined || after === undefined || before === after
      ? []
      : [
          difference({
            kind: 'policy',
            rule: 'policy',
            where: frame.at(),
            source: `row security ${before}`,
            target: `row security ${after}`,
          }),
        ]
  return [...switched, ...named(frame, 'policy', source.policies, frame.target.policies)]
}
