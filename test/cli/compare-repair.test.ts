import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waybill } from '../end-to-end/command.ts'
import { type FreshDatabase, freshDatabase, runSql, withClient } from '../support/postgres.ts'

let folder: string
let source: FreshDatabase
let target: FreshDatabase

const SHAPES = `
  CREATE TYPE mood AS ENUM ('glad', 'it''s \\ bad');
  CREATE DOMAIN word AS text CHECK (length(VALUE) < 100);
  CREATE TYPE pair AS (a int, "B c" text);
  CREATE SCHEMA "Odd ""schema";
  CREATE TABLE "Odd ""schema"."it's a ""table" (
    "Key 1" bigint GENERATED ALWAYS AS IDENTITY, "k""2" text COLLATE "C", t text, v varchar(20), c char(6), n numeric, d numeric(12,3), f4 real, f8 double precision,
    b boolean, y bytea, dt date, ti time, ts timestamp, tz timestamptz, iv interval, u uuid, j json, jb jsonb, x xml, m mood, w word, p pair,
    ai int[], at text[], r int4range, i inet, bi bit(5), mo money, tt timetz, pt point, twice bigint GENERATED ALWAYS AS ("Key 1" * 2) STORED,
    PRIMARY KEY ("k""2", "Key 1"));
  CREATE TABLE heap (a int, t text, f float8, n numeric, iv interval, c char(4), j json) PARTITION BY LIST (a);
  CREATE TABLE heap_1 PARTITION OF heap FOR VALUES IN (1);
  CREATE TABLE heap_2 PARTITION OF heap DEFAULT;
  CREATE TABLE parent (id int PRIMARY KEY, note text);
  CREATE TABLE kid (id int PRIMARY KEY, parent int NOT NULL REFERENCES parent);
  CREATE TABLE loose (k int, v int);`

const zoo = (from: number, to: number) => `
  INSERT INTO "Odd ""schema"."it's a ""table" ("Key 1", "k""2", t, v, c, n, d, f4, f8, b, y, dt, ti, ts, tz, iv, u, j, jb, x, m, w, p, ai, at, r, i, bi, mo, tt, pt)
  OVERRIDING SYSTEM VALUE
  SELECT i, 'k' || i % 3, E'line\\n\\'quote\\' \\\\ "double" ; -- ' || i, NULLIF('v' || i, 'v5'), 'c' || i, CASE WHEN i % 4 = 0 THEN 'NaN' ELSE i / 7.0 END::numeric, i * 1.5,
    CASE i % 4 WHEN 0 THEN '-0' WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' ELSE i / 3.0 END::real, CASE i % 3 WHEN 0 THEN '-0' ELSE '1e-7' END::float8 * i, i % 2 = 0,
    decode(lpad(to_hex(i), 8, '0'), 'hex'), CASE WHEN i = 3 THEN 'infinity' ELSE '0044-03-15 BC'::date + i END, '23:59:59.999999'::time, '2020-02-29 12:00:00.000001'::timestamp + i * interval '1 day',
    CASE WHEN i = 3 THEN '-infinity'::timestamptz ELSE '2020-01-01 00:00:00+03'::timestamptz + i * interval '1 hour' END, make_interval(months => i, days => -i, secs => i / 10.0),
    lpad(to_hex(i), 32, '0')::uuid, ('{"a" :  ' || i || '}')::json, jsonb_build_object('n', i + 0.10), ('<a>&lt;' || i || '</a>')::xml, CASE WHEN i % 2 = 0 THEN 'glad' ELSE 'it''s \\ bad' END::mood, ('w' || i)::word,
    ROW(i, 'x,"y) ' || i)::pair, ARRAY[i, NULL], ARRAY['a,b', NULL, '{"', ''], int4range(i, i + 5), '10.0.0.0/8'::inet, i::bit(5), i * '1.25'::money, '12:00+02'::timetz, point(i, -1)
  FROM generate_series(${from}, ${to}) i;`

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-repair-'))
  source = await freshDatabase()
  target = await freshDatabase()
  await runSql(source.url, SHAPES)
  await runSql(target.url, SHAPES)
  await runSql(
    source.url,
    `${zoo(1, 12)}
     INSERT INTO heap SELECT i % 3, 't', '-0'::float8, 1.5, '24:00'::interval, 'x', '{"a":1}'::json FROM generate_series(1, 20) i; INSERT INTO heap VALUES (7, NULL, NULL, NULL, NULL, NULL, NULL);
     INSERT INTO heap (a, f) VALUES (8, '-0'), (8, '-0');
     INSERT INTO parent VALUES (1, 'a'), (2, 'b'), (3, NULL); INSERT INTO kid VALUES (1, 1), (2, 2), (3, 3); INSERT INTO loose VALUES (1, 1), (2, 2)`,
  )
  await runSql(
    target.url,
    `${zoo(4, 16)}
     UPDATE "Odd ""schema"."it's a ""table" SET t = NULL, n = 1, f4 = 0, f8 = '-Infinity', y = '\\x00', dt = NULL, tz = now(), iv = '1 mon', j = '[]', x = NULL, m = NULL, p = NULL, at = '{}', mo = 0 WHERE "Key 1" IN (5, 6, 8);
     INSERT INTO heap SELECT i % 3, 't', '0'::float8, 1.5, '1 day'::interval, 'x', '{"a": 1}'::json FROM generate_series(1, 20) i; INSERT INTO heap SELECT i % 3, 't', '-0'::float8, 1.50, '24:00'::interval, 'x', '{"a":1}'::json FROM generate_series(1, 33) i;
     INSERT INTO heap (a, f) VALUES (8, '-0'), (8, '0'), (8, '0');
     INSERT INTO parent VALUES (1, 'changed'), (9, 'surplus'); INSERT INTO kid VALUES (1, 1), (9, 9); INSERT INTO loose VALUES (1, 5), (1, 6)`,
  )
})
afterAll(async () => {
  await source.drop()
  await target.drop()
  await rm(folder, { recursive: true, force: true })
})

