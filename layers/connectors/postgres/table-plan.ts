import type { ComparisonScope } from '../../core/connector.ts'
import type { NativeForm } from '../../core/encoding/row-stream.ts'
import { WaybillError } from '../../core/errors.ts'
import type { ColumnMapping, TableMapping, TableRecon } from '../../core/schemas/proposal.ts'
import { fieldTypes } from './field-types.ts'
import type { RowColumn } from './row-column.ts'
import { canonicalColumn, type FieldType, nativeColumn } from './row-column.ts'
import { sampleSql } from './sample.ts'
import type { Session } from './session.ts'
import { quoteIdentifier, quoteQualified } from './sql.ts'
import type { TableFacts } from './table-facts.ts'
import type { TolerantColumn } from './tolerance-column.ts'
import { filterSql, selectExpression } from './transform.ts'

/** How one side of a table pair is read. */
export type SideQuery = {
  /** `"schema"."name"` */
  object: string
  /** A boolean expression, or null: all rows. */
  where: string | null
  /**
   * The key's plain columns in key order, as the index knows them; empty unless the mode is ordered. Written `w."name"`, because
   * ORDER BY with a bare name would mean a selected expression that happens to have that name.
   */
  keys: readonly string[]
}

export type TablePlan = {
  mapping: TableMapping
  recon: TableRecon
  encoding: 'native' | 'canonical'
  /** Where the source is not PostgreSQL and the encoding is native: the form in which it gives each column. */
  forms?: readonly NativeForm[]
  mode: 'ordered' | 'bucketed'
  /** Why the mode is not the proposed one; null when it is. */
  modeReason: string | null
  /** Key columns first, the others in the plan's order. */
  columns: readonly RowColumn[]
  /** Columns held to a tolerance: not in the row encoding, compared in a second pass. */
  tolerant: readonly TolerantColumn[]
  keyWidth: number
  source: SideQuery
  target: SideQuery
}

/** `SELECT …` of the row encoding of one side; `extra` is ANDed to the filter; `names` for the columns where another query needs them. */
export function rowsSql(plan: TablePlan, side: 'source' | 'target', extra: string | null = null, names: readonly string[] = []): string {
  const query = plan[side]
  const terms = [query.where, extra].filter((term) => term !== null)
  const where = terms.length === 0 ? '' : ` WHERE ${terms.map((term) => `(${term})`).join(' AND ')}`
  return `SELECT ${plan.columns.map((column, i) => (names[i] === undefined ? column[side] : `${column[side]} AS ${names[i]}`)).join(', ')} FROM ${query.object} AS w${where}`
}

export function sourceObject(mapping: TableMapping): string {
  return quoteQualified(mapping.source)
}

/** Key columns first; the rest as the plan lists them. */
export function encodingOrder(mapping: TableMapping): readonly ColumnMapping[] {
  const keys = (mapping.key ?? []).flatMap((name) => mapping.columns.filter((column) => column.target === name))
  return [...keys, ...mapping.columns.filter((column) => !keys.includes(column))]
}

/** Columns of the native encoding, by asking both servers what the expressions give. @throws NOT_REPRESENTABLE, NOT_FOUND, PERMISSION_DENIED */
export async function nativeColumns(mapping: TableMapping, source: Session, target: Session): Promise<RowColumn[]> {
  const order = encodingOrder(mapping)
  const types = await columnTypes(mapping, order, source, target)
  return order.map((column, i) => nativeColumn(column.target, types[i]!.source, types[i]!.target))
}

type TypedExpression = FieldType & { sql: string }

/** What each side selects for these columns of the mapping, and which type its server says that has. @throws NOT_FOUND, PERMISSION_DENIED */
export async function columnTypes(
  mapping: TableMapping,
  columns: readonly ColumnMapping[],
  source: Session,
  target: Session,
): Promise<{ source: TypedExpression; target: TypedExpression }[]> {
  const sql = (side: 'source' | 'target') => columns.map((column) => selectExpression(column, side))
  const [from, to] = [sql('source'), sql('target')]
  const sources = await fieldTypes(source, from, sourceObject(mapping), 'source')
  const targets = await fieldTypes(target, to, quoteQualified(mapping.target), 'target')
  return columns.map((_, i) => ({ source: { ...sources[i]!, sql: from[i]! }, target: { ...targets[i]!, sql: to[i]! } }))
}

