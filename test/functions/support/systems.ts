import type { ConnectorOptions, Connectors } from '../../../layers/core/connector.ts'
import { sha256 } from '../../../layers/core/digest.ts'
import { WaybillError } from '../../../layers/core/errors.ts'
import { segmentRoot } from '../../../layers/core/outcome/table-recomputation.ts'
import type { Catalog, CatalogColumn } from '../../../layers/core/schemas/catalog.ts'
import type { SystemIdentity } from '../../../layers/core/schemas/identity.ts'
import type { TableMapping, TableRecon } from '../../../layers/core/schemas/proposal.ts'
import type { Mismatch, TableResult } from '../../../layers/core/schemas/recon.ts'
import type { Chunk, ChunkResult } from '../../../layers/core/schemas/work.ts'

/**
 * Two small systems in memory that keep the connectors' contract: a source of one table with two chunks, and a target that remembers
 * checkpoints by plan and chunk. `touched` lists every call that could change the target: a refused worker must leave it empty.
 */
export type Systems = {
  connectors: Connectors
  touched: string[]
  opened: string[]
  /** Rows the target holds, by plan. */
  rows(planSha256: string): bigint
  /** What the next comparisons find: rows missing in the target, or no decision at all. Emptied one by one; then equal. */
  findings: ({ missing: number } | 'inconclusive')[]
  /** What every check of the next runs comes to. Emptied one by one; then pass. */
  checks: ('fail' | 'inconclusive')[]
  /** Which systems answer. */
  identities: Record<'source' | 'target', SystemIdentity>
}

const identityOf = (database: string): SystemIdentity => ({
  kind: 'postgresql',
  server: `${database}.example.com:5432`,
  system_identifier: '7500000000000000003',
  database_oid: '16387',
  database,
})

const column = (name: string, type: string, nullable: boolean): CatalogColumn => ({
  name,
  type,
  nullable,
  default: null,
  generated: false,
  identity: false,
  collation: null,
  comment: null,
})

/** `note` is wider than its target in the spec, so that a manual decision comes up. */
const SOURCE: Catalog = {
  system_type: 'POSTGRESQL',
  server_version: '18.0',
  database: 'legacy',
  tables: [
    {
      schema: 'public',
      name: 'items',
      kind: 'table',
      comment: null,
      columns: [column('id', 'integer', false), column('label', 'text', true), column('price', 'numeric(12,4)', true)],
      primary_key: ['id'],
      unique_keys: [],
      foreign_keys: [],
      checks: [],
      indexes: [],
      partitions: [],
      estimated_rows: '30',
      bytes: '4000',
    },
  ],
}

const CHUNK_ROWS = ['20', '10']
const AT = '2026-03-01T10:00:00.000Z'

