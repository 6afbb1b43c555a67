import type { CatalogTable } from '../../core/schemas/catalog.ts'
import type { TableMapping } from '../../core/schemas/proposal.ts'
import type { SchemaDifference } from '../../core/schemas/recon.ts'
import { readSqlType } from '../../core/sql-type.ts'

type Find = Omit<SchemaDifference, 'planned'> & { planned?: boolean }

/**
 * How the target's table differs from the source's and from the plan. `planned`: the plan asks for exactly this. A null source is one
 * that keeps no catalog (files).
 */
export function schemaDifferences(mapping: TableMapping, source: CatalogTable | null, target: CatalogTable): SchemaDifference[] {
  const found: Find[] = [
    ...targetColumns(mapping, source, target),
    ...unmappedColumns(mapping, source, target),
    ...keys(mapping, source, target),
    ...foreignKeys(mapping, target),
    ...(source === null ? [] : indexes(source, target)),
  ]
  return found.map((difference) => ({ ...difference, planned: difference.planned ?? false }))
}

/** `int4` and `integer` are one type; what is outside the closed list is compared as printed. */
const printed = (type: string) => readSqlType(type)?.text ?? type

function targetColumns(mapping: TableMapping, source: CatalogTable | null, target: CatalogTable): Find[] {
  return mapping.columns.flatMap((column): Find[] => {
    const where = `${mapping.target.schema}.${mapping.target.name}.${column.target}`
    const found = target.columns.find((candidate) => candidate.name === column.target)
    if (found === undefined) {
      return [{ kind: 'column_removed', where, source: column.source.join(', '), target: null, severity: 'CRITICAL' }]
    }
    const differences: Find[] = []
    if (printed(found.type) !== printed(column.target_type)) {
      differences.push({ kind: 'column_type', where, source: `planned ${column.target_type}`, target: found.type, severity: 'ERROR' })
    }
    if (found.nullable !== column.nullable) {
      const words = (nullable: boolean) => (nullable ? 'NULL allowed' : 'NOT NULL')
      differences.push({
        kind: 'nullability',
        where,
        source: `planned ${words(column.nullable)}`,
        target: words(found.nullable),
        severity: 'WARNING',
      })
    }
    const [only] = column.source
    const before = column.source.length === 1 ? source?.columns.find((candidate) => candidate.name === only) : undefined
    if (before === undefined) return differences
    if (printed(before.type) !== printed(column.target_type)) {
      differences.push({ kind: 'column_type', where, source: before.type, target: column.target_type, severity: 'INFO', planned: true })
    }
    if (before.name === column.target && before.default !== found.default) {
      differences.push({ kind: 'default', where, source: before.default, target: found.default, severity: 'INFO' })
    }
    if (before.identity !== found.identity) {
      differences.push({ kind: 'identity', where, source: String(before.identity), target: String(found.identity), severity: 'INFO' })
    }
    if (before.generated !== found.generated) {
      differences.push({ kind: 'generated', where, source: String(before.generated), target: String(found.generated), severity: 'INFO' })
    }
    if (before.comment !== found.comment) {
      differences.push({ kind: 'comment', where, source: before.comment, target: found.comment, severity: 'INFO' })
    }
    return differences
  })
}

function unmappedColumns(mapping: TableMapping, source: CatalogTable | null, target: CatalogTable): Find[] {
  const used = new Set(mapping.columns.flatMap((column) => column.source))
  const made = new Set(mapping.columns.map((column) => column.target))
  return [
    ...(source?.columns ?? [])
      .filter((column) => !used.has(column.name))
      .map(
        (column): Find => ({
          kind: 'column_removed',
          where: `${mapping.source.schema}.${mapping.source.name}.${column.name}`,
          source: column.type,
          target: null,
          severity: 'INFO',
          planned: true,
        }),
      ),
    ...target.columns
      .filter((column) => !made.has(column.name))
      .map(
        (column): Find => ({
          kind: 'column_added',
          where: `${mapping.target.schema}.${mapping.target.name}.${column.name}`,
          source: null,
          target: column.type,
          severity: 'WARNING',
        }),
      ),
  ]
}

function keys(mapping: TableMapping, source: CatalogTable | null, target: CatalogTable): Find[] {
  const where = `${mapping.target.schema}.${mapping.target.name}`
  const key = mapping.key
  const text = (columns: readonly string[] | null) => (columns === null ? null : columns.join(', '))
  const covers = (columns: readonly string[]) =>
    key !== null && columns.length === key.length && columns.every((name) => key.includes(name))
  if (key !== null) {
    if (target.primary_key !== null && covers(target.primary_key)) return []
    if (target.unique_keys.some((unique) => covers(unique.columns))) return []
    return [{ kind: 'constraint', where, source: `planned key (${text(key)})`, target: text(target.primary_key), severity: 'WARNING' }]
  }
  const before = source?.primary_key ?? null
  if (text(before) === text(target.primary_key)) return []
  return [
    {
      kind: 'constraint',
      where,
      source: text(before),
      target: text(target.primary_key),
      severity: target.primary_key === null ? 'INFO' : 'WARNING',
    },
  ]
}

function foreignKeys(mapping: TableMapping, target: CatalogTable): Find[] {
  return mapping.foreign_keys.flatMap((planned): Find[] => {
    if (planned.enforcement === 'none') return []
    const found = target.foreign_keys.find((key) => key.columns.join('\u0000') === planned.columns.join('\u0000'))
    const where = `${mapping.target.schema}.${mapping.target.name} (${planned.columns.join(', ')})`
    if (found === undefined) return [{ kind: 'constraint', where, source: 'planned foreign key', target: null, severity: 'WARNING' }]
    if (planned.enforcement === 'enforced' && !found.validated) {
      return [{ kind: 'constraint', where, source: 'planned foreign key, validated', target: 'not validated', severity: 'WARNING' }]
    }
    return []
  })
}

/** The plan makes keys, not other indexes; what the source has beyond them is worth knowing before a cutover. */
function indexes(source: CatalogTable, target: CatalogTable): Find[] {
  const shape = (definition: string) => definition.replace(/^.*? USING /, '')
  const present = new Set(target.indexes.map((index) => shape(index.definition)))
  return source.indexes
    .filter((index) => !present.has(shape(index.definition)))
    .map((index) => ({ kind: 'index', where: `${source.schema}.${source.name}`, source: index.definition, target: null, severity: 'INFO' }))
}
