import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copyFromPostgres } from '../../../layers/connectors/postgres/copy.ts'
import { openPostgresSource } from '../../../layers/connectors/postgres/source.ts'
import { openPostgresTarget } from '../../../layers/connectors/postgres/target.ts'
import type { Source, Target } from '../../../layers/core/connector.ts'
import type { TableMapping } from '../../../layers/core/schemas/proposal.ts'
import { type FreshDatabase, freshDatabase, runSql, withClient } from '../../support/postgres.ts'
import { chunksOf, column, OPTIONS, OTHER_PLAN, PLAN, table } from './table-mapping.ts'

let from: FreshDatabase
let to: FreshDatabase
let source: Source
let target: Target

const EVERY_TYPE = {
  small: 'smallint',
  whole: 'integer',
  big: 'bigint',
  money: 'numeric(20,4)',
  free: 'numeric',
  single: 'real',
  double: 'double precision',
  flag: 'boolean',
  words: 'text',
  short: 'character varying(12)',
  fixed: 'character(5)',
  day: 'date',
  clock: 'time without time zone',
  zoned_clock: 'time with time zone',
  moment: 'timestamp without time zone',
  instant: 'timestamp with time zone',
  span: 'interval',
  id: 'uuid',
  doc: 'json',
  docb: 'jsonb',
  raw: 'bytea',
  address: 'inet',
  net: 'cidr',
  card: 'macaddr',
  list: 'integer[]',
  names: 'text[]',
} as const

const LONG = 'é'.repeat(31)

beforeAll(async () => {
  from = await freshDatabase()
  to = await freshDatabase()
  await runSql(
    from.url,
    `CREATE TABLE every (${Object.entries(EVERY_TYPE)
      .map(([name, type]) => `"${name}" ${type}`)
      .join(', ')});
     INSERT INTO every VALUES
       (-32768, 2147483647, 9007199254740993, -0.5, 1e-20, '-0', 'NaN', true, E'tab\\t"quote" \\\\ back\\nline', 'NULL', 'ab', '0044-03-15 BC', '24:00',
        '10:00:00.000001-03', 'infinity', '2001-01-01 00:00:00.000001+05', '1 mon -30 days 00:00:00.000001', '00000000-0000-0000-0000-000000000001',
        '{"a": 1.0, "a": 1}', '{"n": 12345678901234567890.10}', '\\x00ff', '::1/64', '10.0.0.0/8', '08:00:2b:01:02:03', '{1,NULL,3}', '{"a,b","","NULL",NULL}'),
       (${Object.keys(EVERY_TYPE)
         .map(() => 'NULL')
         .join(', ')}),
       (0, 0, 0, 0, 'NaN', '1e-45', '5e-324', false, '', '', '', '-infinity', '00:00', '00:00+00', '294276-12-31 23:59:59.999999', '-infinity', '0', NULL,
        'null', 'null', '', NULL, NULL, NULL, '{}', '{}');
     CREATE TABLE "Wei""rd tàble" ("a b" int, "A b" text, "${LONG}" text); INSERT INTO "Wei""rd tàble" VALUES (1, 'x', NULL), (1, 'x', NULL);
     CREATE TABLE many (id int, word text); INSERT INTO many SELECT g, repeat('w', g % 50) FROM generate_series(1, 40000) g; DELETE FROM many WHERE id % 3 = 0;
     CREATE TABLE empty (id int);
     CREATE TABLE parted (k int, v text) PARTITION BY LIST (k);
     CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN (1); CREATE TABLE parted_b PARTITION OF parted FOR VALUES IN (2);
     INSERT INTO parted SELECT 1, repeat('a', 100) || g FROM generate_series(1, 9000) g; INSERT INTO parted SELECT 2, 'b' FROM generate_series(1, 20);
     CREATE TABLE loose (id int, note text, minutes bigint, mail text); INSERT INTO loose VALUES (1, 'twelve chars and more', 90, 'Ann@Example.org '), (2, 'x', -1, NULL), (3, NULL, NULL, 'b');
     CREATE VIEW slow AS SELECT g AS id, CASE WHEN g > 70000 THEN pg_sleep(120)::text ELSE repeat('x', 40) END AS filler FROM generate_series(1, 80000) g;`,
  )
  source = await openPostgresSource(from.url, OPTIONS)
  target = await openPostgresTarget(to.url, copyFromPostgres(from.url, OPTIONS), OPTIONS)
})

