import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sha256 } from '../../layers/core/digest.ts'
import type { ColumnMapping } from '../../layers/core/schemas/proposal.ts'
import type { RowFilter, Transform } from '../../layers/core/schemas/spec.ts'
import { castSql, filterSql, quoteIdentifier, quoteLiteral, transformSql } from '../../layers/core/sql-text.ts'
import { readSqlType, sqlType } from '../../layers/core/sql-type.ts'
import { type FreshDatabase, freshDatabase, withClient } from '../support/postgres.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const ask = <T>(work: (client: pg.Client) => Promise<T>) => withClient(database.url, work)

/** `expression` over one row `x` of the given type and value, as text. */
async function evaluate(expression: string, type: string, value: string | null): Promise<string | null> {
  const sql = `SELECT (${expression})::text AS out FROM (SELECT $1::text::${type} AS x) AS row`
  return ask(async (client) => (await client.query<{ out: string | null }>(sql, [value])).rows[0]?.out ?? null)
}

function column(transform: Transform, targetType: string, sourceType: string, source = ['x']): ColumnMapping {
  return {
    target: 't',
    target_type: targetType,
    nullable: true,
    source,
    source_types: source.map(() => sourceType),
    transform,
    rule: 'r',
    lossy: false,
    pii: false,
  }
}

describe('quoting, against PostgreSQL itself', () => {
  const hostile = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .filter((text) => !text.includes('\u0000') && text.isWellFormed())
  const sharp = fc.string({ unit: fc.constantFrom("'", '"', '\\', '$', ';', '-', '/', '*', 'a', '\n'), minLength: 1, maxLength: 12 })
  it('a literal is the text it was made from, whatever standard_conforming_strings says', async () => {
    await ask(async (client) => {
      for (const setting of ['on', 'off']) {
        await client.query(`SET standard_conforming_strings = ${setting}`)
        await fc.assert(
          fc.asyncProperty(fc.oneof(hostile, sharp), async (text) => {
            expect((await client.query(`SELECT${quoteLiteral(text)} AS out`.replace('SELECT', 'SELECT '))).rows[0].out).toBe(text)
          }),
          { numRuns: 100 },
        )
      }
    })
  })
  it('an identifier is the name it was made from', async () => {
    await ask((client) =>
      fc.assert(
        fc.asyncProperty(fc.oneof(hostile, sharp), async (text) => {
          if (text === '' || Buffer.byteLength(text) > 63) return
          expect((await client.query(`SELECT 1 AS ${quoteIdentifier(text)}`)).fields[0]?.name).toBe(text)
        }),
        { numRuns: 200 },
      ),
    )
  })
  it('a name that PostgreSQL would cut is refused', () => {
    expect(quoteIdentifier('x'.repeat(63))).toHaveLength(65)
    for (const name of ['x'.repeat(64), 'é'.repeat(32), '', 'a\u0000b'])
      expect(() => quoteIdentifier(name)).toThrow(expect.objectContaining({ code: 'NOT_REPRESENTABLE' }))
    expect(() => quoteLiteral('\u0000')).toThrow(expect.objectContaining({ code: 'NOT_REPRESENTABLE' }))
  })
})

