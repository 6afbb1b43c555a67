import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openReconciler } from '../../../layers/connectors/postgres/reconciler.ts'
import { openSnapshot } from '../../../layers/connectors/postgres/snapshot.ts'
import type { TableMapping } from '../../../layers/core/schemas/proposal.ts'
import { freshDatabase, runSql, serverUrl, withClient } from '../../support/postgres.ts'
import { mappingOf, optionsOf, type Pair, reconcile, reconOf } from './recon-fixture.ts'
import { proxyTo, type Spoil } from './recon-proxy.ts'

/** Whatever breaks, the verdict is never `pass`, and no difference goes unreported under a verdict. */
let pair: Pair
const ROWS = 6000
const modes: readonly [string, TableMapping][] = [
  ['ordered', mappingOf('t', { id: 'integer', a: 'text' }, { key: ['id'] })],
  ['bucketed', mappingOf('t', { id: 'integer', a: 'text' })],
]

beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
  for (const side of [pair.source, pair.target]) {
    await runSql(
      side.url,
      `CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, ${ROWS}) g`,
    )
  }
})
afterAll(async () => {
  await pair.source.drop()
  await pair.target.drop()
})

/** Spoils the n-th row of the first COPY that sends at least so many. */
const atRow =
  (n: number, what: (message: Buffer) => Buffer | null): (() => Spoil) =>
  () => {
    let rows = 0
    return (tag, message) => {
      if (tag === 'H') rows = 0
      return tag === 'd' && ++rows === n ? what(message) : message
    }
  }

const throughProxies = async (mapping: TableMapping, spoilSource: (() => Spoil) | null, spoilTarget: (() => Spoil) | null) => {
  const source = spoilSource === null ? null : await proxyTo(pair.source.url, spoilSource)
  const target = spoilTarget === null ? null : await proxyTo(pair.target.url, spoilTarget)
  try {
    return await reconcile({ source: source ?? pair.source, target: target ?? pair.target }, mapping, {}, { connections: 2 })
  } finally {
    await source?.close()
    await target?.close()
  }
}

