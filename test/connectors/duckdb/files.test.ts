import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listTables, sourceFolder as openFolder, resolveFiles } from '../../../layers/connectors/duckdb/files.ts'
import { literal, openDuckDb } from '../../../layers/connectors/duckdb/session.ts'
import { openFileSource } from '../../../layers/connectors/duckdb/source.ts'
import { type SourceFolder, sourceFolder } from './source-folder.ts'

let folder: SourceFolder
let outside: string

beforeAll(async () => {
  folder = await sourceFolder()
  outside = await mkdtemp(join(tmpdir(), 'waybill-outside-'))
  await writeFile(join(outside, 'secret.csv'), 'a\n1\n')
  await mkdir(join(folder.path, 'sub'))
  await writeFile(join(folder.path, 'one.csv'), 'a\n1\n')
  await writeFile(join(folder.path, 'sub', 'two.csv'), 'a\n2\n')
  await writeFile(join(folder.path, 'bracket[1].csv'), 'a\n1\n')
  await symlink(join(outside, 'secret.csv'), join(folder.path, 'link.csv'))
  await symlink(outside, join(folder.path, 'door'))
})

afterAll(async () => {
  await folder?.remove()
  await rm(outside, { recursive: true, force: true })
})

it.each([
  '../one.csv',
  'sub/../../x.csv',
  '/etc/passwd',
  'file:///etc/passwd',
  'https://example.org/a.csv',
  's3://b/a.csv',
  'link.csv',
  'l*.csv',
  'door/secret.csv',
  'a\u0000b',
  '..\\one.csv',
])('refuses %j, which leads outside the folder', async (name) => {
  await expect(resolveFiles(folder.path, name)).rejects.toMatchObject({ code: 'BAD_INPUT' })
})

it('finds one file, or all matches of a glob in order', async () => {
  expect((await resolveFiles(folder.path, 'one.csv')).map((file) => file.bytes)).toEqual([4n])
  expect((await resolveFiles(folder.path, 'sub/*.csv')).map((file) => file.path)).toEqual([join(folder.path, 'sub', 'two.csv')])
  await expect(resolveFiles(folder.path, 'none.csv')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(resolveFiles(folder.path, 'none-*.csv')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(resolveFiles(folder.path, 'sub')).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

it.each(['do*/secret.csv', '**/secret.csv', '{door,sub}/*.csv', './d?or/*.csv'])(
  'refuses the glob %j, which would pass over a linked folder',
  async (pattern) => {
    await expect(resolveFiles(folder.path, pattern)).rejects.toMatchObject({
      code: 'NOT_REPRESENTABLE',
      message: expect.stringContaining('"door" is a link to a folder'),
    })
  },
)

describe('a folder of tables', () => {
  const survey = (where: string) => listTables(join(folder.path, where), ['csv'])

  it.each([
    ['an ending in capitals', 'year=2025/y.CSV'],
    ['a compressed file', 'year=2025/y.csv.gz'],
    ['a compressed file in capitals', 'y.Csv.ZST'],
    ['a hidden file', 'year=2025/.y.csv'],
    ['a file in a hidden folder', '.old/y.csv'],
    ['a file of rows without an ending', 'year=2025/part-0'],
  ])('is refused with %s, which would be left out', async (what, path) => {
    const where = what.replaceAll(' ', '-')
    await mkdir(join(folder.path, where, path, '..'), { recursive: true })
    await mkdir(join(folder.path, where, 'year=2025'), { recursive: true })
    await writeFile(join(folder.path, where, 'year=2025', 'x.csv'), 'a\n1\n')
    for (const other of ['README', 'year=2025/_SUCCESS', 'year=2025/.x.csv.crc', 'notes.txt', 'x.json'])
      await writeFile(join(folder.path, where, other), 'b')
    expect(await survey(where)).toEqual(['year=*/*.csv'])
    await writeFile(join(folder.path, where, path), 'a\n2\n')
    await expect(survey(where)).rejects.toMatchObject({
      code: 'NOT_REPRESENTABLE',
      message: expect.stringContaining(`${JSON.stringify(path)} would be left out`),
    })
  })

  it('is refused with a linked folder or a link that leads nowhere, and reads a linked file', async () => {
    const where = join(folder.path, 'links')
    await mkdir(join(where, 'year=2025'), { recursive: true })
    await writeFile(join(where, 'one.csv'), 'a\n1\n')
    await symlink(join(where, 'one.csv'), join(where, 'year=2025', 'x.csv'))
    expect(await survey('links')).toEqual(['one.csv', 'year=*/*.csv'])
    await symlink(join(where, 'year=2025'), join(where, 'year=2026'))
    await expect(survey('links')).rejects.toMatchObject({ message: expect.stringContaining('"year=2026" is a link to a folder') })
    await rm(join(where, 'year=2026'))
    await symlink(join(where, 'gone.csv'), join(where, 'lost.csv'))
    await expect(resolveFiles(where, 'l*.csv')).rejects.toMatchObject({ message: expect.stringContaining('leads nowhere') })
  })

  it('knows a Parquet file by its first bytes', async () => {
    await mkdir(join(folder.path, 'spark'))
    await folder.write(`COPY (SELECT 1 AS a) TO '{}/spark/one.parquet' (FORMAT parquet)`)
    expect(await listTables(join(folder.path, 'spark'), ['parquet'])).toEqual(['one.parquet'])
    await folder.write(`COPY (SELECT 1 AS a) TO '{}/spark/part-0' (FORMAT parquet)`)
    await expect(listTables(join(folder.path, 'spark'), ['parquet'])).rejects.toMatchObject({
      message: expect.stringContaining('"part-0" would be left out'),
    })
  })
})

it('refuses a file whose name DuckDB would read as a pattern', async () => {
  await expect(resolveFiles(folder.path, 'bracket?1?.csv')).rejects.toMatchObject({ code: 'NOT_REPRESENTABLE' })
})

it('keeps DuckDB itself inside the folder, whatever it is asked', async () => {
  const duck = await openDuckDb(folder.path)
  for (const sql of [
    `SELECT * FROM read_csv(${literal(join(outside, 'secret.csv'))})`,
    `SELECT * FROM read_text('/etc/passwd')`,
    `COPY (SELECT 1) TO ${literal(join(outside, 'out.csv'))}`,
    `SET enable_external_access = true`,
    `SET allowed_directories = ['/']`,
    `INSTALL httpfs`,
  ]) {
    await expect(duck.ask(sql), sql).rejects.toMatchObject({
      name: expect.stringMatching(/PERMISSION_DENIED|NOT_REPRESENTABLE|CONNECTION_FAILED|PLAN_INVALID/),
    })
  }
  expect(await duck.ask(`SELECT * FROM read_csv(${literal(join(folder.path, 'one.csv'))}, all_varchar = true)`)).toEqual([{ a: '1' }])
  await duck.close()
})

it('says when the folder itself is not there, without repeating it', async () => {
  const missing = openFileSource('CSV', join(outside, 'not-here'))
  await expect(missing).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await missing.catch((error: Error) => expect(error.message).not.toContain('not-here'))
  expect(await openFolder(`file://${folder.path}`)).toBe(folder.path)
})
