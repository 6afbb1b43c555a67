import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { asker } from '../../../layers/connectors/postgres/ask.ts'
import { readCatalog } from '../../../layers/connectors/postgres/catalog.ts'
import { createControl } from '../../../layers/connectors/postgres/checkpoint.ts'
import { openSession } from '../../../layers/connectors/postgres/session.ts'
import { waybill } from '../../end-to-end/command.ts'
import { freshDatabase, runSql } from '../../support/postgres.ts'
import { mappingOf, type Pair, reconcile } from './recon-fixture.ts'

/** A name does not say which table it is: another may have it since, or a schema may be called like Waybill's own. */
let pair: Pair
const folder = mkdtempSync(join(tmpdir(), 'waybill-names-'))
beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
})
afterAll(async () => {
  await pair.source.drop()
  await pair.target.drop()
  rmSync(folder, { recursive: true, force: true })
})

it('a table that an earlier run found equal is compared again when another one has its name', async () => {
  const made = 'CREATE TABLE a (id int PRIMARY KEY, v int); INSERT INTO a SELECT g, g FROM generate_series(1, 100) g'
  // The second table cannot be compared, so that the first run does not come to its end.
  const undecided = `CREATE TABLE z (v aclitem); INSERT INTO z VALUES (makeaclitem(10, 10, 'SELECT', false))`
  for (const side of [pair.source, pair.target]) await runSql(side.url, `${made}; ${undecided}`)
  const args = ['compare', pair.source.url, pair.target.url, '--state', join(folder, 'state')]
  const first = await waybill(args)
  expect([first.code, existsSync(join(folder, 'state'))]).toEqual([2, true])
  const again = await waybill([...args, '--json'])
  expect([again.code, JSON.parse(again.out).earlier.length]).toEqual([2, 1])
  await runSql(pair.target.url, `DROP TABLE a; ${made}; UPDATE a SET v = 0 WHERE id = 7`)
  const other = await waybill([...args, '--json'])
  expect([other.code, JSON.parse(other.out).earlier]).toEqual([1, []])
})

it('a schema called waybill is compared like any other; only the tables in which Waybill marks its own migrations are not', async () => {
  for (const side of [pair.source, pair.target]) {
    await runSql(
      side.url,
      'DROP TABLE IF EXISTS z, a; CREATE SCHEMA waybill; CREATE TABLE waybill.shipments (id int PRIMARY KEY); CREATE TABLE waybill.object (id int PRIMARY KEY)',
    )
  }
  await runSql(pair.source.url, 'INSERT INTO waybill.shipments VALUES (1)')
  await runSql(pair.source.url, 'INSERT INTO waybill.object VALUES (1)')
  const result = await waybill(['compare', pair.source.url, pair.target.url, '--json'])
  const found = JSON.parse(result.out)
  expect([result.code, found.tables.map((table: { target_object: string }) => table.target_object)]).toEqual([
    1,
    ['waybill.object', 'waybill.shipments'],
  ])
  expect(found.left_out.join(' ')).toMatch(/the three tables in which Waybill marks its own migrations/)

  await runSql(pair.target.url, 'DROP TABLE waybill.object')
  const session = await openSession(pair.target.url, { readOnly: false, connectTimeoutMs: 10_000, statementTimeoutMs: 60_000 })
  try {
    const ask = asker(session, 'testing')
    await createControl(ask)
    expect((await readCatalog(ask, [])).tables.map((table) => table.name)).toEqual(['shipments'])
    await ask('ALTER TABLE waybill.object ADD COLUMN mine int')
    expect((await readCatalog(ask, [])).tables.map((table) => table.name)).toEqual(['object', 'shipments'])
  } finally {
    await session.close()
  }
})

it('a key may be called as Waybill calls its own columns', async () => {
  for (const side of [pair.source, pair.target]) {
    await runSql(
      side.url,
      `CREATE TABLE named ("waybill n" int, "waybill total" int, PRIMARY KEY ("waybill n", "waybill total")); INSERT INTO named SELECT g, g FROM generate_series(1, 100) g`,
    )
  }
  const mapping = mappingOf('named', { 'waybill n': 'integer', 'waybill total': 'integer' }, { key: ['waybill n', 'waybill total'] })
  const { result } = await reconcile(pair, mapping)
  expect([result.verdict, result.mode, result.segments.length]).toEqual(['pass', 'ordered', 4])
})
