import { EventEmitter } from 'node:events'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copyOut } from '../../../layers/connectors/postgres/copy-stream.ts'
import { keyOrder } from '../../../layers/connectors/postgres/key-order.ts'
import { nativeColumn } from '../../../layers/connectors/postgres/row-column.ts'
import { openSession, type Session } from '../../../layers/connectors/postgres/session.ts'
import { decodeFrame, encodeFrame, FrameFields } from '../../../layers/core/encoding/row-frame.ts'
import { freshDatabase, runSql } from '../../support/postgres.ts'
import { mappingOf, type Pair, reconcile } from './recon-fixture.ts'
import { proxyTo } from './recon-proxy.ts'
import { NASTY } from './recon-random.ts'

const QUERY = `SELECT g, repeat('x', g * 7), NULL::int FROM generate_series(1, 60) g`

/** What the driver would do with messages that are not rows, on a socket that is no socket. */
class Wire extends EventEmitter {
  pause() {}
  resume() {}
}

/** Replays recorded server messages in pieces of the given sizes (repeated) through `copyOut`. */
async function replay(bytes: Buffer, sizes: readonly number[]): Promise<{ rows: bigint; bytes: Buffer }> {
  const wire = new Wire()
  let handlers: { handleCommandComplete(m: { text: string }): void; handleReadyForQuery(): void; handleError(e: unknown): void } | undefined
  let rest = Buffer.alloc(0)
  wire.on('data', (data: Buffer) => {
    rest = Buffer.concat([rest, data])
    while (rest.byteLength >= 5 && rest.byteLength >= 1 + rest.readInt32BE(1)) {
      const message = rest.subarray(0, 1 + rest.readInt32BE(1))
      rest = rest.subarray(message.byteLength)
      if (message[0] === 0x43) handlers?.handleCommandComplete({ text: message.subarray(5, -1).toString() })
      if (message[0] === 0x5a) handlers?.handleReadyForQuery()
    }
  })
  const client = {
    query(submittable: typeof handlers & { submit(connection: unknown): void }) {
      handlers = submittable
      submittable.submit({ stream: wire, query: () => {} })
      setImmediate(() => {
        for (let at = 0, i = 0; at < bytes.byteLength; i++) {
          const size = Math.max(1, sizes[i % sizes.length] ?? bytes.byteLength)
          wire.emit('data', Buffer.from(bytes.subarray(at, at + size)))
          at += size
        }
        wire.emit('close')
      })
    },
    end: async () => {},
  }
  const stream = copyOut({ client } as unknown as Session, QUERY, 'replaying')
  const chunks: Uint8Array[] = []
  for await (const chunk of stream.chunks) chunks.push(chunk)
  return { rows: stream.rows(), bytes: Buffer.concat(chunks) }
}

let pair: Pair
let recorded: Buffer
beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
  const messages: Buffer[] = []
  let copying = false
  const proxy = await proxyTo(pair.source.url, () => (tag, message) => {
    copying ||= tag === 'H'
    if (copying) messages.push(Buffer.from(message))
    return message
  })
  const session = await openSession(proxy.url, { readOnly: true, connectTimeoutMs: 5000, statementTimeoutMs: 0 })
  for await (const _ of copyOut(session, QUERY, 'recording').chunks) {
  }
  await session.close()
  await proxy.close()
  recorded = Buffer.concat(messages)
})
afterAll(async () => {
  await pair.source.drop()
  await pair.target.drop()
})

describe('a binary COPY, read from the wire', () => {
  it('gives the same frames however the network cuts it', async () => {
    const whole = await replay(recorded, [])
    expect(whole.rows).toBe(60n)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20, size: 'max' }), async (sizes) => {
        const cut = await replay(recorded, sizes)
        expect(cut.rows).toBe(60n)
        expect(cut.bytes.equals(whole.bytes)).toBe(true)
      }),
      { numRuns: 100 },
    )
    expect((await replay(recorded, [1])).bytes.equals(whole.bytes)).toBe(true)
  })

  it('gives no end to a stream that is cut anywhere', async () => {
    // The last message is ReadyForQuery, six bytes; everything before it must have arrived.
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: recorded.byteLength - 7 }), async (length) => {
        await expect(replay(recorded.subarray(0, length), [97])).rejects.toMatchObject({
          code: expect.stringMatching(/STREAM_TRUNCATED|CONNECTION_FAILED/),
        })
      }),
      { numRuns: 100 },
    )
  })
})