describe.each(modes)('%s', (_, mapping) => {
  it('is equal when nothing is spoiled on the way', async () => {
    const nothing = () => (_tag: string, message: Buffer) => message
    expect((await throughProxies(mapping, nothing, nothing)).result.verdict).toBe('pass')
  })

  const spoils: readonly [string, () => Spoil, RegExp][] = [
    ['the connection is cut in the middle', atRow(1000, () => null), /^CONNECTION_FAILED/],
    ['the connection is cut before the first row', atRow(1, () => null), /^CONNECTION_FAILED/],
    ['one row is lost on the way', atRow(1000, () => Buffer.alloc(0)), /^STREAM_TRUNCATED/],
    ['one row arrives twice', atRow(1000, (message) => Buffer.concat([message, message])), /^(STREAM_TRUNCATED|SEGMENT_INCOMPLETE)/],
    [
      'the end of the stream is missing',
      () => (tag, message) => (tag === 'd' && message.byteLength === 7 ? Buffer.alloc(0) : message),
      /^STREAM_TRUNCATED/,
    ],
    [
      'the header is not that of a binary COPY',
      () => (tag, message) =>
        tag === 'd' && message.includes('PGCOPY') ? Buffer.from(message.toString('latin1').replace('PGCOPY', 'PGKOPY'), 'latin1') : message,
      /^STREAM_TRUNCATED/,
    ],
  ]
  it.each(spoils)('%s: no verdict, on either side or both', async (_name, spoil, reason) => {
    for (const [source, target] of [
      [spoil, null],
      [null, spoil],
      [spoil, spoil],
    ] as const) {
      const { result } = await throughProxies(mapping, source, target)
      expect(result.verdict).toBe('inconclusive')
      expect(result.reasons[0]).toMatch(reason)
    }
  })

  it('one bit of one value is changed on the way: found, in exactly that row', async () => {
    const flip = (message: Buffer) => {
      const changed = Buffer.from(message)
      changed[changed.byteLength - 1]! ^= 1
      return changed
    }
    const { result, mismatches } = await throughProxies(mapping, null, atRow(1000, flip))
    expect(result.verdict).not.toBe('pass')
    if (result.verdict === 'fail') expect(mismatches.length).toBeGreaterThan(0)
  })

  it('an error in the middle of a row set, then the next table is still compared', async () => {
    await runSql(
      pair.target.url,
      `DROP TABLE IF EXISTS broken_of; DROP VIEW IF EXISTS broken; CREATE VIEW broken AS SELECT id, (1 / (id - 5000))::text AS a FROM t`,
    )
    await runSql(pair.source.url, 'DROP VIEW IF EXISTS broken; CREATE VIEW broken AS SELECT * FROM t')
    const broken = {
      ...mapping,
      table_id: 'broken',
      source: { ...mapping.source, name: 'broken' },
      target: { ...mapping.target, name: 'broken' },
    }
    const missing = { ...mapping, table_id: 'missing', target: { ...mapping.target, name: 'nowhere' } }
    const unknown = { ...mapping, table_id: 'unknown', columns: mapping.columns.map((column) => ({ ...column, source: ['nothing'] })) }
    const reconciler = await openReconciler(
      { systemType: 'POSTGRESQL', url: pair.source.url },
      { systemType: 'POSTGRESQL', url: pair.target.url },
      { connectTimeoutMs: 5000, statementTimeoutMs: 60_000, signal: new AbortController().signal },
    )
    const results = await reconciler.reconcile(
      [missing, mapping, unknown, mapping, broken, mapping].map((one) => ({ mapping: one, recon: reconOf(one) })),
      optionsOf({ connections: 2 }),
    )
    await reconciler.close()
    expect(results.map((result) => result.verdict)).toEqual(['inconclusive', 'pass', 'inconclusive', 'pass', 'inconclusive', 'pass'])
    expect(results[0]!.reasons[0]).toMatch(/^NOT_FOUND/)
    expect(results[2]!.reasons[0]).toMatch(/^NOT_FOUND/)
    // A query that fails before rows are read costs the other tables nothing, not even their snapshot.
    expect(results[3]!.snapshot).toEqual(results[1]!.snapshot)
    expect(results[4]!.reasons[0]).toMatch(/^NOT_REPRESENTABLE/)
    expect(JSON.stringify(results)).not.toContain('password')
  })

  it('the server ends the connection: no verdict', async () => {
    const seen: bigint[] = []
    let killed: Promise<unknown> | undefined
    const { result } = await reconcile(
      pair,
      mapping,
      {},
      {
        onProgress: (_id, rows) => {
          seen.push(rows)
          killed ??= runSql(
            pair.target.url,
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'waybill' AND datname = current_database()`,
          )
        },
      },
    )
    await killed
    // With this few rows the stream may already have ended; then everything was read, and the verdict is sound.
    expect(['inconclusive', 'pass']).toContain(result.verdict)
    if (result.verdict === 'pass') expect(result.source_root).toBe(result.target_root)
  })

  it('a statement timeout: no verdict, and the reason says so', async () => {
    await runSql(
      pair.source.url,
      `DROP VIEW IF EXISTS slow; CREATE VIEW slow AS SELECT id, CASE WHEN id % 100 = 0 AND pg_sleep(0.05)::text = 'x' THEN NULL ELSE a END AS a FROM t`,
    )
    const slow = { ...mapping, source: { ...mapping.source, name: 'slow' } }
    const { result } = await reconcile(pair, slow, {}, { statementTimeoutMs: 300 })
    expect(result.verdict).toBe('inconclusive')
    expect(result.reasons[0]).toMatch(/^STATEMENT_TIMEOUT/)
  })

  it('interrupted: rejects, cancels the queries on the server, leaves no connection and no temporary file', async () => {
    await runSql(
      pair.source.url,
      `DROP VIEW IF EXISTS slow; CREATE VIEW slow AS SELECT id, CASE WHEN id % 100 = 0 AND pg_sleep(0.2)::text = 'x' THEN NULL ELSE a END AS a FROM t`,
    )
    const slow = { ...mapping, source: { ...mapping.source, name: 'slow' } }
    const controller = new AbortController()
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('waybill-spill-'))
    const running = reconcile(pair, slow, {}, { signal: controller.signal, connections: 2 })
    setTimeout(() => controller.abort(), 300)
    await expect(running).rejects.toMatchObject({ code: 'INTERRUPTED' })
    await expect
      .poll(
        async () => {
          const counted = await withClient(pair.source.url, (client) =>
            client.query(
              `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'waybill' AND datname = current_database()`,
            ),
          )
          return counted.rows[0].n
        },
        { timeout: 5000 },
      )
      .toBe(0)
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('waybill-spill-'))).toEqual(before)
  })
})

it('all connections of a side see one state, however much is written meanwhile', async () => {
  await runSql(pair.source.url, 'CREATE TABLE busy (a int)')
  let writing = true
  const writer = withClient(pair.source.url, async (client) => {
    while (writing) await client.query('INSERT INTO busy VALUES (1)')
  })
  try {
    const side = await openSnapshot('source', pair.source.url, 8, { connectTimeoutMs: 5000, statementTimeoutMs: 0 })
    const counts = await Promise.all(
      side.sessions.map(async (session) => (await session.rows('SELECT count(*)::text FROM public.busy'))[0]![0]),
    )
    await side.close()
    expect(new Set(counts).size).toBe(1)
  } finally {
    writing = false
    await writer
  }
})

describe('connecting', () => {
  const mapping = modes[0]![1]
  it('a wrong password is said without saying it', async () => {
    await runSql(pair.source.url, `CREATE ROLE stranger LOGIN PASSWORD 'right'`)
    const url = serverUrl(new URL(pair.source.url).pathname.slice(1), { name: 'stranger', password: 'wr0ng-s3cret' })
    const failure = await reconcile({ source: { url }, target: pair.target }, mapping).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'PERMISSION_DENIED' })
    expect(`${(failure as Error).message} ${(failure as Error).stack} ${JSON.stringify(failure)}`).not.toContain('s3cret')
    await runSql(pair.source.url, 'DROP ROLE stranger')
  })
  it('a string that is no URL is refused without repeating it', async () => {
    const failure = await reconcile({ source: { url: 'host=db password=s3cret' }, target: pair.target }, mapping).catch(
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({ code: 'BAD_INPUT' })
    expect(String((failure as Error).stack)).not.toContain('s3cret')
  })
  it('nobody listening, no such database', async () => {
    const closed = new URL(pair.source.url)
    closed.port = '1'
    await expect(reconcile({ source: { url: closed.href }, target: pair.target }, mapping)).rejects.toMatchObject({
      code: 'CONNECTION_FAILED',
    })
    await expect(reconcile({ source: { url: serverUrl('nowhere') }, target: pair.target }, mapping)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
  })
  it('a role that may not read the table', async () => {
    await runSql(pair.source.url, `CREATE ROLE outsider LOGIN PASSWORD 'p'`)
    const url = serverUrl(new URL(pair.source.url).pathname.slice(1), { name: 'outsider', password: 'p' })
    const { result } = await reconcile({ source: { url }, target: pair.target }, mapping)
    expect(result.verdict).toBe('inconclusive')
    expect(result.reasons[0]).toMatch(/^PERMISSION_DENIED/)
    await runSql(pair.source.url, 'DROP ROLE outsider')
  })
})
