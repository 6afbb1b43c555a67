import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectors } from '../../../layers/connectors/index.ts'
import { sameDatabase } from '../../../layers/core/system-identity.ts'
import { runSql, withClient } from '../../support/postgres.ts'
import { type Replicated, replicated, startReplicated } from '../../support/standby.ts'
import { mappingOf, reconcile } from './recon-fixture.ts'
import { OPTIONS } from './table-mapping.ts'

/** Reads from a real hot standby, and a primary that goes away and comes back. */
let servers: Replicated
const ROWS = 5000
const keyed = mappingOf('t', { id: 'integer', a: 'text' }, { key: ['id'] })

beforeAll(async () => {
  servers = await startReplicated(['max_standby_streaming_delay=0', 'hot_standby_feedback=off'])
  await replicated(
    servers,
    `CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, ${ROWS}) g`,
  )
}, 120_000)
afterAll(() => servers?.stop())

const ends = () => ({ source: { url: servers.primary }, target: { url: servers.standby } })

it('compares a standby over several connections under one snapshot, and says which position was read and how old it was', async () => {
  for (const pair of [ends(), { source: { url: servers.standby }, target: { url: servers.primary } }]) {
    const { result } = await reconcile(pair, keyed, {}, { connections: 3 })
    expect(result.verdict).toBe('pass')
    const side = pair.target.url === servers.standby ? 'target' : 'source'
    expect(result.snapshot[side]).toMatch(/^\d+:\d+:[\d,]*; replica at [0-9A-F]+\/[0-9A-F]+$/)
    expect(result.snapshot[side === 'target' ? 'source' : 'target']).toMatch(/^\d+:\d+:[\d,]*$/)
    expect(result.reasons).toEqual([
      expect.stringMatching(
        new RegExp(
          `^The ${side} is a replica, read at [0-9A-F]+/[0-9A-F]+ of its primary's log; the newest transaction it had replayed was [0-9.]+ s old\\.$`,
        ),
      ),
    ])
  }
})

it('a standby is not its primary, though it has its identifier and oid', async () => {
  const reach = async (url: string) => {
    const source = await connectors.source('POSTGRESQL', url, OPTIONS)
    try {
      return { identity: await source.identity([]), running: (await source.running?.()) ?? null }
    } finally {
      await source.close()
    }
  }
  const [primary, standby] = [await reach(servers.primary), await reach(servers.standby)]
  expect(standby.identity).toEqual({ ...primary.identity, server: expect.not.stringMatching(new URL(servers.primary).port) })
  expect([primary.running, standby.running]).toEqual([expect.stringMatching(/ false$/), expect.stringMatching(/ true$/)])
  expect([sameDatabase(primary, standby), sameDatabase(primary, await reach(servers.primary.replace('127.0.0.1', 'localhost')))]).toEqual([
    false,
    true,
  ])
})

it('finds what the standby has not replayed', async () => {
  await runSql(servers.standby, 'SELECT pg_wal_replay_pause()')
  try {
    await runSql(servers.primary, 'DELETE FROM t WHERE id = 77')
    const { result, mismatches } = await reconcile(ends(), keyed)
    expect(result.verdict).toBe('fail')
    expect(mismatches.map((mismatch) => [mismatch.kind, mismatch.key[0]!.value])).toEqual([['extra', '77']])
    const live = await reconcile(
      ends(),
      keyed,
      {},
      {
        live: { deadlineMs: 60_000 },
        onSettling: () => void runSql(servers.standby, 'SELECT pg_wal_replay_resume()').catch(() => {}),
      },
    )
    expect(live.result).toMatchObject({ verdict: 'pass', live: { settled: '1' } })
  } finally {
    await runSql(servers.standby, 'SELECT pg_wal_replay_resume()')
  }
})

/** Removes rows on the primary that only the standby still needs, which its replay does not wait for. No comparison may hold them on the primary. */
async function conflict(): Promise<void> {
  await runSql(servers.primary, 'UPDATE t SET a = a')
  await runSql(servers.primary, 'VACUUM t')
}

it.each([
  [0, 'inconclusive'],
  [3, 'pass'],
])('a read that replay cancels: with %i retries %s', async (retries, verdict) => {
  const retried: string[] = []
  let begun: Promise<void> | undefined
  const { result } = await reconcile(
    { source: { url: servers.standby }, target: { url: servers.standby } },
    keyed,
    { segments: 16 },
    {
      retries,
      throttle: { rowsPerSecond: ROWS / 2 },
      onProgress: () => {
        begun ??= conflict()
      },
      onRetry: (_, { reason }) => void retried.push(reason),
    },
  )
  await begun
  expect(result.verdict).toBe(verdict)
  if (verdict === 'inconclusive') expect(result.reasons[0]).toMatch(/^CONNECTION_FAILED/)
  else expect(retried.length).toBeGreaterThan(0)
})

it('a primary that goes away and comes back in the middle of a table is read again from the beginning', async () => {
  const retried: string[] = []
  let crash: Promise<void> | undefined
  const { result } = await reconcile(
    { source: { url: servers.primary }, target: { url: servers.standby } },
    keyed,
    { segments: 16 },
    {
      retries: 10,
      throttle: { rowsPerSecond: ROWS / 2 },
      onProgress: () => {
        crash ??= servers.stopPrimary().then(() => servers.startPrimary())
      },
      onRetry: (_, { reason }) => void retried.push(reason),
    },
  )
  await crash
  expect(retried.length).toBeGreaterThan(0)
  expect(result).toMatchObject({ verdict: 'pass', source_rows: result.target_rows })
  expect(result.reasons.join(' ')).toContain('Begun again')
  const left = await withClient(servers.primary, (client) =>
    client.query(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'waybill'`),
  )
  expect(left.rowCount).toBe(0)
})
