import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { namePairs, type RowCounts, RowPairs } from '../../../layers/connectors/postgres/row-pairs.ts'
import { encodeFrame } from '../../../layers/core/encoding/row-frame.ts'
import type { Mismatch } from '../../../layers/core/schemas/recon.ts'
import { freshDatabase, withClient } from '../../support/postgres.ts'
import { load, mappingOf, type Pair, reconcile } from './recon-fixture.ts'

let pair: Pair
beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
})
afterAll(async () => {
  await pair.source.drop()
  await pair.target.drop()
})

/** About 1,900 blocks: several ranges, so that several connections share them. Every row is there twice. */
const FILL = `CREATE TABLE events (n int, note text);
  INSERT INTO events SELECT g, repeat('x', 200) FROM generate_series(1, 30000) g, generate_series(1, 2); ANALYZE events`
const mapping = mappingOf('events', { n: 'integer', note: 'text' })

async function tuplesRead(url: string): Promise<number> {
  return withClient(url, async (client) => {
    await client.query('SELECT pg_stat_force_next_flush()').catch(() => {})
    const { rows } = await client.query<{ read: string }>("SELECT seq_tup_read AS read FROM pg_stat_user_tables WHERE relname = 'events'")
    return Number(rows[0]!.read)
  })
}

describe('a table of many blocks without a key', () => {
  it('has the same digests on one connection and on three', async () => {
    await load(pair, FILL)
    const results = [1, 3].map((connections) => reconcile(pair, mapping, { segments: 16 }, { connections }))
    const [one, three] = (await Promise.all(results)).map(({ result }) => result)
    expect(one!.verdict).toBe('pass')
    expect(one!.source_rows).toBe('60000')
    expect(three!.segments).toEqual(one!.segments)
    expect(three!.target_root).toBe(one!.target_root)
  })

  it('names rows changed, gone, come and repeated, wherever their blocks lie, reading only what lies around them again', async () => {
    await load(
      pair,
      'SELECT 1',
      '',
      `DELETE FROM events WHERE n = 1; DELETE FROM events WHERE ctid IN (SELECT ctid FROM events WHERE n = 15000 LIMIT 1);
       UPDATE events SET note = 'late' WHERE n = 29999; INSERT INTO events VALUES (7, repeat('x', 200)), (-1, NULL)`,
    )
    for (const connections of [1, 3]) {
      const before = await tuplesRead(pair.source.url)
      const { result, mismatches } = await reconcile(pair, mapping, { segments: 16 }, { connections })
      expect(result.verdict).toBe('fail')
      const named = mismatches.map(
        (m) => `${m.kind} ${m.columns[0]![m.kind === 'missing' ? 'source' : 'target']} ${m.source_count}:${m.target_count}`,
      )
      expect(named.sort()).toEqual([
        'extra -1 0:1',
        'extra 29999 0:2',
        'extra 7 2:3',
        'missing 1 2:0',
        'missing 15000 2:1',
        'missing 29999 2:0',
      ])
      expect((await tuplesRead(pair.source.url)) - before).toBeLessThan(70_000)
    }
  })

  it('finds rows that are not where an even filling would put them, by reading everything again', async () => {
    await load(pair, 'SELECT 1', '', 'DELETE FROM events WHERE n BETWEEN 2 AND 9000 AND n % 500 <> 0; DELETE FROM events WHERE n = 9500')
    const { result } = await reconcile(pair, mapping, { segments: 16 }, { connections: 2 })
    expect([result.source_rows, result.missing]).toEqual(['60000', String(60000 - Number(result.target_rows) + Number(result.extra))])
    expect(Number(result.missing)).toBeGreaterThan(17_000)
  })

  it('names more differences than are looked for one by one', async () => {
    await load(pair, 'SELECT 1', '', "UPDATE events SET note = note || 'y'")
    const { result, mismatches } = await reconcile(pair, mapping, { segments: 16 }, { connections: 2 })
    expect(mismatches.length).toBeGreaterThan(50_000 - 9000 - 1)
    expect(result.missing).toBe('60000')
    expect(result.extra).toBe(result.target_rows)
  })
})

describe('rows under one key', () => {
  const frame = (key: number, text: string) => Buffer.from(encodeFrame([Buffer.from([key >> 8, key & 255]), Buffer.from(text)]))
  const gone: RowCounts = { source: 1, target: 0, high: 5 }
  const come: RowCounts = { source: 0, target: 1, high: 9 }

  function named(add: (pairs: RowPairs) => void): string[] {
    const pairs = new RowPairs(1)
    const found: string[] = []
    const text = (one: Uint8Array) => String(one.byteLength)
    try {
      add(pairs)
      namePairs(
        {
          buckets: 4,
          keyWidth: 1,
          make: {
            lone: (kind, one) => ({ kind, key: [{ column: 'id', value: text(one) }] }) as unknown as Mismatch,
            changed: (one, other) =>
              ({ kind: 'changed', key: [{ column: 'id', value: `${text(one)} ${text(other)}` }] }) as unknown as Mismatch,
          },
          emit: (mismatch) => void found.push(`${mismatch.kind} ${mismatch.key[0]!.value}`),
        },
        pairs,
      )
    } finally {
      pairs.close()
    }
    return found.sort()
  }

  it('are one changed row where one went and one came, and only there', () => {
    const found = named((pairs) => {
      pairs.add(gone, frame(1, 'a'))
      pairs.add(come, frame(1, 'bb'))
      pairs.add(gone, frame(2, 'ccc'))
      pairs.add(come, frame(3, 'dddd'))
      pairs.add(gone, frame(4, 'eeeee'))
      pairs.add({ source: 1, target: 2, high: 3 }, frame(4, 'ffffff'))
    })
    expect(found).toEqual(['changed 18 19', 'extra 21', 'extra 23', 'missing 20', 'missing 22'])
  })

  it('meet however many they are, and however wide', () => {
    const wide = 'w'.repeat(100_000)
    const found = named((pairs) => {
      for (let key = 0; key < 600; key++) pairs.add(gone, frame(key * 64, wide))
      for (let key = 0; key < 600; key++) pairs.add(come, frame(key * 64, `${wide}!`))
    })
    expect(new Set(found)).toEqual(new Set(['changed 100017 100018']))
    expect(found).toHaveLength(600)
  })
})
