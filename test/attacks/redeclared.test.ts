import { afterEach, expect, it } from 'vitest'
import { connectorOptions } from '../../functions/work/connections.ts'
import { whileAsPlanned } from '../../functions/work/planned-declarations.ts'
import { planOf } from '../../layers/core/flow/project-artifacts.ts'
import { runSql } from '../support/postgres.ts'
import { fingerprint, openShop, PROJECT, type Shop } from './support/shop.ts'

/** The owner of the source redefines what people approved: real databases, the embedded platform, everybody approved. */
const LONG = 180_000
let shop: Shop
afterEach(() => shop?.close())

const VIEW = `ALTER TABLE item RENAME TO item_was;
  CREATE VIEW item AS SELECT row_number() OVER () AS id, person || ' earns ' || euros AS label FROM salary`

/** Alters the source once, right before a worker starts. */
function alterBefore(worker: string, url: () => string, sql: string): void {
  let done = false
  shop.before = async (name) => {
    if (done || name !== worker) return
    done = true
    await runSql(url(), sql)
  }
}

it.each([
  ['a view over another table', VIEW, 'public.item was planned as a table and is a view now'],
  ['a column of another type', 'ALTER TABLE item ALTER label TYPE varchar(40)', '(columns)'],
  ['row security', 'ALTER TABLE item ENABLE ROW LEVEL SECURITY', '(row security)'],
  ['a table that inherits', 'CREATE TABLE more () INHERITS (item)', '(inheriting tables)'],
  ['a table that inherits from an heir', 'CREATE TABLE latest () INHERITS (newer)', '(inheriting tables)'],
])(
  '%s in the place of the planned table: the target is untouched, and the log says why',
  async (_what, sql, why) => {
    shop = await openShop()
    if (sql.includes('newer')) await runSql(shop.source.url, 'CREATE TABLE newer () INHERITS (item)')
    const before = await fingerprint(shop.target.url)
    alterBefore('prepare-target', () => shop.source.url, sql)
    await shop.start()
    expect((await shop.end()).state).not.toBe('EVIDENCE_COMPLETE')
    const refused = await shop.chain('WORK_REFUSED')
    expect(refused[0]?.actor).toBe('waybill/prepare-target')
    expect(refused[0]?.details.why).toContain(why)
    expect(await fingerprint(shop.target.url)).toEqual(before)
  },
  LONG,
)

it.each([
  ['copy-chunk', 'source', VIEW, 'is a view now'],
  ['hash-segments', 'source', VIEW, 'is a view now'],
  ['hash-segments', 'target', 'ALTER TABLE moved.item RENAME TO was; CREATE VIEW moved.item AS TABLE moved.was', 'moved.item is a view'],
  [
    'hash-segments',
    'target',
    "CREATE TABLE moved.child () INHERITS (moved.item); DELETE FROM moved.item WHERE id = 7; INSERT INTO moved.child VALUES (7, 'item 7')",
    'moved.child inherits from the target moved.item, and the plan did not make it',
  ],
] as const)(
  'a view that comes right before %s on the %s: nothing is read through it',
  async (worker, side, sql, why) => {
    shop = await openShop()
    alterBefore(worker, () => shop[side].url, sql)
    await shop.start()
    expect((await shop.end()).state).not.toBe('EVIDENCE_COMPLETE')
    const refused = await shop.chain('WORK_REFUSED')
    expect(refused[0]?.actor).toBe(`waybill/${worker}`)
    expect(refused[0]?.details.why).toContain(why)
  },
  LONG,
)

it(
  'another table of the same columns that comes while rows are read: what was read does not count',
  async () => {
    shop = await openShop()
    await shop.start()
    expect((await shop.end()).state).toBe('EVIDENCE_COMPLETE')
    const { ports } = shop.platform
    const plan = await planOf(ports.artifacts, await ports.projects.get(PROJECT))
    const source = { systemType: 'POSTGRESQL' as const, url: shop.source.url }
    const meanwhile = (sql: string) =>
      whileAsPlanned(ports, plan, plan.tables, source, connectorOptions(ports, plan, 60_000), async (stillAsPlanned) => {
        await runSql(shop.source.url, sql)
        await stillAsPlanned()
      })
    await meanwhile('INSERT INTO item VALUES (1000, NULL); ANALYZE item')
    await expect(meanwhile('ALTER TABLE item RENAME TO item_was; CREATE TABLE item (LIKE item_was INCLUDING ALL)')).rejects.toMatchObject({
      code: 'PLAN_NOT_AUTHORISED',
      message: expect.stringContaining('public.item was redefined while it was read'),
    })
  },
  LONG,
)
