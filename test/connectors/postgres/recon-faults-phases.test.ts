import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openReconciler } from '../../../layers/connectors/postgres/reconciler.ts'
import type { ReconcileOptions } from '../../../layers/core/connector.ts'
import { isWaybillError } from '../../../layers/core/errors.ts'
import type { Mismatch, TableResult } from '../../../layers/core/schemas/recon.ts'
import { freshDatabase, runSql, withClient } from '../../support/postgres.ts'
import { mappingOf, optionsOf, type Pair, reconOf } from './recon-fixture.ts'
import { type Held, statementProxy } from './recon-proxy.ts'

/**
 * Something breaks exactly before a statement of each phase reaches the server. The tables differ in two rows, so a `pass` is a lie, and a
 * `fail` must name both of them.
 */
let pair: Pair
beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
  for (const side of [pair.source, pair.target]) {
    await runSql(
      side.url,
      `CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL); INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, 3000) g;
       CREATE TABLE heap (id int, a text); INSERT INTO heap SELECT * FROM t;
       CREATE TABLE same (id int PRIMARY KEY); INSERT INTO same SELECT id FROM t`,
    )
  }
  for (const table of ['t', 'heap'])
    await runSql(pair.target.url, `DELETE FROM ${table} WHERE id = 17; UPDATE ${table} SET a = 'x' WHERE id = 2900`)
})
afterAll(async () => {
  await pair.source.drop()
  await pair.target.drop()
})

const ordered = mappingOf('t', { id: 'integer', a: 'text' }, { key: ['id'], order_key: 'id', table_id: 't' })
const bucketed = mappingOf('heap', { id: 'integer', a: 'text' }, { table_id: 't' })
const same = mappingOf('same', { id: 'integer' }, { key: ['id'], table_id: 'same' })
const PLANTED = ['17', '2900']

