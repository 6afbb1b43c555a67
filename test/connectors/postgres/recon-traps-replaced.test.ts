import type { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openReconciler } from '../../../layers/connectors/postgres/reconciler.ts'
import type { TableMapping } from '../../../layers/core/schemas/proposal.ts'
import type { TableResult } from '../../../layers/core/schemas/recon.ts'
import { freshDatabase, runSql, withClient } from '../../support/postgres.ts'
import { mappingOf, optionsOf, type Pair, reconOf } from './recon-fixture.ts'

/**
 * TRUNCATE, an ALTER TABLE that rewrites, and partitions that come or go take effect under a snapshot that is open already: the table is
 * suddenly empty, or another one. The comparison waits in a first table while that happens to the second.
 */
let pair: Pair
const GATE = 4711
const gate = mappingOf('gate', { id: 'integer' }, { table_id: 'gate' })

beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
  await runSql(pair.source.url, `CREATE VIEW gate AS SELECT 1 AS id FROM (SELECT pg_advisory_lock_shared(${GATE})) AS waits`)
  await runSql(pair.target.url, 'CREATE VIEW gate AS SELECT 1 AS id')
})
afterAll(async () => {
  await pair.source.drop()
  await pair.target.drop()
})

/** Compares `mapping` after `change` was committed on the source, under snapshots older than the change. */
async function afterSnapshot(mapping: TableMapping, change: string, connections: number): Promise<TableResult> {
  const [, result] = await whileWaiting([gate, mapping], (client) => client.query(change), connections)
  return result!
}

/** Compares these tables, and does something on the source while the comparison waits in the gate. */
async function whileWaiting(
  mappings: readonly TableMapping[],
  act: (client: Client) => Promise<unknown>,
  connections: number,
): Promise<TableResult[]> {
  const reconciler = await openReconciler(
    { systemType: 'POSTGRESQL', url: pair.source.url },
    { systemType: 'POSTGRESQL', url: pair.target.url },
    { connectTimeoutMs: 10_000, statementTimeoutMs: 60_000, signal: new AbortController().signal },
  )
  try {
    return await withClient(pair.source.url, async (client) => {
      await client.query(`SELECT pg_advisory_lock(${GATE})`)
      const work = mappings.map((one) => ({ mapping: one, recon: reconOf(one) }))
      const running = reconciler.reconcile(work, optionsOf({ connections }))
      const waiting = async () =>
        (await client.query(`SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = ${GATE}`)).rowCount
      await expect.poll(waiting, { timeout: 20_000 }).toBe(1)
      await act(client)
      await client.query(`SELECT pg_advisory_unlock(${GATE})`)
      return running
    })
  } finally {
    await reconciler.close()
  }
}

const plain = (name: string, key: string[] | null) => mappingOf(name, { id: 'integer', a: 'text' }, { key })
const parted = (name: string) =>
  `CREATE TABLE ${name} (id int PRIMARY KEY, a text) PARTITION BY RANGE (id); CREATE TABLE ${name}_low PARTITION OF ${name} FOR VALUES FROM (0) TO (100)`
const rows = (name: string, from = 1, to = 50) => `INSERT INTO ${name} SELECT g, 'x' FROM generate_series(${from}, ${to}) g`

