import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copyFromFiles } from '../../../layers/connectors/duckdb/copy.ts'
import type { FileFormat } from '../../../layers/connectors/duckdb/relation.ts'
import { openFileRows } from '../../../layers/connectors/duckdb/rows.ts'
import { openFileSource } from '../../../layers/connectors/duckdb/source.ts'
import { copyFromPostgres } from '../../../layers/connectors/postgres/copy.ts'
import { openPostgresSource } from '../../../layers/connectors/postgres/source.ts'
import { openPostgresTarget } from '../../../layers/connectors/postgres/target.ts'
import { canonicalType } from '../../../layers/core/encoding/canonical-type.ts'
import { canonicalValue } from '../../../layers/core/encoding/canonical-value.ts'
import { decodeFrame, encodeFrame } from '../../../layers/core/encoding/row-frame.ts'
import type { ColumnMapping, TableMapping } from '../../../layers/core/schemas/proposal.ts'
import type { Transform } from '../../../layers/core/schemas/spec.ts'
import { type FreshDatabase, freshDatabase, withClient } from '../../support/postgres.ts'
import { chunksOf, column, OPTIONS, table } from '../postgres/table-mapping.ts'
import { EVERY_TYPE, type SourceFolder, sourceFolder } from './source-folder.ts'

let folder: SourceFolder
let to: FreshDatabase

beforeAll(async () => {
  folder = await sourceFolder()
  to = await freshDatabase()
  await folder.write(`COPY (${EVERY_TYPE}) TO '{}/every.parquet' (FORMAT parquet)`)
  await folder.write(
    `COPY (SELECT i AS id, repeat('w', (i % 50)::INT) AS word FROM range(9000) t(i)) TO '{}/many-1.parquet' (FORMAT parquet, ROW_GROUP_SIZE 2048)`,
  )
  await folder.write(`COPY (SELECT i AS id, NULL::VARCHAR AS word FROM range(9000, 9010) t(i)) TO '{}/many-2.parquet' (FORMAT parquet)`)
  await folder.write(`COPY (SELECT 1 AS id, [1, 2] AS list) TO '{}/odd.parquet' (FORMAT parquet)`)
  await writeFile(
    join(folder.path, 'plain.csv'),
    'id,code,note,at,ratio\n1,007,,2001-01-01 00:00:00.5,0.1\n2,010,"",2001-01-02 00:00:00,1e-3\n3,,"say ""hi"",\nthen\\ngo\tx",,\n',
  )
})

afterAll(async () => {
  await folder?.remove()
  await to?.drop()
})

function file(name: string, columns: ColumnMapping[], more: Partial<TableMapping> = {}): TableMapping {
  const id = name.replace(/\W.*/, '')
  return table(id, columns, { source: { schema: 'files', name, kind: 'file' }, target: { schema: 'moved', name: id }, ...more })
}

let plans = 0

async function copyAll(format: FileFormat, mapping: TableMapping, rowsPerChunk = 1000): Promise<bigint> {
  const plan = (++plans).toString(16).padStart(64, '0')
  const source = await openFileSource(format, folder.path)
  const target = await openPostgresTarget(to.url, copyFromFiles(format, folder.path, OPTIONS), OPTIONS)
  try {
    await target.prepare(plan, [mapping])
    let rows = 0n
    for (const chunk of chunksOf(mapping, await source.chunks(mapping, rowsPerChunk)))
      rows += BigInt((await target.copy(plan, mapping, chunk, () => {})).rows)
    return rows
  } finally {
    await source.close()
    await target.close()
  }
}

async function rowsOf(sql: string): Promise<unknown[][]> {
  return withClient(to.url, async (client) => {
    await client.query(`SET TimeZone = 'UTC'; SET IntervalStyle = 'postgres'`)
    return (await client.query({ text: sql, rowMode: 'array' })).rows
  })
}

const TYPES: Readonly<Record<string, string>> = {
  flag: 'boolean',
  tiny: 'smallint',
  small: 'smallint',
  whole: 'integer',
  big: 'bigint',
  utiny: 'smallint',
  ubig: 'numeric(20,0)',
  single: 'real',
  double: 'double precision',
  money: 'numeric(19,2)',
  words: 'text',
  raw: 'bytea',
  day: 'date',
  clock: 'time without time zone',
  moment: 'timestamp without time zone',
  instant: 'timestamp with time zone',
  span: 'interval',
  id: 'uuid',
}

