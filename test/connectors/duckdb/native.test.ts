import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ColumnScratch, nativeColumn } from '../../../layers/connectors/duckdb/native-column.ts'
import { widthOf } from '../../../layers/connectors/duckdb/native-form.ts'
import { openFileRows } from '../../../layers/connectors/duckdb/rows.ts'
import { openDuckDb } from '../../../layers/connectors/duckdb/session.ts'
import { openReconciler } from '../../../layers/connectors/postgres/reconciler.ts'
import { decodeFrame } from '../../../layers/core/encoding/row-frame.ts'
import type { NativeForm } from '../../../layers/core/encoding/row-stream.ts'
import type { ColumnMapping, TableMapping } from '../../../layers/core/schemas/proposal.ts'
import type { Mismatch, TableResult } from '../../../layers/core/schemas/recon.ts'
import { type FreshDatabase, freshDatabase } from '../../support/postgres.ts'
import { optionsOf, reconOf } from '../postgres/recon-fixture.ts'
import { column, OPTIONS, table } from '../postgres/table-mapping.ts'
import { compared } from './exporting.ts'
import { type SourceFolder, sourceFolder } from './source-folder.ts'

let folder: SourceFolder
let database: FreshDatabase
let client: pg.Client
beforeAll(async () => {
  folder = await sourceFolder()
  database = await freshDatabase()
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
})
afterAll(async () => {
  await client?.end()
  await folder?.remove()
  await database?.drop()
})

let tables = 0
/** One table of PostgreSQL and one Parquet file. */
async function pair(body: string, select: string, options = ''): Promise<string> {
  const name = `n${++tables}`
  await client.query(`CREATE TABLE ${name} ${body.replaceAll('$', name)}`)
  await folder.write(`COPY (${select}) TO '{}/${name}.parquet' (FORMAT parquet${options})`)
  return name
}

async function verdict(name: string): Promise<TableResult> {
  const { comparison } = await compared(`parquet:${folder.path}/${name}.parquet`, database.url, { table: [`public.${name}`] })
  expect(comparison.problems).toEqual([])
  return comparison.tables[0]!
}

const fileOf = (name: string, columns: ColumnMapping[], more: Partial<TableMapping> = {}) =>
  table(name, columns, {
    source: { schema: 'public', name: `${name}.parquet`, kind: 'file' },
    target: { schema: 'public', name },
    ...more,
  })

/** The comparison of one mapping in one encoding. */
async function reconciled(mapping: TableMapping, encoding: 'native' | 'canonical'): Promise<{ result: TableResult; named: Mismatch[] }> {
  const named: Mismatch[] = []
  const rows = await openFileRows('PARQUET', folder.path)
  const reconciler = await openReconciler({ systemType: 'PARQUET', rows }, { systemType: 'POSTGRESQL', url: database.url }, OPTIONS)
  try {
    const options = optionsOf({ onMismatch: (_, mismatch) => void named.push(mismatch) })
    const [result] = await reconciler.reconcile([{ mapping, recon: reconOf(mapping, { encoding, mode: 'bucketed' }) }], options)
    return { result: result!, named }
  } finally {
    await reconciler.close()
  }
}

