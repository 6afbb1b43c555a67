import { afterAll, beforeAll, expect, it } from 'vitest'
import { profiled } from '../../../layers/connectors/postgres/profile.ts'
import { openPostgresSource } from '../../../layers/connectors/postgres/source.ts'
import type { Source } from '../../../layers/core/connector.ts'
import { profile as profileSchema, type TableProfile } from '../../../layers/core/schemas/catalog.ts'
import { type FreshDatabase, freshDatabase, runSql, withClient } from '../../support/postgres.ts'
import { OPTIONS } from './table-mapping.ts'

let database: FreshDatabase
let source: Source

beforeAll(async () => {
  database = await freshDatabase()
  await runSql(
    database.url,
    `CREATE TABLE people (n bigint, email text, at timestamp, extra json, odd double precision);
     INSERT INTO people VALUES (1, 'ann@example.org', '2001-01-01 00:00:00.000001', '{}', 'NaN'),
       (9007199254740993, 'bob@example.org', 'infinity', NULL, -0.0), (1, NULL, NULL, NULL, NULL);
     CREATE TABLE twins (a int, b text); INSERT INTO twins VALUES (1, NULL), (1, NULL), (1, NULL), (2, 'x'), (1, '');
     CREATE TABLE nothing (a int, b text);
     CREATE TABLE keyed (id int PRIMARY KEY, "select" int); INSERT INTO keyed SELECT g, g % 7 FROM generate_series(1, 100) g;`,
  )
  source = await openPostgresSource(database.url, OPTIONS)
})

afterAll(async () => {
  await source?.close()
  await database?.drop()
})

async function profileOf(name: string): Promise<TableProfile> {
  const { tables } = profileSchema.parse(await source.profile([{ schema: 'public', name }]))
  return tables[0]!
}

it('counts exactly and shows extremes without rounding', async () => {
  const people = await profileOf('people')
  expect(people.rows).toBe('3')
  expect(people.columns.map((column) => [column.name, column.nulls, column.distinct])).toEqual([
    ['n', '0', '2'],
    ['email', '1', '2'],
    ['at', '1', '2'],
    ['extra', '2', null],
    ['odd', '1', '2'],
  ])
  expect(people.columns[0]).toMatchObject({ min: '1', max: '9007199254740993' })
  expect(people.columns[2]).toMatchObject({ min: '2001-01-01 00:00:00.000001', max: 'infinity' })
})

it('lets no text value out, and says why a figure is missing', async () => {
  const people = await profileOf('people')
  expect(JSON.stringify(people)).not.toContain('example.org')
  for (const column of people.columns) if (column.min === null || column.distinct === null) expect(column.reason).toBeTruthy()
})

it('counts exact copies, NULLs included, and does not guess where equality is missing', async () => {
  expect((await profileOf('twins')).duplicate_rows).toBe('2')
  expect((await profileOf('nothing')).duplicate_rows).toBe('0')
  expect((await profileOf('keyed')).duplicate_rows).toBe('0')
  expect((await profileOf('people')).duplicate_rows).toBeNull()
})

it('profiles an empty table and a column named like a keyword', async () => {
  expect(await profileOf('nothing')).toMatchObject({ rows: '0', columns: [{ nulls: '0', distinct: '0', min: null }, { nulls: '0' }] })
  expect((await profileOf('keyed')).columns[1]).toMatchObject({ name: 'select', distinct: '7', min: '0', max: '6' })
})

it('stops when it is told to, and the server stops with it', async () => {
  await runSql(database.url, 'CREATE VIEW endless AS SELECT pg_sleep(300)::text AS never')
  const stopping = new AbortController()
  const own = await openPostgresSource(database.url, { ...OPTIONS, statementTimeoutMs: 0, signal: stopping.signal })
  const reading = own.profile([{ schema: 'public', name: 'endless' }])
  const asleep = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '%FROM "public"."endless"%' AND pid <> pg_backend_pid()`
  const running = () => withClient(database.url, async (client) => (await client.query<{ n: number }>(asleep)).rows[0]?.n)
  await expect.poll(running).toBe(1)
  stopping.abort()
  await expect(reading).rejects.toMatchObject({ code: 'INTERRUPTED' })
  await expect.poll(running).toBe(0)
  await expect(own.profile([])).rejects.toMatchObject({ code: 'INTERRUPTED' })
  await own.close()
})

it('scans the smallest tables first and leaves out what would take longer than there is', () => {
  const table = (name: string, bytes: string) => ({ name, bytes })
  const gigabyte = '000000000'
  expect(profiled([table('huge', `900${gigabyte}`), table('a', '0'), table('b', `15${gigabyte}`)]).map(({ name }) => name)).toEqual([
    'a',
    'b',
  ])
  expect(profiled([table('c', `12${gigabyte}`), table('b', `8${gigabyte}`), table('d', `13${gigabyte}`)]).map(({ name }) => name)).toEqual([
    'c',
    'b',
  ])
  expect(profiled([table('huge', `21${gigabyte}`)])).toEqual([])
})
