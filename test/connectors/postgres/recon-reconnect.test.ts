import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { failureOf, mayPass } from '../../../layers/connectors/postgres/failure.ts'
import { HeldMismatches } from '../../../layers/connectors/postgres/held-mismatches.ts'
import { backOff } from '../../../layers/connectors/postgres/waiting.ts'
import type { RememberedBound, RememberedSegment, SegmentMemory } from '../../../layers/core/connector.ts'
import { WaybillError } from '../../../layers/core/errors.ts'
import type { TableMapping } from '../../../layers/core/schemas/proposal.ts'
import type { Mismatch } from '../../../layers/core/schemas/recon.ts'
import { freshDatabase, runSql } from '../../support/postgres.ts'
import { mappingOf, type Pair, reconcile } from './recon-fixture.ts'
import { proxyTo, type Spoil } from './recon-proxy.ts'

/** A lost connection costs the table a new beginning, never a difference, and never mixes two snapshots in silence. */
let pair: Pair
const ROWS = 4000
const modes: readonly [string, TableMapping][] = [
  ['ordered', mappingOf('t', { id: 'integer', a: 'text' }, { key: ['id'] })],
  ['bucketed', mappingOf('t', { id: 'integer', a: 'text' })],
]

beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
  for (const side of [pair.source, pair.target]) {
    await runSql(
      side.url,
      `CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, ${ROWS}) g;
       CREATE TABLE wide (id int PRIMARY KEY, a text); INSERT INTO wide SELECT g, repeat('x', 500000) || current_database() FROM generate_series(1, 40) g`,
    )
  }
  await runSql(pair.target.url, `UPDATE t SET a = 'changed' WHERE id IN (10, ${ROWS - 10})`)
})
afterAll(async () => {
  await pair.source.drop()
  await pair.target.drop()
})

/** Cuts the connection at the n-th row of a COPY, in the first `times` COPYs that have so many. */
function cutting(n: number, times: number): () => Spoil {
  let left = times
  return () => {
    let rows = 0
    return (tag, message) => {
      if (tag === 'H') rows = 0
      return tag === 'd' && ++rows === n && left-- > 0 ? null : message
    }
  }
}

async function cut(mapping: TableMapping, spoil: () => Spoil, options: Parameters<typeof reconcile>[3], segments = 8) {
  const source = await proxyTo(pair.source.url, spoil)
  const retried: string[] = []
  try {
    const found = await reconcile(
      { source, target: pair.target },
      mapping,
      { segments },
      { onRetry: (_, { reason }) => void retried.push(reason), ...options },
    )
    return { ...found, retried }
  } finally {
    await source.close()
  }
}

describe.each(modes)('%s', (_, mapping) => {
  it('begins again after a lost connection: every difference once, and it is said', async () => {
    const { result, mismatches, retried } = await cut(mapping, cutting(3000, 1), { retries: 3 })
    expect(retried).toHaveLength(1)
    expect(retried[0]).toContain('connection was lost')
    expect(result.verdict).toBe('fail')
    const key = mapping.key === null ? 4 : 2
    expect(mismatches).toHaveLength(key)
    expect(new Set(mismatches.map((one) => JSON.stringify(one))).size).toBe(key)
    expect(result.reasons.at(-1)).toMatch(/^Begun again once, .* under a new snapshot, after: .*connection was lost/)
  })

  it('gives up after as many attempts as allowed: undecided', async () => {
    const { result, retried } = await cut(mapping, cutting(3000, 100), { retries: 2 })
    expect(retried).toHaveLength(2)
    expect(result.verdict).toBe('inconclusive')
    expect(result.reasons).toEqual([expect.stringMatching(/^CONNECTION_FAILED/), 'Given up after 3 attempts.'])
  })

  it('does not begin again for what will not pass', async () => {
    await runSql(pair.target.url, `CREATE OR REPLACE VIEW broken AS SELECT id, (1 / (id - 3000))::text AS a FROM t`)
    await runSql(pair.source.url, 'CREATE OR REPLACE VIEW broken AS SELECT * FROM t')
    const broken = { ...mapping, source: { ...mapping.source, name: 'broken' }, target: { ...mapping.target, name: 'broken' } }
    const { result, retried } = await cut(broken, cutting(3000, 0), { retries: 3 })
    expect(result.verdict).toBe('inconclusive')
    expect(retried).toEqual([])
  })

  it('is interrupted while it waits to begin again', async () => {
    const controller = new AbortController()
    const running = cut(mapping, cutting(3000, 100), { retries: 100, signal: controller.signal, onRetry: () => controller.abort() })
    await expect(running).rejects.toMatchObject({ code: 'INTERRUPTED' })
  })
})