type Phase = { what: string; at: RegExp; nth?: number; only?: 'source'; mapping: typeof ordered; options?: Partial<ReconcileOptions> }
const phases: Phase[] = [
  { what: 'pinning the session', at: /^SET client_encoding/, mapping: ordered },
  { what: 'the snapshot', at: /current_snapshot\(\)/, mapping: ordered },
  { what: 'handing the snapshot on', at: /pg_export_snapshot/, mapping: ordered, options: { connections: 2 } },
  { what: 'taking the snapshot over', at: /^SET TRANSACTION SNAPSHOT/, mapping: ordered, options: { connections: 2 } },
  { what: 'the savepoint of a table', at: /^SAVEPOINT waybill$/, mapping: ordered },
  { what: 'the catalog', at: /relkind::text AS kin/, mapping: ordered },
  { what: 'the facts', at: /GREATEST\(c\.relpages/, mapping: ordered },
  { what: 'the types', at: / LIMIT 0$/, mapping: ordered },
  { what: 'the bounds', at: /waybill n/, only: 'source', mapping: ordered },
  { what: 'streaming in key order', at: /^COPY \(SELECT "id".*ORDER BY/s, mapping: ordered },
  {
    what: 'streaming in key order, a second lane',
    at: /^COPY \(SELECT "id".*ORDER BY/s,
    nth: 2,
    mapping: ordered,
    options: { connections: 2 },
  },
  { what: 'digests of the server', at: /sha256\(.*string_agg/s, mapping: ordered, options: { method: 'push-down' } },
  { what: 'opening a segment again', at: /^COPY \(SELECT "id".*ORDER BY/s, mapping: ordered, options: { method: 'push-down' } },
  { what: 'counting the heap', at: /AS heap$/, mapping: ordered },
  { what: 'asking what the table is', at: /WITH RECURSIVE part\(/, mapping: ordered },
  { what: 'asking what it is now', at: /WITH RECURSIVE part\(/, nth: 2, mapping: ordered },
  {
    what: 'asking what it is now, of the last connection',
    at: /WITH RECURSIVE part\(/,
    nth: 2,
    mapping: ordered,
    options: { connections: 2 },
  },
  { what: 'coming back to the snapshot', at: /^SET TRANSACTION SNAPSHOT/, nth: 2, mapping: ordered, options: { connections: 2 } },
  { what: 'asking what it was', at: /WITH RECURSIVE part\(/, nth: 4, mapping: bucketed },
  { what: 'first and last', at: /ORDER BY x\.v/, mapping: ordered },
  { what: 'figures', at: /count\(.*sum\(/s, mapping: ordered, options: { aggregates: true } },
  { what: 'the settings afterwards', at: /^SELECT pg_backend_pid\(\), current_setting\('client_encoding'\)/, nth: 2, mapping: ordered },
  { what: 'leaving indexes out', at: /waybill_heap; SET LOCAL/, mapping: bucketed },
  { what: 'streaming into buckets', at: /^COPY/, mapping: bucketed },
  { what: 'reading buckets a second time', at: /^COPY/, nth: 2, mapping: bucketed },
]

const faults: Record<string, (held: Held, url: string) => Promise<void> | void> = {
  'a TCP reset': (held) => held.reset(),
  'the backend terminated': (held, url) =>
    withClient(url, async (client) => {
      await client.query('SELECT pg_terminate_backend($1)', [held.backend])
      const gone = async () => (await client.query('SELECT FROM pg_stat_activity WHERE pid = $1', [held.backend])).rowCount === 0
      while (!(await gone())) await new Promise((resolve) => setTimeout(resolve, 5))
    }),
}

type Outcome = { fired: boolean; results: TableResult[]; failure: unknown; named: string[] }

async function broken(
  phase: Phase,
  side: 'source' | 'target',
  fault: (held: Held) => Promise<void> | void,
  more: Partial<ReconcileOptions> = {},
): Promise<Outcome> {
  let seen = 0
  let fired = false
  const proxy = await statementProxy(pair[side].url, async (sql, held) => {
    if (fired || !phase.at.test(sql) || ++seen < (phase.nth ?? 1)) return
    fired = true
    await fault(held)
  })
  const ends = { ...{ source: pair.source.url, target: pair.target.url }, [side]: proxy.url }
  const named: string[] = []
  const onMismatch = (_: string, { key, columns }: Mismatch) => {
    const id = key[0] ?? { ...columns.find((cell) => cell.column === 'id')!, value: null }
    named.push(id.value ?? columns.map((cell) => cell.source ?? cell.target)[0]!)
  }
  const reconciler = await openReconciler(
    { systemType: 'POSTGRESQL', url: ends.source },
    { systemType: 'POSTGRESQL', url: ends.target },
    { connectTimeoutMs: 5000, statementTimeoutMs: 60_000, signal: new AbortController().signal },
  )
  try {
    const work = [phase.mapping, same].map((mapping) => ({ mapping, recon: reconOf(mapping) }))
    const results = await reconciler
      .reconcile(work, optionsOf({ onMismatch, ...phase.options, ...more }))
      .catch((error: unknown) => ({ error }))
    return Array.isArray(results) ? { fired, results, failure: null, named } : { fired, results: [], failure: results.error, named }
  } finally {
    await reconciler.close()
    await proxy.close()
  }
}

/** The one thing that must hold, whatever broke and whenever. */
function soundOutcome({ fired, results, failure, named }: Outcome): void {
  expect(fired).toBe(true)
  if (failure !== null) {
    expect(isWaybillError(failure) ? failure.code : failure).toBe('CONNECTION_FAILED')
    return
  }
  const [differing, equal] = results
  expect(differing!.verdict).not.toBe('pass')
  if (differing!.verdict === 'fail') expect([...new Set(named)].sort()).toEqual(PLANTED)
  else expect(differing!.reasons[0]).toMatch(/^(CONNECTION_FAILED|STREAM_TRUNCATED|STATEMENT_TIMEOUT|PERMISSION_DENIED|NOT_FOUND)/)
  for (const name of named) expect(PLANTED).toContain(name)
  // The next table has a snapshot of its own where the first one was lost.
  expect(equal!.verdict).toBe('pass')
}

describe.each(phases)('$what', (phase) => {
  for (const side of phase.only === undefined ? (['source', 'target'] as const) : [phase.only]) {
    it.each(Object.entries(faults))(`%s on the ${side}`, async (_, fault) => {
      soundOutcome(await broken(phase, side, (held) => fault(held, pair[side].url)))
    })
  }
})

it('nothing breaks: both rows are named', async () => {
  for (const mapping of [ordered, bucketed]) {
    const phase = { what: 'none', at: /^BEGIN/, mapping }
    const outcome = await broken(phase, 'source', () => {})
    expect([outcome.results.map((result) => result.verdict), [...new Set(outcome.named)].sort()]).toEqual([['fail', 'pass'], PLANTED])
  }
})

describe('the network swallows everything', () => {
  const places = phases.filter(({ what }) =>
    ['the catalog', 'streaming in key order', 'streaming into buckets', 'counting the heap'].includes(what),
  )
  it('no verdict, and an end', async () => {
    const outcomes = await Promise.all(places.map((phase) => broken(phase, 'target', (held) => held.stall(), { statementTimeoutMs: 200 })))
    for (const outcome of outcomes) {
      soundOutcome(outcome)
      expect(outcome.results[0]!.reasons[0]).toMatch(/^CONNECTION_FAILED/)
    }
  })
})

describe('what others do to the table meanwhile', () => {
  const before = (at: RegExp, mapping: typeof ordered, sql: (name: string) => string) => async () => {
    const name = mapping === ordered ? 't' : 'heap'
    const outcome = await broken({ what: '', at, mapping }, 'target', async () => runSql(pair.target.url, sql(name)))
    return outcome
  }
  it.each([
    ['ordered', ordered],
    ['bucketed', bucketed],
  ])('%s: the permission to read is taken away', async (_, mapping) => {
    const name = mapping.target.name
    const role = `reader_${name}_${Math.random().toString(36).slice(2, 8)}`
    await runSql(pair.target.url, `CREATE ROLE ${role} LOGIN PASSWORD 'p'; GRANT SELECT ON t, heap, same TO ${role}`)
    const url = new URL(pair.target.url)
    url.username = role
    url.password = 'p'
    const own = pair.target
    pair.target = { ...own, url: url.href }
    try {
      const outcome = await broken({ what: '', at: /GREATEST\(c\.relpages/, mapping }, 'target', () =>
        runSql(own.url, `REVOKE SELECT ON ${name} FROM ${role}`),
      )
      soundOutcome(outcome)
      expect(outcome.results[0]!.reasons[0]).toMatch(/^PERMISSION_DENIED/)
    } finally {
      pair.target = own
      await runSql(own.url, `DROP OWNED BY ${role}; DROP ROLE ${role}`)
    }
  })
  it('the table is renamed away between the catalog and the first row', async () => {
    const outcome = await before(/GREATEST\(c\.relpages/, ordered, (name) => `ALTER TABLE ${name} RENAME TO gone`)()
    await runSql(pair.target.url, 'ALTER TABLE gone RENAME TO t')
    soundOutcome(outcome)
    expect(outcome.results[0]!.reasons[0]).toMatch(/^NOT_FOUND/)
  })
  it('the table is locked', async () => {
    await withClient(pair.target.url, async (client) => {
      const outcome = await broken(
        { what: '', at: /GREATEST\(c\.relpages/, mapping: bucketed },
        'target',
        async () => void (await client.query('BEGIN; LOCK TABLE heap IN ACCESS EXCLUSIVE MODE')),
        { statementTimeoutMs: 400 },
      )
      await client.query('ROLLBACK')
      soundOutcome(outcome)
      expect(outcome.results[0]!.reasons[0]).toMatch(/^STATEMENT_TIMEOUT/)
    })
  })
})
