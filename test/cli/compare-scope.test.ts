import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waybill } from '../end-to-end/command.ts'
import { type FreshDatabase, freshDatabase, runSql } from '../support/postgres.ts'

let folder: string
let source: FreshDatabase
let target: FreshDatabase

const BIG = `CREATE TABLE big AS SELECT i AS id, i % 4 AS tenant, md5(i::text) AS v FROM generate_series(1, 20000) i; ALTER TABLE big ADD PRIMARY KEY (id);
  CREATE TABLE heap AS SELECT i % 50 AS a, 'x' AS b FROM generate_series(1, 5000) i; ANALYZE;`

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-scope-'))
  source = await freshDatabase()
  target = await freshDatabase()
  await runSql(
    source.url,
    `${BIG} CREATE TABLE rounded (id int PRIMARY KEY, price numeric(10,2)); INSERT INTO rounded VALUES (1, 1.49);
     CREATE TABLE wider (id int PRIMARY KEY, n int, gone text); INSERT INTO wider VALUES (1, 2, 'lost');
     CREATE TABLE zoned (id int PRIMARY KEY, at timestamptz); INSERT INTO zoned VALUES (1, '2020-01-01Z');
     CREATE TABLE renamed (id int PRIMARY KEY, old_name text); INSERT INTO renamed VALUES (1, 'a');
     CREATE TABLE goods (id int PRIMARY KEY, name text, price numeric(10,2))`,
  )
  await runSql(
    target.url,
    `${BIG} UPDATE big SET v = 'changed' WHERE id IN (3, 7) OR id % 500 = 3; UPDATE heap SET b = 'y' WHERE a = 7;
     CREATE TABLE rounded (id int PRIMARY KEY, price int); INSERT INTO rounded VALUES (1, 1);
     CREATE TABLE wider (id int PRIMARY KEY, n bigint); INSERT INTO wider VALUES (1, 2);
     CREATE TABLE zoned (id int PRIMARY KEY, at timestamp); INSERT INTO zoned VALUES (1, '2020-01-01');
     CREATE TABLE renamed (id int PRIMARY KEY, new_name text); INSERT INTO renamed VALUES (1, 'a');
     CREATE TABLE goods (id int PRIMARY KEY, name text, price numeric(10,2));
     INSERT INTO goods SELECT i, CASE WHEN i = 3 THEN NULL ELSE 'n' || i END, i * 1.25 FROM generate_series(1, 1000) i`,
  )
})
afterAll(async () => {
  await source.drop()
  await target.drop()
  await rm(folder, { recursive: true, force: true })
})

const compare = (...args: string[]) => waybill(['compare', source.url, target.url, ...args])

describe('tables that look alike are not called equal', () => {
  it('a target type that rounds', async () => {
    const result = await compare('--table', 'rounded')
    expect(result.code, result.out).toBe(1)
    expect(result.out).toMatch(/price: "1.49" → "1"/)
  })

  it('a column that one side lacks, unless it is excluded by name', async () => {
    const result = await compare('--table', 'wider')
    expect(result.code, result.out).toBe(1)
    expect(result.out).toMatch(/Column "gone" is only in the source/)
    expect((await compare('--table', 'wider', '--exclude-columns', 'gone')).code).toBe(0)
  })

  it('types without one exact form on both sides are undecided, by name', async () => {
    const result = await compare('--table', 'zoned')
    expect(result.code, result.out).toBe(2)
    expect(result.out).toMatch(/"at" is timestamp with time zone.*--exclude-columns/)
    expect(result.out).not.toMatch(/0 missing/)
  })

  it('a renamed column is compared under both names when a configuration says so', async () => {
    const path = join(folder, 'renamed.yaml')
    await writeFile(path, 'tables:\n  - {source: renamed, rename: {new_name: old_name}}\n')
    expect((await compare('--table', 'renamed')).code).toBe(1)
    const result = await compare('--config', path)
    expect(result.code, result.out).toBe(0)
  })
})

describe('only some rows', () => {
  it('--where and --tenant hold on both sides, and the claim is limited to them', async () => {
    const equal = await compare('--table', 'big', '--where', 'tenant=2')
    expect(equal.code, equal.out).toBe(0)
    expect(equal.out).toMatch(/5,000 rows +5,000 rows/)
    expect(equal.out).toMatch(/Equal where tenant=2.*other rows were not/)
    const differs = await compare('--table', 'big', '--tenant', 'tenant=3', '--where', 'id<=100')
    expect(differs.code).toBe(1)
    expect(differs.out).toMatch(/25 rows +25 rows +0 missing +0 extra +2 changed/)
  })

  it('a table without the column is undecided, never skipped', async () => {
    const result = await compare('--include', 'big', '--include', 'heap', '--tenant', 'tenant=2')
    expect(result.code).toBe(2)
    expect(result.out).toMatch(/undecided +public\.heap.*"tenant" is not in both tables/)
  })

  it('no SQL gets through a condition', async () => {
    const result = await compare('--table', 'big', '--where', `v=x' OR 'a'='a`)
    expect(result.code, result.out).toBe(2)
    expect(result.out).toMatch(/0 rows +0 rows/)
    expect(result.out).toContain('nothing was compared')
  })
})

