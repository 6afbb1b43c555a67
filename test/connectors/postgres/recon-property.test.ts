import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openReconciler } from '../../../layers/connectors/postgres/reconciler.ts'
import type { Mismatch, TableResult } from '../../../layers/core/schemas/recon.ts'
import { freshDatabase, runSql } from '../../support/postgres.ts'
import { bruteForce, linesOf, PLAIN_SESSION, plainRows } from './recon-brute-force.ts'
import { mappingOf, optionsOf, type Pair, reconOf } from './recon-fixture.ts'
import { type RandomTable, randomTable, tableSql } from './recon-random.ts'

/**
 * Random tables, changed at random, held against a comparator that knows nothing of the engine. Lanes of tables are compared at once, each
 * between databases of its own: most of the time goes into waiting for the servers. `WAYBILL_PROPERTY_RUNS` raises the number of runs of
 * LANES × TABLES_AT_ONCE tables, `WAYBILL_PROPERTY_SEED` repeats a run that failed.
 */
const LANES = 3
const TABLES_AT_ONCE = 60
const RUNS = Number(process.env.WAYBILL_PROPERTY_RUNS ?? 12)
const SEED = Number(process.env.WAYBILL_PROPERTY_SEED ?? Date.now() % 2 ** 31)

type Lane = { pair: Pair; clients: { source: pg.Client; target: pg.Client } }
const lanes: Lane[] = []

beforeAll(async () => {
  const connect = async (url: string) => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(PLAIN_SESSION)
    return client
  }
  for (let i = 0; i < LANES; i++) {
    const pair = { source: await freshDatabase(), target: await freshDatabase() }
    const types = `CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN posint AS integer CHECK (VALUE > 0)`
    await runSql(pair.source.url, types)
    // The same labels under other numbers: what a local OID is worth.
    await runSql(pair.target.url, `CREATE TYPE other AS ENUM ('x'); ${types}`)
    lanes.push({ pair, clients: { source: await connect(pair.source.url), target: await connect(pair.target.url) } })
  }
})
afterAll(async () => {
  for (const { pair, clients } of lanes) {
    await clients.source.end()
    await clients.target.end()
    await pair.source.drop()
    await pair.target.drop()
  }
})

const CLEAR = `DO $$ DECLARE r record; BEGIN
  FOR r IN SELECT c.oid::regclass AS name, CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END AS kind
    FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND NOT relispartition
      AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid) ORDER BY relkind IN ('r', 'p')
  LOOP EXECUTE format('DROP %s %s CASCADE', r.kind, r.name); END LOOP; END $$`

type Tested = { tables: number; differing: number; ordered: number; pushed: number }

async function compareAll({ pair, clients }: Lane, tables: readonly RandomTable[], bothWays: boolean, tested: Tested): Promise<void> {
  for (const side of ['source', 'target'] as const) {
    await clients[side].query(`SET search_path = public; ${CLEAR}; ${tables.map((table) => tableSql(table, side)).join('; ')}`)
  }
  const found = new Map<string, Mismatch[]>(tables.map((table) => [table.name, []]))
  const reconciler = await openReconciler(
    { systemType: 'POSTGRESQL', url: pair.source.url },
    { systemType: 'POSTGRESQL', url: pair.target.url },
    { connectTimeoutMs: 10_000, statementTimeoutMs: 60_000, signal: new AbortController().signal },
  )
  const work = tables.map((table) => {
    const columns = Object.fromEntries(
      table.columns.map((column) => [column.name, ['mood', 'posint', 'int4range'].includes(column.type) ? 'text' : column.type]),
    )
    const mapping = mappingOf(table.name, columns, { table_id: table.name, key: table.key.length === 0 ? null : [...table.key] })
    return { mapping, recon: reconOf(mapping, { segments: table.segments, mode: table.key.length === 0 ? 'bucketed' : table.mode }) }
  })
  const [first] = tables
  const method = first!.segments % 2 === 0 ? 'stream' : 'push-down'
  const results = await reconciler.reconcile(
    work,
    optionsOf({
      connections: 1 + (first!.segments % 3),
      method,
      aggregates: bothWays,
      onMismatch: (id, mismatch) => void found.get(id)!.push(mismatch),
    }),
  )
  const again = bothWays ? await reconciler.reconcile(work, optionsOf({ method: method === 'stream' ? 'push-down' : 'stream' })) : null
  await reconciler.close()
  for (const [i, table] of tables.entries()) {
    const result = results[i]!
    const [source, target] = [await plainRows(clients.source, table), await plainRows(clients.target, table)]
    const expected = bruteForce(table, source, target)
    const label = JSON.stringify({ table, reasons: result.reasons })
    expect(linesOf(table, found.get(table.name)!), label).toEqual(expected)
    expect(result.source_root === result.target_root, label).toBe(expected.length === 0)
    expect([result.source_rows, result.target_rows], label).toEqual([String(source.length), String(target.length)])
    const schemaFails = result.schema_differences.some(
      (difference) => !difference.planned && ['ERROR', 'CRITICAL'].includes(difference.severity),
    )
    expect(result.verdict, label).toBe(expected.length === 0 && !schemaFails ? 'pass' : 'fail')
    if (again !== null) {
      expect(factsOf(again[i]!), label).toEqual(factsOf(result))
      if (expected.length === 0) expect(new Set(result.aggregates.map((one) => one.verdict)), label).toEqual(new Set(['pass']))
    }
    tested.tables++
    if (expected.length > 0) tested.differing++
    if (result.mode === 'ordered') tested.ordered++
    if (result.mode === 'ordered' && (again !== null || method === 'push-down')) tested.pushed++
  }
}

/** What must not depend on the way. */
const factsOf = ({ source_root, target_root, segments, missing, extra, changed, verdict, mode }: TableResult) => ({
  source_root,
  target_root,
  segments,
  missing,
  extra,
  changed,
  verdict,
  mode,
})

it('agrees with brute force on random tables of random types, kinds, keys, collations, duplicates and changes', {
  timeout: 3_600_000,
}, async () => {
  const tested: Tested = { tables: 0, differing: 0, ordered: 0, pushed: 0 }
  const many = fc.array(randomTable, { minLength: TABLES_AT_ONCE, maxLength: TABLES_AT_ONCE })
  let run = 0
  const property = fc.asyncProperty(fc.tuple(...lanes.map(() => many)), async (batches) => {
    const bothWays = run++ % 6 === 0
    const ended = await Promise.allSettled(
      batches.map((tables, lane) =>
        compareAll(
          lanes[lane]!,
          tables.map((table, i) => ({ ...table, name: `t${i}` })),
          bothWays,
          tested,
        ),
      ),
    )
    for (const one of ended) if (one.status === 'rejected') throw one.reason
  })
  const outcome = await fc.check(property, { numRuns: RUNS, seed: SEED, endOnFailure: true })
  if (outcome.failed) throw new Error(`WAYBILL_PROPERTY_SEED=${SEED} repeats this.`, { cause: outcome.errorInstance })
  console.info(`seed ${SEED}: ${JSON.stringify(tested)}`)
  // A generator that draws only one kind of case proves little.
  expect(tested.tables).toBe(RUNS * LANES * TABLES_AT_ONCE)
  for (const share of [tested.differing, tested.ordered, tested.pushed]) expect(share).toBeGreaterThan(tested.tables / 20)
})