const replaced: readonly [string, (name: string) => { source: string; target: string; change: string }][] = [
  [
    'truncated, while the target is empty',
    (name) => ({
      source: `CREATE TABLE ${name} (id int PRIMARY KEY, a text); ${rows(name)}`,
      target: `CREATE TABLE ${name} (id int PRIMARY KEY, a text)`,
      change: `TRUNCATE ${name}`,
    }),
  ],
  [
    'rewritten by ALTER TABLE, while the target is empty',
    (name) => ({
      source: `CREATE TABLE ${name} (id int PRIMARY KEY, a varchar(9)); ${rows(name)}`,
      target: `CREATE TABLE ${name} (id int PRIMARY KEY, a text)`,
      change: `ALTER TABLE ${name} ALTER a TYPE text USING a || ''`,
    }),
  ],
  [
    'a partition dropped, which the target never had',
    (name) => ({
      source: `${parted(name)}; CREATE TABLE ${name}_high PARTITION OF ${name} FOR VALUES FROM (100) TO (200); ${rows(name)}; ${rows(name, 100, 110)}`,
      target: `${parted(name)}; ${rows(name)}`,
      change: `DROP TABLE ${name}_high`,
    }),
  ],
  [
    'a partition detached, which the target never had',
    (name) => ({
      source: `${parted(name)}; CREATE TABLE ${name}_high PARTITION OF ${name} FOR VALUES FROM (100) TO (200); ${rows(name)}; ${rows(name, 100, 110)}`,
      target: `${parted(name)}; ${rows(name)}`,
      change: `ALTER TABLE ${name} DETACH PARTITION ${name}_high`,
    }),
  ],
  [
    'a partition attached, which the target has',
    (name) => ({
      source: `${parted(name)}; CREATE TABLE ${name}_high (id int NOT NULL, a text); ${rows(name)}; ${rows(`${name}_high`, 100, 110)}`,
      target: `${parted(name)}; CREATE TABLE ${name}_high PARTITION OF ${name} FOR VALUES FROM (100) TO (200); ${rows(name)}; ${rows(name, 100, 110)}`,
      change: `ALTER TABLE ${name} ATTACH PARTITION ${name}_high FOR VALUES FROM (100) TO (200)`,
    }),
  ],
  [
    'truncated under a view, while the target is empty',
    (name) => ({
      source: `CREATE TABLE ${name}_of (id int PRIMARY KEY, a text); ${rows(`${name}_of`)}; CREATE VIEW ${name} AS SELECT * FROM ${name}_of`,
      target: `CREATE TABLE ${name} (id int PRIMARY KEY, a text)`,
      change: `TRUNCATE ${name}_of`,
    }),
  ],
  [
    'another table under its name, full before and after, whose rows the snapshot does not see',
    (name) => ({
      source: `CREATE TABLE ${name} (id int PRIMARY KEY, a text); ${rows(name)}`,
      target: `CREATE TABLE ${name} (id int PRIMARY KEY, a text)`,
      change: `CREATE TABLE ${name}_new (LIKE ${name} INCLUDING ALL); INSERT INTO ${name}_new SELECT * FROM ${name};
               ALTER TABLE ${name} RENAME TO ${name}_old; ALTER TABLE ${name}_new RENAME TO ${name}`,
    }),
  ],
  [
    'another table under its name, which the snapshot sees',
    (name) => ({
      source: `CREATE TABLE ${name} (id int PRIMARY KEY, a text); ${rows(name)}; CREATE TABLE ${name}_other (id int PRIMARY KEY, a text)`,
      target: `CREATE TABLE ${name} (id int PRIMARY KEY, a text)`,
      change: `ALTER TABLE ${name} RENAME TO ${name}_old; ALTER TABLE ${name}_other RENAME TO ${name}`,
    }),
  ],
  [
    'another table under its name, from another schema',
    (name) => ({
      source: `CREATE SCHEMA ${name}_s; CREATE TABLE ${name} (id int PRIMARY KEY, a text); ${rows(name)}; CREATE TABLE ${name}_s.${name} (id int CONSTRAINT ${name}_k PRIMARY KEY, a text)`,
      target: `CREATE TABLE ${name} (id int PRIMARY KEY, a text)`,
      change: `ALTER TABLE ${name} RENAME TO ${name}_old; ALTER TABLE ${name}_s.${name} SET SCHEMA public`,
    }),
  ],
  [
    'another schema under its name',
    (name) => ({
      source: `CREATE SCHEMA ${name}_a; CREATE SCHEMA ${name}_b; CREATE TABLE ${name}_a.t (id int, a text); CREATE TABLE ${name}_b.t (id int, a text);
               ${rows(`${name}_a.t`)}; CREATE VIEW ${name} AS SELECT * FROM ${name}_a.t`,
      target: `CREATE TABLE ${name} (id int PRIMARY KEY, a text); ${rows(name)}`,
      change: `ALTER SCHEMA ${name}_a RENAME TO ${name}_c; ALTER SCHEMA ${name}_b RENAME TO ${name}_a`,
    }),
  ],
  [
    'a child that inherits no more',
    (name) => ({
      source: `CREATE TABLE ${name} (id int PRIMARY KEY, a text); CREATE TABLE ${name}_child () INHERITS (${name}); ${rows(name)}; ${rows(`${name}_child`, 100, 110)}`,
      target: `CREATE TABLE ${name} (id int PRIMARY KEY, a text); ${rows(name)}`,
      change: `ALTER TABLE ${name}_child NO INHERIT ${name}`,
    }),
  ],
  [
    'a table that inherits now',
    (name) => ({
      source: `CREATE TABLE ${name} (id int PRIMARY KEY, a text); CREATE TABLE ${name}_child (LIKE ${name}); ${rows(name)}; ${rows(`${name}_child`, 100, 110)}`,
      target: `CREATE TABLE ${name} (id int PRIMARY KEY, a text); ${rows(name)}; ${rows(name, 100, 110)}`,
      change: `ALTER TABLE ${name}_child INHERIT ${name}`,
    }),
  ],
  [
    'a partition detached under a view',
    (name) => ({
      source: `${parted(`${name}_of`)}; CREATE TABLE ${name}_high PARTITION OF ${name}_of FOR VALUES FROM (100) TO (200); ${rows(`${name}_of`)}; ${rows(`${name}_of`, 100, 110)}; CREATE VIEW ${name} AS SELECT * FROM ${name}_of`,
      target: `CREATE TABLE ${name} (id int PRIMARY KEY, a text); ${rows(name)}`,
      change: `ALTER TABLE ${name}_of DETACH PARTITION ${name}_high`,
    }),
  ],
  [
    'a partition attached under a view',
    (name) => ({
      source: `${parted(`${name}_of`)}; CREATE TABLE ${name}_high (id int NOT NULL, a text); ${rows(`${name}_of`)}; ${rows(`${name}_high`, 100, 110)}; CREATE VIEW ${name} AS SELECT * FROM ${name}_of`,
      target: `CREATE TABLE ${name} (id int PRIMARY KEY, a text); ${rows(name)}; ${rows(name, 100, 110)}`,
      change: `ALTER TABLE ${name}_of ATTACH PARTITION ${name}_high FOR VALUES FROM (100) TO (200)`,
    }),
  ],
  [
    'a view that is another one',
    (name) => ({
      source: `CREATE TABLE ${name}_of (id int PRIMARY KEY, a text); ${rows(`${name}_of`)}; CREATE VIEW ${name} AS SELECT * FROM ${name}_of`,
      target: `CREATE TABLE ${name} (id int PRIMARY KEY, a text); ${rows(name, 1, 20)}`,
      change: `CREATE OR REPLACE VIEW ${name} AS SELECT * FROM ${name}_of WHERE id <= 20`,
    }),
  ],
  [
    'a function behind a view that is another one',
    (name) => ({
      source: `CREATE TABLE ${name}_of (id int PRIMARY KEY, a text); ${rows(`${name}_of`)};
               CREATE FUNCTION ${name}_said(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1'; CREATE VIEW ${name} AS SELECT id, ${name}_said(a) AS a FROM ${name}_of`,
      target: `CREATE TABLE ${name} (id int PRIMARY KEY, a text); INSERT INTO ${name} SELECT g, 'y' FROM generate_series(1, 50) g`,
      change: `CREATE OR REPLACE FUNCTION ${name}_said(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT ''y''::text'`,
    }),
  ],
  [
    'truncated within a function behind a view, which no catalog connects with it',
    (name) => ({
      source: `CREATE TABLE ${name}_of (id int PRIMARY KEY, a text); ${rows(`${name}_of`)};
               CREATE FUNCTION ${name}_rows() RETURNS TABLE (id int, a text) LANGUAGE sql STABLE AS 'SELECT id, a FROM public.${name}_of'; CREATE VIEW ${name} AS SELECT * FROM ${name}_rows()`,
      target: `CREATE TABLE ${name} (id int PRIMARY KEY, a text)`,
      change: `TRUNCATE ${name}_of`,
    }),
  ],
  [
    'a column dropped and added anew, without a rewrite',
    (name) => ({
      source: `CREATE TABLE ${name} (id int PRIMARY KEY, a text); ${rows(name)}`,
      target: `CREATE TABLE ${name} (id int PRIMARY KEY, a text); INSERT INTO ${name} SELECT g, '5' FROM generate_series(1, 50) g`,
      change: `ALTER TABLE ${name} DROP COLUMN a; ALTER TABLE ${name} ADD COLUMN a text DEFAULT '5'`,
    }),
  ],
  [
    'an enum whose labels changed places',
    (name) => ({
      source: `CREATE TYPE ${name}_e AS ENUM ('x', 'y'); CREATE TABLE ${name} (id int PRIMARY KEY, a ${name}_e); ${rows(name)}`,
      target: `CREATE TABLE ${name} (id int PRIMARY KEY, a text); INSERT INTO ${name} SELECT g, 'y' FROM generate_series(1, 50) g`,
      change: `ALTER TYPE ${name}_e RENAME VALUE 'y' TO 'z'; ALTER TYPE ${name}_e RENAME VALUE 'x' TO 'y'`,
    }),
  ],
]

