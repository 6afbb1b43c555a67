/** How large the tables of a spec are, asked of the source's own catalog: what `waybill run --estimate` reckons from. Nothing is made, moved or kept. */
import { connectors } from '../layers/connectors/index.ts'
import { WaybillError } from '../layers/core/errors.ts'
import { scopeOf } from '../layers/core/flow/scope.ts'
import type { TableSize, Workload } from '../layers/core/scale/estimate.ts'
import type { CatalogTable } from '../layers/core/schemas/catalog.ts'
import type { MigrationSpec } from '../layers/core/schemas/spec.ts'
import { localSecrets } from '../layers/local/secrets.ts'
import { secretStores } from './local.ts'
import { policyOf } from './local-doctor.ts'
import { connectorOptions, using } from './work/connections.ts'

type Options = { home: string; env: Readonly<Record<string, string | undefined>>; spec: MigrationSpec; signal: AbortSignal }

/**
 * Connects to the source only, read-only and under the TLS that the spec demands, and reads its catalog; no row is read.
 * @throws SPEC_INVALID, NOT_FOUND, PERMISSION_DENIED, CONNECTION_FAILED
 */
export async function workloadOf({ home, env, spec, signal }: Options): Promise<Workload> {
  const { system_type, connection } = spec.source
  if (!connection) throw new WaybillError('SPEC_INVALID', 'The spec does not say where the source is: add source.connection.secret_ref.')
  const url = await localSecrets({ env, stores: secretStores(env) }).resolve(connection.secret_ref)
  const { statement_timeout_ms, parallelism, batch_size } = spec.execution_config
  const options = { ...connectorOptions({ policy: policyOf(home).policy }, spec, statement_timeout_ms, signal), side: 'source' as const }
  const scope = scopeOf(spec)
  const { tables } = await using(connectors.source(system_type, url, options), (opened) => opened.catalog(scope))
  const found = new Map(tables.map((table) => [JSON.stringify([table.schema, table.name]), table]))
  const sizes = scope.map(({ schema, name }, at): TableSize => {
    const table = found.get(JSON.stringify([schema, name]))
    const size = table === undefined ? { rows: null, bytes: null } : sizeOf(table)
    return { name: `${schema}.${name}`, ...size, keyed: spec.tables[at]?.key !== undefined || (table !== undefined && isKeyed(table)) }
  })
  return { tables: sizes, parallelism, rowsPerChunk: batch_size }
}

/** Bytes without rows: never analysed. Rows without bytes: the system does not tell sizes. Neither is a size. */
function sizeOf(table: CatalogTable): { rows: bigint | null; bytes: bigint | null } {
  const [rows, bytes] = [BigInt(table.estimated_rows), BigInt(table.bytes)]
  return { rows: rows === 0n && bytes > 0n ? null : rows, bytes: bytes === 0n && rows > 0n ? null : bytes }
}

function isKeyed(table: CatalogTable): boolean {
  return table.primary_key !== null || table.unique_keys.some((key) => !key.nullable)
}
