import type { CatalogColumn, CatalogSequence, CatalogTable } from '../../../layers/core/schemas/catalog.ts'
import type { ColumnMapping, TableMapping } from '../../../layers/core/schemas/proposal.ts'

export function column(name: string, type = 'integer', more: Partial<CatalogColumn> = {}): CatalogColumn {
  return {
    name,
    type,
    nullable: true,
    default: null,
    generated: false,
    identity: false,
    collation: null,
    comment: null,
    type_definition: null,
    generation: null,
    identity_kind: null,
    ...more,
  }
}

/** A table whose every fact was read; `more` replaces facts. */
export function tableOf(columns: readonly CatalogColumn[], more: Partial<CatalogTable> = {}): CatalogTable {
  return {
    schema: 'public',
    name: 't',
    kind: 'table',
    comment: null,
    columns: [...columns],
    primary_key: null,
    primary_key_definition: null,
    unique_keys: [],
    foreign_keys: [],
    checks: [],
    exclusions: [],
    indexes: [],
    partitions: [],
    partition_key: null,
    partition_bounds: [],
    sequences: [],
    triggers: [],
    row_security: 'off',
    policies: [],
    estimated_rows: '0',
    bytes: '0',
    ...more,
  }
}

export function sequence(columnName: string, more: Partial<CatalogSequence> = {}): CatalogSequence {
  return {
    schema: 'public',
    name: `t_${columnName}_seq`,
    column: columnName,
    owned: true,
    type: 'integer',
    start: '1',
    increment: '1',
    min: '1',
    max: '2147483647',
    cycle: false,
    last_value: '10',
    reached: '10',
    ...more,
  }
}

export function index(shape: string, more: Partial<CatalogTable['indexes'][number]> = {}): CatalogTable['indexes'][number] {
  return {
    name: 'i',
    definition: `CREATE INDEX i ON public.t ${shape}`,
    unique: false,
    valid: true,
    method: 'btree',
    predicate: null,
    shape,
    constraint: false,
    ...more,
  }
}

export function foreignKey(more: Partial<CatalogTable['foreign_keys'][number]> = {}): CatalogTable['foreign_keys'][number] {
  return {
    name: 'f',
    columns: ['a'],
    references: { schema: 'public', name: 'parent', columns: ['id'] },
    validated: true,
    rules: '',
    ...more,
  }
}

export function mapped(target: string, type = 'integer', more: Partial<ColumnMapping> = {}): ColumnMapping {
  return {
    target,
    target_type: type,
    nullable: true,
    source: [target],
    source_types: [type],
    transform: { kind: 'identity' },
    rule: 'same-type',
    lossy: false,
    pii: false,
    ...more,
  }
}

export function mappingOf(columns: readonly ColumnMapping[], more: Partial<TableMapping> = {}): TableMapping {
  return {
    table_id: 't',
    source: { schema: 'public', name: 't', kind: 'table' },
    target: { schema: 'public', name: 't' },
    filter: null,
    columns: [...columns],
    key: null,
    order_key: null,
    foreign_keys: [],
    ...more,
  }
}
