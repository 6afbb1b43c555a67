import { copyFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openFileRows } from '../../../layers/connectors/duckdb/rows.ts'
import { openFileSource } from '../../../layers/connectors/duckdb/source.ts'
import { catalog as catalogSchema, profile as profileSchema } from '../../../layers/core/schemas/catalog.ts'
import { column, table } from '../postgres/table-mapping.ts'
import { EVERY_TYPE, type SourceFolder, sourceFolder } from './source-folder.ts'

let folder: SourceFolder

const DATA = fileURLToPath(new URL('../../../node_modules/vega-datasets/data', import.meta.url))

beforeAll(async () => {
  folder = await sourceFolder()
  await folder.write(`COPY (${EVERY_TYPE}) TO '{}/every.parquet' (FORMAT parquet)`)
  await folder.write(
    `COPY (SELECT i AS id, 'w' || i AS word FROM range(2500) t(i)) TO '{}/part-1.parquet' (FORMAT parquet, ROW_GROUP_SIZE 2048)`,
  )
  await folder.write(`COPY (SELECT i AS id, 'w' || i AS word FROM range(2500, 2501) t(i)) TO '{}/part-2.parquet' (FORMAT parquet)`)
  await folder.write(`COPY (SELECT i AS id, 'w' || i AS word FROM range(0) t(i)) TO '{}/part-3.parquet' (FORMAT parquet)`)
  await folder.write(`COPY (SELECT i AS id, i AS word FROM range(3) t(i)) TO '{}/other-2.parquet' (FORMAT parquet)`)
  await folder.write(`COPY (SELECT i AS id, 'w' AS word FROM range(3) t(i)) TO '{}/other-1.parquet' (FORMAT parquet)`)
  await folder.write(
    `COPY (SELECT [1] AS list, TIMESTAMP_NS '2001-01-01 00:00:00.000000001' AS nano, 1 AS plain) TO '{}/odd.parquet' (FORMAT parquet)`,
  )
  await writeFile(join(folder.path, 'plain.csv'), 'id,code,note\n1,007,\n2,010,""\n3,,"say ""hi"",\nthen go"\n')
})

afterAll(() => folder?.remove())

it('names each type as PostgreSQL does where it holds every value, otherwise as the file does', async () => {
  const source = await openFileSource('PARQUET', folder.path)
  const catalog = catalogSchema.parse(
    await source.catalog([
      { schema: 'files', name: 'every.parquet' },
      { schema: 'files', name: 'odd.parquet' },
    ]),
  )
  await source.close()
  expect(Object.fromEntries(catalog.tables[0]!.columns.map((own) => [own.name, own.type]))).toEqual({
    flag: 'boolean',
    tiny: 'smallint',
    small: 'smallint',
    whole: 'integer',
    big: 'bigint',
    huge: 'double precision',
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
  })
  expect(catalog.tables[1]!.columns.map((own) => own.type)).toEqual(['INTEGER[]', 'timestamp without time zone', 'integer'])
  expect(catalog.tables[0]).toMatchObject({ kind: 'file', primary_key: null, estimated_rows: '4', schema: 'files' })
})

it('takes every field of a CSV as text, and tells empty from NULL', async () => {
  const source = await openFileSource('CSV', folder.path)
  const { tables } = catalogSchema.parse(await source.catalog([]))
  expect(tables.map((own) => own.name)).toEqual(['plain.csv'])
  expect(tables[0]!.columns.map((own) => [own.name, own.type])).toEqual([
    ['id', 'text'],
    ['code', 'text'],
    ['note', 'text'],
  ])
  const profile = profileSchema.parse(await source.profile([]))
  expect(profile.tables[0]).toMatchObject({ rows: '3', duplicate_rows: '0' })
  expect(profile.tables[0]!.columns.map((own) => [own.nulls, own.distinct])).toEqual([
    ['0', '3'],
    ['1', '2'],
    ['1', '2'],
  ])
  expect(
    await source.chunks(table('plain', [column('id', 'text')], { source: { schema: 'files', name: 'plain.csv', kind: 'file' } }), 1),
  ).toEqual([{ from: '0', to: null }])
  await source.close()
})

it('takes the first line of a CSV as its header even where it looks like a row', async () => {
  await writeFile(join(folder.path, 'names.text.csv'), '2001,2002\n1,2\n3,4\n')
  const source = await openFileSource('CSV', folder.path)
  const { tables } = await source.profile([{ schema: 'files', name: 'names.text.csv' }])
  await source.close()
  expect(tables[0]).toMatchObject({ rows: '2', columns: [{ name: '2001' }, { name: '2002' }] })
})

it('profiles real files exactly', async () => {
  const source = await openFileSource('CSV', DATA)
  const { tables } = profileSchema.parse(await source.profile([{ schema: 'files', name: 'airports.csv' }]))
  await source.close()
  expect(tables[0]).toMatchObject({ rows: '3376', duplicate_rows: '0' })
  expect(tables[0]!.columns[0]).toMatchObject({
    name: 'iata',
    nulls: '0',
    distinct: '3376',
    min: null,
    reason: expect.stringContaining('personal'),
  })
})

it('treats files of one shape as one table, and refuses files of two shapes', async () => {
  const source = await openFileSource('PARQUET', folder.path)
  const { tables } = await source.profile([{ schema: 'files', name: 'part-*.parquet' }])
  expect(tables[0]).toMatchObject({
    rows: '2501',
    duplicate_rows: '0',
    columns: [{ min: '0', max: '2500', distinct: '2501' }, { min: null }],
  })
  await expect(source.catalog([{ schema: 'files', name: 'other-*.parquet' }])).rejects.toMatchObject({ code: 'PLAN_INVALID' })
  await source.close()
})

it('cuts files into ranges that meet, whatever their size', async () => {
  const source = await openFileSource('PARQUET', folder.path)
  const mapping = table('part', [column('id', 'bigint')], { source: { schema: 'files', name: 'part-*.parquet', kind: 'file' } })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4000 }), async (size) => {
      const ranges = await source.chunks(mapping, size)
      expect(ranges[0]?.from).toBe('0')
      expect(ranges.at(-1)?.to).toBeNull()
      for (const [index, range] of ranges.entries()) if (index > 0) expect(range.from).toBe(ranges[index - 1]?.to)
      expect(ranges).toHaveLength(Math.ceil(2501 / size))
    }),
    { numRuns: 20 },
  )
  await source.close()
})

it('fails on a file cut short: it never gives the rows before the cut as all rows', async () => {
  await copyFile(join(folder.path, 'part-1.parquet'), join(folder.path, 'cut.parquet'))
  await truncate(join(folder.path, 'cut.parquet'), 4000)
  const source = await openFileSource('PARQUET', folder.path)
  await expect(source.profile([{ schema: 'files', name: 'cut.parquet' }])).rejects.toMatchObject({
    name: expect.stringMatching(/CONNECTION_FAILED|NOT_REPRESENTABLE/),
  })
  await source.close()
  const side = await openFileRows('PARQUET', folder.path)
  const mapping = table('cut', [column('id', 'bigint')], { source: { schema: 'files', name: 'cut.parquet', kind: 'file' } })
  await expect(side.read(mapping, new AbortController().signal)).rejects.toMatchObject({
    name: expect.stringMatching(/CONNECTION_FAILED|NOT_REPRESENTABLE/),
  })
  await side.close()
})
