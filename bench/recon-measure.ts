/**
 * One process for each thing measured, so that its peak of memory is its own: runs what it is sent, once for each message, and answers with
 * milliseconds, what was found, and the highest resident memory it ever had.
 */
import pg from 'pg'
import { openReconciler } from '../layers/connectors/postgres/reconciler.ts'
import { mappingOf } from '../test/connectors/postgres/recon-fixture.ts'
import { rawCopy } from './recon-database.ts'
import { type PeerForm, peerComparison } from './recon-peer.ts'
import { type BenchTable, benchTables } from './recon-tables.ts'

export type Order = { table: string; scale: number; source: string; target: string } & (
  | { kind: 'count' | 'raw' }
  | { kind: 'proof'; connections: number }
  | { kind: 'peer'; form: PeerForm }
)
export type Answer = { milliseconds: number; found: string; peakMiB: number } | { failed: string }

async function run(order: Order): Promise<string> {
  const table = benchTables(order.scale).find((one) => one.name === order.table)!
  const sides = [order.source, order.target]
  if (order.kind === 'count') return (await Promise.all(sides.map((url) => count(url, table)))).join(' ')
  if (order.kind === 'peer') return `${await peerComparison(order.source, order.target, table, order.form)} differences`
  if (order.kind === 'proof') return proof(order.source, order.target, table, order.connections)
  await Promise.all(sides.map((url) => rawCopy(url, table.name)))
  return 'read'
}

async function count(url: string, table: BenchTable): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ count: string }>(`SELECT count(*) FROM public.${table.name}`)
  await client.end()
  return rows[0]!.count
}

async function proof(source: string, target: string, table: BenchTable, connections: number): Promise<string> {
  const signal = new AbortController().signal
  const end = (url: string) => ({ systemType: 'POSTGRESQL', url })
  const reconciler = await openReconciler(end(source), end(target), { connectTimeoutMs: 5000, statementTimeoutMs: 0, signal })
  let named = 0
  const [result] = await reconciler.reconcile(
    [
      {
        mapping: mappingOf(table.name, Object.fromEntries(table.columns.map(({ name, type }) => [name, type])), {
          table_id: table.name,
          key: table.key === null ? null : [table.key],
        }),
        recon: {
          table_id: table.name,
          encoding: 'native',
          mode: table.key === null ? 'bucketed' : 'ordered',
          segments: table.segments,
          tolerances: [],
        },
      },
    ],
    {
      hashingSpecSha256: '0'.repeat(64),
      connections,
      statementTimeoutMs: 0,
      method: 'stream',
      mask: (value) => value,
      onMismatch: () => {
        named++
      },
      onProgress: () => {},
      signal,
    },
  )
  await reconciler.close()
  if (result!.verdict === 'inconclusive') throw new Error(result!.reasons.join(' '))
  return result!.verdict === 'pass' ? 'equal' : `${named} named`
}

process.on('message', (order: Order) => {
  const from = performance.now()
  run(order).then(
    (found) =>
      process.send!({ milliseconds: performance.now() - from, found, peakMiB: process.resourceUsage().maxRSS / 1024 } satisfies Answer),
    (error: unknown) => process.send!({ failed: String(error) } satisfies Answer),
  )
})
