import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { copyFromPostgres } from '../../../layers/connectors/postgres/copy.ts'
import { openPostgresSource } from '../../../layers/connectors/postgres/source.ts'
import { openPostgresTarget } from '../../../layers/connectors/postgres/target.ts'
import type { Source, Target } from '../../../layers/core/connector.ts'
import type { WaybillError } from '../../../layers/core/errors.ts'
import { type FreshDatabase, freshDatabase, runSql, withClient } from '../../support/postgres.ts'
import { chunksOf, column, OPTIONS, OTHER_PLAN, PLAN, table } from './table-mapping.ts'

let from: FreshDatabase
let to: FreshDatabase
let source: Source
let target: Target

const orders = table('orders', [column('id', 'integer'), column('customer', 'text')], {
  key: ['id'],
  foreign_keys: [{ columns: ['customer'], references: { table: 'customers', columns: ['name'] }, enforcement: 'enforced' }],
})
const customers = table('customers', [column('name', 'text')], { key: ['name'] })

beforeAll(async () => {
  from = await freshDatabase()
  await runSql(
    from.url,
    `CREATE TABLE customers (name text PRIMARY KEY); INSERT INTO customers VALUES ('ann'), ('bob');
     CREATE TABLE orders (id int, customer text); INSERT INTO orders SELECT g, CASE WHEN g % 2 = 0 THEN 'ann' ELSE 'bob' END FROM generate_series(1, 500) g`,
  )
  source = await openPostgresSource(from.url, OPTIONS)
})

beforeEach(async () => {
  await target?.close()
  await to?.drop()
  to = await freshDatabase()
  target = await openPostgresTarget(to.url, copyFromPostgres(from.url, OPTIONS), OPTIONS)
})

afterAll(async () => {
  await source?.close()
  await target?.close()
  await from?.drop()
  await to?.drop()
})

async function migrate(plan: string, tables = [orders, customers]): Promise<void> {
  await target.prepare(plan, tables)
  for (const mapping of tables) {
    for (const chunk of chunksOf(mapping, await source.chunks(mapping, 100))) await target.copy(plan, mapping, chunk, () => {})
  }
  await target.finish(plan, tables)
}

/** Everything a database holds outside Waybill's own schema: definitions and rows. */
async function everything(url: string): Promise<unknown> {
  return withClient(url, async (client) => {
    const names = await client.query<{ s: string; t: string }>(
      `SELECT n.nspname AS s, c.relname AS t FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'waybill') AND c.relkind IN ('r', 'v', 'S') ORDER BY 1, 2`,
    )
    const schemas = await client.query(`SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'waybill' ORDER BY 1`)
    const columns = await client.query(
      `SELECT attrelid::regclass::text AS t, attname, atttypid::regtype::text AS type, attnotnull FROM pg_attribute
        WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_' OR nspname IN ('information_schema', 'waybill'))) ORDER BY 1, 2`,
    )
    const rows: unknown[] = []
    for (const { s, t } of names.rows) {
      const digest = await client.query(`SELECT count(*), md5(string_agg(r::text, ',' ORDER BY r::text)) FROM "${s}"."${t}" r`)
      rows.push([s, t, digest.rows[0]])
    }
    return [schemas.rows, columns.rows, rows]
  })
}

