import type { ConnectorOptions } from '../../../layers/core/connector.ts'
import type { ColumnMapping, TableMapping } from '../../../layers/core/schemas/proposal.ts'
import type { Chunk } from '../../../layers/core/schemas/work.ts'

export const OPTIONS: ConnectorOptions = { connectTimeoutMs: 10_000, statementTimeoutMs: 60_000, signal: new AbortController().signal }

export const PLAN = 'a'.repeat(64)
export const OTHER_PLAN = 'b'.repeat(64)

export function column(target: string, type: string, more: Partial<ColumnMapping> = {}): ColumnMapping {
  return {
    target,
    target_type: type,
    nullable: true,
    source: [target],
    source_types: [type],
    transform: { kind: 'identity' },
    rule: 'identity',
    lossy: false,
    pii: false,
    ...more,
  }
}

export function table(tableId: string, columns: ColumnMapping[], more: Partial<TableMapping> = {}): TableMapping {
  return {
    table_id: tableId,
    source: { schema: 'public', name: tableId, kind: 'table' },
    target: { schema: 'moved', name: tableId },
    filter: null,
    columns,
    key: null,
    order_key: null,
    foreign_keys: [],
    ...more,
  }
}

export function chunksOf(mapping: TableMapping, ranges: Chunk['range'][]): Chunk[] {
  return ranges.map((range, index) => ({ chunk_id: `${mapping.table_id}-${index}`, step_id: 'copy', table_id: mapping.table_id, range }))
}
