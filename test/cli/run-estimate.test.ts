import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import type { ScaleEstimate } from '../../layers/core/scale/estimate.ts'
import { waybill } from '../end-to-end/command.ts'
import { temporaryFolder } from '../local/temporary.ts'
import { type FreshDatabase, freshDatabase, runSql, withClient } from '../support/postgres.ts'

let source: FreshDatabase
let folder: string
let remove: () => void
beforeAll(async () => {
  source = await freshDatabase()
  await runSql(
    source.url,
    `CREATE TABLE orders (id bigint PRIMARY KEY, note text NOT NULL); INSERT INTO orders SELECT g, repeat('x', 50) FROM generate_series(1, 20000) g;
     CREATE TABLE fresh (id bigint, note text) WITH (autovacuum_enabled = false); INSERT INTO fresh SELECT g, 'y' FROM generate_series(1, 1000) g;`,
  )
  await runSql(source.url, 'ANALYZE orders')
})
afterAll(() => source.drop())
beforeEach(() => {
  const temporary = temporaryFolder()
  folder = temporary.folder
  remove = temporary.remove
})
afterEach(() => remove())

function spec(...tables: string[]): string {
  const path = join(folder, 'migration.json')
  const connection = (name: string) => ({ secret_ref: `env://${name}`, tls_enabled: false })
  writeFileSync(
    path,
    JSON.stringify({
      migration_id: 'estimated',
      title: 'Orders',
      author: 'author@example.com',
      source: { system_type: 'POSTGRESQL', connection: connection('ESTIMATE_SOURCE') },
      target: { system_type: 'POSTGRESQL', connection: connection('NOWHERE') },
      tables: tables.map((name) => ({ source: `public.${name}`, target: { schema: 'moved', name } })),
      approvers: [{ role: 'tech_lead', email: 'tech@example.com' }],
    }),
  )
  return path
}

const estimate = (path: string, ...more: string[]) =>
  waybill(['run', '--estimate', '--home', join(folder, 'home'), path, ...more], { ESTIMATE_SOURCE: source.url })

it('reckons from the catalog of the source, makes no home, and needs no target', async () => {
  const before = await withClient(source.url, async (client) => (await client.query('SELECT count(*) AS n FROM pg_class')).rows[0].n)
  const { code, out, err } = await estimate(spec('orders'))
  expect([code, err]).toEqual([0, ''])
  expect(out).toMatch(/^1 table · 20,000 rows · [0-9.]+ MB · 1 chunk · 2 at once\n/)
  expect(out).toMatch(/one more reconciliation, as each night +\d+ (s|min) +\$0\.0\d /)
  expect(out).toContain('Nothing was moved and nothing was kept')
  expect(existsSync(join(folder, 'home'))).toBe(false)
  const after = await withClient(source.url, async (client) => (await client.query('SELECT count(*) AS n FROM pg_class')).rows[0].n)
  expect(after).toBe(before)
})

it('gives the same as JSON, each dollar with its price', async () => {
  const { code, out } = await estimate(spec('orders'), '--json')
  expect(code).toBe(0)
  const given = JSON.parse(out) as ScaleEstimate
  expect(given).toMatchObject({ schema: 'waybill/scale-estimate/v1', tables: 1, rows: '20000', chunks: 1, reason: null })
  const { usd, lines } = given.migration
  expect(lines.reduce((sum, line) => sum + line.usd, 0)).toBeCloseTo(usd!, 2)
  expect(lines.every(({ basis }) => basis.length > 0)).toBe(true)
})

it('says what it does not know, and reckons nothing from it', async () => {
  const asked = spec('orders', 'fresh')
  const { code, out } = await estimate(asked, '--json')
  expect(code).toBe(0)
  const given = JSON.parse(out) as ScaleEstimate
  expect([given.rows, given.migration.usd, given.migration.seconds, given.reconciliation.usd]).toEqual([null, null, null, null])
  expect(given.reason).toContain('public.fresh')
  expect((await estimate(asked)).out).toContain('Without that there is no estimate')
})

it('tells where it could not look', async () => {
  const gone = await estimate(spec('nothing_here'))
  expect(gone.code).toBe(2)
  expect(gone.err).toContain('nothing_here')
  const unreachable = await waybill(['run', '--estimate', spec('orders')], { ESTIMATE_SOURCE: 'postgresql://nobody@127.0.0.1:1/none' })
  expect(unreachable.code).toBe(2)
  const both = await waybill(['run', '--estimate', '--aws', spec('orders')])
  expect([both.code === 0, both.err]).toEqual([false, expect.stringContaining('--estimate')])
})
