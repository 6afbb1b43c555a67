import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openReconciler } from '../../../layers/connectors/postgres/reconciler.ts'
import type { Mismatch, TableResult } from '../../../layers/core/schemas/recon.ts'
import { freshDatabase, runSql } from '../../support/postgres.ts'
import { bruteForce, linesOf, PLAIN_SESSION, plainRows } from './recon-brute-force.ts'
import { mappingOf, optionsOf, type Pair, reconOf } from './recon-fixture.ts'
import { type RandomTable, randomTable, tableSql } from './recon-random.ts'

const TABLES_AT_ONCE = 40
const RUNS = Number(process.env.WAYBILL_PROPERTY_RUNS ?? 4)

let pair: Pair
let clients: { source: pg.Client; target: pg.Client }
beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
  const types = `CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN posint AS integer CHECK (VALUE > 0)`
  await runSql(pair.source.url, types)
  // The same labels under other numbers: what a local OID is worth.
  await runSql(pair.target.url, `CREATE TYPE other AS ENUM ('x'); ${types}`)
  const connect = async (url: string) => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(PLAIN_SESSION)
    return client
  }
  clients = { source: await connect(pair.source.url), target: await connect(pair.target.url) }
})
afterAll(async () => {
  await clients.source.end()
  await clients.target.end()
  await pair.source.drop()
  await pair.target.drop()
})

async function compareAll(tables: readonly RandomTable[]): Promise<void> {
  const drop = tables.map((table) => `DROP TABLE IF EXISTS public."${table.name}"`).join('; ')
  for (const side of ['source', 'target'] as const) {
    await clients[side].query(`${drop}; SET search_path = public; ${tables.map((table) => tableSql(table, side)).join('; ')}`)
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
  const results = await reconciler.reconcile(
    work,
    optionsOf({
      connections: 1 + (tables[0]!.segments % 3),
      aggregates: true,
      onMismatch: (id, mismatch) => void found.get(id)!.push(mismatch),
    }),
  )
  const pushed = await reconciler.reconcile(work, optionsOf({ method: 'push-down' }))
  await reconciler.close()
  for (const [i, table] of tables.entries()) {
    const result = results[i]!
    const [source, target] = [await plainRows(clients.source, table), await plainRows(clients.target, table)]
    const expected = bruteForce(table, source, target)
    const label = JSON.stringify({ table, reasons: result.reasons })
    expect(linesOf(table, found.get(table.name)!), label).toEqual(expected)
    expect(result.source_root === result.target_root, label).toBe(expected.length === 0)
    const shown = ({ source_root, target_root, segments, missing, extra, changed, verdict }: TableResult) => ({
      source_root,
      target_root,
      segments,
      missing,
      extra,
      changed,
      verdict,
    })
    expect(shown(pushed[i]!), label).toEqual(shown(result))
    expect(pushed[i]!.method, label).toBe(result.mode === 'ordered' ? 'push-down' : 'stream')
    if (expected.length === 0) expect(new Set(result.aggregates.map((one) => one.verdict)), label).toEqual(new Set(['pass']))
    expect([result.source_rows, result.target_rows], label).toEqual([String(source.length), String(target.length)])
    const schemaFails = result.schema_differences.some(
      (difference) => !difference.planned && ['ERROR', 'CRITICAL'].includes(difference.severity),
    )
    expect(result.verdict, label).toBe(expected.length === 0 && !schemaFails ? 'pass' : 'fail')
  }
}

it('agrees with brute force on random tables of random types, keys, duplicates and changes', { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(randomTable, { minLength: TABLES_AT_ONCE, maxLength: TABLES_AT_ONCE }), (tables) =>
      compareAll(tables.map((table, i) => ({ ...table, name: `t${i}` }))),
    ),
    { numRuns: RUNS, endOnFailure: true },
  )
})