describe('transforms, as PostgreSQL computes them', () => {
  const cases: [Transform, string, string, string | null, string | null][] = [
    [{ kind: 'identity' }, 'text', 'text', ' a ', ' a '],
    [{ kind: 'cast' }, 'integer', 'bigint', '2176', '2176'],
    [{ kind: 'minutes_to_interval' }, 'interval', 'bigint', '-1116', '-18:36:00'],
    [{ kind: 'minutes_to_interval' }, 'interval', 'bigint', null, null],
    [{ kind: 'lowercase' }, 'text', 'text', 'ABC', 'abc'],
    [{ kind: 'trim' }, 'text', 'text', '\t a b \r\n', 'a b'],
    [{ kind: 'e164', country_code: '1' }, 'text', 'text', '(212) 555-0100', '+12125550100'],
    [{ kind: 'e164', country_code: '44' }, 'text', 'text', '020 7946 0018', '+442079460018'],
    [{ kind: 'e164', country_code: '1' }, 'text', 'text', ' +49 30 123', '+4930123'],
    [{ kind: 'e164', country_code: '1' }, 'text', 'text', '0049 30 123', '+4930123'],
    [{ kind: 'e164', country_code: '1' }, 'text', 'text', 'unknown', 'unknown'],
    [{ kind: 'e164', country_code: '1' }, 'text', 'text', null, null],
    [{ kind: 'scale', factor: '1.609344', decimals: 3 }, 'numeric(10,3)', 'bigint', '2176', '3501.933'],
    [{ kind: 'scale', factor: '-0.5', decimals: 0 }, 'bigint', 'integer', '1', '-1'],
    [{ kind: 'scale', factor: '1', decimals: 16 }, 'numeric', 'numeric', '9007199254740993.5', '9007199254740993.5000000000000000'],
    [{ kind: 'truncate_time', unit: 'day' }, 'timestamp', 'timestamp', '2001-01-01 23:59:59.999999', '2001-01-01 00:00:00'],
    [{ kind: 'concat', separator: "'\\" }, 'text', 'text', 'a', "a'\\a"],
    [{ kind: 'constant', value: "o'clock" }, 'text', 'text', 'a', "o'clock"],
    [{ kind: 'constant', value: null }, 'integer', 'text', 'a', null],
    [{ kind: 'mask_partial', keep: 2 }, 'text', 'text', 'Thigpen', 'Th*****'],
    [{ kind: 'mask_partial', keep: 2 }, 'text', 'text', 'ab', '**'],
    [{ kind: 'mask_partial', keep: 0 }, 'text', 'text', 'ab', '**'],
    [{ kind: 'mask_partial', keep: 2 }, 'text', 'text', null, null],
    [{ kind: 'mask_redact', value: '[x]' }, 'text', 'integer', '7', '[x]'],
    [{ kind: 'mask_redact', value: '[x]' }, 'text', 'integer', null, null],
    [{ kind: 'mask_sha256', salt: 'saltsalt' }, 'text', 'text', 'abc', sha256('saltsaltabc')],
    [{ kind: 'mask_sha256', salt: 'saltsalt' }, 'text', 'text', null, null],
  ]
  it.each(cases)('%o to %s from %s: %s', async (transform, targetType, sourceType, value, expected) => {
    const source = transform.kind === 'constant' ? [] : transform.kind === 'concat' ? ['x', 'x'] : ['x']
    const got = await evaluate(transformSql(column(transform, targetType, sourceType, source)), sourceType, value)
    expect(got).toBe(expected)
  })
  it('an instant is truncated in UTC, wherever the session thinks it is', async () => {
    const sql = transformSql(column({ kind: 'truncate_time', unit: 'day' }, 'timestamptz', 'timestamp with time zone'))
    await ask(async (client) => {
      await client.query("SET timezone = 'Asia/Tokyo'")
      const { rows } = await client.query(
        `SELECT (${sql}) = '2001-01-01T00:00:00Z'::timestamptz AS same FROM (SELECT '2001-01-01T20:00:00Z'::timestamptz AS x) AS row`,
      )
      expect(rows[0].same).toBe(true)
    })
  })
  it('a transform with the wrong number of sources is refused', () => {
    expect(() => transformSql(column({ kind: 'lowercase' }, 'text', 'text', ['a', 'b']))).toThrow(
      expect.objectContaining({ code: 'PLAN_INVALID' }),
    )
    expect(() => transformSql(column({ kind: 'concat', separator: '' }, 'text', 'text', []))).toThrow(
      expect.objectContaining({ code: 'PLAN_INVALID' }),
    )
  })
})

