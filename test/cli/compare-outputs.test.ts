import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { comparison as comparisonSchema } from '../../layers/core/comparison-report/comparison.ts'
import { startWaybill, waybill } from '../end-to-end/command.ts'
import { type FreshDatabase, freshDatabase, runSql, withClient } from '../support/postgres.ts'

let folder: string
let source: FreshDatabase
let target: FreshDatabase
const path = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-outputs-'))
  source = await freshDatabase()
  target = await freshDatabase()
  const many = Array.from(
    { length: 30 },
    (_, i) => `CREATE TABLE small.s${i} AS SELECT n AS id FROM generate_series(1, 10) n; ALTER TABLE small.s${i} ADD PRIMARY KEY (id);`,
  )
  const tables = `CREATE TABLE person (id int PRIMARY KEY, name text); INSERT INTO person SELECT i, 'person-' || i % 10 FROM generate_series(1, 4000) i;
    CREATE SCHEMA small; ${many.join('')} ANALYZE;`
  await runSql(source.url, tables)
  await runSql(target.url, tables)
  // Whoever reads it waits for whoever holds the lock.
  const gate = `CREATE SCHEMA gate; CREATE VIEW gate.slow AS SELECT n AS id, pg_advisory_lock_shared(7)::text AS held FROM generate_series(1, 3) n;`
  await runSql(source.url, gate)
  await runSql(target.url, gate)
  await runSql(target.url, `UPDATE person SET name = 'changed-' || id % 10 WHERE id <= 3000`)
})
afterAll(async () => {
  await source.drop()
  await target.drop()
  await rm(folder, { recursive: true, force: true })
})

const compare = (...args: string[]) => waybill(['compare', source.url, target.url, ...args])