describe('the encoding is native', () => {
  it.each([
    [
      'the same types',
      '(a int, b bigint, c text, d numeric(9,2), e uuid)',
      `1::INT AS a, 2::BIGINT AS b, 'x' AS c, 1.50::DECIMAL(9,2) AS d, uuid() AS e`,
    ],
    ['whole numbers of unlike widths', '(a bigint, b int, c smallint)', '1::SMALLINT AS a, 2::BIGINT AS b, 3::UBIGINT::UTINYINT AS c'],
    [
      'decimals of unlike scales, and whole ones',
      '(a numeric(12,4), b numeric, c int)',
      '1.5::DECIMAL(9,2) AS a, 7::BIGINT AS b, 3::DECIMAL(4,0) AS c',
    ],
    ['floats of unlike widths', '(a double precision, b real)', '0.5::FLOAT AS a, 0.5::DOUBLE AS b'],
    ['kinds of text', '(a char(5), b varchar(9), c jsonb, d bytea)', `'x' AS a, 'y' AS b, '{"a":1}' AS c, 'z'::BLOB AS d`],
    [
      'moments',
      '(a date, b time, c timestamp(3), d timestamptz, e interval)',
      `DATE '2020-01-01' AS a, TIME '10:00' AS b, TIMESTAMP '2020-01-01' AS c, now() AS d, INTERVAL 1 DAY AS e`,
    ],
  ])('for %s', async (_what, body, values) => {
    const name = await pair(body, `SELECT ${values}`)
    expect(await verdict(name)).toMatchObject({ encoding: 'native', source_rows: '1', verdict: 'fail' })
  })

  it('and canonical for the whole table where one column has no common native form, or the plan says so', async () => {
    const wide = await pair(
      '(a int, b numeric(20,0)); INSERT INTO $ VALUES (1, 18446744073709551615)',
      'SELECT 1::INT AS a, 18446744073709551615::UBIGINT AS b',
    )
    expect(await verdict(wide)).toMatchObject({ encoding: 'canonical', verdict: 'pass', reasons: [] })
    const text = await pair(`(a int); INSERT INTO $ VALUES (7)`, `SELECT '007' AS a`)
    expect(await verdict(text)).toMatchObject({ encoding: 'canonical', verdict: 'pass', reasons: [] })
    const plain = await pair('(a int); INSERT INTO $ VALUES (7)', 'SELECT 7::INT AS a')
    const mapping = fileOf(plain, [column('a', 'integer')])
    expect((await reconciled(mapping, 'canonical')).result).toMatchObject({ encoding: 'canonical', verdict: 'pass' })
    expect((await reconciled(mapping, 'native')).result).toMatchObject({ encoding: 'native', verdict: 'pass' })
  })
})