afterAll(async () => {
  await source?.close()
  await target?.close()
  await from?.drop()
  await to?.drop()
})

/** A digest of all rows as text, in no particular order. */
async function contents(url: string, sql: string): Promise<string[]> {
  return withClient(url, async (client) =>
    (await client.query<{ t: string }>(`SELECT (r)::text AS t FROM (${sql}) r ORDER BY 1`)).rows.map((row) => row.t),
  )
}

async function copyAll(mapping: TableMapping, plan: string, rowsPerChunk = 1000): Promise<bigint> {
  await target.prepare(plan, [mapping])
  let rows = 0n
  for (const chunk of chunksOf(mapping, await source.chunks(mapping, rowsPerChunk))) {
    rows += BigInt((await target.copy(plan, mapping, chunk, () => {})).rows)
  }
  return rows
}

const plan = (digit: string) => digit.repeat(64)

describe('copy', () => {
  it('carries every type exactly, NULL apart from empty', async () => {
    const mapping = table(
      'every',
      Object.entries(EVERY_TYPE).map(([name, type]) => column(name, type)),
    )
    expect(await copyAll(mapping, plan('1'))).toBe(3n)
    const list = Object.keys(EVERY_TYPE)
      .map((name) => (name === 'doc' ? 'doc::text' : `"${name}"`))
      .join(', ')
    expect(await contents(to.url, `SELECT ${list} FROM moved.every`)).toEqual(await contents(from.url, `SELECT ${list} FROM every`))
  })

  it('covers every row exactly once in many chunks, with holes and without keys', async () => {
    const mapping = table('many', [column('id', 'integer'), column('word', 'text')])
    const ranges = await source.chunks(mapping, 1000)
    expect(ranges.length).toBeGreaterThan(10)
    expect(ranges[0]?.from).toBe('0')
    expect(ranges.at(-1)?.to).toBeNull()
    expect(await copyAll(mapping, plan('2'))).toBe(26667n)
    expect(await contents(to.url, 'SELECT * FROM moved.many')).toEqual(await contents(from.url, 'SELECT * FROM many'))
  })

  it('covers partitions of very different size exactly once', async () => {
    const mapping = table('parted', [column('k', 'integer'), column('v', 'text')])
    expect((await source.chunks(mapping, 1000)).length).toBeGreaterThan(3)
    expect(await copyAll(mapping, plan('3'))).toBe(9020n)
    expect(await contents(to.url, 'SELECT * FROM moved.parted')).toEqual(await contents(from.url, 'SELECT * FROM parted'))
  })

  it('handles hostile names, duplicates and an empty table', async () => {
    const hostile = table('hostile', [column('A b', 'text'), column('a b', 'integer'), column(LONG, 'text')], {
      source: { schema: 'public', name: 'Wei"rd tàble', kind: 'table' },
      target: { schema: 'mo"ved; DROP', name: 'Wei"rd' },
    })
    expect(await copyAll(hostile, plan('4'))).toBe(2n)
    expect(await contents(to.url, `SELECT "A b", "a b", "${LONG}" FROM "mo""ved; DROP"."Wei""rd"`)).toEqual(['(x,1,)', '(x,1,)'])
    expect(await copyAll(table('empty', [column('id', 'integer')]), plan('5'))).toBe(0n)
  })

  it('applies filter and transforms on the source, cast to the target types', async () => {
    const mapping = table(
      'loose',
      [
        column('number', 'bigint', { source: ['id'], source_types: ['integer'], transform: { kind: 'cast' } }),
        column('late', 'interval', { source: ['minutes'], source_types: ['bigint'], transform: { kind: 'minutes_to_interval' } }),
        column('mail', 'text', { transform: { kind: 'mask_sha256', salt: 'pepper-pepper' } }),
        column('tag', 'smallint', { source: [], source_types: [], transform: { kind: 'constant', value: '7' } }),
      ],
      { filter: { all: [{ column: 'id', op: 'le', values: ['2'] }] } },
    )
    expect(await copyAll(mapping, plan('6'))).toBe(2n)
    const digest = await contents(
      from.url,
      `SELECT encode(sha256(convert_to('pepper-pepper' || mail, 'UTF8')), 'hex') FROM loose WHERE id = 1`,
    )
    expect(await contents(to.url, 'SELECT number, late, tag FROM moved.loose')).toEqual(['(1,01:30:00,7)', '(2,-00:01:00,7)'])
    expect(await contents(to.url, 'SELECT mail FROM moved.loose WHERE number = 1')).toEqual(digest)
  })

  it('refuses a text that is too long instead of cutting it, without repeating the text', async () => {
    const mapping = table('loose', [column('note', 'character varying(5)', { source_types: ['text'] })], {
      target: { schema: 'moved', name: 'cut' },
    })
    const failing = copyAll(mapping, plan('7'))
    await expect(failing).rejects.toMatchObject({ code: 'NOT_REPRESENTABLE' })
    await failing.catch((error: Error) => expect(error.message).not.toContain('twelve'))
    expect(await contents(to.url, 'SELECT * FROM moved.cut')).toEqual([])
    expect(await target.completed(plan('7'))).toEqual([])
  })
})

