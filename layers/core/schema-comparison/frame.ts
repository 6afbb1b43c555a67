import type { CatalogColumn, CatalogTable } from '../schemas/catalog.ts'
import type { QualifiedName } from '../schemas/common.ts'
import type { ColumnMapping, TableMapping } from '../schemas/proposal.ts'
import type { RenameSuggestion, SchemaDifference } from '../schemas/recon.ts'
import type { Names } from './normal-form.ts'
import { RULES, type Rule } from './severity.ts'

/** A null source is one that keeps no catalog (files). */
export type SchemaPair = { source: CatalogTable | null; target: CatalogTable }

export type SchemaComparisonOptions = {
  /** What the plan asked for. Without it the target is held against the source as it stands. */
  mapping?: TableMapping | undefined
  /** Target column → source column, where whoever compares says that they are one. */
  rename?: Readonly<Record<string, string>> | undefined
  /** Columns of either side that nothing is said about. */
  excludeColumns?: readonly string[] | undefined
  /** The target table that stands for a table of the source; by default the one of the same name, in the target table's own schema if both were in one. */
  targetOf?: ((table: QualifiedName) => QualifiedName) | undefined
}

export type ColumnPair = { source: CatalogColumn | null; target: CatalogColumn | null; planned: ColumnMapping | null }

/** Two tables laid side by side: which column is which. */
export type Frame = {
  source: CatalogTable | null
  target: CatalogTable
  mapping: TableMapping | null
  /** Every column of either side that is not excluded. */
  columns: readonly ColumnPair[]
  /** The target's name of a source column; null: the target has none for it. */
  targetColumn(source: string): string | null
  targetOf(table: QualifiedName): QualifiedName
  sourceNames: Names
  targetNames: Names
  /** `schema.table` or `schema.table.column` of the target. */
  at(column?: string): string
  excluded: ReadonlySet<string>
  /** Both sides are tables, which declare keys, defaults and the like; views and files do not. */
  declared: boolean
}

export function frameOf(pair: SchemaPair, options: SchemaComparisonOptions): Frame {
  const excluded = new Set(options.excludeColumns ?? [])
  const { target } = pair
  // What a file's reader reports as its schema is a way of reading, not a declaration.
  const source = pair.source?.kind === 'file' && options.mapping !== undefined ? null : pair.source
  const columns = options.mapping ? plannedColumns(source, target, options.mapping) : pairedColumns(source, target, options.rename ?? {})
  const known = columns.filter((column) => !excluded.has(column.source?.name ?? '') && !excluded.has(column.target?.name ?? ''))
  const names = new Map<string, string>()
  for (const { source: from, target: to, planned } of columns) {
    const name = to?.name ?? planned?.target
    if (from === null || name === undefined) continue
    // A column that feeds several is the one of its own name, otherwise the first.
    if (!names.has(from.name) || name === from.name) names.set(from.name, name)
  }
  const types = (table: CatalogTable | null) => new Map((table?.columns ?? []).map((column) => [column.name, column.type]))
  const own = options.mapping?.target ?? { schema: target.schema, name: target.name }
  return {
    source,
    target,
    mapping: options.mapping ?? null,
    columns: known,
    targetColumn: (name) => names.get(name) ?? null,
    targetOf: options.targetOf ?? ((table) => defaultTarget(table, source, target)),
    sourceNames: { types: types(source), renamed: names },
    targetNames: { types: types(target), renamed: new Map() },
    at: (column) => [own.schema, own.name, ...(column === undefined ? [] : [column])].join('.'),
    excluded,
    declared: source !== null && [source, target].every(({ kind }) => kind === 'table' || kind === 'partitioned'),
  }
}

function plannedColumns(source: CatalogTable | null, target: CatalogTable, mapping: TableMapping): ColumnPair[] {
  const from = new Map(source?.columns.map((column) => [column.name, column]))
  const to = new Map(target.columns.map((column) => [column.name, column]))
  const used = new Set(mapping.columns.flatMap((column) => column.source))
  const made = new Set(mapping.columns.map((column) => column.target))
  return [
    ...mapping.columns.map((planned) => ({
      source: planned.source.length === 1 ? (from.get(planned.source[0] ?? '') ?? null) : null,
      target: to.get(planned.target) ?? null,
      planned,
    })),
    ...[...from.values()].filter((column) => !used.has(column.name)).map((column) => ({ source: column, target: null, planned: null })),
    ...target.columns.filter((column) => !made.has(column.name)).map((column) => ({ source: null, target: column, planned: null })),
  ]
}

function pairedColumns(source: CatalogTable | null, target: CatalogTable, rename: Readonly<Record<string, string>>): ColumnPair[] {
  const from = new Map(source?.columns.map((column) => [column.name, column]))
  const pairs = target.columns.map((column): ColumnPair => {
    const name = Object.hasOwn(rename, column.name) ? (rename[column.name] ?? '') : column.name
    return { source: from.get(name) ?? null, target: column, planned: null }
  })
  const used = new Set(pairs.map((pair) => pair.source?.name))
  const left = [...from.values()].filter((column) => !used.has(column.name))
  return [...pairs, ...left.map((column): ColumnPair => ({ source: column, target: null, planned: null }))]
}

function defaultTarget(table: QualifiedName, source: CatalogTable | null, target: CatalogTable): QualifiedName {
  if (table.schema !== source?.schema) return table
  return { schema: target.schema, name: table.name === source.name ? target.name : table.name }
}

const LONGEST_TEXT = 2000

type Found = { kind: SchemaDifference['kind']; rule: Rule; where: string; source: string | null; target: string | null }

/** A difference with the severity of its rule. `rename` is a suggestion, never applied. */
export function difference(found: Found, more: { planned?: boolean; rename?: RenameSuggestion | undefined } = {}): SchemaDifference {
  const clip = (text: string, limit: number) => (text.length <= limit ? text : `${text.slice(0, limit - 1)}…`)
  return {
    kind: found.kind,
    where: clip(found.where, 512),
    source: found.source === null ? null : clip(found.source, LONGEST_TEXT),
    target: found.target === null ? null : clip(found.target, LONGEST_TEXT),
    severity: RULES[more.planned ? 'planned' : found.rule][0],
    planned: more.planned ?? false,
    ...(more.rename === undefined ? {} : { rename: more.rename }),
  }
}