describe('the differences file', () => {
  it('has every difference, masked, readable by its owner alone', async () => {
    const result = await compare('--table', 'person', '--differences', path('d.jsonl'))
    expect(result.code, result.err).toBe(1)
    const lines = (await readFile(path('d.jsonl'), 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines).toHaveLength(3000)
    expect(JSON.stringify(lines)).not.toMatch(/person-|changed-/)
    // Ten values on each side stay ten values.
    expect(new Set(lines.map((line) => line.columns[0].source)).size).toBe(10)
    expect(new Set(lines.map((line) => line.key[0].value)).size).toBe(3000)
    expect((await stat(path('d.jsonl'))).mode & 0o077).toBe(0)
    expect(result.out).toContain('3,000 rows differ in all')
  })

  it('becomes Parquet with the same rows, values as they are when asked', async () => {
    const result = await compare('--table', 'person', '--differences', path('d.parquet'), '--show-values')
    expect(result.code, result.err).toBe(1)
    const connection = await (await DuckDBInstance.create(':memory:')).connect()
    const read = await connection.runAndReadAll(
      `SELECT count(*)::INT AS n, count(DISTINCT key[1].value)::INT AS keys, min(columns[1].source) AS a, max(columns[1].target) AS z, any_value(typeof(source_count)) AS counted FROM '${path('d.parquet')}'`,
    )
    expect(read.getRowObjectsJson()).toEqual([{ n: 3000, keys: 3000, a: 'person-0', z: 'changed-9', counted: 'BIGINT' }])
    connection.closeSync()
    expect((await readdir(folder)).filter((name) => name.endsWith('.lines'))).toEqual([])
  })

  it('that cannot be written is said before anything is compared; a full disk is never a verdict', async () => {
    const missing = await compare('--table', 'person', '--differences', path('no/such/d.jsonl'))
    expect(missing.code).toBe(2)
    expect(missing.err).toMatch(/--differences: .*ENOENT/)
    await symlink('/dev/full', path('full.jsonl'))
    const full = await compare('--table', 'person', '--differences', path('full.jsonl'))
    expect(full.code, full.out).toBe(2)
    expect(full.out + full.err).toContain('ENOSPC')
    await symlink('/dev/full', path('full.html'))
    const page = await compare('--table', 'person', '--html', path('full.html'))
    expect(page.code, page.out).toBe(2)
    expect(page.err).toMatch(/error DISK_FULL: No space is left for .*full\.html/)
    expect(page.err).not.toContain('a folder you may write to')
  })
})

describe('JSON', () => {
  it('obeys its published schema and masks', async () => {
    const result = await compare('--json')
    expect(result.code).toBe(1)
    const parsed = comparisonSchema.parse(JSON.parse(result.out))
    expect(parsed).toMatchObject({ verdict: 'fail', masked: true, mode: 'full', interrupted: false })
    expect(parsed.tables).toHaveLength(31)
    expect(result.out).not.toMatch(/person-|changed-|password/)
  })
})

describe('many tables', () => {
  it('are folded into a count unless each is asked for', async () => {
    const folded = await compare()
    expect(folded.code, folded.err).toBe(1)
    expect(folded.out).toMatch(/equal +30 tables, 300 rows/)
    expect(folded.out).not.toContain('small.s3 ')
    const verbose = await compare('--verbose', '--include', 'small.*')
    expect(verbose.code, verbose.out + verbose.err).toBe(0)
    expect(verbose.out.match(/^equal +small\.s/gm)).toHaveLength(30)
  })

  it('take two connections a side, one after another', async () => {
    await withClient(target.url, async (client) => {
      const running = startWaybill(['compare', source.url, target.url, '--include', 'small.*'])
      let most = 0
      while (running.child.exitCode === null) {
        const seen = await client.query(
          `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'waybill'`,
        )
        most = Math.max(most, seen.rows[0].n)
      }
      expect((await running.done).code).toBe(0)
      expect(most).toBeLessThanOrEqual(2)
    })
  })
})

describe('the estimate', () => {
  it('alone compares nothing and says what it does not know', async () => {
    const result = await compare('--estimate', '--json')
    expect(result.code).toBe(0)
    expect(JSON.parse(result.out)).toMatchObject({ tables: 31, rows: '4300', reason: null })
    await runSql(target.url, `CREATE VIEW seen AS SELECT * FROM person`)
    await runSql(source.url, `CREATE VIEW seen AS SELECT * FROM person`)
    const view = await compare('--estimate', '--table', 'seen')
    await runSql(target.url, `DROP VIEW seen`)
    await runSql(source.url, `DROP VIEW seen`)
    expect(view.out).toMatch(/1 table · rows unknown · size unknown · time unknown\nsize unknown.*public\.seen/)
  })
})

/** Tables that a state file remembers as equal; segments have lines of their own. */
async function tablesIn(state: string): Promise<number> {
  return (await readFile(state, 'utf8')).split('\n').filter((line) => line.includes('"source_object"')).length
}

describe('an interrupted comparison', () => {
  const all = [...Array.from({ length: 30 }, (_, i) => `small.s${i}`), 'gate.slow'].flatMap((name) => ['--table', name])

  it('prints what is known, ends with 130, and goes on from its state without comparing again', async () => {
    const state = path('state')
    await withClient(target.url, async (client) => {
      await client.query('SELECT pg_advisory_lock(7)')
      const running = startWaybill(['compare', source.url, target.url, ...all, '--state', state])
      const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'`
      while ((await client.query(waiting)).rowCount === 0) if (running.child.exitCode !== null) throw new Error((await running.done).err)
      running.child.kill('SIGINT')
      const result = await running.done
      expect(result.code, result.err).toBe(130)
      expect(result.out).toMatch(/equal +30 tables, 300 rows/)
      expect(result.out).toMatch(/not decided/)
      expect(result.out).not.toMatch(/^Equal/m)
      expect(result.err).toMatch(/Interrupted after 30 of 31 tables\. The same command goes on/)
    })
    expect(await tablesIn(state)).toBe(30)
    const other = await waybill(['compare', source.url, source.url, '--include', 'small.*', '--state', state])
    expect(other.code).toBe(2)
    expect(other.err).toMatch(/is the state of comparing/)
    await writeFile(state, `${await readFile(state, 'utf8')}{"work_sha256":"torn`)
    const resumed = await compare(...all, '--state', state, '--json')
    expect(resumed.code, resumed.err).toBe(0)
    const parsed = comparisonSchema.parse(JSON.parse(resumed.out))
    expect(parsed.tables.map((table) => table.target_object)).toEqual(['gate.slow'])
    expect(parsed.earlier).toHaveLength(30)
    expect(parsed.claim).toMatch(/30 of the 31 tables were compared by an earlier run .*not under one snapshot/)
    await expect(stat(state)).rejects.toThrow(/ENOENT/)
  })

  it('forgets a comparison that came to its end, and never takes one question for another', async () => {
    const state = path('again')
    expect((await compare('--table', 'person', '--table', 'small.s8', '--state', state)).code).toBe(1)
    await expect(stat(state)).rejects.toThrow(/ENOENT/)
    await withClient(target.url, async (client) => {
      await client.query('SELECT pg_advisory_lock(7)')
      const stuck = await compare(
        '--table',
        'person',
        '--table',
        'small.s8',
        '--table',
        'gate.slow',
        '--state',
        state,
        '--timeout',
        '1',
        '--json',
      )
      expect(JSON.parse(stuck.out).tables.map((table: { verdict: string }) => table.verdict)).toEqual(['fail', 'pass', 'inconclusive'])
    })
    await withClient(target.url, async (client) => {
      await client.query('SELECT pg_advisory_lock(7)')
      await compare('--table', 'small.s8', '--table', 'gate.slow', '--state', state, '--timeout', '1')
    })
    expect(await tablesIn(state)).toBe(1)
    const filtered = await compare('--table', 'small.s8', '--state', state, '--where', 'id<5', '--json')
    expect(JSON.parse(filtered.out)).toMatchObject({ earlier: [], tables: [{ target_object: 'small.s8', target_rows: '4' }] })
  })

  it('refuses a damaged state', async () => {
    await writeFile(path('damaged'), 'nothing\n')
    const result = await compare('--state', path('damaged'))
    expect(result.code).toBe(2)
    expect(result.err).toMatch(/not the state of a comparison/)
  })
})