const everything = file(
  'every.parquet',
  Object.entries(TYPES).map(([name, type]) => column(name, type)),
)

/** The canonical frames of a target table, made from PostgreSQL's own text by the definition. */
async function targetFrames(mapping: TableMapping): Promise<string[]> {
  const list = mapping.columns.map((own) => `"${own.target}"::text`).join(', ')
  const rows = await withClient(to.url, async (client) => {
    await client.query(`SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601'; SET bytea_output = 'hex'`)
    return (
      await client.query<(string | null)[]>({
        text: `SELECT ${list} FROM "${mapping.target.schema}"."${mapping.target.name}"`,
        rowMode: 'array',
      })
    ).rows
  })
  const types = mapping.columns.map((own) => canonicalType(own.target_type))
  return rows
    .map((row) =>
      Buffer.from(encodeFrame(row.map((value, index) => (value === null ? null : canonicalValue(types[index]!, value))))).toString('hex'),
    )
    .sort()
}

async function fileFrames(format: FileFormat, mapping: TableMapping): Promise<string[]> {
  const side = await openFileRows(format, folder.path)
  const stream = await side.read(mapping, new AbortController().signal)
  const frames: string[] = []
  for await (const chunk of stream.chunks) {
    const view = Buffer.from(chunk)
    for (let at = 0; at < view.length; ) {
      const length = view.readInt32BE(at + 1) + 1
      decodeFrame(view.subarray(at, at + length))
      frames.push(view.subarray(at, at + length).toString('hex'))
      at += length
    }
  }
  expect(stream.rows()).toBe(BigInt(frames.length))
  await side.close()
  return frames.sort()
}