describe('--repair-sql', () => {
  it('makes the target equal, whatever the types, names, keys and copies', async () => {
    const path = join(folder, 'repair.sql')
    const sides = [source.url, target.url, '--exclude', 'loose']
    const before = await waybill(['compare', ...sides, '--repair-sql', path, '--show-values'])
    expect(before.code, before.err + before.out).toBe(1)
    expect(before.err).toContain('never executed')
    const script = await readFile(path, 'utf8')
    expect(script).toMatch(/never executes it/)
    // Under settings that would change the meaning of sloppy literals.
    await withClient(target.url, async (client) => {
      await client.query(
        `SET DateStyle = 'German, DMY'; SET IntervalStyle = 'sql_standard'; SET TimeZone = 'Asia/Tokyo'; SET extra_float_digits = 0`,
      )
      await client.query(script)
    })
    const after = await waybill(['compare', ...sides, '--repair-sql', path, '--show-values'])
    expect(after.code, after.err + after.out).toBe(0)
    expect(await readFile(path, 'utf8')).not.toMatch(/^(DELETE|UPDATE|INSERT)/m)
    expect((await readdir(folder)).filter((name) => name.startsWith('.waybill'))).toEqual([])
  })

  it('leaves out, and says so, what it cannot address: a key that the target does not hold unique', async () => {
    const path = join(folder, 'loose.sql')
    const result = await waybill([
      'compare',
      source.url,
      target.url,
      '--table',
      'loose',
      '--key',
      'k',
      '--repair-sql',
      path,
      '--show-values',
    ])
    expect(result.code, result.err + result.out).toBe(1)
    expect(result.err).toMatch(/public\.loose: \d+ differences left out.*unique/)
    const script = await readFile(path, 'utf8')
    expect(script).toMatch(/^-- public\.loose: \d+ differences left out/m)
    expect(script).not.toMatch(/^(DELETE|UPDATE|INSERT)/m)
  })

  it('is marked incomplete when a table was not decided', async () => {
    const path = join(folder, 'incomplete.sql')
    const result = await waybill([
      ...['compare', source.url, target.url, '--table', 'loose', '--table', 'parent', '--key', 'id'],
      ...['--repair-sql', path, '--show-values'],
    ])
    expect(result.out).toMatch(/undecided.*loose/)
    expect(await readFile(path, 'utf8')).toMatch(/^-- INCOMPLETE/m)
  })
})
