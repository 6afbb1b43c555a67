import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copyOut } from '../../../layers/connectors/postgres/copy-stream.ts'
import { openReconciler } from '../../../layers/connectors/postgres/reconciler.ts'
import { openSession, type Session } from '../../../layers/connectors/postgres/session.ts'
import { sha256 } from '../../../layers/core/digest.ts'
import { canonicalSql } from '../../../layers/core/encoding/canonical-sql.ts'
import { canonicalType } from '../../../layers/core/encoding/canonical-type.ts'
import { canonicalValue } from '../../../layers/core/encoding/canonical-value.ts'
import { decodeFrame, encodeFrame } from '../../../layers/core/encoding/row-frame.ts'
import type { RowSide } from '../../../layers/core/encoding/row-stream.ts'
import { type FreshDatabase, freshDatabase, runSql } from '../../support/postgres.ts'
import { mappingOf, optionsOf, reconOf } from './recon-fixture.ts'
import { NASTY } from './recon-random.ts'

type Vector = { type: string; sql: string; text: string; bytes: string; sha256: string }
const golden = JSON.parse(readFileSync(new URL('../../core/encoding/canonical.golden.json', import.meta.url), 'utf8')) as Vector[]

let database: FreshDatabase
let session: Session
beforeAll(async () => {
  database = await freshDatabase()
  session = await openSession(database.url, { readOnly: true, connectTimeoutMs: 5000, statementTimeoutMs: 0 })
})
afterAll(async () => {
  await session.close()
  await database.drop()
})

/** The text PostgreSQL prints for a value, and the bytes its push-down gives. */
async function onServer(type: string, sql: string): Promise<{ text: string; bytes: string }> {
  const value = `(${sql})::${type}`
  const [[text]] = (await session.rows(`SELECT (${value})::text`)) as [[string]]
  const sent: string[] = []
  for await (const frame of copyOut(session, `SELECT ${canonicalSql(canonicalType(type), value)}`, 'testing').chunks) {
    sent.push(Buffer.from(decodeFrame(frame)[0]!).toString('hex'))
  }
  return { text, bytes: sent.join(' ') }
}

describe('golden vectors', () => {
  it.each(golden.map((vector) => [vector.type, vector.sql, vector] as const))('%s %s', async (_type, _sql, vector) => {
    const bytes = canonicalValue(canonicalType(vector.type), vector.text)
    expect(Buffer.from(bytes).toString('hex')).toBe(vector.bytes)
    expect(sha256(encodeFrame([bytes]))).toBe(vector.sha256)
    expect(await onServer(vector.type, vector.sql)).toEqual({ text: vector.text, bytes: vector.bytes })
  })

  it('hold a value of every type the encoding defines', () => {
    const kinds = new Set(golden.map((vector) => canonicalType(vector.type).kind))
    expect([...kinds].sort()).toEqual([
      'boolean',
      'bytes',
      'date',
      'float',
      'integer',
      'interval',
      'json',
      'numeric',
      'text',
      'time',
      'timestamp',
      'uuid',
    ])
  })
})

describe('the reference and the push-down agree', () => {
  const types = Object.keys(NASTY).filter((type) => !['json', 'inet', 'integer[]', 'text[]', 'int4range', 'mood', 'posint'].includes(type))
  it.each(types)('on %s', async (type) => {
    for (const sql of NASTY[type]!) {
      const { text, bytes } = await onServer(type, sql)
      expect(Buffer.from(canonicalValue(canonicalType(type), text)).toString('hex'), text).toBe(bytes)
    }
  })

  const drawn: readonly [string, fc.Arbitrary<string>][] = [
    ['bigint', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)],
    ['numeric', fc.tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.nat(25)).map(([digits, scale]) => `${digits}e-${scale}`)],
    ['numeric(20,4)', fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }).map((digits) => `${digits}e-4`)],
    ['double precision', fc.double().map(String)],
    ['real', fc.float().map(String)],
    ['text', fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\u0000'))],
    ['bytea', fc.uint8Array({ maxLength: 40 }).map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`)],
    [
      'timestamp without time zone',
      fc.bigInt({ min: -200_000_000_000_000_000n, max: 9_000_000_000_000_000_000n }).map((micros) => `${micros}`),
    ],
    [
      'interval',
      fc
        .tuple(
          fc.integer({ min: -10_000, max: 10_000 }),
          fc.integer({ min: -10_000, max: 10_000 }),
          fc.bigInt({ min: -(10n ** 13n), max: 10n ** 13n }),
        )
        .map(([months, days, micros]) => `${months} mons ${days} days ${micros} us`),
    ],
    ['uuid', fc.uuid()],
  ]
  it.each(drawn)('on drawn values of %s', { timeout: 60_000 }, async (type, values) => {
    await fc.assert(
      fc.asyncProperty(values, async (value) => {
        const quoted = `'${value.replaceAll("'", "''")}'`
        const sql = type.startsWith('timestamp')
          ? `timestamp '2000-01-01' + ${quoted}::bigint / 1000000 * interval '1 second' + ${quoted}::bigint % 1000000 * interval '1 us'`
          : quoted
        const { text, bytes } = await onServer(type, sql)
        expect(Buffer.from(canonicalValue(canonicalType(type), text)).toString('hex'), text).toBe(bytes)
      }),
      { numRuns: 60 },
    )
  })
})

