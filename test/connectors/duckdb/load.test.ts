import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadFileIntoPostgres } from '../../../layers/connectors/duckdb/load.ts'
import { type FreshDatabase, freshDatabase, runSql, withClient } from '../../support/postgres.ts'

let to: FreshDatabase
const DATA = fileURLToPath(new URL('../../../node_modules/vega-datasets/data', import.meta.url))

beforeAll(async () => {
  to = await freshDatabase()
})
afterAll(() => to?.drop())

async function one(sql: string): Promise<unknown> {
  return withClient(to.url, async (client) => (await client.query(sql)).rows[0])
}

it('loads a CSV into a table that is there, each value as its type reads it', async () => {
  await runSql(
    to.url,
    'CREATE TABLE airports (iata text PRIMARY KEY, name text, city text, state text, country text, latitude double precision, longitude numeric)',
  )
  expect(await loadFileIntoPostgres(join(DATA, 'airports.csv'), to.url, { schema: 'public', name: 'airports' })).toEqual({ rows: 3376n })
  expect(await one(`SELECT iata, latitude, longitude::text AS longitude FROM airports ORDER BY iata LIMIT 1`)).toEqual({
    iata: '00M',
    latitude: 31.95376472,
    longitude: '-89.23450472',
  })
  expect(await one(`SELECT count(*)::int AS quoted FROM airports WHERE name LIKE '%"%' OR name LIKE '%,%'`)).not.toEqual({ quoted: null })
})

it('loads the first rows of a Parquet file into a table it makes itself', async () => {
  const table = { schema: 'public', name: 'flights' }
  expect(await loadFileIntoPostgres(join(DATA, 'flights-3m.parquet'), to.url, table, { limit: 150_001 })).toEqual({ rows: 150_001n })
  expect(await one('SELECT count(*)::int AS n, min(date)::text AS first, sum(delay)::text AS delay FROM flights')).toMatchObject({
    n: 150001,
    first: '2001-01-01 00:01:00',
  })
  expect(
    await one(
      `SELECT string_agg(format_type(atttypid, atttypmod), ', ' ORDER BY attnum) AS types FROM pg_attribute WHERE attrelid = 'flights'::regclass AND attnum > 0`,
    ),
  ).toEqual({
    types: 'timestamp without time zone, bigint, bigint, text, text',
  })
})

it('loads all or nothing, and refuses a table without the columns', async () => {
  await runSql(
    to.url,
    'CREATE TABLE narrow (iata text); CREATE TABLE strict (iata text, name text, city text CHECK (city <> $$Perry$$), state text, country text, latitude text, longitude text)',
  )
  await expect(loadFileIntoPostgres(join(DATA, 'airports.csv'), to.url, { schema: 'public', name: 'narrow' })).rejects.toMatchObject({
    code: 'PLAN_INVALID',
  })
  await expect(loadFileIntoPostgres(join(DATA, 'airports.csv'), to.url, { schema: 'public', name: 'strict' })).rejects.toMatchObject({
    code: 'CONFLICT',
  })
  expect(await one('SELECT count(*)::int AS n FROM strict')).toEqual({ n: 0 })
  await expect(
    loadFileIntoPostgres(join(DATA, 'airports.csv'), to.url, { schema: 'public', name: 'airports' }, { limit: 5 }),
  ).rejects.toMatchObject({ code: 'BAD_INPUT' })
  await expect(loadFileIntoPostgres(join(DATA, 'nowhere.csv'), to.url, { schema: 'public', name: 'x' })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  })
})