it('does not begin again when differences were handed on and cannot be taken back', async () => {
  const wide = mappingOf('wide', { id: 'integer', a: 'text' }, { key: ['id'] })
  let handed = 0
  let killed: Promise<unknown> | undefined
  let retried = 0
  const { result } = await reconcile(
    pair,
    wide,
    { segments: 40 },
    {
      retries: 3,
      // Slow enough that rows are left when the connection is ended.
      throttle: { rowsPerSecond: 20 },
      onRetry: () => void retried++,
      onMismatch: () => {
        handed++
        killed ??= runSql(
          pair.source.url,
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'waybill' AND datname = current_database()`,
        )
      },
    },
  )
  await killed
  expect(retried).toBe(0)
  expect(result.verdict).toBe('inconclusive')
  expect(result.reasons.at(-1)).toContain('Not begun again')
  expect(handed).toBeGreaterThan(5)
})

it('goes on from segments that are kept, and says that they are of before', async () => {
  const kept: { identity: string; bounds: readonly RememberedBound[]; segments: RememberedSegment[] } = {
    identity: '',
    bounds: [],
    segments: [],
  }
  const memory: SegmentMemory = {
    recall: (_, identity) => (identity === kept.identity ? kept : null),
    begin: (_, identity, bounds) => void Object.assign(kept, { identity, bounds, segments: [] }),
    remember: (_, segments) => void kept.segments.push(...segments),
  }
  // 64 segments of 62 or 63 rows are read in four runs; the third one is cut, at a row that only a long COPY has.
  let copies = 0
  const third = () => {
    let rows = 0
    return (tag: string, message: Buffer) => {
      if (tag === 'H') rows = 0
      return tag === 'd' && ++rows === 500 && ++copies === 3 ? null : message
    }
  }
  const { result, retried } = await cut(modes[0]![1], third, { retries: 1, memory }, 64)
  expect(retried).toHaveLength(1)
  expect(result).toMatchObject({ verdict: 'fail', changed: '2', earlier_segments: { segments: 31 } })
  expect(result.reasons.join(' ')).toContain('31 of 64 segments were found equal by an earlier run')
})

describe('what may pass', () => {
  it.each(['08006', '57P01', '57P02', '57P03', '53300', '40001', 'ECONNRESET', 'ECONNREFUSED', undefined])('%s', (code) => {
    expect(mayPass(failureOf({ code, message: 'm' }, 'testing'))).toBe(true)
  })
  it.each(['28P01', '42501', '42P01', '57014', '55P03', '22012', '53100', 'XX000', '57P04'])('not %s', (code) => {
    expect(mayPass(failureOf({ code, message: 'm' }, 'testing'))).toBe(false)
  })
  it('not what is wrong with the data, and no fault of ours', () => {
    for (const error of [new WaybillError('STREAM_TRUNCATED', 'x'), new WaybillError('SEGMENT_INCOMPLETE', 'x'), new TypeError('x'), null])
      expect(mayPass(error)).toBe(false)
  })
  it('says what a cancelled statement on a replica means', () => {
    expect(failureOf({ code: '40001', message: 'canceling statement due to conflict with recovery' }, 'reading').message).toContain(
      'hot_standby_feedback',
    )
  })
  it('waits longer each time, partly by chance, and never longer than half a minute', () => {
    expect([2, 3, 4, 5, 6, 7, 50].map((attempt) => backOff(attempt, () => 0))).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000])
    expect([2, 3, 50].map((attempt) => backOff(attempt, () => 1))).toEqual([1000, 2000, 30_000])
  })
})

describe('held differences', () => {
  const mismatch = (size: number): Mismatch => ({
    kind: 'missing',
    segment: 0,
    key: [{ column: 'id', value: '1' }],
    columns: [{ column: 'a', source: 'x'.repeat(size), target: null }],
    source_count: '1',
    target_count: '0',
  })
  it('are handed on together, in order, or never', () => {
    const given: Mismatch[] = []
    const held = new HeldMismatches((one) => void given.push(one))
    const all = [mismatch(1), mismatch(2)]
    for (const one of all) held.add(one)
    expect(given).toEqual([])
    held.release()
    expect(given).toEqual(all)
    held.add(mismatch(3))
    expect(given).toHaveLength(3)
  })
  it('are few: beyond a few megabytes they are handed on', () => {
    const given: Mismatch[] = []
    const held = new HeldMismatches((one) => void given.push(one))
    for (let i = 0; i < 9; i++) held.add(mismatch(1024 * 1024))
    expect([held.final, given.length]).toEqual([true, 9])
  })
})
