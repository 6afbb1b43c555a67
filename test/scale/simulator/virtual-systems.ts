import { profiled } from '../../../layers/connectors/postgres/profile.ts'
import type { Connectors } from '../../../layers/core/connector.ts'
import { sha256 } from '../../../layers/core/digest.ts'
import { segmentRoot } from '../../../layers/core/outcome/table-recomputation.ts'
import { ASSUMED_SCAN_BYTES_PER_SECOND, copySeconds, reconcileSeconds } from '../../../layers/core/scale/throughput.ts'
import type { Catalog, CatalogColumn, CatalogTable } from '../../../layers/core/schemas/catalog.ts'
import type { SystemIdentity } from '../../../layers/core/schemas/identity.ts'
import type { TableMapping, TableRecon } from '../../../layers/core/schemas/proposal.ts'
import type { TableResult } from '../../../layers/core/schemas/recon.ts'
import type { ChunkResult } from '../../../layers/core/schemas/work.ts'
import { unreadTable } from '../../../layers/core/unread-table.ts'
import { count } from './tally.ts'
import type { VirtualTime } from './virtual-time.ts'

/** Tables that nobody ever filled: the catalog says how large they are. */
export type VirtualTable = { name: string; rows: bigint; bytes: bigint }

const BLOCK = 8192n
const COLUMNS: readonly (readonly [name: string, type: string])[] = [
  ['id', 'bigint'],
  ['customer', 'bigint'],
  ['amount', 'numeric(18,4)'],
  ['currency', 'character(3)'],
  ['booked_at', 'timestamp with time zone'],
  ['kind', 'smallint'],
  ['reference', 'text'],
  ['note', 'text'],
]

const column = ([name, type]: readonly [string, string]): CatalogColumn => ({
  name,
  type,
  nullable: name === 'note',
  default: null,
  generated: false,
  identity: false,
  collation: null,
  comment: null,
})

const catalogTable = (table: VirtualTable): CatalogTable => ({
  schema: 'public',
  name: table.name,
  kind: 'table',
  comment: null,
  columns: COLUMNS.map(column),
  primary_key: ['id'],
  unique_keys: [],
  foreign_keys: [],
  checks: [],
  indexes: [],
  partitions: [],
  estimated_rows: String(table.rows),
  bytes: String(table.bytes),
})

const identityOf = (database: string): SystemIdentity => ({
  kind: 'postgresql',
  server: `${database}.example.com:5432`,
  system_identifier: '7500000000000000003',
  database_oid: '16387',
  database,
})

/** Milliseconds to open a connection, and for one question to the catalog and for each table it is about. Assumed. */
const OPEN_MS = 50
const QUESTION_MS = 20
const TABLE_MS = 0.5

/**
 * Two PostgreSQL systems of which only the catalog is there; reading and copying take the time that the measured speeds say, and
 * connections are counted by the side they lead to. Chunks are cut by blocks as the PostgreSQL connector does.
 */