describe('roll back', () => {
  it('takes away exactly what the plan made, with its rows, and nothing else on either side', async () => {
    await runSql(
      to.url,
      `CREATE SCHEMA kept; CREATE TABLE kept.orders AS SELECT 1 AS id; CREATE TABLE public.mine (x int); INSERT INTO public.mine VALUES (1)`,
    )
    const [sourceBefore, targetBefore] = [await everything(from.url), await everything(to.url)]
    await migrate(PLAN)
    expect(await everything(to.url)).not.toEqual(targetBefore)
    expect(await target.rollBack(PLAN, [orders, customers])).toEqual([
      { table_id: 'customers', rows: '2' },
      { table_id: 'orders', rows: '500' },
    ])
    expect(await everything(to.url)).toEqual(targetBefore)
    expect(await everything(from.url)).toEqual(sourceBefore)
    expect(await target.completed(PLAN)).toEqual([])
  })

  it('answers the same when asked again, and never lets the plan run again', async () => {
    await migrate(PLAN)
    const first = await target.rollBack(PLAN, [orders, customers])
    expect(await target.rollBack(PLAN, [orders, customers])).toEqual(first)
    await expect(target.prepare(PLAN, [orders, customers])).rejects.toMatchObject({ code: 'PLAN_NOT_AUTHORISED' })
    const [chunk] = chunksOf(orders, [{ from: '0', to: null }])
    await expect(target.copy(PLAN, orders, chunk!, () => {})).rejects.toMatchObject({ code: 'PLAN_NOT_AUTHORISED' })
    await migrate(OTHER_PLAN)
  })

  it('leaves a schema that others moved into, and a schema that was there before', async () => {
    await runSql(to.url, 'CREATE SCHEMA before')
    const elsewhere = { ...customers, target: { schema: 'before', name: 'customers' } }
    await migrate(PLAN, [customers])
    await migrate(OTHER_PLAN, [elsewhere])
    await runSql(to.url, 'CREATE TABLE moved.guest (x int)')
    await target.rollBack(PLAN, [customers])
    await target.rollBack(OTHER_PLAN, [elsewhere])
    const left = await withClient(to.url, (client) =>
      client.query(
        `SELECT n.nspname AS s, c.relname AS t FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid WHERE nspname IN ('moved', 'before') ORDER BY 1`,
      ),
    )
    expect(left.rows).toEqual([
      { s: 'before', t: null },
      { s: 'moved', t: 'guest' },
    ])
  })

  it('stops when others built on a table of the plan, and changes nothing then', async () => {
    await migrate(PLAN)
    await runSql(
      to.url,
      'CREATE VIEW public.seen AS SELECT * FROM moved.orders; CREATE TABLE public.bill (customer text REFERENCES moved.customers (name))',
    )
    const before = await everything(to.url)
    await expect(target.rollBack(PLAN, [orders, customers])).rejects.toMatchObject({
      code: 'CONFLICT',
      details: ['public.bill', 'public.seen'],
    })
    expect(await everything(to.url)).toEqual(before)
    expect(await target.completed(PLAN)).not.toEqual([])
    await runSql(to.url, 'DROP VIEW public.seen; DROP TABLE public.bill')
    await target.rollBack(PLAN, [orders, customers])
  })

  it('stops when a table holds more rows than were copied into it, and names it', async () => {
    await migrate(PLAN)
    await runSql(to.url, `INSERT INTO moved.customers VALUES ('carl')`)
    const before = await everything(to.url)
    await expect(target.rollBack(PLAN, [orders, customers])).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('Nothing was rolled back'),
      details: ['moved.customers: holds 3 rows, 2 were copied'],
    })
    expect(await everything(to.url)).toEqual(before)
    expect(await target.completed(PLAN)).not.toEqual([])
    await runSql(to.url, `DELETE FROM moved.customers WHERE name = 'carl'`)
    expect(await target.rollBack(PLAN, [orders, customers])).toContainEqual({ table_id: 'customers', rows: '2' })
  })

  it('goes on when a person dropped the table with the rows of others', async () => {
    await migrate(PLAN)
    await runSql(to.url, `INSERT INTO moved.orders VALUES (501, 'ann'); DROP TABLE moved.orders`)
    expect(await target.rollBack(PLAN, [orders, customers])).toEqual([
      { table_id: 'customers', rows: '2' },
      { table_id: 'orders', rows: '0' },
    ])
  })

  it('goes on where rows were changed, deleted or exchanged: those tables hold no more than was copied', async () => {
    await migrate(PLAN)
    await runSql(to.url, `DELETE FROM moved.orders WHERE id = 7; INSERT INTO moved.orders VALUES (501, 'ann')`)
    expect(await target.rollBack(PLAN, [orders, customers])).toContainEqual({ table_id: 'orders', rows: '500' })
  })

  it('names whatever depends on a table of the plan: what inherits from it, and what takes its row as a type', async () => {
    await migrate(PLAN)
    await runSql(
      to.url,
      `CREATE TABLE public.heir () INHERITS (moved.orders);
       CREATE FUNCTION public.total(moved.orders) RETURNS int LANGUAGE sql AS 'SELECT 1';
       CREATE TABLE public.archive (was moved.orders, all_of moved.customers[])`,
    )
    const before = await everything(to.url)
    const refused = await target.rollBack(PLAN, [orders, customers]).catch((error: WaybillError) => error)
    expect(refused).toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/^Others built on tables of this plan: .*Remove those first; nothing was rolled back\.$/),
      details: [
        'column all_of of table public.archive',
        'column was of table public.archive',
        'function public.total(moved.orders)',
        'public.heir',
      ],
    })
    expect(await everything(to.url)).toEqual(before)
    await runSql(to.url, 'DROP TABLE public.heir, public.archive; DROP FUNCTION public.total')
    await target.rollBack(PLAN, [orders, customers])
  })

  it('does not touch a table that somebody made anew under the same name', async () => {
    await target.prepare(PLAN, [customers])
    await runSql(to.url, 'DROP TABLE moved.customers; CREATE TABLE moved.customers (theirs int); INSERT INTO moved.customers VALUES (1)')
    const [chunk] = chunksOf(customers, [{ from: '0', to: null }])
    await expect(target.copy(PLAN, customers, chunk!, () => {})).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await target.rollBack(PLAN, [customers])).toEqual([{ table_id: 'customers', rows: '0' }])
    expect(JSON.stringify(await everything(to.url))).toContain('theirs')
  })

  it('marks a plan that had made nothing yet', async () => {
    expect(await target.rollBack(PLAN, [orders])).toEqual([{ table_id: 'orders', rows: '0' }])
    await expect(target.prepare(PLAN, [orders])).rejects.toMatchObject({ code: 'PLAN_NOT_AUTHORISED' })
  })
})