describe('a sample', () => {
  it('takes the same rows on both sides, the same for the same seed, and never says equal', async () => {
    const [a, again, b] = await Promise.all(
      ['one', 'one', 'two'].map((seed) => compare('--table', 'big', '--sample', '500', '--seed', seed, '--where', 'tenant=1', '--json')),
    )
    const rows = (result: typeof a) => JSON.parse(result!.out).tables[0]
    expect(a!.code).toBe(2)
    expect(rows(a)).toMatchObject({ verdict: 'inconclusive', missing: '0', extra: '0', changed: '0' })
    expect(rows(a).source_root).toBe(rows(again).source_root)
    expect(rows(a).source_root).not.toBe(rows(b).source_root)
    expect(rows(a).source_rows).toBe(rows(a).target_rows)
    expect(Number(rows(a).source_rows)).toBeGreaterThan(60)
    expect(Number(rows(a).source_rows)).toBeLessThan(200)
    expect(JSON.parse(a!.out).claim).toMatch(/not "equal"/)
    expect(rows(a).reasons.join()).toMatch(/probability/)
  })

  it('sees differences among its rows, with a key and without', async () => {
    const keyed = await compare('--table', 'big', '--sample', '10000')
    expect(keyed.code).toBe(1)
    expect(keyed.out).toMatch(/0 missing +0 extra +\d+ changed/)
    expect((await compare('--table', 'heap', '--sample', '4900')).code).toBe(1)
  })

  it('is one of a table that nobody ever analysed, too', async () => {
    const restored = `CREATE TABLE restored (id int PRIMARY KEY, v text) WITH (autovacuum_enabled = off);
      INSERT INTO restored SELECT i, md5(i::text) FROM generate_series(1, 100000) i`
    await runSql(source.url, restored)
    await runSql(target.url, restored)
    const result = await compare('--table', 'restored', '--sample', '2000', '--json')
    const told = JSON.parse(result.out)
    expect(result.code, result.out).toBe(2)
    expect(told.claim).toMatch(/No difference in the sample.*not "equal"/)
    expect(Number(told.tables[0].source_rows)).toBeGreaterThan(1500)
    expect(Number(told.tables[0].source_rows)).toBeLessThan(2500)
  })

  it('of a table that this role may not read is undecided, and the others are compared', async () => {
    const role = `r_${Math.random().toString(36).slice(2)}`
    await runSql(source.url, `CREATE ROLE ${role} LOGIN PASSWORD 'p'; GRANT SELECT ON big TO ${role}`)
    const url = new URL(source.url)
    url.username = role
    url.password = 'p'
    const result = await waybill(['compare', url.href, target.url, '--table', 'big', '--table', 'heap', '--sample', '19000'])
    await runSql(source.url, `DROP OWNED BY ${role}; DROP ROLE ${role}`)
    expect(result.code, result.out + result.err).toBe(1)
    expect(result.out).toMatch(/undecided +public\.heap +no sample without the number of rows: .*permission denied for table heap/)
    expect(result.out).toMatch(/DIFFERS +public\.big/)
  })

  it('of everything is no sample', async () => {
    const result = await compare('--table', 'big', '--sample', '1000000', '--where', 'tenant=2')
    expect(result.code, result.out).toBe(0)
  })
})

describe('without rows', () => {
  it('figures that agree are not equality; figures that differ are a difference', async () => {
    const agree = await compare('--table', 'big', '--aggregates-only')
    expect(agree.code, agree.out).toBe(2)
    expect(agree.out).toMatch(/figures agree; rows were not compared/)
    expect(agree.out).not.toMatch(/^equal|^Equal/m)
    const differ = await compare('--table', 'rounded', '--aggregates-only')
    expect(differ.code, differ.out).toBe(1)
    expect(differ.out).toMatch(/sum of price/)
  })

  it('schemas are compared without a word about data', async () => {
    const same = await compare('--table', 'big', '--schema-only')
    expect(same.code, same.out).toBe(0)
    expect(same.out).toMatch(/No row was read/)
    expect(same.out).not.toMatch(/equal/i)
    const other = await compare('--table', 'wider', '--schema-only')
    expect(other.code).toBe(1)
    expect(other.out).toMatch(/Only the source has the column public\.wider\.gone/)
  })
})