describe('copy from files', () => {
  it('carries every type exactly', async () => {
    expect(await copyAll('PARQUET', everything)).toBe(4n)
    expect(await rowsOf('SELECT big, ubig, single, double, money, words, raw FROM moved.every ORDER BY big')).toEqual([
      ['-9223372036854775808', '0', Number.NaN, 5e-324, '-0.01', '', Buffer.alloc(0)],
      ['0', '0', -0, -0, '0.00', 'NULL', Buffer.from('a')],
      ['9007199254740993', '18446744073709551615', 1.1, 0.1, '12345678901234567.89', 'tab\t"q" \\ nl\n\\N é😀', Buffer.from([0, 255])],
      [null, null, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, null, null, null],
    ])
    expect(
      await rowsOf('SELECT day::text, clock::text, moment::text, instant::text, span::text, id::text FROM moved.every ORDER BY big'),
    ).toEqual([
      ['infinity', '00:00:00', '-infinity', '0044-03-15 00:00:00+00 BC', '00:00:00', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
      ['12026-01-01', '12:00:00.5', '9999-12-31 23:59:59', '1970-01-01 00:00:00+00', '1 year 1 mon', null],
      [
        '0044-03-15 BC',
        '23:59:59.999999',
        '2001-01-01 00:00:00.000001',
        '2000-12-31 19:00:00.5+00',
        '1 mon 30 days 00:00:00.001',
        '00000000-0000-0000-0000-00000000000a',
      ],
      [null, null, '0044-03-15 12:00:00.5 BC', 'infinity', null, null],
    ])
  })

  it('gives the reconciler the same bytes as the definition gives for what arrived', async () => {
    const frames = await fileFrames('PARQUET', everything)
    expect(frames).toHaveLength(4)
    expect(frames).toEqual(await targetFrames(everything))
  })

  it('covers every row of several files exactly once, in chunks across them', async () => {
    const mapping = file('many-*.parquet', [column('id', 'bigint'), column('word', 'text')])
    expect(await copyAll('PARQUET', mapping, 1234)).toBe(9010n)
    expect(
      await rowsOf(
        'SELECT count(*)::int, count(DISTINCT id)::int, sum(id)::text, count(word)::int, sum(length(word))::int FROM moved.many',
      ),
    ).toEqual([[9010, 9010, String((9009 * 9010) / 2), 9000, 180 * (49 * 25)]])
    expect(await fileFrames('PARQUET', mapping)).toEqual(await targetFrames(mapping))
  })

  it('reads a CSV as the target types read its text', async () => {
    const mapping = file('plain.csv', [
      column('id', 'integer', { source_types: ['text'], transform: { kind: 'cast' } }),
      column('code', 'text'),
      column('note', 'text'),
      column('at', 'timestamp without time zone', { source_types: ['text'], transform: { kind: 'cast' } }),
      column('ratio', 'double precision', { source_types: ['text'], transform: { kind: 'cast' } }),
    ])
    expect(await copyAll('CSV', mapping)).toBe(3n)
    expect(await rowsOf('SELECT id, code, note, at::text, ratio FROM moved.plain ORDER BY id')).toEqual([
      [1, '007', null, '2001-01-01 00:00:00.5', 0.1],
      [2, '010', '', '2001-01-02 00:00:00', 0.001],
      [3, null, 'say "hi",\nthen\\ngo\tx', null, null],
    ])
    expect(await fileFrames('CSV', mapping)).toEqual(await targetFrames(mapping))
  })

  it('carries JSON and partitioned folders as they are written: numbers, nested values, NULL and absent keys', async () => {
    await mkdir(join(folder.path, 'parts', 'day=2001-01-02'), { recursive: true })
    await writeFile(
      join(folder.path, 'parts', 'day=2001-01-02', 'a.json'),
      '[{"id": 9007199254740993, "price": 1.10000000000000000000001, "doc": {"b": [1.50, "\\t\\\\"], "a": null}}, {"id": "2", "doc": "x"}]',
    )
    const mapping = file('parts/day=*/*.json', [
      column('id', 'bigint', { source_types: ['text'], transform: { kind: 'cast' } }),
      column('price', 'numeric', { source_types: ['text'], transform: { kind: 'cast' } }),
      column('doc', 'jsonb', { source_types: ['text'], transform: { kind: 'cast' } }),
      column('day', 'date', { source_types: ['text'], transform: { kind: 'cast' } }),
    ])
    expect(await copyAll('JSON', mapping)).toBe(2n)
    expect(await rowsOf('SELECT id, price, doc::text, day::text FROM moved.parts ORDER BY id')).toEqual([
      ['2', null, '"x"', '2001-01-02'],
      ['9007199254740993', '1.10000000000000000000001', '{"a": null, "b": [1.50, "\\t\\\\"]}', '2001-01-02'],
    ])
    expect(await fileFrames('JSON', mapping)).toEqual(await targetFrames(mapping))
  })

  it('keeps nothing of a chunk with a value that does not fit, and does not repeat the value', async () => {
    const mapping = file('plain.csv', [column('note', 'integer', { source_types: ['text'], transform: { kind: 'cast' } })], {
      target: { schema: 'moved', name: 'bad' },
    })
    const failing = copyAll('CSV', mapping)
    await expect(failing).rejects.toMatchObject({ code: 'NOT_REPRESENTABLE' })
    await failing.catch((error: Error) => expect(`${error.message}${String(error.cause ?? '')}`).not.toMatch(/say|"hi"/))
    expect(await rowsOf('SELECT * FROM moved.bad')).toEqual([])
  })

  it('names what it cannot carry, and what to do', async () => {
    await expect(copyAll('PARQUET', file('odd.parquet', [column('list', 'text')]))).rejects.toMatchObject({
      code: 'NOT_REPRESENTABLE',
      message: expect.stringContaining('INTEGER[]'),
    })
    const rounded = column('whole', 'bigint', { source: ['moment'], transform: { kind: 'cast' } })
    await expect(copyAll('PARQUET', file('every.parquet', [rounded], { target: { schema: 'moved', name: 'r' } }))).rejects.toMatchObject({
      code: 'NOT_REPRESENTABLE',
      message: expect.stringContaining('does not become'),
    })
    await expect(
      copyAll('PARQUET', file('every.parquet', [column('nope', 'text')], { target: { schema: 'moved', name: 'n' } })),
    ).rejects.toMatchObject({ code: 'PLAN_INVALID' })
  })
})

describe('transforms on files', () => {
  const cases: [string, string[], string, Transform][] = [
    ['late', ['whole'], 'interval', { kind: 'minutes_to_interval' }],
    ['wide', ['small'], 'numeric(12,3)', { kind: 'cast' }],
    ['said', ['big'], 'text', { kind: 'cast' }],
    ['dated', ['plain_moment'], 'date', { kind: 'cast' }],
    ['double_of_single', ['single'], 'double precision', { kind: 'cast' }],
    ['low', ['words'], 'text', { kind: 'lowercase' }],
    ['trimmed', ['words'], 'text', { kind: 'trim' }],
    ['phone', ['phone'], 'text', { kind: 'e164', country_code: '49' }],
    ['cents', ['money'], 'numeric(24,1)', { kind: 'scale', factor: '-0.5', decimals: 1 }],
    ['thousandth', ['small'], 'numeric(12,4)', { kind: 'scale', factor: '0.0015', decimals: 4 }],
    ['hour', ['plain_moment'], 'timestamp without time zone', { kind: 'truncate_time', unit: 'hour' }],
    ['joined', ['words', 'phone', 'small'], 'text', { kind: 'concat', separator: '|' }],
    ['seven', [], 'integer', { kind: 'constant', value: '7' }],
    ['none', [], 'text', { kind: 'constant', value: null }],
    ['partial', ['words'], 'text', { kind: 'mask_partial', keep: 2 }],
    ['redacted', ['words'], 'text', { kind: 'mask_redact', value: "it's gone\\" }],
    ['hashed', ['words'], 'text', { kind: 'mask_sha256', salt: "salt'\\salt" }],
  ]

  it('give what PostgreSQL gives for the same rows, and the reconciler sees the same', async () => {
    await folder.write(
      `COPY (SELECT * FROM (VALUES
         (1::INTEGER, -25::SMALLINT, 9007199254740993::BIGINT, 12345678901234567.85::DECIMAL(19,2), 1.1::FLOAT, E'  \\tÀb C\\n ', ' (030) 12-34 ', TIMESTAMP '2001-01-01 23:59:59.999999'),
         (-90, 5, -1, -0.05, 3e-5::FLOAT, 'x', '+1 555', TIMESTAMP '1969-12-31 23:59:59.5'), (0, 15, 0, 0.15, 0, '', '0049 30', TIMESTAMP '0044-03-15 (BC) 01:30:00'),
         (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (7, 1, 1, 1, 1, '😀é日本', 'none', TIMESTAMP '2000-02-29 00:00:00'))
         AS t (whole, small, big, money, single, words, phone, plain_moment)) TO '{}/mixed.parquet' (FORMAT parquet)`,
    )
    const types: Readonly<Record<string, string>> = {
      whole: 'integer',
      small: 'smallint',
      big: 'bigint',
      money: 'numeric(19,2)',
      single: 'real',
      words: 'text',
      phone: 'text',
      plain_moment: 'timestamp without time zone',
    }
    const raw = file(
      'mixed.parquet',
      Object.entries(types).map(([name, type]) => column(name, type)),
      { target: { schema: 'raw', name: 'mixed' } },
    )
    await copyAll('PARQUET', raw)
    const columns = cases.map(([target, source, type, transform]) =>
      column(target, type, { source, source_types: source.map((name) => types[name] ?? ''), transform, lossy: target === 'dated' }),
    )
    const filter = {
      all: [
        { column: 'big', op: 'ge' as const, values: ['-1'] },
        { column: 'words', op: 'is_not_null' as const, values: [] },
      ],
    }
    const byFile = file('mixed.parquet', columns, { target: { schema: 'moved', name: 'by_file' }, filter })
    const byServer: TableMapping = {
      ...byFile,
      source: { schema: 'raw', name: 'mixed', kind: 'table' },
      target: { schema: 'moved', name: 'by_server' },
    }
    expect(await copyAll('PARQUET', byFile)).toBe(4n)
    const plan = 'f'.repeat(64)
    const [source, target] = [
      await openPostgresSource(to.url, OPTIONS),
      await openPostgresTarget(to.url, copyFromPostgres(to.url, OPTIONS), OPTIONS),
    ]
    await target.prepare(plan, [byServer])
    for (const chunk of chunksOf(byServer, await source.chunks(byServer, 10))) await target.copy(plan, byServer, chunk, () => {})
    await source.close()
    await target.close()
    const order = 'SELECT * FROM (SELECT to_jsonb(t) AS r FROM'
    expect(await rowsOf(`${order} moved.by_file t) x ORDER BY r`)).toEqual(await rowsOf(`${order} moved.by_server t) x ORDER BY r`))
    expect(await fileFrames('PARQUET', byFile)).toEqual(await targetFrames(byFile))
  })
})
