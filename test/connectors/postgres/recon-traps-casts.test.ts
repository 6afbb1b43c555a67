import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openReconciler } from '../../../layers/connectors/postgres/reconciler.ts'
import { nativeColumn } from '../../../layers/connectors/postgres/row-column.ts'
import { sampleSql } from '../../../layers/connectors/postgres/sample.ts'
import { freshDatabase, runSql, withClient } from '../../support/postgres.ts'
import { load, mappingOf, optionsOf, type Pair, reconcile, reconOf } from './recon-fixture.ts'

/** CREATE CAST lets the owner of a type decide what `::text` shows of it, and on every server alike: values that differ then look the same. */
let pair: Pair
beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
})
afterAll(async () => {
  await pair.source.drop()
  await pair.target.drop()
})

/** `type` is made by `make`, and its cast to text shows one letter whatever the value. */
const blind = (type: string, make: string) =>
  `${make}; CREATE FUNCTION blind(${type}) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT 'x'::text $$; CREATE CAST (${type} AS text) WITH FUNCTION blind(${type}) AS IMPLICIT`

const types: readonly (readonly [string, string, string, string])[] = [
  ['mood', `CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')`, `'sad'`, `'happy'`],
  ['comp', 'CREATE TYPE comp AS (a int, b text)', `'(1,a)'`, `'(1,b)'`],
  ['span', 'CREATE TYPE span AS RANGE (subtype = int)', `'[1,5)'`, `'[1,6)'`],
  ['weather[]', `CREATE TYPE weather AS ENUM ('dry', 'wet')`, `'{dry}'`, `'{wet}'`],
]

/** What a server says about such a column. */
const field = { oid: 99_999, modifier: -1, name: 'v', form: { kind: 'exact' as const, means: 'text', words: true } }

describe.each(types)('a cast of %s to text that shows nothing of it', (type, make, one, other) => {
  const name = `cast_${type.replace('[]', 's')}`
  beforeAll(() => load(pair, blind(type, make)))
  it.each(['id', 'v', null])('never makes two values equal, key %s', async (key) => {
    const table = `${name}_${key ?? 'none'}`
    const insert = (value: string) => `INSERT INTO ${table} VALUES (1, ${value})`
    await load(pair, `CREATE TABLE ${table} (id int PRIMARY KEY, v ${type})`, insert(one), insert(other))
    const mapping = mappingOf(table, { id: 'integer', v: `public.${type}` }, { key: key === null ? null : [key] })
    const { result } = await reconcile(pair, mapping)
    expect([result.verdict, result.changed + result.missing]).toEqual(['fail', key === 'id' ? '10' : '01'])
    await runSql(pair.target.url, `UPDATE ${table} SET v = ${one}`)
    expect((await reconcile(pair, mapping)).result.verdict).toBe('pass')
  })
  it('decides no sample: some of a hundred values are drawn, not all or none', async () => {
    const table = `${name}_sampled`
    await load(pair, `CREATE TABLE ${table} (id int PRIMARY KEY, v ${type}); INSERT INTO ${table} VALUES (1, ${one}), (2, ${other})`)
    const drawn = await Promise.all(
      Array.from({ length: 12 }, (_, seed) => {
        const column = nativeColumn('v', { ...field, sql: 'v' }, { ...field, sql: 'v' })
        const where = sampleSql({ seed: `s${seed}`, per_million: 500_000 }, [column], 'source')
        return withClient(pair.source.url, async (client) => (await client.query(`SELECT FROM ${table} WHERE ${where}`)).rowCount)
      }),
    )
    expect(drawn).toContain(1)
  })
})

it('a condition is not about what an implicit cast makes of a value', async () => {
  const make = `CREATE TYPE state AS ENUM ('open', 'closed'); CREATE FUNCTION turned(state) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT CASE WHEN concat($1) = 'open' THEN 'closed' ELSE 'open' END $$`
  const table = `CREATE TABLE conditioned (id int PRIMARY KEY, v state, n int)`
  await load(pair, `${make}; ${table}; INSERT INTO conditioned VALUES (1, 'open', 1)`)
  await load(pair, '', `INSERT INTO conditioned VALUES (2, 'closed', 2)`, `INSERT INTO conditioned VALUES (2, 'closed', 99)`)
  const filter = { all: [{ column: 'v', op: 'eq' as const, values: ['closed'] }] }
  const mapping = mappingOf('conditioned', { id: 'integer', v: 'public.state', n: 'integer' }, { key: ['id'], filter })
  const work = { mapping, recon: reconOf(mapping), scope: { target_filter: filter, sample: null } }
  const compared = async () => {
    const reconciler = await openReconciler(
      { systemType: 'POSTGRESQL', url: pair.source.url },
      { systemType: 'POSTGRESQL', url: pair.target.url },
      { connectTimeoutMs: 10_000, statementTimeoutMs: 60_000, signal: new AbortController().signal },
    )
    const [result] = await reconciler.reconcile([work], optionsOf()).finally(() => reconciler.close())
    return result!
  }
  const before = await compared()
  expect([before.verdict, before.source_rows], before.reasons.join()).toEqual(['fail', '1'])
  await load(pair, 'CREATE CAST (state AS text) WITH FUNCTION turned(state) AS IMPLICIT')
  const after = await compared()
  expect([after.verdict, after.reasons[0]]).toEqual([
    'inconclusive',
    expect.stringMatching(/the condition on column "v" cannot be relied on/),
  ])
})

it('a row of NULLs is not NULL, and an empty text is not either', async () => {
  await load(pair, 'CREATE TYPE two AS (a int, b int); CREATE TABLE nulls (id int PRIMARY KEY, v two)')
  await runSql(pair.source.url, 'INSERT INTO nulls VALUES (1, ROW(NULL, NULL))')
  await runSql(pair.target.url, 'INSERT INTO nulls VALUES (1, NULL)')
  const { result, mismatches } = await reconcile(pair, mappingOf('nulls', { id: 'integer', v: 'public.two' }, { key: ['id'] }))
  expect([result.verdict, mismatches.length]).toEqual(['fail', 1])
})

describe('casts between built-in types and text', () => {
  const integers = () => mappingOf('plain_integers', { id: 'integer' }, { key: ['id'] })
  it('that print as the type does are no obstacle; those that compute are refused', async () => {
    await load(pair, 'CREATE TABLE plain_integers (id int PRIMARY KEY); INSERT INTO plain_integers SELECT generate_series(1, 9)')
    await runSql(pair.target.url, 'CREATE CAST (integer AS text) WITH INOUT AS IMPLICIT')
    expect((await reconcile(pair, integers())).result.verdict).toBe('pass')
    await runSql(
      pair.target.url,
      `CREATE FUNCTION nine(bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT '9'::text $$; CREATE CAST (bigint AS text) WITH FUNCTION nine(bigint)`,
    )
    await expect(reconcile(pair, integers())).rejects.toMatchObject({
      code: 'NOT_REPRESENTABLE',
      message: expect.stringMatching(/^On the target somebody defined how the server turns bigint into text/),
    })
    await runSql(pair.target.url, 'DROP CAST (bigint AS text); DROP CAST (integer AS text)')
  })
})