describe('files as the source', () => {
  beforeAll(async () => {
    await mkdir(join(folder, 'files/parts'), { recursive: true })
    const connection = await (await DuckDBInstance.create(':memory:')).connect()
    const rows = (from: number, to: number) =>
      `SELECT range::INT AS id, CASE WHEN range = 3 THEN NULL ELSE 'n' || range END AS name, (range * 1.25)::DECIMAL(10,2) AS price FROM range(${from}, ${to})`
    await connection.run(`COPY (${rows(1, 1001)}) TO '${folder}/files/goods.parquet'`)
    await connection.run(`COPY (${rows(1, 1001)}) TO '${folder}/files/goods.csv' (HEADER)`)
    await connection.run(`COPY (${rows(1, 400)}) TO '${folder}/files/parts/p1.parquet'`)
    await connection.run(`COPY (${rows(400, 1001)}) TO '${folder}/files/parts/p2.parquet'`)
    connection.closeSync()
  })

  it.each(['parquet:FOLDER/files/goods.parquet', 'csv:FOLDER/files/goods.csv', 'parquet:FOLDER/files/parts/*.parquet'])(
    '%s',
    async (side) => {
      const result = await waybill(['compare', side.replace('FOLDER', folder), target.url, '--table', 'goods'])
      expect(result.code, result.out + result.err).toBe(0)
      expect(result.out).toMatch(/1,000 rows +1,000 rows/)
    },
  )

  it('a folder stands for tables by the names of its files; a changed row is named by the key', async () => {
    await runSql(target.url, 'UPDATE goods SET price = price + 0.01 WHERE id = 5')
    const result = await waybill(['compare', `parquet:${folder}/files`, target.url, '--include', 'goods'])
    await runSql(target.url, 'UPDATE goods SET price = price - 0.01 WHERE id = 5')
    expect(result.code, result.out + result.err).toBe(1)
    expect(result.out).toMatch(/changed id="5" +price: "6.25" → "6.26"/)
  })

  it('a value that the target type cannot hold exactly is undecided, never rounded', async () => {
    await writeFile(join(folder, 'files/rounded.csv'), 'id,price\n1,1.49\n')
    const result = await waybill(['compare', `csv:${folder}/files/rounded.csv`, target.url, '--table', 'rounded'])
    expect(result.code, result.out + result.err).toBe(2)
    expect(result.out).toMatch(/undecided/)
  })
})

describe('passwords', () => {
  it('come from variables or the password file, and are printed nowhere', async () => {
    const [a, b] = [new URL(source.url), new URL(target.url)]
    const { hostname: PGHOST, port: PGPORT, username: PGUSER, password } = a
    const passwords = join(folder, 'passwords')
    await writeFile(passwords, `${PGHOST}:${PGPORT}:*:${PGUSER}:${password}\n`)
    await chmod(passwords, 0o600)
    const names = [a.pathname.slice(1), b.pathname.slice(1)]
    const filed = await waybill(['compare', ...names, '--table', 'goods=goods', '--estimate'], {
      PGHOST,
      PGPORT,
      PGUSER,
      PGPASSFILE: passwords,
    })
    expect(filed.code, filed.err).toBe(0)
    const files = ['json', 'html', 'xml'].map((name) => join(folder, `p.${name}`))
    const env = { PGHOST, PGPORT, PGUSER, PGPASSFILE: '/nonexistent' }
    const said = await waybill(['compare', ...names, '--table', 'wider', '--html', files[1]!, '--junit', files[2]!, '--json'], {
      ...env,
      PGPASSWORD: password,
    })
    expect(said.code, said.err).toBe(1)
    expect(said.out).not.toContain(`:${password}@`)
    const wrong = await waybill(['compare', ...names], { ...env, PGPASSWORD: 'very-wrong-secret' })
    expect(wrong.code).toBe(2)
    expect(wrong.out + wrong.err).not.toContain('very-wrong-secret')
    expect(wrong.err).toMatch(/error PERMISSION_DENIED: Failed while connecting to the source/)
  })

  it('the side that refuses is named', async () => {
    const wrong = new URL(target.url)
    wrong.password = 'very-wrong-secret'
    const result = await waybill(['compare', source.url, wrong.href])
    expect(result.err).toMatch(/connecting to the target/)
    expect(result.err).not.toContain('very-wrong-secret')
  })
})
