import { afterAll, beforeAll, expect, it } from 'vitest'
import { openPostgresSource } from '../../../layers/connectors/postgres/source.ts'
import type { Source } from '../../../layers/core/connector.ts'
import { type FreshDatabase, freshDatabase, runSql } from '../../support/postgres.ts'

let database: FreshDatabase
let source: Source

beforeAll(async () => {
  database = await freshDatabase()
  await runSql(
    database.url,
    `CREATE TABLE empty (id int) WITH (autovacuum_enabled = off);
     CREATE TABLE small (id int) WITH (autovacuum_enabled = off); INSERT INTO small SELECT generate_series(1, 1234);
     CREATE TABLE large (id int) WITH (autovacuum_enabled = off); INSERT INTO large SELECT generate_series(1, 500000);
     CREATE TABLE grown (id int) WITH (autovacuum_enabled = off); INSERT INTO grown SELECT generate_series(1, 10); ANALYZE grown;
     INSERT INTO grown SELECT generate_series(1, 400000);
     CREATE TABLE sparse (id int) WITH (autovacuum_enabled = off); INSERT INTO sparse SELECT generate_series(1, 200000);
     DELETE FROM sparse WHERE id <> 7;
     CREATE TABLE parted (id int) PARTITION BY RANGE (id);
     CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100000) WITH (autovacuum_enabled = off);
     CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100000) TO (1000000) WITH (autovacuum_enabled = off);
     INSERT INTO parted SELECT generate_series(1, 300000);
     CREATE TABLE root (id int); CREATE TABLE heir () INHERITS (root); CREATE TABLE last () INHERITS (heir);
     INSERT INTO last SELECT generate_series(1, 77); INSERT INTO root VALUES (1);
     CREATE VIEW seen AS SELECT * FROM large WHERE id <= 4321;
     CREATE MATERIALIZED VIEW kept AS SELECT * FROM large WHERE id <= 200000`,
  )
  source = await openPostgresSource(database.url, {
    connectTimeoutMs: 10_000,
    statementTimeoutMs: 60_000,
    signal: new AbortController().signal,
  })
})
afterAll(async () => {
  await source.close()
  await database.drop()
})

const rows = async (name: string) => Number(await source.rowCount?.({ schema: 'public', name }))

it.each([
  ['empty', 0],
  ['small', 1234],
  ['root', 78],
  ['seen', 4321],
  ['sparse', 1],
])('%s is counted: %i rows', async (name, count) => {
  expect(await rows(name)).toBe(count)
})

it.each([
  ['large', 500_000],
  ['grown', 400_010],
  ['parted', 300_000],
  ['kept', 200_000],
])('%s, never analysed or long ago, holds about %i rows', async (name, count) => {
  const found = await rows(name)
  expect(found).toBeGreaterThan(count * 0.8)
  expect(found).toBeLessThan(count * 1.2)
  expect(await rows(name)).toBe(found)
})

it('a table that is gone is named', async () => {
  await expect(rows('nowhere')).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('public.nowhere') })
})
