import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openPace, paced } from '../../../layers/connectors/postgres/pace.ts'
import { openProbe } from '../../../layers/connectors/postgres/probe.ts'
import { encodeFrame } from '../../../layers/core/encoding/row-frame.ts'
import type { TableMapping } from '../../../layers/core/schemas/proposal.ts'
import { freshDatabase, runSql, withClient } from '../../support/postgres.ts'
import { mappingOf, type Pair, reconcile } from './recon-fixture.ts'
import { relayTo } from './recon-proxy.ts'

/** What the servers are spared. No figure here is a speed: a limit is shown by what cannot have been read yet. */
let pair: Pair
const ROWS = 6000
const ordered = mappingOf('t', { id: 'integer', a: 'text' }, { key: ['id'] })
const bucketed = mappingOf('t', { id: 'integer', a: 'text' })

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

/** Everything the server sends comes so many milliseconds later; changing the delay holds for what comes from then on. */
async function farFrom(url: string): Promise<{ url: string; delay(milliseconds: number): void; close(): Promise<void> }> {
  let milliseconds = 0
  const relay = await relayTo(url, (client, database) => {
    client.pipe(database)
    let before: Promise<unknown> = Promise.resolve()
    database.on('data', (bytes: Buffer) => {
      const late = new Promise((resolve) => setTimeout(resolve, milliseconds))
      before = before.then(() => late).then(() => client.write(bytes))
    })
  })
  return {
    ...relay,
    delay(wanted) {
      milliseconds = wanted
    },
  }
}

const modes: readonly [string, TableMapping, 'stream' | 'push-down'][] = [
  ['in key order', ordered, 'stream'],
  ['by hash buckets', bucketed, 'stream'],
  ['pushed down', ordered, 'push-down'],
]

describe.each(modes)('%s', (_, mapping, method) => {
  it('gives the same result under a limit', async () => {
    const { result } = await reconcile(pair, mapping, {}, { method, connections: 2, throttle: { rowsPerSecond: 50_000 } })
    expect(result).toMatchObject({ verdict: 'pass', method, source_rows: String(ROWS) })
  })

  it('waits for its turn, which can be interrupted', async () => {
    // At a row a second this takes hours; without the limit it would be over before it is interrupted.
    const controller = new AbortController()
    const running = reconcile(pair, mapping, {}, { method, throttle: { rowsPerSecond: 1 }, signal: controller.signal })
    setTimeout(() => controller.abort(), 2000)
    await expect(running).rejects.toMatchObject({ code: 'INTERRUPTED' })
  })

  it('waits while the source is slow to answer, says so, and goes on', async () => {
    const far = await farFrom(pair.source.url)
    const said: boolean[] = []
    let rowsAtPause: bigint | null = null
    let rows = 0n
    far.delay(0)
    try {
      const { result } = await reconcile(
        { source: far, target: pair.target },
        mapping,
        { segments: 64 },
        {
          method,
          connections: 2,
          // Slow enough for the probe to speak while there are rows left.
          throttle: { pauseAboveMs: 200, rowsPerSecond: ROWS / 2 },
          onProgress: (_id, read) => {
            if (rows === 0n) far.delay(700)
            rows = read
          },
          onPause: (paused) => {
            said.push(paused)
            if (!paused) return
            rowsAtPause = rows
            far.delay(0)
          },
        },
      )
      expect(result).toMatchObject({ verdict: 'pass', source_rows: String(ROWS) })
      expect(rowsAtPause).toBeLessThan(BigInt(ROWS))
      expect(said.slice(0, 2)).toEqual([true, false])
    } finally {
      await far.close()
    }
  })

  it('never has more connections open on a side than it may', async () => {
    const seen: number[] = []
    let watching = true
    const database = new URL(pair.source.url).pathname.slice(1)
    const watcher = withClient(pair.target.url, async (client) => {
      while (watching) {
        const { rows } = await client.query(
          `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'waybill' AND datname = '${database}'`,
        )
        seen.push(rows[0].n as number)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    })
    await reconcile(pair, mapping, {}, { method, connections: 3, throttle: { pauseAboveMs: 60_000, rowsPerSecond: ROWS } })
    watching = false
    await watcher
    expect(Math.max(...seen)).toBe(3)
  })
})

describe('a pace', () => {
  it('adds up what all connections of a side take, and lends nothing for idle time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    try {
      const pace = openPace(1000)
      await vi.advanceTimersByTimeAsync(60_000)
      const through: number[] = []
      const taking = [100, 200, 300].map((rows) => pace.take(rows).then(() => through.push(rows)))
      for (const [after, expected] of [
        [99, []],
        [2, [100]],
        [198, [100]],
        [2, [100, 200]],
        [298, [100, 200]],
        [2, [100, 200, 300]],
      ] as const) {
        await vi.advanceTimersByTimeAsync(after)
        expect(through).toEqual(expected)
      }
      await Promise.all(taking)
    } finally {
      vi.useRealTimers()
    }
  })

  it('holds everybody while paused, also without a limit, and lets them go when stopped', async () => {
    for (const release of ['resume', 'stop'] as const) {
      const pace = openPace(null)
      await pace.take(1_000_000)
      pace.pause()
      let through = 0
      const waiting = [pace.take(1), pace.take(1)].map((one) => one.then(() => through++))
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(through).toBe(0)
      pace[release]()
      await Promise.all(waiting)
      expect(through).toBe(2)
    }
  })

  it('counts the rows of every chunk and changes none', async () => {
    const frame = (text: string) => Buffer.from(encodeFrame([Buffer.from(text)]))
    const chunks = [Buffer.concat([frame('a'), frame('bcd')]), frame('')]
    const taken: number[] = []
    const pace = { ...openPace(null), take: async (rows: number) => void taken.push(rows) }
    const given: Buffer[] = []
    for await (const chunk of paced(
      (async function* () {
        yield* chunks
      })(),
      pace,
    ))
      given.push(chunk)
    expect(taken).toEqual([2, 1])
    expect(given).toEqual(chunks)
  })
})

describe('the probe', () => {
  it('says slow before the answer is there, and quick only after two quick answers', async () => {
    const far = await farFrom(pair.source.url)
    const said: string[] = []
    const probe = await openProbe(far.url, { connectTimeoutMs: 5000, statementTimeoutMs: 0 }, 150, {
      slow: () => void said.push('slow'),
      quick: () => void said.push('quick'),
      lost: () => void said.push('lost'),
    })
    try {
      far.delay(3_600_000)
      await expect.poll(() => said, { timeout: 10_000 }).toEqual(['slow'])
    } finally {
      await probe.close()
      await far.close()
    }
    expect(said).toEqual(['slow'])
  })

  it('says when it is lost', async () => {
    const far = await farFrom(pair.source.url)
    const said: string[] = []
    const say = (word: string) => () => void said.push(word)
    const probe = await openProbe(far.url, { connectTimeoutMs: 5000, statementTimeoutMs: 0 }, 60_000, {
      slow: say('slow'),
      quick: say('quick'),
      lost: say('lost'),
    })
    await far.close()
    await expect.poll(() => said, { timeout: 10_000 }).toEqual(['lost'])
    await probe.close()
  })

  it('does not take the only connection', async () => {
    await expect(reconcile(pair, ordered, {}, { connections: 1, throttle: { pauseAboveMs: 100 } })).rejects.toMatchObject({
      code: 'BAD_INPUT',
    })
  })
})
