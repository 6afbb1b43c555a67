import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FreshDatabase, freshDatabase, runSql, serverUrl, withClient } from '../support/postgres.ts'
import { startWaybill, waybill } from './command.ts'

let source: FreshDatabase
let target: FreshDatabase
const role = { name: `reader_${randomBytes(6).toString('hex')}`, password: 'a reader' }

const TABLES = `
  CREATE TABLE item (id bigint PRIMARY KEY, name text, price numeric(10,2), at timestamptz);
  INSERT INTO item SELECT i, 'item ' || i, i * 1.25, '2026-01-01Z'::timestamptz + i * interval '1 minute' FROM generate_series(1, 5000) i;
  CREATE TABLE visit (at timestamp, who text);
  INSERT INTO visit SELECT '2026-01-01'::timestamp + (i % 100) * interval '1 hour', 'w' || i % 7 FROM generate_series(1, 3000) i;`

beforeAll(async () => {
  source = await freshDatabase()
  target = await freshDatabase()
  await Promise.all([source, target].map((database) => runSql(database.url, TABLES)))
})
afterAll(async () => {
  await runSql(source.url, `DROP OWNED BY ${role.name}`).catch(() => {})
  await source.drop()
  await target.drop()
  await runSql(serverUrl('postgres'), `DROP ROLE IF EXISTS ${role.name}`)
})

/** Changes the target, compares, and puts the target back. */
async function comparedAfter(change: string, undo: string, args: string[] = []): Promise<Awaited<ReturnType<typeof waybill>>> {
  await runSql(target.url, change)
  try {
    return await waybill(['compare', source.url, target.url, ...args])
  } finally {
    await runSql(target.url, undo)
  }
}