describe('checkpoints', () => {
  const mapping = table('many', [column('id', 'integer'), column('word', 'text')], { target: { schema: 'again', name: 'many' } })

  it('copies a chunk once, however often and by however many workers it is asked', async () => {
    await target.prepare(PLAN, [mapping])
    await target.prepare(PLAN, [mapping])
    const [chunk] = chunksOf(mapping, [{ from: '0', to: null }])
    const results = await Promise.all([1, 2, 3].map(() => target.copy(PLAN, mapping, chunk!, () => {})))
    expect(results.filter((result) => !result.already_done)).toHaveLength(1)
    expect(new Set(results.map((result) => result.rows))).toEqual(new Set(['26667']))
    expect(await contents(to.url, 'SELECT count(*) FROM again.many')).toEqual(['(26667)'])
    const completed = await target.completed(PLAN)
    expect(completed).toMatchObject([{ chunk_id: 'many-0', table_id: 'many', rows: '26667', already_done: true }])
    expect(Number(completed[0]?.bytes)).toBeGreaterThan(26667)
    expect(completed[0]!.started_at <= completed[0]!.finished_at).toBe(true)
  })

  it('refuses a table made by somebody else, even an empty one, and makes nothing then', async () => {
    await runSql(to.url, 'CREATE SCHEMA taken; CREATE TABLE taken.many ()')
    const mappings = [
      table('empty', [column('id', 'integer')], { target: { schema: 'fresh', name: 'empty' } }),
      { ...mapping, target: { schema: 'taken', name: 'many' } },
    ]
    await expect(target.prepare(OTHER_PLAN, mappings)).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY', details: ['taken.many'] })
    expect(await contents(to.url, `SELECT nspname FROM pg_namespace WHERE nspname = 'fresh'`)).toEqual([])
    await expect(target.prepare(OTHER_PLAN, [mapping])).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' })
    const others = ['a', 'b', 'c', 'd', 'e', 'f']
    await runSql(to.url, others.map((name) => `CREATE TABLE taken.${name} ()`).join(';'))
    const seven = [...others, 'many'].map((name) => ({ ...mapping, table_id: name, target: { schema: 'taken', name } }))
    await expect(target.prepare(OTHER_PLAN, seven)).rejects.toThrow(
      /holds taken\.a, taken\.b, taken\.c, taken\.d, taken\.e and 2 more, not made/,
    )
  })

  it('copies into nothing that this plan did not prepare', async () => {
    const [chunk] = chunksOf(mapping, [{ from: '0', to: null }])
    await expect(target.copy(plan('9'), mapping, chunk!, () => {})).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(target.copy(PLAN, { ...mapping, table_id: 'other' }, chunk!, () => {})).rejects.toMatchObject({ code: 'BAD_INPUT' })
  })

  it('refuses ranges that are no block numbers', async () => {
    for (const range of [
      { from: '5', to: '5' },
      { from: '99999999999', to: null },
    ]) {
      const chunk = { chunk_id: `bad-${range.from}`, step_id: 'copy', table_id: 'many', range }
      await expect(target.copy(PLAN, mapping, chunk, () => {})).rejects.toMatchObject({ code: 'BAD_INPUT' })
    }
  })
})