describe('the order of keys', () => {
  const types = [
    'smallint',
    'integer',
    'bigint',
    'numeric',
    'boolean',
    'bytea',
    'date',
    'time without time zone',
    'timestamp without time zone',
    'timestamp with time zone',
    'uuid',
    'text',
  ]
  it.each(types)('of type %s is the server’s', async (type) => {
    const session = await openSession(pair.source.url, { readOnly: true, connectTimeoutMs: 5000, statementTimeoutMs: 0 })
    try {
      const value = `(v::${type})${type === 'text' ? ' COLLATE "C"' : ''}`
      const more = ['smallint', 'integer', 'bigint', 'numeric'].includes(type)
        ? ['-7', '-8', '-70000'.slice(0, type === 'smallint' ? 4 : 6), '300', '301']
        : []
      const rows = [...NASTY[type]!, ...more].map((sql) => `((${sql})::${type})`).join(', ')
      const sql = `SELECT ${type === 'numeric' ? 'trim_scale(v)' : 'v'} FROM (SELECT DISTINCT ${value} AS v FROM (VALUES ${rows}) AS given(v)) AS one ORDER BY one.v`
      const frames: Buffer[] = []
      for await (const chunk of copyOut(session, sql, 'sorting').chunks) {
        for (let at = 0; at < chunk.byteLength; ) {
          const bytes = Buffer.from(chunk)
          const end = at + 1 + bytes.readInt32BE(at + 1)
          frames.push(bytes.subarray(at, end))
          at = end
        }
      }
      const oid = Number((await session.rows(`SELECT '${type}'::regtype::oid`))[0]![0])
      const column = nativeColumn('v', { oid, modifier: -1, name: type, sql: 'v' }, { oid, modifier: -1, name: type, sql: 'v' })
      expect(column.ordered).toBe(true)
      const { compare } = keyOrder([column])
      expect(frames.length).toBeGreaterThan(1)
      for (const [i, a] of frames.entries()) {
        for (const [j, b] of frames.entries()) expect(Math.sign(compare(a, 0, b, 0)), `${i} ${j}`).toBe(Math.sign(i - j))
      }
    } finally {
      await session.close()
    }
  })
})

describe('row frames', () => {
  it('are injective: they decode to exactly what was encoded', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.uint8Array({ maxLength: 20 }))), (fields) => {
        expect(decodeFrame(encodeFrame(fields)).map((field) => (field === null ? null : [...field]))).toEqual(
          fields.map((field) => (field === null ? null : [...field])),
        )
      }),
    )
  })
  it('are looked at in memory that is used again, and alike are exactly the fields that hold the same bytes', () => {
    const [left, right] = [new FrameFields(), new FrameFields()]
    // Values that begin or end alike, NULL beside nothing at all, and longer rows before shorter ones.
    const value = fc.option(
      fc.constantFrom('', '\0', 'a', 'ab', 'b', 'abc'.repeat(30), `${'abc'.repeat(30)}d`).map((text) => Buffer.from(text)),
    )
    const row = fc.array(value, { maxLength: 12 })
    fc.assert(
      fc.property(row, row, fc.nat(40), (a, b, before) => {
        // As chunks hold them: not at the beginning of their memory.
        const within = (fields: (Buffer | null)[]) => Buffer.concat([Buffer.alloc(before, 0x64), encodeFrame(fields)]).subarray(before)
        left.read(within(a))
        right.read(within(b))
        expect([left.count, right.count]).toEqual([a.length, b.length])
        for (let i = 0; i < 13; i++) {
          const [mine, its] = [a[i] ?? null, b[i] ?? null]
          expect(left.field(i) === null ? null : Buffer.from(left.field(i)!)).toEqual(mine)
          expect(left.same(right, i)).toBe(mine === null || its === null ? mine === its : mine.equals(its))
        }
      }),
      { numRuns: 500 },
    )
  })
  it('leave nothing behind when the next one is broken', () => {
    const fields = new FrameFields(encodeFrame([Buffer.from('abc')]))
    const [below, beyond] = [Buffer.from(encodeFrame([null])), Buffer.from(encodeFrame([Buffer.from('abc')]))]
    below.writeInt32BE(-2, 7)
    beyond.writeInt32BE(0x7fffffff, 7)
    for (const frame of [below, beyond]) {
      expect(() => fields.read(frame)).toThrow(/pieces/)
      expect([fields.count, fields.field(0)]).toEqual([0, null])
    }
  })
  it('are refused when they are anything but whole', () => {
    const frame = encodeFrame([Buffer.from('abc'), null])
    for (let length = 0; length < frame.byteLength; length++) expect(() => decodeFrame(frame.subarray(0, length))).toThrow(/pieces/)
    expect(() => decodeFrame(Buffer.concat([frame, Buffer.alloc(1)]))).toThrow(/pieces/)
    const short = Buffer.from(frame)
    short.writeInt32BE(2, 7)
    expect(() => decodeFrame(short)).toThrow(/pieces/)
  })
})

