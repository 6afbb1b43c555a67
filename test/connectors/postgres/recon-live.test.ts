import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { LiveKeys } from '../../../layers/connectors/postgres/live-keys.ts'
import type { TablePlan } from '../../../layers/connectors/postgres/table-plan.ts'
import type { ReconcileOptions } from '../../../layers/core/connector.ts'
import { freshDatabase, runSql, withClient } from '../../support/postgres.ts'
import { mappingOf, type Pair, reconcile } from './recon-fixture.ts'

/** Tables that are written to while they are compared: motion is never called a difference, and a difference never motion. */
let pair: Pair
const keyed = mappingOf('t', { id: 'integer', a: 'text' }, { key: ['id'] })
const ROWS = 3000

beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
})
afterAll(async () => {
  await pair.source.drop()
  await pair.target.drop()
})
beforeEach(async () => {
  for (const side of [pair.source, pair.target]) {
    await runSql(
      side.url,
      `DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, ${ROWS}) g`,
    )
  }
})

const CHANGES = `UPDATE t SET a = a || ' new' WHERE id BETWEEN 200 AND 259; DELETE FROM t WHERE id BETWEEN 300 AND 319;
  INSERT INTO t SELECT g, 'row ' || g FROM generate_series(${ROWS + 1}, ${ROWS + 20}) g`

/** Changes one row of the source after the other and the target a little later, as replication does, until told to stop; then both are alike. */
function replicating(): { stop(): Promise<number> } {
  let going = true
  const done = withClient(pair.source.url, (source) =>
    withClient(pair.target.url, async (target) => {
      let changes = 0
      while (going) {
        const change = `UPDATE t SET a = 'change ${changes}' WHERE id = ${1000 + (changes++ % 200)}`
        await source.query(change)
        await new Promise((resolve) => setTimeout(resolve, 5))
        await target.query(change)
      }
      return changes
    }),
  )
  return {
    stop() {
      going = false
      return done
    },
  }
}