describe('the reference', () => {
  it('tells apart what differs', () => {
    const hex = (type: string, text: string) => Buffer.from(canonicalValue(canonicalType(type), text)).toString('hex')
    expect(hex('interval', 'P1M')).not.toBe(hex('interval', 'P30D'))
    expect(hex('interval', 'P1D')).not.toBe(hex('interval', 'PT24H'))
    expect(hex('double precision', '-0')).not.toBe(hex('double precision', '0'))
    expect(hex('numeric', '1.0')).toBe(hex('numeric', '1'))
    expect(hex('numeric(12,2)', '1')).toBe(hex('numeric(12,2)', '1.00'))
    expect(hex('numeric(12,2)', '1.001')).not.toBe(hex('numeric(12,2)', '1.00'))
    expect(hex('numeric', '-0.00')).toBe(hex('numeric', '0'))
    expect(hex('text', 'é')).not.toBe(hex('text', 'e\u0301'))
    expect(hex('character(5)', 'a  ')).toBe(hex('character(9)', 'a'))
    expect(hex('text', 'a ')).not.toBe(hex('text', 'a'))
  })

  it.each([
    ['integer', '1.5'],
    ['integer', ''],
    ['numeric', '.'],
    ['boolean', 'yes'],
    ['date', '2024-1-1'],
    ['timestamp with time zone', '2024-01-01 00:00:00'],
    ['timestamp without time zone', '2024-01-01 00:00:00+00'],
    ['timestamp with time zone', '2024-01-01 00:00:00+01'],
    ['timestamp without time zone', '2024-01-01 00:00:00.1234567'],
    ['interval', 'P'],
    ['interval', '1 day'],
    ['uuid', 'x'],
    ['bytea', '\\x0'],
    ['text', '\ud800'],
  ])('refuses %s %j without repeating it', (type, text) => {
    expect(() => canonicalValue(canonicalType(type), text)).toThrow(expect.objectContaining({ code: 'NOT_REPRESENTABLE' }))
    if (text.length > 3) expect(() => canonicalValue(canonicalType(type), text)).not.toThrow(text)
  })

  it('refuses types it does not define, by name', () => {
    for (const type of ['json', 'inet', 'integer[]', 'time with time zone']) {
      expect(() => canonicalType(type)).toThrow(
        expect.objectContaining({ code: 'NOT_REPRESENTABLE', message: expect.stringContaining(type) }),
      )
    }
  })
})

describe('rows that do not come from PostgreSQL', () => {
  const mapping = mappingOf('held', { name: 'text', id: 'integer', price: 'numeric(10,2)' }, { key: ['id'] })
  /** Rows in the order of the columns given, as any other system would send them. */
  const side = (rows: readonly (readonly (string | null)[])[], claimed = rows.length): RowSide => ({
    snapshot: async () => 'held in memory',
    async read(asked) {
      const chunks = async function* () {
        for (const row of rows) {
          yield encodeFrame(
            asked.columns.map((column) => {
              const value = row[['name', 'id', 'price'].indexOf(column.target)] ?? null
              return value === null ? null : canonicalValue(canonicalType(column.target_type), value)
            }),
          )
        }
      }
      return { chunks: chunks(), rows: () => BigInt(claimed) }
    },
    close: async () => {},
  })
  const run = async (rows: RowSide) => {
    const mismatches: unknown[] = []
    const reconciler = await openReconciler(
      { systemType: 'CSV', rows },
      { systemType: 'POSTGRESQL', url: database.url },
      { connectTimeoutMs: 5000, statementTimeoutMs: 0, signal: new AbortController().signal },
    )
    const [result] = await reconciler.reconcile(
      [{ mapping, recon: reconOf(mapping, { encoding: 'canonical' }) }],
      optionsOf({ onMismatch: (_, mismatch) => void mismatches.push(mismatch) }),
    )
    await reconciler.close()
    return { result: result!, mismatches }
  }
  const rows = Array.from({ length: 500 }, (_, i) => [i % 7 === 0 ? null : `n${i}`, String(i), `${i}.5`])

  beforeAll(() =>
    runSql(
      database.url,
      `CREATE TABLE held (name text, id integer PRIMARY KEY, price numeric(10,2)); INSERT INTO held SELECT CASE WHEN g % 7 <> 0 THEN 'n' || g END, g, g + 0.5 FROM generate_series(0, 499) g`,
    ),
  )

  it('are equal to a table with the same values', async () => {
    const { result } = await run(side(rows.toReversed()))
    expect(result).toMatchObject({
      verdict: 'pass',
      encoding: 'canonical',
      mode: 'bucketed',
      source_rows: '500',
      snapshot: { source: 'held in memory' },
    })
    expect(result.source_root).toBe(result.target_root)
  })
  it('differ in exactly the row that differs', async () => {
    const { result, mismatches } = await run(side([...rows.slice(0, 42), ['other', '42', '42.5'], ...rows.slice(43)]))
    expect([result.verdict, result.changed]).toEqual(['fail', '1'])
    expect(mismatches).toMatchObject([
      { kind: 'changed', key: [{ column: 'id', value: '42' }], columns: [{ column: 'name', source: 'other', target: null }] },
    ])
  })
  it('that are other rows when they are read again give no verdict', async () => {
    const changed = [...rows.slice(0, 42), ['other', '42', '42.5'], ...rows.slice(43)]
    let reads = 0
    const unsteady: RowSide = {
      ...side(changed),
      read: (asked, signal) => (++reads === 1 ? side(changed) : side(rows)).read(asked, signal),
    }
    const { result } = await run(unsteady)
    expect(result.verdict).toBe('inconclusive')
    expect(result.reasons[0]).toMatch(/not there any more/)
  })
  it('that end before the reader says they do give no verdict', async () => {
    const { result } = await run(side(rows.slice(0, 499), 500))
    expect(result.verdict).toBe('inconclusive')
    expect(result.reasons[0]).toMatch(/^STREAM_TRUNCATED/)
  })
})