describe('faults', () => {
  const mapping = table('slow', [column('id', 'integer'), column('filler', 'text')], { target: { schema: 'slowly', name: 'slow' } })
  const [chunk] = chunksOf(mapping, [{ from: '0', to: null }])

  async function terminate(url: string, like: string): Promise<void> {
    const sql = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '${like}' AND pid <> pg_backend_pid()`
    await runSql(url, sql)
  }

  async function nothingKept(): Promise<void> {
    expect(await contents(to.url, 'SELECT * FROM slowly.slow')).toEqual([])
    expect(await target.completed(plan('c'))).toEqual([])
  }

  it.each([
    ['source', () => terminate(from.url, 'COPY (%')],
    ['target', () => terminate(to.url, 'COPY "slowly"%')],
  ])('keeps nothing when the %s goes away in the middle', async (_side, kill) => {
    await target.prepare(plan('c'), [mapping])
    const killed = Promise.withResolvers<void>()
    let told = 0n
    const copying = target.copy(plan('c'), mapping, chunk!, (rows) => {
      if (told === 0n) kill().then(killed.resolve, killed.reject)
      told = rows
    })
    await expect(copying).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
    await killed.promise
    expect(told).toBeGreaterThan(0n)
    await nothingKept()
    await expect
      .poll(() => contents(from.url, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY (%'`))
      .toEqual(['(0)'])
  })

  it('keeps nothing when it is told to stop, and leaves no query behind', async () => {
    const stopping = new AbortController()
    const other = await openPostgresTarget(to.url, copyFromPostgres(from.url, { ...OPTIONS, signal: stopping.signal }), OPTIONS)
    await other.prepare(plan('c'), [mapping])
    const copying = other.copy(plan('c'), mapping, chunk!, () => stopping.abort())
    await expect(copying).rejects.toMatchObject({ code: 'INTERRUPTED' })
    await nothingKept()
    await expect
      .poll(() =>
        contents(
          from.url,
          `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'COPY (%'`,
        ),
      )
      .toEqual(['(0)'])
    await other.close()
  })

  it('keeps nothing when the target drops rows behind its back, and copies once that ends', async () => {
    const short = table('many', [column('id', 'integer'), column('word', 'text')], { target: { schema: 'short', name: 'many' } })
    const [only] = chunksOf(short, [{ from: '0', to: null }])
    await target.prepare(plan('d'), [short])
    await runSql(
      to.url,
      `CREATE FUNCTION short.swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id = 17 THEN RETURN NULL; END IF; RETURN NEW; END';
       CREATE TRIGGER swallow BEFORE INSERT ON short.many FOR EACH ROW EXECUTE FUNCTION short.swallow()`,
    )
    await expect(target.copy(plan('d'), short, only!, () => {})).rejects.toMatchObject({ code: 'STREAM_TRUNCATED' })
    expect(await contents(to.url, 'SELECT * FROM short.many')).toEqual([])
    await runSql(to.url, 'DROP TRIGGER swallow ON short.many')
    expect((await target.copy(plan('d'), short, only!, () => {})).rows).toBe('26667')
  })

  it('keeps nothing when the source fails after most of its rows were sent', async () => {
    await runSql(
      from.url,
      `CREATE TABLE late AS SELECT CASE WHEN g = 99000 THEN 'not a number' ELSE g::text END AS word FROM generate_series(1, 100000) g`,
    )
    const late = table('late', [column('word', 'integer', { source_types: ['text'], transform: { kind: 'cast' } })])
    await target.prepare(plan('f'), [late])
    const [only] = chunksOf(late, [{ from: '0', to: null }])
    let seen = 0n
    const copying = target.copy(plan('f'), late, only!, (rows) => {
      seen = rows
    })
    await expect(copying).rejects.toMatchObject({ code: 'NOT_REPRESENTABLE', message: expect.not.stringContaining('not a number') })
    expect(seen).toBeGreaterThan(0n)
    expect(await contents(to.url, 'SELECT * FROM moved.late')).toEqual([])
  })

  it('says what to do when the source has no such table or the role may not read it', async () => {
    const gone = table('gone', [column('id', 'integer')])
    await expect(source.chunks(gone, 10)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await target.prepare(plan('e'), [gone])
    const [only] = chunksOf(gone, [{ from: '0', to: null }])
    await expect(target.copy(plan('e'), gone, only!, () => {})).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})
