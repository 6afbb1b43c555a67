import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Outcome, waybill } from '../end-to-end/command.ts'
import { type FreshDatabase, freshDatabase, runSql } from '../support/postgres.ts'

/** What is said about schemas beside rows, and what it does to the exit code: one rule. */
let source: FreshDatabase
let target: FreshDatabase
beforeAll(async () => {
  source = await freshDatabase()
  target = await freshDatabase()
  const both = `CREATE TABLE numbered (id serial PRIMARY KEY); INSERT INTO numbered VALUES (1), (2), (3);
    CREATE TABLE widened (id int PRIMARY KEY); INSERT INTO widened VALUES (1)`
  await runSql(
    source.url,
    `${both}; SELECT setval('numbered_id_seq', 3);
    CREATE TABLE narrowed (id int PRIMARY KEY, n bigint); INSERT INTO narrowed VALUES (1, 2);
    CREATE TABLE divided (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE divided_all PARTITION OF divided DEFAULT; INSERT INTO divided VALUES (1)`,
  )
  await runSql(
    target.url,
    `${both}; CREATE TABLE narrowed (id int PRIMARY KEY, n smallint); INSERT INTO narrowed VALUES (1, 2);
    CREATE TABLE divided (id int PRIMARY KEY); INSERT INTO divided VALUES (1)`,
  )
})
afterAll(async () => {
  await source.drop()
  await target.drop()
})

const compare = (...args: string[]): Promise<Outcome> => waybill(['compare', source.url, target.url, ...args])

describe('rows that are equal in tables that are not declared alike', () => {
  it.each([
    ['a sequence that would hand out a number again', 'numbered', /schema: public\.numbered\.id: the sequence is/],
    ['a narrower type', 'narrowed', /schema: public\.narrowed\.n: the type is bigint in the source and smallint in the target/],
  ])('%s: 0, and the claim says that schemas differ', async (_, table, line) => {
    const rows = await compare('--table', table)
    expect(rows.code, rows.out + rows.err).toBe(0)
    expect(rows.out).toMatch(line)
    expect(rows.out).toContain('Equal: every row of every table compared, both ways. The schemas differ in 1 table: see above.')
    const schema = await compare('--table', table, '--schema-only')
    expect(schema.code).toBe(1)
    expect(schema.out).toMatch(line)
    expect(schema.out).toContain('The schemas differ in 1 of 1 table. No row was read.')
  })

  it('a partitioned table and a plain one: equal, and who asks about schemas is told', async () => {
    expect((await compare('--table', 'divided')).code).toBe(0)
    const schema = await compare('--table', 'divided', '--schema-only')
    expect(schema.code, schema.out).toBe(0)
    expect(schema.out).toMatch(/remark: public\.divided: .*partition/i)
    expect(schema.out).toMatch(/The schemas agree, apart from \d remarks? above\. No row was read/)
  })

  it('nothing to remark', async () => {
    const schema = await compare('--table', 'widened', '--schema-only')
    expect(schema.out).toContain('The schemas agree. No row was read: this says nothing about the data.')
  })
})

it('many tables that only one side has are counted after the first twenty', async () => {
  const other = await freshDatabase()
  try {
    await runSql(other.url, Array.from({ length: 45 }, (_, i) => `CREATE TABLE only_${i} (id int)`).join('; '))
    for (const args of [[], ['--estimate']]) {
      const result = await waybill(['compare', source.url, other.url, ...args])
      expect(result.out.match(/only the target has this table/g)).toHaveLength(21)
      expect(result.out).toContain('… and 25 more: only the target has this table; --verbose lists them')
    }
    const all = await waybill(['compare', source.url, other.url, '--verbose'])
    expect(all.out.match(/only the target has this table/g)).toHaveLength(45)
  } finally {
    await other.drop()
  }
})