describe('a live comparison', () => {
  it('finds the one real difference among keys that replication changes late, and names no other', async () => {
    await runSql(pair.source.url, CHANGES)
    await runSql(pair.target.url, `UPDATE t SET a = 'tampered with' WHERE id = 7`)
    const writer = replicating()
    let reads = 0
    let applied: Promise<unknown> = Promise.resolve()
    const { result, mismatches } = await reconcile(
      pair,
      keyed,
      {},
      {
        live: { deadlineMs: 8000 },
        onSettling: () => {
          reads++
          if (reads === 1) applied = Promise.all([writer.stop(), runSql(pair.target.url, CHANGES)])
        },
      },
    )
    await applied
    expect(result.verdict).toBe('fail')
    expect(mismatches.map((mismatch) => [mismatch.kind, mismatch.key[0]!.value])).toEqual([['changed', '7']])
    expect(result.mismatches).toEqual(mismatches)
    expect([result.missing, result.extra, result.changed]).toEqual(['0', '0', '1'])
    expect(result.live).toMatchObject({ differing: '1', unsettled: '0', stable_ms: 4000 })
    expect(BigInt(result.live!.settled)).toBeGreaterThanOrEqual(100n)
    expect(result.reasons.join('\n')).toMatch(
      /^Rows differ: 1 changed; read again and unchanged on both sides for 4 s\.\n\d+ keys were in motion and settled/,
    )
    expect(result.severity).toBe('Major')
  })

  it('is equal when every key that differed was seen equal, and says how many moved', async () => {
    await runSql(pair.source.url, CHANGES)
    let reads = 0
    const { result, mismatches } = await reconcile(
      pair,
      keyed,
      {},
      {
        live: { deadlineMs: 60_000 },
        onSettling: () => void (++reads === 1 && runSql(pair.target.url, CHANGES)),
      },
    )
    expect(result).toMatchObject({ verdict: 'pass', missing: '0', extra: '0', changed: '0', mismatches: [], severity: null })
    expect(result.reasons).toEqual(['Equal; 100 keys were in motion and settled: read again until equal on both sides.'])
    expect(mismatches).toEqual([])
  })

  it('is undecided when a key still changes at the deadline', async () => {
    await runSql(pair.target.url, `UPDATE t SET a = 'start' WHERE id = 5`)
    let reads = 0
    const { result, mismatches } = await reconcile(
      pair,
      keyed,
      {},
      {
        live: { deadlineMs: 4000 },
        onSettling: () => void runSql(pair.target.url, `UPDATE t SET a = 'never at rest ${reads++}' WHERE id = 5`),
      },
    )
    expect(result).toMatchObject({ verdict: 'inconclusive', live: { keys: '1', settled: '0', differing: '0', unsettled: '1' } })
    expect(result.reasons[0]).toMatch(/^Unsettled: 1 key had neither become equal nor stayed the same for 2 s when the 4 s were over/)
    expect(mismatches).toEqual([])
  })

  it('does not call a difference stable whose rows change on both sides alike', async () => {
    await runSql(pair.target.url, `DELETE FROM t WHERE id = 9`)
    let reads = 0
    const { result } = await reconcile(
      pair,
      keyed,
      {},
      {
        live: { deadlineMs: 4000 },
        onSettling: () => void runSql(pair.source.url, `UPDATE t SET a = 'on its way ${reads++}' WHERE id = 9`),
      },
    )
    expect(result.verdict).toBe('inconclusive')
  })

  it('finds missing and extra rows and compares without an index, with NULL in a key and several rows under one', async () => {
    for (const side of [pair.source, pair.target]) {
      await runSql(
        side.url,
        `DROP TABLE t; CREATE TABLE t (k text, n numeric, a text);
         INSERT INTO t SELECT 'it''s ' || g, g / 7.0, 'x' FROM generate_series(1, 300) g; INSERT INTO t VALUES (NULL, 1.50, 'a'), (NULL, 1.50, 'a'), ('two', NULL, 'b')`,
      )
    }
    const mapping = mappingOf('t', { k: 'text', n: 'numeric', a: 'text' }, { key: ['k', 'n'] })
    await runSql(
      pair.target.url,
      `DELETE FROM t WHERE ctid = (SELECT max(ctid) FROM t WHERE k IS NULL); INSERT INTO t VALUES ('new', 1, 'c')`,
    )
    await runSql(pair.source.url, `UPDATE t SET a = 'late' WHERE k = 'it''s 3' OR n IS NULL`)
    let reads = 0
    const { result, mismatches } = await reconcile(
      pair,
      mapping,
      { mode: 'bucketed' },
      {
        live: { deadlineMs: 2000 },
        onSettling: () => void (++reads === 1 && runSql(pair.target.url, `UPDATE t SET a = 'late' WHERE k = 'it''s 3' OR n IS NULL`)),
      },
    )
    expect(result.mode).toBe('bucketed')
    expect(result).toMatchObject({ verdict: 'fail', missing: '1', extra: '1', changed: '0', live: { settled: '2', differing: '2' } })
    expect(mismatches.map(({ kind, source_count, target_count }) => `${kind} ${source_count} ${target_count}`).sort()).toEqual([
      'extra 0 1',
      'missing 2 1',
    ])
  })

  it('without a key is equal or undecided, and says that a key would help', async () => {
    const keyless = mappingOf('t', { id: 'integer', a: 'text' })
    const options: Partial<ReconcileOptions> = { live: { deadlineMs: 1000 } }
    expect((await reconcile(pair, keyless, {}, options)).result.verdict).toBe('pass')
    await runSql(pair.target.url, `UPDATE t SET a = 'other' WHERE id = 9`)
    const { result, mismatches } = await reconcile(pair, keyless, {}, options)
    expect(result.verdict).toBe('inconclusive')
    expect(result.reasons[0]).toContain('the table has no key by which rows could be read again')
    expect(mismatches).toEqual([])
  })

  it('fails on a schema difference even when every row settles', async () => {
    await runSql(pair.target.url, 'ALTER TABLE t ALTER a SET NOT NULL, ADD extra int')
    await runSql(pair.source.url, CHANGES)
    let reads = 0
    const settling = await reconcile(
      pair,
      keyed,
      {},
      {
        live: { deadlineMs: 60_000 },
        onSettling: () => void (++reads === 1 && runSql(pair.target.url, CHANGES)),
      },
    )
    const still = await reconcile(pair, keyed)
    expect(settling.result.live!.settled).toBe('100')
    expect(settling.result.verdict).toBe(still.result.verdict)
    expect(settling.result.severity).toBe(still.result.severity)
  })

  it('refuses masked values, by which nothing could be found again', async () => {
    await expect(reconcile(pair, keyed, {}, { live: { deadlineMs: 1000 }, mask: () => 'hidden' })).rejects.toMatchObject({
      code: 'BAD_INPUT',
    })
  })

  it('is undecided, and names nothing, when reading again takes too long', async () => {
    await runSql(pair.target.url, `UPDATE t SET a = 'other' WHERE id = 9`)
    await withClient(pair.target.url, async (client) => {
      let locked: Promise<unknown> | undefined
      const { result, mismatches } = await reconcile(
        pair,
        keyed,
        {},
        {
          live: { deadlineMs: 60_000 },
          statementTimeoutMs: 1000,
          onSettling: () => {
            locked ??= client.query('BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE')
          },
        },
      )
      await locked
      await client.query('ROLLBACK')
      expect(result.verdict).toBe('inconclusive')
      expect(result.reasons[0]).toMatch(/^STATEMENT_TIMEOUT/)
      expect(mismatches).toEqual([])
    })
  })

  it('ends at once when interrupted, and leaves no connection', async () => {
    await runSql(pair.target.url, `UPDATE t SET a = 'other' WHERE id = 9`)
    const controller = new AbortController()
    const running = reconcile(
      pair,
      keyed,
      {},
      { live: { deadlineMs: 600_000 }, signal: controller.signal, onSettling: () => controller.abort() },
    )
    await expect(running).rejects.toMatchObject({ code: 'INTERRUPTED' })
    const open = () =>
      withClient(pair.source.url, async (client) => {
        const found = await client.query(
          `SELECT 1 FROM pg_stat_activity WHERE application_name = 'waybill' AND datname = current_database()`,
        )
        return found.rowCount
      })
    await expect.poll(open, { timeout: 10_000 }).toBe(0)
  })
})

describe('what is remembered of differing keys', () => {
  const lone = (value: string) => ({
    kind: 'missing' as const,
    segment: 0,
    key: [{ column: 'id', value }],
    columns: [],
    source_count: '1',
    target_count: '0',
  })
  const plan = (mode: 'ordered' | 'bucketed') => ({ keyWidth: 1, tolerant: [], mapping: keyed, mode }) as unknown as TablePlan

  it('is bounded; more keys are not read again, and that is said', () => {
    const keys = new LiveKeys()
    for (let i = 0; i < 50_000; i++) keys.add(lone(String(i)))
    keys.add(lone('0'))
    expect(keys.obstacle(plan('ordered'))).toBeNull()
    expect(keys.obstacle(plan('bucketed'))).toMatch(/more than 2000 keys/)
    keys.add(lone('50000'))
    expect(keys.size).toBe(50_000)
    expect(keys.obstacle(plan('ordered'))).toMatch(/more than 50000 keys/)
  })
})