describe('compare', () => {
  it('gives 0 on equal databases, keys and duplicates alike', async () => {
    const result = await waybill(['compare', source.url, target.url])
    expect(result.code, result.err).toBe(0)
    expect(result.out).toMatch(/equal.*public\.item.*5,000 rows/)
    expect(result.out).toMatch(/equal.*public\.visit.*3,000 rows/)
    expect(result.out).toContain('every row of every table compared')
  })

  it('gives 1 and names the keys and columns that differ', async () => {
    const result = await comparedAfter(
      `UPDATE item SET price = price + 0.01 WHERE id = 77; DELETE FROM item WHERE id = 4321; INSERT INTO item VALUES (9001, 'new', 1, now())`,
      `UPDATE item SET price = price - 0.01 WHERE id = 77; DELETE FROM item WHERE id = 9001;
       INSERT INTO item SELECT i, 'item ' || i, i * 1.25, '2026-01-01Z'::timestamptz + i * interval '1 minute' FROM generate_series(4321, 4321) i`,
      ['--table', 'public.item'],
    )
    expect(result.code, result.err).toBe(1)
    expect(result.out).toMatch(/changed.*id="77".*price: "96.25" → "96.26"/)
    expect(result.out).toMatch(/missing.*id="4321"/)
    expect(result.out).toMatch(/extra.*id="9001"/)
    expect(result.out).toMatch(/1 missing\s+1 extra\s+1 changed/)
  })

  it('sees one more copy of a row in a table without a key', async () => {
    const result = await comparedAfter(
      `INSERT INTO visit SELECT * FROM visit WHERE who = 'w3' AND at = (SELECT min(at) FROM visit WHERE who = 'w3') LIMIT 1`,
      `DELETE FROM visit WHERE ctid = (SELECT max(ctid) FROM visit)`,
      ['--table', 'public.visit', '--json', '--show-values'],
    )
    expect(result.code, result.err).toBe(1)
    const found = JSON.parse(result.out) as {
      tables: { extra: string; mismatches: { kind: string; columns: { column: string; target: string }[] }[] }[]
    }
    expect(found.tables[0]!.extra).toBe('1')
    expect(found.tables[0]!.mismatches[0]).toMatchObject({ kind: 'extra' })
    expect(found.tables[0]!.mismatches[0]!.columns.find((cell) => cell.column === 'who')!.target).toBe('w3')
  })

  it('masks values in JSON unless asked', async () => {
    const result = await comparedAfter(`UPDATE item SET name = 'personal' WHERE id = 5`, `UPDATE item SET name = 'item 5' WHERE id = 5`, [
      '--json',
    ])
    expect(result.code).toBe(1)
    expect(result.out).not.toContain('personal')
  })

  it('says which tables only one side has', async () => {
    const result = await comparedAfter('CREATE TABLE surplus (x int)', 'DROP TABLE surplus')
    expect(result.code).toBe(1)
    expect(result.out).toMatch(/public\.surplus.*only the target has this table/)
  })

  it('gives 2 for a missing table, and says so', async () => {
    const result = await waybill(['compare', source.url, target.url, '--table', 'public.itme'])
    expect(result.code).toBe(2)
    expect(result.err).toMatch(/public\.itme does not exist.*item/s)
  })

  it('gives 2 for a wrong password, which it does not print', async () => {
    const wrong = new URL(source.url)
    wrong.password = 'not-the-password'
    const result = await waybill(['compare', wrong.href, target.url])
    expect(result.code).toBe(2)
    expect(result.err + result.out).not.toContain('not-the-password')
    expect(result.err).toMatch(/error (PERMISSION_DENIED|CONNECTION_FAILED)/)
  })

  it('gives 2 when a table may not be read', async () => {
    await runSql(source.url, `CREATE ROLE ${role.name} LOGIN PASSWORD '${role.password}'; GRANT USAGE ON SCHEMA public TO ${role.name}`)
    const database = new URL(source.url).pathname.slice(1)
    const result = await waybill(['compare', serverUrl(database, role), target.url, '--table', 'public.item'])
    expect(result.code, result.out).toBe(2)
  })

  it('gives 2 when a statement takes too long: a lock is in the way', async () => {
    await withClient(target.url, async (client) => {
      await client.query('BEGIN; LOCK TABLE item IN ACCESS EXCLUSIVE MODE')
      const result = await waybill(['compare', source.url, target.url, '--table', 'public.item', '--timeout', '1'])
      await client.query('ROLLBACK')
      expect(result.code, result.out).toBe(2)
      expect(result.out + result.err).toMatch(/STATEMENT_TIMEOUT|undecided/)
    })
  })

  it('gives 2 when the server goes away in the middle', async () => {
    await withClient(target.url, async (client) => {
      await client.query('BEGIN; LOCK TABLE item IN ACCESS EXCLUSIVE MODE')
      const running = startWaybill(['compare', source.url, target.url, '--table', 'public.item'])
      // On a connection of its own: within a transaction the activity view does not move on.
      await withClient(serverUrl('postgres'), async (watcher) => {
        const database = new URL(target.url).pathname.slice(1)
        const others = `FROM pg_stat_activity WHERE datname = '${database}' AND wait_event_type = 'Lock'`
        while ((await watcher.query(`SELECT 1 ${others}`)).rowCount === 0 && running.child.exitCode === null) {
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
        await watcher.query(`SELECT pg_terminate_backend(pid) ${others}`)
      })
      await client.query('ROLLBACK')
      const result = await running.done
      expect(result.code, result.out).toBe(2)
    })
  })

  it('names every column and kind of relation that was left out, and refuses to leave out what is not there', async () => {
    const result = await comparedAfter(`UPDATE item SET price = price + 1`, `UPDATE item SET price = price - 1`, [
      '--exclude-columns',
      'price',
    ])
    expect(result.code, result.err).toBe(0)
    expect(result.out).toContain('Not compared: column price of public.item; views, materialized views and foreign tables')
    const unknown = await waybill(['compare', source.url, target.url, '--exclude-columns', 'prise'])
    expect(unknown.code).toBe(2)
    expect(unknown.err).toContain('"prise"')
  })

  it('gives 2 when there is nothing to compare: nothing is never equal', async () => {
    const result = await waybill(['compare', source.url, target.url, '--include', 'nosuch.*'])
    expect(result.code).toBe(2)
    expect(result.err).toContain('nothing to compare')
  })
})