describe('segments too large to keep in memory', () => {
  it('are read again when they differ, and give the same differences', async () => {
    const make = `CREATE TABLE wide (id int PRIMARY KEY, a text); INSERT INTO wide SELECT g, repeat(md5(g::text), 100) FROM generate_series(1, 5000) g`
    await runSql(pair.source.url, make)
    await runSql(
      pair.target.url,
      `${make}; UPDATE wide SET a = 'x' WHERE id IN (1, 2500, 5000); DELETE FROM wide WHERE id = 77; INSERT INTO wide VALUES (6000, 'y'), (-1, 'z')`,
    )
    const mapping = mappingOf('wide', { id: 'integer', a: 'text' }, { key: ['id'] })
    for (const connections of [1, 2]) {
      const { result, mismatches } = await reconcile(
        pair,
        mapping,
        { segments: 2 },
        { connections, mask: (value) => value?.slice(0, 8) ?? null },
      )
      expect([result.missing, result.extra, result.changed]).toEqual(['1', '2', '3'])
      expect(mismatches.map((one) => `${one.kind} ${one.key[0]!.value} ${one.segment}`).sort()).toEqual([
        'changed 1 0',
        'changed 2500 0',
        'changed 5000 1',
        'extra -1 0',
        'extra 6000 1',
        'missing 77 0',
      ])
    }
  })

  it('values go through the mask, in the result and on their way out', async () => {
    const { result, mismatches } = await reconcile(
      pair,
      mappingOf('wide', { id: 'integer', a: 'text' }, { key: ['id'], order_key: 'id' }),
      {},
      { mask: (value) => (value === null ? null : '•'), aggregates: true },
    )
    const values = [...mismatches, ...result.mismatches].flatMap((one) => [
      ...one.key.map((part) => part.value),
      ...one.columns.flatMap((part) => [part.source, part.target]),
    ])
    const { first_source, first_target, last_source, last_target } = result.ordering!
    const edges = result.aggregates.filter((one) => ['min', 'max'].includes(one.kind)).flatMap((one) => [one.source, one.target])
    expect(new Set([...values, first_source, first_target, last_source, last_target, ...edges])).toEqual(new Set(['•', null]))
    for (const segment of result.segments) expect(segment.range).toMatch(/^\[(…|•); (…|•)\)$/)
    expect(mismatches).toHaveLength(6)
  })
})

describe('many differences', () => {
  it('are all named, each once, and the result keeps the first thousand', async () => {
    await runSql(pair.source.url, 'CREATE TABLE many AS SELECT g AS id, g % 10 AS a FROM generate_series(1, 30000) g')
    await runSql(pair.target.url, 'CREATE TABLE many AS SELECT g AS id, (g + 1) % 10 AS a FROM generate_series(1, 30000) g')
    const keyed = await reconcile(pair, mappingOf('many', { id: 'integer', a: 'integer' }, { key: ['id'] }))
    expect([keyed.result.changed, keyed.result.missing, keyed.mismatches.length, keyed.result.mismatches.length]).toEqual([
      '30000',
      '0',
      30_000,
      1000,
    ])
    expect(new Set(keyed.mismatches.map((one) => one.key[0]!.value)).size).toBe(30_000)
    const keyless = await reconcile(pair, mappingOf('many', { id: 'integer', a: 'integer' }))
    expect([keyless.result.missing, keyless.result.extra, keyless.mismatches.length]).toEqual(['30000', '30000', 60_000])
  })
})

describe('the order key', () => {
  it('counts rows whose place changed, and only those', async () => {
    const make = 'CREATE TABLE seq (id int PRIMARY KEY, at int); INSERT INTO seq SELECT g, g * 10 FROM generate_series(1, 100) g'
    await runSql(pair.source.url, make)
    await runSql(
      pair.target.url,
      `${make}; UPDATE seq SET at = 55 WHERE id = 50; UPDATE seq SET at = 7 WHERE id = 51; DELETE FROM seq WHERE id = 30`,
    )
    for (const key of [['id'], null]) {
      const { result } = await reconcile(pair, mappingOf('seq', { id: 'integer', at: 'integer' }, { key, order_key: 'at' }))
      expect(result.ordering).toMatchObject({
        verdict: 'fail',
        violations: '2',
        first_source: '10',
        first_target: '7',
        last_source: '1000',
        last_target: '1000',
      })
    }
  })
})