describe('casts', () => {
  it('never cut text in silence', async () => {
    expect(await evaluate(castSql('x', 'varchar(2)'), 'text', 'abc')).toBe('abc')
    expect(await evaluate(castSql('x', 'char(2)'), 'text', 'abc')).toBe('abc')
    await expect(
      ask((client) => client.query(`CREATE TEMP TABLE t (c varchar(2)); INSERT INTO t SELECT ${castSql("'abc'::text", 'varchar(2)')}`)),
    ).rejects.toThrow('too long')
  })
  it('pad a char(n) as its column does', async () => {
    await ask(async (client) => {
      await client.query('CREATE TEMP TABLE padded (c char(5))')
      await client.query("INSERT INTO padded VALUES ('ab')")
      const { rows } = await client.query(`SELECT bpcharsend(c) = bpcharsend(${castSql("'ab'::text", 'char(5)')}) AS same FROM padded`)
      expect(rows[0].same).toBe(true)
    })
  })
})

describe('filters, as PostgreSQL computes them', () => {
  const keeps = async (all: RowFilter['all'], value: string | null) =>
    ask(
      async (client) =>
        (await client.query(`SELECT count(*)::int AS n FROM (SELECT $1::text AS x) AS row WHERE ${filterSql({ all })}`, [value])).rows[0]
          .n === 1,
    )
  const term = (op: RowFilter['all'][number]['op'], ...values: string[]) => ({ column: 'x', op, values })
  it.each([
    ['eq', [term('eq', 'a')], ['a'], ['b', null]],
    ['ne', [term('ne', 'a')], ['b'], ['a', null]],
    ['lt and ge', [term('ge', 'b'), term('lt', 'd')], ['b', 'c'], ['a', 'd', null]],
    ['in', [term('in', 'a', "o'b\\")], ['a', "o'b\\"], ['b', null]],
    ['not_in, which NULL never satisfies', [term('not_in', 'PR', 'VI')], ['NA', 'TX'], ['PR', 'VI', null]],
    ['is_null', [term('is_null')], [null], ['a', '']],
    ['is_not_null', [term('is_not_null')], ['a', ''], [null]],
  ])('%s', async (_name, all, kept, dropped) => {
    for (const value of kept) expect(await keeps(all, value)).toBe(true)
    for (const value of dropped) expect(await keeps(all, value)).toBe(false)
  })
  it('with the wrong number of values are refused', () => {
    for (const bad of [term('in'), term('eq'), term('eq', 'a', 'b'), term('is_null', 'a')]) {
      expect(() => filterSql({ all: [bad] })).toThrow(expect.objectContaining({ code: 'PLAN_INVALID' }))
    }
  })
})

describe('types', () => {
  it('print as PostgreSQL prints them', async () => {
    await ask(async (client) => {
      for (const text of [
        'int4',
        'varchar(10)',
        'numeric(10,3)',
        'decimal(5)',
        'timestamp(3)',
        'timestamptz',
        'time(2) with time zone',
        'double precision',
        'char(3)',
        'text[]',
        'float8',
        'bool',
        'interval',
        'jsonb',
      ]) {
        await client.query(`CREATE TEMP TABLE "t ${text}" (c ${sqlType(text)})`)
        const { rows } = await client.query(
          'SELECT format_type(a.atttypid, a.atttypmod) AS name FROM pg_attribute a WHERE a.attrelid = $1::regclass AND a.attnum = 1',
          [`pg_temp."t ${text}"`],
        )
        const printed = rows[0].name
        // PostgreSQL completes numeric(5) to numeric(5,0).
        expect([printed, printed.replace(',0)', ')')]).toContain(sqlType(text))
      }
    })
  })
  it.each([
    'text; DROP TABLE x',
    'text)--',
    'int /* */',
    "text DEFAULT 'x'",
    'constructor',
    '__proto__',
    'numeric(1001)',
    'timestamp(7)',
    'varchar(0)',
    'serial',
    '',
    'text\u0000',
  ])('%j is refused', (text) => {
    expect(readSqlType(text)).toBeNull()
    expect(() => sqlType(text)).toThrow(expect.objectContaining({ code: 'SPEC_INVALID' }))
  })
})