export function virtualSystems(time: VirtualTime, tables: readonly VirtualTable[]): Connectors {
  const byName = new Map(tables.map((table) => [table.name, table]))
  const of = (mapping: Pick<TableMapping, 'source'>) => byName.get(mapping.source.name)!
  const done = new Map<string, ChunkResult>()
  const open = async <C>(connections: { source?: number; target?: number }, value: C): Promise<C> => {
    for (const [side, n] of Object.entries(connections)) count(`connections.${side}`, n)
    await time.pass(OPEN_MS)
    return value
  }
  const ask = async (about: number) => time.pass(QUESTION_MS + about * TABLE_MS)
  const move = async (seconds: number) => {
    count('data.ms', seconds * 1000)
    await time.pass(seconds * 1000)
  }
  const close = async () => undefined
  const connectors: Connectors = {
    source: (_type, url) => {
      const target = url.includes('target')
      return open(target ? { target: 1 } : { source: 1 }, {
        async identity() {
          await ask(0)
          return identityOf(target ? 'target' : 'legacy')
        },
        async definitions(scope) {
          await ask(scope.length)
          return scope.map(({ name }) => sha256(name))
        },
        async catalog(scope): Promise<Catalog> {
          await ask(scope.length)
          const wanted = target ? [] : scope.flatMap(({ name }) => byName.get(name) ?? [])
          return {
            system_type: 'POSTGRESQL',
            server_version: '18.0',
            database: target ? 'target' : 'legacy',
            tables: wanted.map(catalogTable),
          }
        },
        async profile(scope) {
          await ask(scope.length)
          const measured = profiled(
            scope.flatMap(({ name }) => byName.get(name) ?? []).map((table) => ({ ...table, bytes: String(table.bytes) })),
          )
          await move(measured.reduce((sum, { bytes }) => sum + Number(bytes), 0) / ASSUMED_SCAN_BYTES_PER_SECOND)
          return {
            tables: measured.map((table) => ({
              schema: 'public',
              name: table.name,
              rows: String(table.rows),
              duplicate_rows: '0',
              columns: COLUMNS.map(([name, type]) => ({
                name,
                type,
                nulls: '0',
                distinct: null,
                min: null,
                max: null,
                reason: 'not counted',
              })),
            })),
          }
        },
        async chunks(mapping, rowsPerChunk) {
          await ask(1)
          const { rows, bytes } = of(mapping)
          const blocks = bytes / BLOCK + 1n
          const wanted = (rows + BigInt(rowsPerChunk) - 1n) / BigInt(rowsPerChunk)
          const pieces = wanted < 1n ? 1n : wanted > blocks ? blocks : wanted
          return Array.from({ length: Number(pieces) }, (_, index) => {
            const at = BigInt(index)
            return { from: String((at * blocks) / pieces), to: at + 1n === pieces ? null : String(((at + 1n) * blocks) / pieces) }
          })
        },
        close,
      })
    },
    target: () =>
      // One connection writes, one reads for it.
      open(
        { source: 1, target: 1 },
        {
          prepare: async (_plan, mapped) => ask(mapped.length * 10),
          async copy(plan, mapping, chunk) {
            const known = done.get(`${plan} ${chunk.chunk_id}`)
            if (known !== undefined) return { ...known, already_done: true }
            const started = time.now().toISOString()
            const { rows, bytes } = of(mapping)
            const blocks = bytes / BLOCK + 1n
            const [from, to] = [BigInt(chunk.range.from), chunk.range.to === null ? blocks : BigInt(chunk.range.to)]
            const share = { rows: (rows * to) / blocks - (rows * from) / blocks, bytes: (bytes * to) / blocks - (bytes * from) / blocks }
            await move(copySeconds(share))
            const result: ChunkResult = {
              chunk_id: chunk.chunk_id,
              table_id: chunk.table_id,
              rows: String(share.rows),
              bytes: String(share.bytes),
              started_at: started,
              finished_at: time.now().toISOString(),
              already_done: false,
            }
            done.set(`${plan} ${chunk.chunk_id}`, result)
            return result
          },
          finish: async (_plan, mapped) => ask(mapped.length * 10),
          completed: async () => [],
          rollBack: async () => [],
          close,
        },
      ),
    reconciler: () => {
      return open(
        {},
        {
          async reconcile(work, { hashingSpecSha256, connections: wanted }) {
            await open({ source: wanted, target: wanted }, null)
            const results: TableResult[] = []
            for (const { mapping, recon } of work) {
              const started = time.now().toISOString()
              await move(reconcileSeconds({ ...of(mapping), keyed: mapping.key !== null }))
              results.push(equal(of(mapping), mapping, recon, hashingSpecSha256, started, time.now().toISOString()))
            }
            return results
          },
          close,
        },
      )
    },
    checker: () =>
      open(
        { source: 1, target: 1 },
        {
          async run(mapped, checks) {
            await ask(checks.length)
            // Both servers read their tables once more, at the same time.
            await move(mapped.reduce((sum, each) => sum + Number(of(each).bytes), 0) / ASSUMED_SCAN_BYTES_PER_SECOND)
            return {
              checks: checks.map(({ check_id, request }) => ({
                check_id,
                kind: request.kind,
                where: 'public',
                verdict: 'pass' as const,
                severity: request.severity,
                figures: { source: '30', target: '30' },
                explanation: 'Both hold the same.',
              })),
              distributions: [],
              ingestion: [],
            }
          },
          close,
        },
      ),
  }
  return connectors
}

const DIGEST = sha256('the same on both sides')

function equal(
  table: VirtualTable,
  mapping: TableMapping,
  recon: TableRecon,
  hashingSpecSha256: string,
  started: string,
  finished: string,
): TableResult {
  const count = BigInt(recon.segments)
  const segments = Array.from({ length: recon.segments }, (_, index) => {
    const [from, to] = [(table.rows * BigInt(index)) / count, (table.rows * BigInt(index + 1)) / count]
    const rows = String(to - from)
    return {
      index,
      range: `id from ${from} to before ${to}`,
      source_rows: rows,
      target_rows: rows,
      source_sha256: DIGEST,
      target_sha256: DIGEST,
    }
  })
  const root = segmentRoot(segments, 'source')
  return {
    ...unreadTable({ mapping, recon }, hashingSpecSha256),
    method: 'stream',
    columns: mapping.columns.map((each) => ({ name: each.target, type: each.target_type })),
    snapshot: { source: '1:1:', target: '2:2:' },
    source_rows: String(table.rows),
    target_rows: String(table.rows),
    segments_expected: recon.segments,
    segments,
    source_root: root,
    target_root: root,
    verdict: 'pass',
    reasons: [],
    started_at: started,
    finished_at: finished,
  }
}
