import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshDatabase, withClient } from '../../support/postgres.ts'
import { load, mappingOf, type Pair, reconcile } from './recon-fixture.ts'

/** An index that does not list every row of its table, as a crash, a torn page or a changed sort order leaves one behind. */
let pair: Pair
beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
})
afterAll(async () => {
  await pair.source.drop()
  await pair.target.drop()
})

/** Runs `change` while the server keeps no entries for `index`, then lets it be used again. */
async function unlisted(url: string, index: string, change: string): Promise<void> {
  await withClient(url, async (client) => {
    const mark = (used: boolean) =>
      client.query(`UPDATE pg_index SET indisready = ${used}, indisvalid = ${used} WHERE indexrelid = 'public.${index}'::regclass`)
    await mark(false)
    await client.query(change)
    await mark(true)
  })
}

const mapping = (name: string, more = {}) => mappingOf(name, { id: 'integer', kind: 'text' }, { key: ['id'], ...more })

describe('a row in the table that its unique index does not list', () => {
  const make = async (name: string, side: 'source' | 'target', change: string) => {
    await load(
      pair,
      `CREATE TABLE ${name} (id int PRIMARY KEY, kind text); INSERT INTO ${name} SELECT g, 'a' FROM generate_series(1, 5000) g; ANALYZE ${name}`,
    )
    await unlisted(pair[side].url, `${name}_pkey`, change)
    // What the server itself sees by the index, and in the table.
    await withClient(pair[side].url, async (client) => {
      await client.query('SET enable_seqscan = off; SET enable_bitmapscan = off')
      const listed = await client.query(`SELECT count(*)::int AS n FROM ${name} WHERE id > 0`)
      await client.query('RESET enable_seqscan; SET enable_indexscan = off; SET enable_indexonlyscan = off')
      const there = await client.query(`SELECT count(*)::int AS n FROM ${name} WHERE id > 0`)
      expect(listed.rows[0].n).not.toBe(there.rows[0].n)
    })
  }

  it.each([
    ['unlisted_source', 'source'],
    ['unlisted_target', 'target'],
  ] as const)('is never called equal: %s', async (name, side) => {
    await make(name, side, `INSERT INTO ${name} VALUES (9001, 'unseen')`)
    for (const method of ['stream', 'push-down'] as const) {
      for (const connections of [1, 2]) {
        const { result } = await reconcile(pair, mapping(name), {}, { method, connections })
        expect(result.verdict).toBe('inconclusive')
        expect(result.reasons[0]).toContain(
          `SEGMENT_INCOMPLETE: The ${side} table "public"."${name}" holds 5001 rows, but the unique index of its key lists 5000`,
        )
      }
    }
  })

  it('is seen by a comparison that needs no index', async () => {
    await make('unlisted_bucketed', 'target', `INSERT INTO unlisted_bucketed VALUES (9001, 'unseen')`)
    const { result, mismatches } = await reconcile(pair, mapping('unlisted_bucketed'), { mode: 'bucketed' })
    expect([result.verdict, result.target_rows, mismatches.map((one) => one.key[0]!.value)]).toEqual(['fail', '5001', ['9001']])
  })

  it('is held against the same rows: a filter on both sides', async () => {
    await make('unlisted_filtered', 'source', `INSERT INTO unlisted_filtered VALUES (9001, 'unseen')`)
    const only = (...values: string[]) => mapping('unlisted_filtered', { filter: { all: [{ column: 'kind', op: 'in' as const, values }] } })
    expect((await reconcile(pair, only('a', 'b'))).result.verdict).toBe('pass')
    expect((await reconcile(pair, only('a', 'unseen'))).result.verdict).toBe('inconclusive')
  })
})

it('a filter finds its rows in the table, not by an index that lists fewer', async () => {
  await load(
    pair,
    `CREATE TABLE by_kind (id int, kind text COLLATE "C"); CREATE INDEX by_kind_kind ON by_kind (kind, id);
     INSERT INTO by_kind SELECT g, 'k' || g FROM generate_series(1, 5000) g; INSERT INTO by_kind VALUES (1, 'x'); ANALYZE by_kind`,
  )
  await unlisted(pair.source.url, 'by_kind_kind', `INSERT INTO by_kind VALUES (2, 'x')`)
  const columns = { id: 'integer', kind: 'text' }
  const filter = { all: [{ column: 'kind', op: 'eq' as const, values: ['x'] }] }
  const { result } = await reconcile(pair, mappingOf('by_kind', columns, { filter }))
  // The target is not filtered: it is the source's count that shows how its rows were found.
  expect(result.source_rows).toBe('2')
})

it('a table that one index could answer for is still read itself', async () => {
  await load(
    pair,
    `CREATE TABLE covered (id int, wide text); CREATE INDEX covered_id ON covered (id);
     INSERT INTO covered SELECT g, repeat(md5(g::text), 45) FROM generate_series(1, 3000) g`,
  )
  await unlisted(pair.source.url, 'covered_id', `SET synchronous_commit = on; INSERT INTO covered VALUES (9001, 'unseen')`)
  await withClient(pair.source.url, async (client) => {
    // Pages are marked all-visible once no snapshot on the whole server is older than their rows, also none of other tests.
    const planned = async () => {
      await client.query('VACUUM (ANALYZE, INDEX_CLEANUP off) covered')
      return JSON.stringify((await client.query('EXPLAIN SELECT id FROM covered')).rows)
    }
    await expect.poll(planned, { timeout: 40_000, interval: 250 }).toContain('Index Only Scan')
  })
  const { result, mismatches } = await reconcile(pair, mappingOf('covered', { id: 'integer' }))
  expect(mismatches.map((one) => [one.kind, one.columns[0]!.source])).toEqual([['missing', '9001']])
  expect(result.source_rows).toBe('3001')
})