/** Columns of the canonical encoding; only the target is PostgreSQL. */
export function canonicalColumns(mapping: TableMapping): RowColumn[] {
  return encodingOrder(mapping).map((column) => canonicalColumn(column, selectExpression(column, 'target')))
}

/**
 * Key order is used where both sides have an index that gives it and proves the key unique; everywhere else rows are compared by
 * hash buckets, which need neither. Never a matter of soundness: only of speed, and of how a segment reads in the report.
 */
export function planTable(input: {
  mapping: TableMapping
  recon: TableRecon
  scope: ComparisonScope | undefined
  encoding: 'native' | 'canonical'
  columns: readonly RowColumn[]
  forms?: readonly NativeForm[]
  tolerant: readonly TolerantColumn[]
  sourceFacts: TableFacts | null
  targetFacts: TableFacts
}): TablePlan {
  const { mapping, recon, scope, encoding, columns, forms, tolerant, sourceFacts, targetFacts } = input
  const keyWidth = mapping.key?.length ?? 0
  const obstacle = orderObstacle(mapping, columns.slice(0, keyWidth), sourceFacts, targetFacts)
  const ordered = recon.mode === 'ordered' && obstacle === null
  const sample = scope?.sample ?? null
  if (sample !== null && sourceFacts === null) {
    throw new WaybillError('NOT_REPRESENTABLE', 'A sample needs PostgreSQL on both sides: files are compared whole.')
  }
  const sampled = (side: 'source' | 'target') =>
    sample === null ? null : sampleSql(sample, keyWidth === 0 ? columns : columns.slice(0, keyWidth), side)
  const both = (terms: readonly (string | null)[]) => terms.filter((term) => term !== null).join(' AND ') || null
  const keyColumns = ordered ? encodingOrder(mapping).slice(0, keyWidth) : []
  return {
    mapping,
    recon,
    encoding,
    columns,
    ...(forms === undefined ? {} : { forms }),
    tolerant,
    keyWidth,
    mode: ordered ? 'ordered' : 'bucketed',
    modeReason: recon.mode === 'ordered' && obstacle !== null ? `Compared by hash buckets instead of key order: ${obstacle}.` : null,
    source: {
      object: sourceObject(mapping),
      where: both([mapping.filter === null ? null : filterSql(mapping.filter), sampled('source')]),
      keys: keyColumns.map((column) => `w.${quoteIdentifier(column.source[0]!)}`),
    },
    target: {
      object: quoteQualified(mapping.target),
      where: both([scope?.target_filter ? filterSql(scope.target_filter) : null, sampled('target')]),
      keys: keyColumns.map((column) => `w.${quoteIdentifier(column.target)}`),
    },
  }
}

function orderObstacle(
  mapping: TableMapping,
  keyColumns: readonly RowColumn[],
  sourceFacts: TableFacts | null,
  targetFacts: TableFacts,
): string | null {
  if (mapping.key === null) return 'the table has no key'
  if (sourceFacts === null) return 'the source is not PostgreSQL'
  const unordered = keyColumns.find((column) => !column.ordered)
  if (unordered !== undefined) return `key column ${JSON.stringify(unordered.name)} has a type without one order on both sides`
  const sourceNames = encodingOrder(mapping)
    .slice(0, keyColumns.length)
    .map((column) => (column.transform.kind === 'identity' && column.source.length === 1 ? column.source[0]! : null))
  if (sourceNames.includes(null)) return 'a key column is computed on the source'
  return (
    sideObstacle(sourceNames as string[], sourceFacts, 'source', keyColumns) ?? sideObstacle(mapping.key, targetFacts, 'target', keyColumns)
  )
}

function sideObstacle(key: readonly string[], facts: TableFacts, side: string, keyColumns: readonly RowColumn[]): string | null {
  if (facts.inherited) return `the ${side} table has child tables, over which no index is unique`
  if (!facts.uniqueKeys.some((unique) => unique.length === key.length && unique.every((name, i) => name === key[i]))) {
    return `the ${side} has no unique index on exactly the key, in its order`
  }
  for (const [i, name] of key.entries()) {
    const column = facts.columns.find((candidate) => candidate.name === name)
    if (column?.notNull !== true) return `key column ${JSON.stringify(name)} may be NULL on the ${side}`
    if (keyColumns[i]!.wire === 'utf8' && !column.byteOrder) return `the ${side} sorts ${JSON.stringify(name)} by a language, not by bytes`
  }
  return null
}