export function systems(): Systems {
  const touched: string[] = []
  const opened: string[] = []
  const findings: Systems['findings'] = []
  const checkVerdicts: Systems['checks'] = []
  const identities = { source: identityOf('legacy'), target: identityOf('target') }
  const checkpoints = new Map<string, Map<string, ChunkResult>>()
  const of = (plan: string) => {
    const known = checkpoints.get(plan) ?? new Map<string, ChunkResult>()
    checkpoints.set(plan, known)
    return known
  }
  const open = <T>(what: string, options: ConnectorOptions, value: T): Promise<T> => {
    if (options.signal.aborted) return Promise.reject(new WaybillError('INTERRUPTED', 'stopped'))
    opened.push(what)
    return Promise.resolve(value)
  }
  const close = async () => {}
  return {
    touched,
    opened,
    findings,
    checks: checkVerdicts,
    identities,
    rows: (plan) => [...of(plan).values()].reduce((sum, chunk) => sum + BigInt(chunk.rows), 0n),
    connectors: {
      source: (_type, url, options) =>
        open(`source ${url}`, options, {
          identity: async () => identities[url.includes('source') ? 'source' : 'target'],
          catalog: async () => (url.includes('source') ? SOURCE : { ...SOURCE, database: 'target', tables: [] }),
          profile: async () => ({
            tables: [
              {
                schema: 'public',
                name: 'items',
                rows: '30',
                duplicate_rows: '0',
                columns: SOURCE.tables[0]!.columns.map(({ name, type }) => ({
                  name,
                  type,
                  nulls: '0',
                  distinct: '30',
                  min: '1',
                  max: '9',
                  reason: null,
                })),
              },
            ],
          }),
          chunks: async (): Promise<Chunk['range'][]> => [
            { from: '0', to: '20' },
            { from: '20', to: null },
          ],
          close,
        }),
      target: (_type, url, _source, options) =>
        open(`target ${url}`, options, {
          prepare: async () => void touched.push('prepare'),
          copy: async (plan, table, chunk, onProgress) => {
            touched.push(`copy ${chunk.chunk_id}`)
            const before = of(plan).get(chunk.chunk_id)
            if (before) return { ...before, already_done: true }
            const rows = CHUNK_ROWS[chunk.range.from === '0' ? 0 : 1]!
            onProgress(BigInt(rows))
            const result = {
              chunk_id: chunk.chunk_id,
              table_id: table.table_id,
              rows,
              bytes: '800',
              started_at: AT,
              finished_at: AT,
              already_done: false,
            }
            of(plan).set(chunk.chunk_id, result)
            return result
          },
          finish: async () => void touched.push('finish'),
          completed: async (plan) => [...of(plan).values()],
          rollBack: async (plan, tables) => {
            touched.push('rollBack')
            const rows = [...of(plan).values()].reduce((sum, chunk) => sum + BigInt(chunk.rows), 0n).toString()
            checkpoints.delete(plan)
            return tables.map((table) => ({ table_id: table.table_id, rows }))
          },
          close,
        }),
      reconciler: (_source, _target, options) =>
        open('reconciler', options, {
          reconcile: async (work, { hashingSpecSha256, onMismatch, mask }) =>
            work.map(({ mapping, recon }) => {
              const result = compared(mapping, recon, hashingSpecSha256, findings.shift(), mask)
              for (const mismatch of result.mismatches) onMismatch(mapping.table_id, mismatch)
              return result
            }),
          close,
        }),
      checker: (_source, _target, options) =>
        open('checker', options, {
          run: async (_mapping, checks) => {
            const verdict = checkVerdicts.shift() ?? 'pass'
            return {
              checks: checks.map(({ check_id, request }) => ({
                check_id,
                kind: request.kind,
                where: 'public.item',
                verdict,
                severity: request.severity,
                figures: { source: '30', target: '30' },
                explanation: verdict === 'pass' ? 'Both hold the same.' : 'They do not hold the same.',
              })),
              distributions: [],
              ingestion: [],
            }
          },
          close,
        }),
    },
  }
}

function compared(
  mapping: TableMapping,
  recon: TableRecon,
  hashingSpecSha256: string,
  finding: Systems['findings'][number] | undefined,
  mask: (value: string | null) => string | null,
): TableResult {
  const missing = typeof finding === 'object' ? finding.missing : 0
  const segments = [20, 10].map((rows, index) => ({
    index,
    range: `range ${index}`,
    source_rows: String(rows),
    target_rows: String(index === 0 ? rows - missing : rows),
    source_sha256: sha256(`${index}`),
    target_sha256: sha256(index === 0 && missing > 0 ? 'lost' : `${index}`),
  }))
  const shown = finding === 'inconclusive' ? segments.slice(0, 1) : segments
  const sum = (side: 'source_rows' | 'target_rows') => shown.reduce((total, each) => total + BigInt(each[side]), 0n).toString()
  const mismatches: Mismatch[] = Array.from({ length: missing }, (_, at) => ({
    kind: 'missing',
    segment: 0,
    key: [{ column: 'id', value: mask(String(at + 1)) }],
    columns: [],
    source_count: '1',
    target_count: '0',
  }))
  return {
    table_id: mapping.table_id,
    source_object: 'public.items',
    target_object: 'public.item',
    encoding: recon.encoding,
    mode: recon.mode,
    method: 'stream',
    hashing_spec_sha256: hashingSpecSha256,
    columns: mapping.columns.map((each) => ({ name: each.target, type: each.target_type })),
    snapshot: { source: '1:1:', target: '2:2:' },
    source_rows: sum('source_rows'),
    target_rows: sum('target_rows'),
    segments_expected: segments.length,
    segments: shown,
    source_root: segmentRoot(shown, 'source'),
    target_root: segmentRoot(shown, 'target'),
    missing: String(missing),
    extra: '0',
    changed: '0',
    mismatches,
    aggregates: [],
    ordering: null,
    schema_differences: [],
    severity: missing > 0 ? 'Critical' : null,
    verdict: finding === 'inconclusive' ? 'inconclusive' : missing > 0 ? 'fail' : 'pass',
    reasons: finding === 'inconclusive' ? ['the server went away in the middle'] : missing > 0 ? [`${missing} rows are missing`] : [],
    started_at: AT,
    finished_at: AT,
  }
}
