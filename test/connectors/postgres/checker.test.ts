import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openChecker } from '../../../layers/connectors/postgres/checker.ts'
import { plain, readDecimal } from '../../../layers/connectors/postgres/figure.ts'
import { openPostgresSide } from '../../../layers/connectors/postgres/side.ts'
import type { Checker } from '../../../layers/core/connector.ts'
import type { CheckResult } from '../../../layers/core/schemas/recon.ts'
import { checkResult, distribution } from '../../../layers/core/schemas/recon.ts'
import type { CheckRequest } from '../../../layers/core/schemas/spec.ts'
import { type FreshDatabase, freshDatabase, runSql } from '../../support/postgres.ts'
import { column, OPTIONS, table } from './table-mapping.ts'

let from: FreshDatabase
let to: FreshDatabase
let checker: Checker

const orders = table(
  'orders',
  [
    column('id', 'integer'),
    column('client', 'text', { source: ['customer'] }),
    column('amount', 'numeric(20,2)'),
    column('ratio', 'double precision'),
    column('at', 'timestamp with time zone'),
    column('late', 'interval', { source: ['minutes'], source_types: ['bigint'], transform: { kind: 'minutes_to_interval' } }),
    column('secret', 'integer', { pii: true }),
  ],
  { filter: { all: [{ column: 'id', op: 'ge', values: ['1'] }] }, order_key: 'at' },
)
const customers = table('customers', [column('name', 'text')], { target: { schema: 'moved', name: 'clients' } })
const mixed = table('mixed', [column('a b', 'integer'), column('n"q', 'text')], { target: { schema: 'moved', name: 'we"ird' } })
const mapping = [orders, customers, mixed]

beforeAll(async () => {
  from = await freshDatabase()
  to = await freshDatabase()
  const fill = `SELECT g AS id, CASE WHEN g % 10 = 0 THEN NULL WHEN g % 10 = 1 THEN 'ghost' || (g % 3) ELSE 'ann' END AS customer, g * 1.10 AS amount,
     g * 0.1::float8 AS ratio, timestamptz '2001-01-01 00:00:00+00' + g * interval '1 second' AS at, g::bigint AS minutes, g AS secret
     FROM generate_series(-4, 100) g`
  await runSql(
    from.url,
    `CREATE TABLE orders AS ${fill}; CREATE TABLE customers AS SELECT 'ann'::text AS name;
     CREATE TABLE mixed ("a b" int, "n""q" text); INSERT INTO mixed VALUES (1, 'x'), (1, NULL), (1, NULL), (1, 'x'), (2, 'y')`,
  )
  await runSql(
    to.url,
    `CREATE SCHEMA moved;
     CREATE TABLE moved.orders AS SELECT id, customer AS client, amount::numeric(20,2), ratio, at, minutes * interval '1 minute' AS late, secret FROM (${fill}) f WHERE id >= 1;
     CREATE TABLE moved.clients AS SELECT 'ann'::text AS name;
     CREATE TABLE moved."we""ird" ("a b" int, "n""q" text); INSERT INTO moved."we""ird" VALUES (1, 'x'), (1, NULL), (1, NULL), (1, 'x'), (2, 'y')`,
  )
  checker = openChecker(await openPostgresSide(from.url, 'source', OPTIONS), await openPostgresSide(to.url, 'target', OPTIONS))
})

afterAll(async () => {
  await checker?.close()
  await from?.drop()
  await to?.drop()
})

async function check(request: CheckRequest): Promise<CheckResult> {
  const { checks } = await checker.run(mapping, [{ check_id: 'one', request }])
  return checkResult.parse(checks[0])
}

const elsewhere = mapping.map((one) => ({ ...one, target: { ...one.target, schema: 'changed' } }))

/** What a checker says about a copy of the target, changed by `sql`. */
async function onChanged<T>(sql: string, work: (own: Checker) => Promise<T>): Promise<T> {
  await runSql(
    to.url,
    `CREATE SCHEMA changed; CREATE TABLE changed.orders AS TABLE moved.orders; CREATE TABLE changed.clients AS TABLE moved.clients; ${sql}`,
  )
  const own = openChecker(await openPostgresSide(from.url, 'source', OPTIONS), await openPostgresSide(to.url, 'target', OPTIONS))
  try {
    return await work(own)
  } finally {
    await own.close()
    await runSql(to.url, 'DROP SCHEMA changed CASCADE')
  }
}

function changed(sql: string, request: CheckRequest): Promise<CheckResult> {
  return onChanged(sql, async (own) => {
    const { checks } = await own.run(elsewhere.slice(0, 2), [{ check_id: 'one', request }])
    return checkResult.parse(checks[0])
  })
}

const S = 'ERROR' as const