describe('finish', () => {
  it('adds keys and foreign keys under fixed names, as often as it is asked', async () => {
    await migrate(PLAN)
    await target.finish(PLAN, [orders, customers])
    const constraints = await withClient(to.url, (client) =>
      client.query(
        `SELECT conname, contype, convalidated FROM pg_constraint WHERE connamespace = 'moved'::regnamespace AND contype IN ('p', 'f') ORDER BY 1`,
      ),
    )
    expect(constraints.rows).toEqual([
      { conname: 'customers_pkey', contype: 'p', convalidated: true },
      { conname: 'orders_customer_fkey', contype: 'f', convalidated: true },
      { conname: 'orders_pkey', contype: 'p', convalidated: true },
    ])
  })

  it('keeps orphans under an unvalidated foreign key, and refuses them under an enforced one', async () => {
    const filtered = { ...customers, filter: { all: [{ column: 'name', op: 'eq' as const, values: ['ann'] }] } }
    const loose = { ...orders, foreign_keys: orders.foreign_keys.map((key) => ({ ...key, enforcement: 'unvalidated' as const })) }
    await expect(migrate(PLAN, [orders, filtered])).rejects.toMatchObject({
      code: 'PLAN_INVALID',
      message: expect.stringContaining('unvalidated'),
    })
    await target.finish(PLAN, [loose, filtered])
    await expect(target.finish(PLAN, [orders, filtered])).rejects.toMatchObject({ code: 'PLAN_INVALID' })
    await target.rollBack(PLAN, [orders, customers])
    await migrate(OTHER_PLAN, [loose, filtered])
    const rows = await withClient(to.url, (client) =>
      client.query(
        `SELECT convalidated, (SELECT count(*)::int FROM moved.orders) AS rows FROM pg_constraint WHERE conname = 'orders_customer_fkey'`,
      ),
    )
    expect(rows.rows).toEqual([{ convalidated: false, rows: 500 }])
  })

  it('says how far the data is from being a key', async () => {
    const wrong = { ...orders, key: ['customer'], foreign_keys: [] }
    await expect(migrate(PLAN, [wrong])).rejects.toMatchObject({
      code: 'PLAN_INVALID',
      message: expect.stringContaining('2 values occur more than once'),
    })
  })

  it('refuses a foreign key to columns that are not unique, or to a table that is not there', async () => {
    const keyless = { ...customers, key: null }
    await expect(migrate(PLAN, [orders, keyless])).rejects.toMatchObject({
      code: 'PLAN_INVALID',
      message: expect.stringContaining('not unique'),
    })
    await expect(migrate(OTHER_PLAN, [{ ...orders, target: { schema: 'alone', name: 'orders' } }])).rejects.toMatchObject({
      message: expect.stringContaining('does not exist'),
    })
  })

  it('gives long names their own constraint names of at most 63 bytes', async () => {
    const name = 'ü'.repeat(31)
    const long = (tail: string) =>
      table(`long${tail}`, [column('name', 'text')], {
        key: ['name'],
        source: customers.source,
        target: { schema: 'moved', name: `${name}${tail}` },
      })
    await migrate(PLAN, [long('a'), long('b')])
    const names = await withClient(to.url, (client) =>
      client.query<{ n: string }>(`SELECT conname AS n FROM pg_constraint WHERE contype = 'p' AND connamespace = 'moved'::regnamespace`),
    )
    expect(new Set(names.rows.map((row) => row.n)).size).toBe(2)
    for (const { n } of names.rows) expect(n).toMatch(/_[0-9a-f]{12}_pkey$/)
  })
})