it.each(
  replaced.flatMap(([what, sql], i) =>
    [['id'], null].map((key) => ({ what, sql, key, name: `replaced_${i}${key === null ? '' : '_keyed'}` })),
  ),
)('never equal: $what, key $key', async ({ sql, key, name }) => {
  const { source, target, change } = sql(name)
  await runSql(pair.source.url, source)
  await runSql(pair.target.url, target)
  const result = await afterSnapshot(plain(name, key), change, key === null ? 1 : 2)
  expect(result.verdict).toBe('inconclusive')
  expect(result.reasons[0]).toMatch(
    /^SEGMENT_INCOMPLETE: .* on the source was truncated, rewritten, attached, dropped or otherwise redefined while/,
  )
})

it('what a snapshot does hide is no obstacle: rows written, tables vacuumed and reindexed meanwhile', async () => {
  for (const side of [pair.source, pair.target]) await runSql(side.url, `${parted('busy')}; ${rows('busy')}`)
  for (const key of [['id'], null]) {
    const result = await afterSnapshot(
      plain('busy', key),
      'DELETE FROM busy WHERE id < 10; UPDATE busy SET a = a; REINDEX TABLE busy_low; CREATE TABLE IF NOT EXISTS newcomer (id int)',
      2,
    )
    expect([result.verdict, result.reasons]).toEqual(['pass', []])
    await runSql(pair.source.url, `DELETE FROM busy; ${rows('busy')}`)
  }
})

it.each([1, 2])('a table that was read is locked no longer: %i connections', async (connections) => {
  const names = Array.from({ length: 5 }, (_, i) => `unlocked_${connections}_${i}`)
  for (const side of [pair.source, pair.target]) {
    await runSql(side.url, names.map((name) => `CREATE TABLE ${name} (id int PRIMARY KEY, a text); ${rows(name)}`).join('; '))
  }
  const locked = `SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.pid <> pg_backend_pid() AND c.relname LIKE 'unlocked%'`
  let found: unknown[] | null = null
  const mappings = [...names.map((name, i) => ({ ...plain(name, i % 2 === 0 ? ['id'] : null), table_id: name })), gate]
  const results = await whileWaiting(mappings, async (client) => (found = (await client.query(locked)).rows), connections)
  expect([found, results.map((result) => result.verdict)]).toEqual([[], mappings.map(() => 'pass')])
})
