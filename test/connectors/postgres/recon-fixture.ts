import { openReconciler } from '../../../layers/connectors/postgres/reconciler.ts'
import type { ReconcileOptions } from '../../../layers/core/connector.ts'
import { type ColumnMapping, type TableMapping, type TableRecon, tableMapping } from '../../../layers/core/schemas/proposal.ts'
import { type Mismatch, type TableResult, tableResult } from '../../../layers/core/schemas/recon.ts'
import type { FreshDatabase } from '../../support/postgres.ts'
import { withClient } from '../../support/postgres.ts'

export type Pair = { source: FreshDatabase; target: FreshDatabase }

export const identity = (name: string, type: string, more: Partial<ColumnMapping> = {}): ColumnMapping => ({
  target: name,
  target_type: type,
  nullable: true,
  source: [name],
  source_types: [type],
  transform: { kind: 'identity' },
  rule: 'identity',
  lossy: false,
  pii: false,
  ...more,
})

/** `columns` as `{ name: type }` or full mappings; same table name on both sides, schema public. */
export function mappingOf(
  name: string,
  columns: Record<string, string> | readonly ColumnMapping[],
  more: Partial<TableMapping> = {},
): TableMapping {
  return tableMapping.parse({
    table_id: 'tested',
    source: { schema: 'public', name, kind: 'table' },
    target: { schema: 'public', name },
    filter: null,
    columns: Array.isArray(columns) ? columns : Object.entries(columns).map(([column, type]) => identity(column, type as string)),
    key: null,
    order_key: null,
    foreign_keys: [],
    ...more,
  })
}

export const reconOf = (mapping: TableMapping, more: Partial<TableRecon> = {}): TableRecon => ({
  table_id: mapping.table_id,
  encoding: 'native',
  mode: mapping.key === null ? 'bucketed' : 'ordered',
  segments: 4,
  tolerances: [],
  ...more,
})

export function optionsOf(more: Partial<ReconcileOptions> = {}): ReconcileOptions {
  return {
    hashingSpecSha256: '0'.repeat(64),
    connections: 1,
    statementTimeoutMs: 60_000,
    mask: (value) => value,
    onMismatch: () => {},
    onProgress: () => {},
    signal: new AbortController().signal,
    ...more,
  }
}

/** One comparison on connections of its own; the result has passed its schema. */
export async function reconcile(
  pair: { source: { url: string }; target: { url: string } },
  mapping: TableMapping,
  recon: Partial<TableRecon> = {},
  options: Partial<ReconcileOptions> = {},
): Promise<{ result: TableResult; mismatches: Mismatch[] }> {
  const mismatches: Mismatch[] = []
  const reconciler = await openReconciler(
    { systemType: 'POSTGRESQL', url: pair.source.url },
    { systemType: 'POSTGRESQL', url: pair.target.url },
    { connectTimeoutMs: 10_000, statementTimeoutMs: 60_000, signal: new AbortController().signal },
  )
  try {
    const [result] = await reconciler.reconcile(
      [{ mapping, recon: reconOf(mapping, recon) }],
      optionsOf({ onMismatch: (_, mismatch) => void mismatches.push(mismatch), ...options }),
    )
    return { result: tableResult.parse(result), mismatches }
  } finally {
    await reconciler.close()
  }
}

/** Both databases with the same statements run, then more on either. */
export async function load(pair: Pair, both: string, source = '', target = ''): Promise<void> {
  await withClient(pair.source.url, (client) => client.query(`${both}; ${source}`))
  await withClient(pair.target.url, (client) => client.query(`${both}; ${target}`))
}