describe('values', () => {
  it('of every type are equal where they are equal, at every edge', async () => {
    const types =
      '(b boolean, i2 smallint, i4 integer, i8 bigint, wide bigint, back integer, n numeric(38,10), f4 real, f8 double precision, f48 double precision, t text, c char(6), j jsonb, x bytea, d date, ti time, ts timestamp, tz timestamptz, iv interval, u uuid)'
    const name = await pair(
      `${types}; INSERT INTO $ VALUES
        (true, -32768, -2147483648, -9223372036854775808, -2147483648, 2147483647, -9999999999999999999999999999.0000000001, '-0', '-0', 'Infinity', '', '', '{"b":1.50,"a":[1e2,null]}', '', '4713-01-01 BC', '00:00', '4713-01-01 00:00 BC', '-infinity', '-1 mon 40 days -00:00:00.000001', '80000000-0000-0000-0000-000000000000'),
        (false, 32767, 2147483647, 9223372036854775807, 4294967295, -2147483648, 0, 'NaN', 'NaN', 'NaN', E'é😀 twelve bytes and many, many more', 'a  b', '"é"', '\\x00ff', '5874897-12-31', '24:00', '294246-12-31 23:59:59.999999', 'infinity', '178000000 years', '7fffffff-ffff-ffff-ffff-ffffffffffff'),
        (NULL, 0, 0, 0, 0, 0, 1, '1e-45', '5e-324', '-Infinity', 'twelve bytes', 'é', 'null', '\\x', '-infinity', '12:00:00.000001', '1999-12-31 23:59:59.999999', '2000-01-01 00:00+00', '0', '00000000-0000-0000-0000-000000000001'),
        (true, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'infinity', NULL, 'infinity', '1970-01-01 00:00:00.000001+00', NULL, NULL),
        (NULL, 1, 1, 1, 1, 1, 0.0000000001, '3.4028235e38', '1.7976931348623157e308', '0.5', 'thirteen byte', '      ', '[]', '\\x31323334353637383930313233', '2000-01-01', NULL, '-infinity', NULL, NULL, 'ffffffff-ffff-ffff-ffff-ffffffffffff')`,
      `SELECT CAST(c0 AS BOOLEAN) AS b, CAST(c1 AS SMALLINT) AS i2, CAST(c2 AS INTEGER) AS i4, CAST(c3 AS BIGINT) AS i8, CAST(c4 AS BIGINT) AS wide, CAST(c5 AS BIGINT) AS back, CAST(c6 AS DECIMAL(38,10)) AS n,
         CAST(c7 AS FLOAT) AS f4, CAST(c8 AS DOUBLE) AS f8, CAST(c9 AS FLOAT) AS f48, c10 AS t, c11 AS c, c12 AS j, from_hex(c13) AS x, CAST(c14 AS DATE) AS d, CAST(c15 AS TIME) AS ti, CAST(c16 AS TIMESTAMP) AS ts,
         CAST(c17 AS TIMESTAMPTZ) AS tz, CAST(c18 AS VARCHAR) AS iv, CAST(c19 AS UUID) AS u
       FROM (VALUES
        ('true', '-32768', '-2147483648', '-9223372036854775808', '-2147483648', '2147483647', '-9999999999999999999999999999.0000000001', '-0.0', '-0.0', 'inf', '', '', '{"a": [1e2, null], "b": 1.50}', '', '4713-01-01 (BC)', '00:00:00', '4713-01-01 (BC) 00:00:00', '-infinity', '-1 mons 40 days -00:00:00.000001', '80000000-0000-0000-0000-000000000000'),
        ('false', '32767', '2147483647', '9223372036854775807', '4294967295', '-2147483648', '0', 'nan', '-nan', 'nan', 'é😀 twelve bytes and many, many more', 'a  b', '"é"', '00ff', '5874897-12-31', '24:00:00', '294246-12-31 23:59:59.999999', 'infinity', '178000000 years', '7fffffff-ffff-ffff-ffff-ffffffffffff'),
        (NULL, '0', '0', '0', '0', '0', '1', '1e-45', '5e-324', '-inf', 'twelve bytes', 'é', 'null', '', '-infinity', '12:00:00.000001', '1999-12-31 23:59:59.999999', '2000-01-01 00:00:00+00', '00:00:00', '00000000-0000-0000-0000-000000000001'),
        ('true', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'infinity', NULL, 'infinity', '1970-01-01 00:00:00.000001+00', NULL, NULL),
        (NULL, '1', '1', '1', '1', '1', '0.0000000001', '3.4028235e38', '1.7976931348623157e308', '0.5', 'thirteen byte', '   ', '[]', '31323334353637383930313233', '2000-01-01', NULL, '-infinity', NULL, NULL, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
       ) AS v(c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18, c19)`,
    )
    // An interval that Parquet holds in milliseconds would lose digits, so it is text there; everything else is native.
    const own = (type: string, target: string) => column(target, type)
    const columns = [
      ['b', 'boolean'],
      ['i2', 'smallint'],
      ['i4', 'integer'],
      ['i8', 'bigint'],
      ['wide', 'bigint'],
      ['back', 'integer'],
      ['n', 'numeric(38,10)'],
      ['f4', 'real'],
      ['f8', 'double precision'],
      ['f48', 'double precision'],
      ['t', 'text'],
      ['c', 'character(6)'],
      ['j', 'jsonb'],
      ['x', 'bytea'],
      ['d', 'date'],
      ['ti', 'time without time zone'],
      ['ts', 'timestamp without time zone'],
      ['tz', 'timestamp with time zone'],
      ['u', 'uuid'],
    ].map(([target, type]) => own(type!, target!))
    for (const one of columns) {
      const { result, named } = await reconciled(fileOf(name, [one]), 'native')
      expect([one.target, result.encoding, named, result.source_rows]).toEqual([one.target, 'native', [], '5'])
    }
    for (const encoding of ['native', 'canonical'] as const) {
      const { result, named } = await reconciled(fileOf(name, columns), encoding)
      expect([result.encoding, named, result.reasons, result.verdict]).toEqual([encoding, [], [], 'pass'])
    }
    const { result } = await reconciled(fileOf(name, [own('interval', 'iv')]), 'native')
    expect([result.encoding, result.verdict]).toEqual(['canonical', 'pass'])
  })

  it.each([
    ['a date before all that PostgreSQL knows', 'date', `'5877641-06-25 (BC)'::DATE`],
    ['a moment before all that PostgreSQL knows', 'timestamp', `'290309-12-22 (BC) 00:00:00'::TIMESTAMP`],
  ])('never wrap around: %s', async (_what, type, value) => {
    const name = await pair(`(v ${type}); INSERT INTO $ VALUES (NULL)`, `SELECT ${value} AS v`)
    const result = await verdict(name)
    expect([result.verdict, result.reasons.join()]).toEqual([
      'inconclusive',
      expect.stringMatching(/Column "v" of the file holds a value that PostgreSQL's type cannot hold/),
    ])
  })
})

describe('a column of a chunk', () => {
  const encoded = (form: NativeForm, type: string, hex: string, valid: Uint8Array | null = null): string => {
    const memory = Buffer.from(hex.replaceAll(' ', ''), 'hex')
    const data = new DataView(memory.buffer, memory.byteOffset, memory.byteLength)
    const found = nativeColumn(
      { column: 'v', sql: '', type, form },
      { rows: memory.byteLength / widthOf(type), data, valid },
      new ColumnScratch(),
    )
    if (found.kind !== 'fixed') throw new Error('not of a fixed width')
    return Buffer.from(found.bytes.buffer, 0, memory.byteLength).toString('hex')
  }

  it.each([
    ['date', 'DATE', 'ffffff7f', '7fffffff'],
    ['date', 'DATE', '01000080', '80000000'],
    ['date', 'DATE', 'feffff7f', '7fffd531'],
    ['date', 'DATE', 'ce2a0080', '80000001'],
    ['timestamp', 'TIMESTAMP', 'ffffffffffffff7f', '7fffffffffffffff'],
    ['timestamp', 'TIMESTAMP', '0100000000000080', '8000000000000000'],
    ['timestamptz', 'TIMESTAMP WITH TIME ZONE', '0000000000000000', 'fffca2fec4c82000'],
    ['timestamptz', 'TIMESTAMP WITH TIME ZONE', '00e0373b015d0300', '0000000000000000'],
    ['float4', 'FLOAT', '0100c0ff', '7fc00000'],
    ['float4', 'FLOAT', '0000807f', '7f800000'],
    ['float8', 'DOUBLE', '01000000 0000f0ff', '7ff8000000000000'],
    ['float8', 'DOUBLE', '00000000 0000f0ff', 'fff0000000000000'],
    ['float8', 'DOUBLE', '00000000 00000080', '8000000000000000'],
    ['bool', 'BOOLEAN', '00 01 ff', '000101'],
    ['interval', 'INTERVAL', '01000000 feffffff 0300000000000000', '0000000000000003fffffffe00000001'],
    ['uuid', 'UUID', '0f0e0d0c0b0a09080706050403020180', '000102030405060708090a0b0c0d0e0f'],
  ] as const)('%s from %s %s', (wire, type, hex, bytes) => {
    expect(encoded({ wire }, type, hex)).toBe(bytes)
  })

  it.each([
    ['date', 'DATE', 'cd2a0080'],
    ['date', 'DATE', '00000080'],
    ['timestamp', 'TIMESTAMP', '0000000000000080'],
    ['timestamp', 'TIMESTAMP', 'ffffffffffff0080'],
    ['interval', 'INTERVAL', 'ffffff7f ffffff7f ffffffffffffff7f'],
    ['interval', 'INTERVAL', '00000080 00000080 0000000000000080'],
  ] as const)('%s from %s %s is refused, and passed over where it is NULL', (wire, type, hex) => {
    expect(() => encoded({ wire }, type, hex)).toThrow(/Column "v" of the file holds a value that PostgreSQL's type cannot hold/)
    encoded({ wire }, type, hex, Uint8Array.of(0))
  })
})

describe('texts', () => {
  const lengths = [0, 1, 11, 12, 13, 14, 63, 64, 65, 200, 5000]

  it('are whole whatever their length and neighbours: short, long, NULL, repeated, over many chunks', async () => {
    const server = `CASE WHEN g % 7 = 0 THEN NULL ELSE repeat(chr(97 + g % 26), (ARRAY[${lengths}])[1 + g % ${lengths.length}]) || g END`
    const file = `CASE WHEN g % 7 = 0 THEN NULL ELSE repeat(chr((97 + g % 26)::INT), ([${lengths}])[1 + g % ${lengths.length}]) || g END`
    const name = await pair(
      `(id int, t text, same text, x bytea); INSERT INTO $ SELECT g, ${server}, 'one of few, but long: ' || g % 3, decode(md5(g::text), 'hex') FROM generate_series(1, 9000) g`,
      `SELECT g::INT AS id, ${file} AS t, 'one of few, but long: ' || g % 3 AS same, unhex(md5(g::VARCHAR)) AS x FROM range(1, 9001) r(g)`,
      ', ROW_GROUP_SIZE 4096',
    )
    expect(await verdict(name)).toMatchObject({ encoding: 'native', verdict: 'pass', source_rows: '9000', reasons: [] })
    await client.query(`UPDATE ${name} SET t = left(t, -1) || 'z' WHERE id IN (13, 4104, 8999)`)
    const { result, named } = await reconciled(
      fileOf(name, [column('id', 'integer'), column('t', 'text'), column('same', 'text'), column('x', 'bytea')], { key: ['id'] }),
      'native',
    )
    expect([result.changed, result.missing, result.extra]).toEqual(['3', '0', '0'])
    expect(named.map(({ key, columns }) => [key[0]!.value, columns.map((one) => one.column)]).sort()).toEqual(
      ['13', '4104', '8999'].sort().map((id) => [id, ['t']]),
    )
  })

  it('of many megabytes come in pieces of whole frames', async () => {
    const name = await pair('(id int, t text)', `SELECT g::INT AS id, repeat('x', (g % 5 * 400000)::BIGINT) AS t FROM range(0, 23) r(g)`)
    const side = await openFileRows('PARQUET', folder.path)
    try {
      const mapping = fileOf(name, [column('id', 'integer'), column('t', 'text')])
      const stream = await side.read(mapping, new AbortController().signal, [{ wire: 'int4' }, { wire: 'utf8', blanks: 'text' }])
      const seen: [number, number][] = []
      let chunks = 0
      for await (const chunk of stream.chunks) {
        chunks++
        const bytes = Buffer.from(chunk)
        for (let at = 0; at < bytes.length; ) {
          const end = at + 1 + bytes.readInt32BE(at + 1)
          const [id, text] = decodeFrame(bytes.subarray(at, end))
          seen.push([Buffer.from(id!).readInt32BE(), text!.byteLength])
          at = end
        }
      }
      expect(seen.sort((a, b) => a[0] - b[0])).toEqual(Array.from({ length: 23 }, (_, g) => [g, (g % 5) * 400_000]))
      expect(stream.rows()).toBe(23n)
      expect(chunks).toBeGreaterThan(10)
    } finally {
      await side.close()
    }
  })
})

it('says what canonical rows say, row for row, about tables that differ', { timeout: 120_000 }, async () => {
  const cell = fc.record({
    n: fc.option(fc.constantFrom('0', '1.5', '-1.5', '99999.99', '0.01', '-0.01')),
    t: fc.option(fc.constantFrom('', 'a', 'a long text of some length', 'a long text of some lengtH')),
    f: fc.option(fc.constantFrom('0', '-0', 'NaN', '1')),
    d: fc.option(fc.constantFrom('2000-01-01', '1999-12-31', 'infinity', '-infinity')),
  })
  const rows = fc.array(cell, { maxLength: 8 })
  const list = (from: readonly { [name: string]: string | null }[], types: Record<string, string>) =>
    from.length === 0
      ? `SELECT ${Object.entries(types)
          .map(([name, type]) => `CAST(NULL AS ${type}) AS ${name}`)
          .join(', ')} WHERE false`
      : from
          .map(
            (row) =>
              `SELECT ${Object.entries(types)
                .map(([name, type]) => `CAST(${row[name] === null ? 'NULL' : `'${row[name]}'`} AS ${type}) AS ${name}`)
                .join(', ')}`,
          )
          .join(' UNION ALL ')
  await fc.assert(
    fc.asyncProperty(rows, rows, async (left, right) => {
      const name = await pair(
        `AS ${list(right, { n: 'numeric(9,2)', t: 'text', f: 'double precision', d: 'date' })}`,
        list(left, { n: 'DECIMAL(9,2)', t: 'VARCHAR', f: 'DOUBLE', d: 'DATE' }),
      )
      const columns = [column('n', 'numeric(9,2)'), column('t', 'text'), column('f', 'double precision'), column('d', 'date')]
      const [native, canonical] = [await reconciled(fileOf(name, columns), 'native'), await reconciled(fileOf(name, columns), 'canonical')]
      expect([native.result.encoding, canonical.result.encoding]).toEqual(['native', 'canonical'])
      const said = ({ result, named }: typeof native) => ({
        verdict: result.verdict,
        rows: [result.source_rows, result.target_rows, result.missing, result.extra],
        // Which bucket a row is in follows its digest.
        named: named.map((one) => JSON.stringify({ ...one, segment: 0 })).sort(),
      })
      expect(said(native)).toEqual(said(canonical))
      await client.query(`DROP TABLE ${name}`)
    }),
    { numRuns: 25 },
  )
})

it('reads nothing when the files are of another shape than they were', async () => {
  const name = await pair('(a uuid)', 'SELECT uuid() AS a')
  const side = await openFileRows('PARQUET', folder.path)
  try {
    const mapping = fileOf(name, [column('a', 'uuid')])
    expect(await side.forms!(mapping)).toEqual(['uuid'])
    await folder.write(`COPY (SELECT 1::BIGINT AS a) TO '{}/${name}.parquet' (FORMAT parquet)`)
    await expect(side.read(mapping, new AbortController().signal, [{ wire: 'uuid' }])).rejects.toMatchObject({
      code: expect.stringMatching(/PLAN_INVALID|NOT_REPRESENTABLE/),
    })
  } finally {
    await side.close()
  }
})

it('is not read as memory of another type than it is', async () => {
  const name = await pair('(a uuid)', 'SELECT 1::SMALLINT AS a')
  const duck = await openDuckDb(folder.path)
  const read = async (type: string, width: number) => {
    const rows: number[] = []
    for await (const [memory] of duck.memories(`SELECT a FROM '${folder.path}/${name}.parquet'`, [{ type, width }])) rows.push(memory!.rows)
    return rows
  }
  try {
    expect(await read('SMALLINT', 2)).toEqual([1])
    await expect(read('UUID', 16)).rejects.toMatchObject({ code: 'CONFLICT' })
  } finally {
    await duck.close()
  }
})

it('calls tables in several files compared at one moment, whichever side the files are on', async () => {
  await client.query('CREATE SCHEMA several; CREATE TABLE several.a AS SELECT 1 AS v; CREATE TABLE several.b AS SELECT 2 AS v')
  await mkdir(join(folder.path, 'all/several'), { recursive: true })
  for (const [name, v] of Object.entries({ a: 1, b: 2 })) {
    await folder.write(`COPY (SELECT ${v}::INT AS v) TO '{}/all/several/${name}.parquet' (FORMAT parquet)`)
  }
  const sides = [`parquet:${folder.path}/all`, database.url] as const
  for (const [source, target] of [sides, sides.toReversed()]) {
    const { comparison } = await compared(source!, target!, { include: ['several.*'] })
    expect(comparison.tables.map((one) => [one.encoding, one.verdict])).toEqual([
      ['native', 'pass'],
      ['native', 'pass'],
    ])
    expect(comparison.claim).toMatch(/^Equal: every row of every table compared, both ways\.(?!.*different times)/)
  }
})
