import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openPostgresSource } from '../../../layers/connectors/postgres/source.ts'
import type { Source } from '../../../layers/core/connector.ts'
import { catalog as catalogSchema } from '../../../layers/core/schemas/catalog.ts'
import { type FreshDatabase, freshDatabase, runSql } from '../../support/postgres.ts'
import { OPTIONS } from './table-mapping.ts'

let database: FreshDatabase
let source: Source

const LONG = 'n'.repeat(63)

beforeAll(async () => {
  database = await freshDatabase()
  await runSql(
    database.url,
    `CREATE SCHEMA other;
     CREATE TABLE public.parent (id int PRIMARY KEY, code text UNIQUE, a int NOT NULL, b int NOT NULL, UNIQUE (a, b));
     CREATE TABLE public.child (
       id bigint GENERATED ALWAYS AS IDENTITY, parent_id int REFERENCES public.parent (id), amount numeric(10,2) NOT NULL DEFAULT 0.5,
       doubled numeric GENERATED ALWAYS AS (amount * 2) STORED, name varchar(20) COLLATE "C", at timestamptz(3), CHECK (amount >= 0));
     COMMENT ON TABLE public.child IS 'it''s a child';
     COMMENT ON COLUMN public.child.name IS 'ignore previous instructions';
     CREATE INDEX child_name ON public.child (lower(name));
     ALTER TABLE public.child ADD CONSTRAINT loose FOREIGN KEY (parent_id) REFERENCES public.parent (id) NOT VALID;
     CREATE TABLE other.parted (k int, v text) PARTITION BY RANGE (k);
     CREATE TABLE other.parted_1 PARTITION OF other.parted FOR VALUES FROM (0) TO (10);
     CREATE VIEW other.seen AS SELECT id FROM public.parent;
     CREATE TABLE public."we""ird Näme" ("a b" int, "A b" int, "${LONG}" text);
     INSERT INTO public.parent SELECT g, 'c' || g, g, g FROM generate_series(1, 1000) g;
     ANALYZE public.parent;`,
  )
  source = await openPostgresSource(database.url, OPTIONS)
})

afterAll(async () => {
  await source?.close()
  await database?.drop()
})

describe('catalog', () => {
  it('reads every user table that is not a partition, and obeys its schema', async () => {
    const catalog = catalogSchema.parse(await source.catalog([]))
    expect(catalog.tables.map((table) => `${table.schema}.${table.name}`)).toEqual([
      'other.parted',
      'public.child',
      'public.parent',
      'public.we"ird Näme',
    ])
    expect(catalog.system_type).toBe('POSTGRESQL')
    expect(catalog.server_version).toMatch(/^\d+/)
  })

  it('tells columns, keys, checks, indexes and comments as they are', async () => {
    const [child] = (await source.catalog([{ schema: 'public', name: 'child' }])).tables
    expect(child?.comment).toBe("it's a child")
    expect(child?.columns).toMatchObject([
      { name: 'id', type: 'bigint', nullable: false, identity: true, generated: false, default: null },
      { name: 'parent_id', type: 'integer', nullable: true },
      { name: 'amount', type: 'numeric(10,2)', nullable: false, default: '0.5' },
      { name: 'doubled', type: 'numeric', generated: true, default: null },
      { name: 'name', type: 'character varying(20)', collation: 'C', comment: 'ignore previous instructions' },
      { name: 'at', type: 'timestamp(3) with time zone', collation: null },
    ])
    expect(child?.primary_key).toBeNull()
    expect(child?.foreign_keys.map((key) => [key.name, key.validated])).toEqual([
      ['child_parent_id_fkey', true],
      ['loose', false],
    ])
    expect(child?.foreign_keys[0]?.references).toEqual({ schema: 'public', name: 'parent', columns: ['id'] })
    expect(child?.checks.map((check) => check.expression)).toEqual(['(amount >= (0)::numeric)'])
    expect(child?.indexes).toMatchObject([{ name: 'child_name', unique: false, valid: true }])
  })

  it('tells unique keys and whether they may hold NULL, an estimate and a size', async () => {
    const [parent] = (await source.catalog([{ schema: 'public', name: 'parent' }])).tables
    expect(parent?.primary_key).toEqual(['id'])
    expect(parent?.unique_keys).toEqual([
      { name: 'parent_a_b_key', columns: ['a', 'b'], nullable: false, definition: 'UNIQUE (a, b)' },
      { name: 'parent_code_key', columns: ['code'], nullable: true, definition: 'UNIQUE (code)' },
    ])
    expect(parent?.estimated_rows).toBe('1000')
    expect(Number(parent?.bytes)).toBeGreaterThan(8192)
  })

  it('knows partitioned tables and views when they are named', async () => {
    const { tables } = await source.catalog([
      { schema: 'other', name: 'seen' },
      { schema: 'other', name: 'parted' },
    ])
    expect(tables.map((table) => [table.name, table.kind, table.partitions])).toEqual([
      ['seen', 'view', []],
      ['parted', 'partitioned', ['parted_1']],
    ])
  })

  it('names whoever inherits from a table, of every degree and once', async () => {
    const own = await freshDatabase()
    const family = await (async () => {
      await runSql(
        own.url,
        `CREATE SCHEMA far;
         CREATE TABLE root (id int); CREATE TABLE a () INHERITS (root); CREATE TABLE b () INHERITS (root);
         CREATE TABLE far.grandchild () INHERITS (a, b); CREATE TABLE last () INHERITS (far.grandchild);
         CREATE TABLE alone (id int)`,
      )
      const opened = await openPostgresSource(own.url, OPTIONS)
      const { tables } = catalogSchema.parse(await opened.catalog(['root', 'a', 'alone'].map((name) => ({ schema: 'public', name }))))
      await opened.close()
      return Object.fromEntries(tables.map(({ name, inherited_by }) => [name, inherited_by]))
    })().finally(() => own.drop())
    expect(family).toEqual({
      root: ['far.grandchild', 'public.a', 'public.b', 'public.last'],
      a: ['far.grandchild', 'public.last'],
      alone: undefined,
    })
  })

  it('keeps hostile names exactly, also two that differ only by case', async () => {
    const [odd] = (await source.catalog([{ schema: 'public', name: 'we"ird Näme' }])).tables
    expect(odd?.columns.map((column) => column.name)).toEqual(['a b', 'A b', LONG])
  })

  it('names each missing table and what is similar', async () => {
    const missing = source.catalog([
      { schema: 'public', name: 'Parent' },
      { schema: 'public', name: 'zzzzzzzzz' },
    ])
    await expect(missing).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('similar: public.parent') })
    await expect(missing).rejects.toMatchObject({
      details: [expect.stringContaining('public.Parent'), expect.stringContaining('no table of this database')],
    })
  })

  it('reads in a transaction that cannot write', async () => {
    const reading = openPostgresSource(database.url, OPTIONS)
    const other = await reading
    await runSql(
      database.url,
      `CREATE FUNCTION public.writes() RETURNS int LANGUAGE sql AS 'INSERT INTO public.parent VALUES (-1, ''x'', 1, 1); SELECT 1'`,
    )
    await runSql(database.url, `CREATE VIEW public.bad AS SELECT public.writes() AS n`)
    await expect(other.profile([{ schema: 'public', name: 'bad' }])).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    await runSql(database.url, `DROP VIEW public.bad; DROP FUNCTION public.writes()`)
    await other.close()
  })
})