describe('checks', () => {
  it('row_count compares the filtered source with the target', async () => {
    const request: CheckRequest = { kind: 'row_count', table: 'orders', severity: 'CRITICAL' }
    expect(await check(request)).toMatchObject({
      verdict: 'pass',
      severity: 'CRITICAL',
      figures: { source_rows: '100', target_rows: '100', difference: '0' },
    })
    expect(await changed('DELETE FROM changed.orders WHERE id = 3', request)).toMatchObject({
      verdict: 'fail',
      figures: { difference: '-1' },
    })
    expect(await changed('INSERT INTO changed.orders SELECT * FROM changed.orders', request)).toMatchObject({
      verdict: 'fail',
      figures: { difference: '100' },
    })
  })

  it('foreign_key counts orphan rows and values, of keys nobody declared, NULL left out', async () => {
    const request: CheckRequest = {
      kind: 'foreign_key',
      table: 'orders',
      columns: ['client'],
      references: { table: 'clients', columns: ['name'] },
      max_orphans: 0,
      severity: S,
    }
    expect(await check(request)).toMatchObject({
      verdict: 'fail',
      figures: { orphan_rows: '10', orphan_values: '3', source_orphan_rows: '10', source_orphan_values: '3' },
      explanation: expect.stringContaining('The source holds as many'),
    })
    expect(await check({ ...request, max_orphans: 10 })).toMatchObject({ verdict: 'pass' })
    expect(await check({ ...request, max_orphans: 9 })).toMatchObject({ verdict: 'fail' })
    expect(await changed(`UPDATE changed.orders SET client = 'lost' WHERE id = 2`, request)).toMatchObject({
      figures: { orphan_rows: '11', orphan_values: '4', source_orphan_rows: '10' },
    })
  })

  it('completeness is an exact share, and no rows are no share', async () => {
    const request: CheckRequest = { kind: 'completeness', table: 'orders', column: 'client', min_share: 0.9, severity: S }
    expect(await check(request)).toMatchObject({ verdict: 'pass', figures: { share: '0.9', source_share: '0.9', non_null: '90' } })
    expect(await check({ ...request, min_share: 0.9000001 })).toMatchObject({ verdict: 'fail', figures: { min_share: '0.9000001' } })
    expect(await changed('DELETE FROM changed.orders', request)).toMatchObject({ verdict: 'not-applicable', figures: { share: null } })
  })

  it('range counts both sides of it, in the order of the type', async () => {
    const request: CheckRequest = { kind: 'range', table: 'orders', column: 'amount', min: '2', max: '99.00', severity: S }
    expect(await check(request)).toMatchObject({ verdict: 'fail', figures: { below_min: '1', above_max: '10' } })
    expect(await check({ kind: 'range', table: 'orders', column: 'at', min: '2001-01-01', severity: S })).toMatchObject({ verdict: 'pass' })
    expect(await check({ kind: 'range', table: 'orders', column: 'client', min: 'a', severity: S })).toMatchObject({
      verdict: 'inconclusive',
    })
    expect(await check({ kind: 'range', table: 'orders', column: 'amount', min: "1'; DROP", severity: S })).toMatchObject({
      verdict: 'inconclusive',
    })
    expect(await check({ kind: 'range', table: 'orders', column: 'amount', severity: S })).toMatchObject({ verdict: 'inconclusive' })
  })

  it('unique counts groups and surplus rows, rows with NULL left out', async () => {
    expect(await check({ kind: 'unique', table: 'we"ird', columns: ['a b', 'n"q'], severity: S })).toMatchObject({
      verdict: 'fail',
      figures: { duplicate_groups: '1', surplus_rows: '1' },
    })
    expect(await check({ kind: 'unique', table: 'orders', columns: ['id'], severity: S })).toMatchObject({ verdict: 'pass' })
  })

  it('sum is exact: a cent in 2^53 shows, and so does 0.1 as a float', async () => {
    const request: CheckRequest = { kind: 'sum', table: 'orders', column: 'amount', severity: S }
    expect(await check(request)).toMatchObject({ verdict: 'pass', figures: { source_sum: '5555', target_sum: '5555' } })
    const cent = `UPDATE changed.orders SET amount = amount + 9007199254740993.01 WHERE id = 1`
    expect(await changed(cent, request)).toMatchObject({ verdict: 'fail', figures: { target_sum: '9007199254746548.01' } })
    expect(await check({ ...request, column: 'ratio' })).toMatchObject({ verdict: 'pass', figures: { source_values: '100' } })
    const ulp = `UPDATE changed.orders SET ratio = 0.10000000000000002 WHERE id = 1`
    expect(await changed(ulp, { ...request, column: 'ratio' })).toMatchObject({ verdict: 'fail' })
    expect(await check({ ...request, column: 'late' })).toMatchObject({ verdict: 'pass', figures: { source_sum: '303000' } })
    expect(await check({ ...request, column: 'at' })).toMatchObject({ verdict: 'inconclusive' })
  })

  it('a check that cannot be run is inconclusive, and the next one still runs', async () => {
    const { checks } = await checker.run(mapping, [
      { check_id: 'a', request: { kind: 'unique', table: 'orders', columns: ['nope'], severity: S } },
      { check_id: 'b', request: { kind: 'sum', table: 'missing', column: 'x', severity: S } },
      {
        check_id: 'c',
        request: {
          kind: 'foreign_key',
          table: 'orders',
          columns: ['client'],
          references: { table: 'gone', columns: ['x'] },
          max_orphans: 0,
          severity: S,
        },
      },
      { check_id: 'd', request: { kind: 'row_count', table: 'clients', severity: S } },
    ])
    expect(checks.map((result) => result.verdict)).toEqual(['inconclusive', 'inconclusive', 'inconclusive', 'pass'])
    for (const result of checks.slice(0, 3)) expect(result.explanation).toMatch(/^Not evaluated: .{10}/)
  })

  it('reports a server that went away as inconclusive', async () => {
    const own = openChecker(await openPostgresSide(from.url, 'source', OPTIONS), await openPostgresSide(to.url, 'target', OPTIONS))
    await runSql(
      to.url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'waybill' AND state = 'idle in transaction'`,
    )
    const { checks, distributions } = await own.run(
      [orders],
      [{ check_id: 'a', request: { kind: 'row_count', table: 'orders', severity: S } }],
    )
    expect(checks[0]).toMatchObject({ verdict: 'inconclusive', figures: {} })
    for (const found of distributions) expect(found).toMatchObject({ kolmogorov_smirnov: null, reason: expect.any(String) })
    await own.close()
    checker = openChecker(await openPostgresSide(from.url, 'source', OPTIONS), await openPostgresSide(to.url, 'target', OPTIONS))
  })
})

describe('distributions', () => {
  it('are equal where the data is, with exact figures, and hide personal extremes', async () => {
    const { distributions, ingestion } = await checker.run([orders], [])
    for (const found of distributions) expect(distribution.parse(found)).toMatchObject({ kolmogorov_smirnov: 0 })
    const by = (name: string) => distributions.find((found) => found.column === name)
    expect(distributions.map((found) => found.column)).toEqual(['id', 'amount', 'ratio', 'at', 'late', 'secret'])
    expect(by('id')).toMatchObject({
      source_min: '1',
      source_max: '100',
      target_max: '100',
      source_distinct: '100',
      source_nulls: '0',
      source_outliers: '0',
      reason: null,
    })
    expect(by('secret')).toMatchObject({ source_min: null, target_max: null, reason: expect.stringContaining('personal') })
    expect(ingestion).toEqual([
      { table_id: 'orders', order_key: 'at', source_rows_per_second: 100 / 99, target_rows_per_second: 100 / 99, reason: null },
    ])
  })

  it('measure the distance exactly where values are few, and count outliers by the fences of the source', async () => {
    const sql = 'UPDATE changed.orders SET id = 100000 WHERE id > 75; UPDATE changed.orders SET amount = NULL WHERE id <= 10'
    const { distributions } = await onChanged(sql, (own) => own.run(elsewhere.slice(0, 1), []))
    expect(distributions.find((found) => found.column === 'id')).toMatchObject({
      kolmogorov_smirnov: 0.25,
      source_outliers: '0',
      target_outliers: '25',
    })
    const amount = distributions.find((found) => found.column === 'amount')
    expect(amount).toMatchObject({ source_nulls: '0', target_nulls: '10', target_distinct: '90' })
    expect(amount?.kolmogorov_smirnov).toBeCloseTo(0.1, 10)
  })

  it('draw the fences one and a half quartile distances beyond the quartiles of the source', async () => {
    const sql =
      'UPDATE changed.orders SET id = 150 WHERE id = 76; UPDATE changed.orders SET id = 151 WHERE id = 77; UPDATE changed.orders SET id = -51 WHERE id = 1; UPDATE changed.orders SET id = -50 WHERE id = 2'
    const { distributions } = await onChanged(sql, (own) => own.run(elsewhere.slice(0, 1), []))
    expect(distributions.find((found) => found.column === 'id')).toMatchObject({ source_outliers: '0', target_outliers: '2' })
  })

  it('never claim more distance than there is between quantiles', async () => {
    const near = table('near', [column('v', 'integer')])
    await runSql(from.url, 'CREATE TABLE near AS SELECT g * 10 AS v FROM generate_series(1, 20000) g')
    await runSql(to.url, 'CREATE TABLE moved.near AS SELECT g * 10 + 1 AS v FROM generate_series(1, 20000) g')
    const own = openChecker(await openPostgresSide(from.url, 'source', OPTIONS), await openPostgresSide(to.url, 'target', OPTIONS))
    const { distributions } = await own.run([near], [])
    await own.close()
    expect(distributions[0]?.kolmogorov_smirnov).toBeLessThan(1 / 20000 + 1e-12)
  })

  it('are a true lower bound, close to the real distance, where values are many', async () => {
    const wide = table('wide', [column('v', 'integer')])
    await runSql(from.url, 'CREATE TABLE wide AS SELECT g AS v FROM generate_series(1, 20000) g')
    await runSql(to.url, 'CREATE TABLE moved.wide AS SELECT g + 1000 AS v FROM generate_series(1, 20000) g')
    const own = openChecker(await openPostgresSide(from.url, 'source', OPTIONS), await openPostgresSide(to.url, 'target', OPTIONS))
    const { distributions } = await own.run([wide], [])
    await own.close()
    expect(distributions[0]?.kolmogorov_smirnov).toBeLessThan(0.05 + 1e-9)
    expect(distributions[0]?.kolmogorov_smirnov).toBeGreaterThan(0.048)
    expect(distributions[0]?.reason).toContain('lower bound')
  })

  it('count outliers of every kind of time to the microsecond', async () => {
    const types = {
      day: 'date',
      clock: 'time without time zone',
      moment: 'timestamp without time zone',
      instant: 'timestamp with time zone',
      span: 'interval',
    }
    const times = table(
      'times',
      Object.entries(types).map(([name, type]) => column(name, type)),
    )
    const list = Object.entries(types)
      .map(([name, type]) => `${name} ${type}`)
      .join(', ')
    const rows = `SELECT date '2001-01-01' + g, time '12:00' + g * interval '1 second', timestamp '2001-01-01' + g * interval '1 second',
      timestamptz '2001-01-01 00:00:00+00' + g * interval '1 second', g * interval '1 second' FROM generate_series(1, 100) g`
    await runSql(from.url, `CREATE TABLE times (${list}); INSERT INTO times ${rows}`)
    await runSql(
      to.url,
      `CREATE TABLE moved.times (${list}); INSERT INTO moved.times ${rows};
       INSERT INTO moved.times VALUES (date '2001-01-01' + 151, '12:02:30.000001', '2001-01-01 00:02:30.000001', '2001-01-01 00:02:30.000001+00', '150.000001 seconds'),
        (date '2001-01-01' + 150, '12:02:30', '2001-01-01 00:02:30', '2001-01-01 00:02:30+00', '150 seconds'),
        (date '2001-01-01' - 51, '11:59:09.999999', '2000-12-31 23:59:09.999999', '2000-12-31 23:59:09.999999+00', '-50.000001 seconds'),
        (date '2001-01-01' - 50, '11:59:10', '2000-12-31 23:59:10', '2000-12-31 23:59:10+00', '-50 seconds')`,
    )
    const own = openChecker(await openPostgresSide(from.url, 'source', OPTIONS), await openPostgresSide(to.url, 'target', OPTIONS))
    const { distributions } = await own.run([times], [])
    await own.close()
    expect(distributions.map((found) => [found.column, found.source_outliers, found.target_outliers])).toEqual(
      Object.keys(types).map((name) => [name, '0', '2']),
    )
  })

  it('say why there is no distance: empty, not finite', async () => {
    const odd = table('odd', [column('f', 'double precision'), column('e', 'integer')])
    const sql = `(f double precision, e int)`
    await runSql(from.url, `CREATE TABLE odd ${sql}; INSERT INTO odd VALUES ('NaN', NULL), (1, NULL)`)
    await runSql(to.url, `CREATE TABLE moved.odd ${sql}; INSERT INTO moved.odd VALUES ('NaN', NULL), (1, NULL)`)
    const own = openChecker(await openPostgresSide(from.url, 'source', OPTIONS), await openPostgresSide(to.url, 'target', OPTIONS))
    const { distributions } = await own.run([odd], [])
    await own.close()
    expect(distributions).toMatchObject([
      { column: 'f', kolmogorov_smirnov: null, source_max: 'NaN', reason: expect.stringContaining('not finite') },
      { column: 'e', kolmogorov_smirnov: null, source_nulls: '2', source_distinct: '0', reason: expect.stringContaining('no values') },
    ])
  })
})

it('prints any decimal back as the same number', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.nat({ max: 20 }), (units, scale) => {
      const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0')
      const text = `${units < 0n ? '-' : ''}${digits.slice(0, digits.length - scale)}${scale > 0 ? `.${digits.slice(-scale)}` : ''}`
      const shown = plain(text)!
      const [a, b] = [readDecimal(text)!, readDecimal(shown)!]
      expect(a.units * 10n ** BigInt(b.scale)).toBe(b.units * 10n ** BigInt(a.scale))
      expect(shown).not.toMatch(/\.\d*0$|\.$/)
    }),
  )
})
