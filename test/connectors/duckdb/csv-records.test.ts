import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import fc from 'fast-check'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { csvRecords } from '../../../layers/connectors/duckdb/csv-records.ts'
import { openRelation, wholeOf } from '../../../layers/connectors/duckdb/relation.ts'
import { type DuckSession, openDuckDb } from '../../../layers/connectors/duckdb/session.ts'
import { type FreshDatabase, freshDatabase } from '../../support/postgres.ts'
import { type SourceFolder, sourceFolder } from './source-folder.ts'

let folder: SourceFolder
let database: FreshDatabase
let client: pg.Client
let duck: DuckSession

beforeAll(async () => {
  folder = await sourceFolder()
  duck = await openDuckDb(folder.path)
  database = await freshDatabase()
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query('CREATE TABLE one (a text); CREATE TABLE two (a text, b text); CREATE TABLE three (a text, b text, c text)')
})
afterAll(async () => {
  await client?.end()
  await duck?.close()
  await folder?.remove()
  await database?.drop()
})

const TABLES = ['one', 'two', 'three'] as const

/** The rows as COPY of PostgreSQL reads them; null where it does not. */
async function copied(text: string, columns: number): Promise<(string | null)[][] | null> {
  const table = TABLES[columns - 1]!
  await client.query(`TRUNCATE ${table}`)
  try {
    await pipeline(Readable.from([Buffer.from(text)]), client.query(copyFrom(`COPY ${table} FROM STDIN (FORMAT csv, HEADER)`)))
  } catch {
    return null
  }
  return (await client.query<(string | null)[]>({ text: `SELECT * FROM ${table}`, rowMode: 'array' })).rows
}

const sorted = (rows: readonly (readonly (string | null)[])[]) => rows.map((row) => JSON.stringify(row)).sort()

const field = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('', 'a', ' a ', ' ', '"x"', '""', '"x"" y"', '"a,b"', '" y "', "'s'", '\\N', '#c', 'é', '\t') },
  { weight: 3, arbitrary: fc.constantFrom('"l\nm"', '"l\r\nm"', '"\n"', '""""') },
  { weight: 1, arbitrary: fc.constantFrom(' "q"', '"q" ', 'q"r', '"un', '"a"b', '\r', '"q"\t') },
)
const end = fc.oneof({ weight: 30, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fc.constantFrom(',', ',,', '\n', '\r\n', '\r') })
const file = fc.integer({ min: 1, max: 3 }).chain((columns) =>
  fc
    .record({
      rows: fc.array(fc.tuple(fc.array(field, { minLength: columns, maxLength: columns }), end), { maxLength: 6 }),
      mark: fc.constantFrom('\n', '\r\n'),
      last: fc.boolean(),
    })
    .map(({ rows, mark, last }) => {
      const lines = [['a', 'b', 'c'].slice(0, columns).join(','), ...rows.map(([fields, more]) => fields.join(',') + more)]
      return { columns, text: lines.join(mark) + (last ? mark : '') }
    }),
)

it('lets through only what DuckDB reads as COPY of PostgreSQL does, to the last field', { timeout: 120_000 }, async () => {
  let through = 0
  let refused = 0
  await fc.assert(
    fc.asyncProperty(file, async ({ columns, text }) => {
      await writeFile(join(folder.path, 'any.csv'), text)
      const relation = await openRelation(duck, folder.path, 'CSV', 'any.csv').catch(() => null)
      if (relation === null) return void refused++
      const list = relation.columns.map((own, i) => `"${own.name}" AS c${i}`).join(', ')
      const read = (await duck.ask(`SELECT ${list} FROM ${wholeOf(relation)}`)).map((row) =>
        relation.columns.map((_, i) => row[`c${i}`] ?? null),
      )
      expect(sorted(read), JSON.stringify(text)).toEqual(sorted((await copied(text, columns)) ?? [['refused by PostgreSQL']]))
      expect(relation.records).toBe(BigInt(read.length))
      through++
    }),
    { numRuns: 400 },
  )
  expect(through).toBeGreaterThan(100)
  expect(refused).toBeGreaterThan(30)
})

it('counts and refuses alike wherever a file is cut into pieces', async () => {
  // The pieces of a file are 1 MiB; what matters lies around the seam.
  for (const [what, records] of [
    ['"x""y",1\r\n', 1n],
    ['"é\r\n",""\r\n', 1n],
    ['"x" ,1\r\n', null],
    ['x,1\r,2\r\n', null],
  ] as const) {
    for (let before = 0; before <= Buffer.byteLength(what); before++) {
      const head = Buffer.from('a,b\r\n')
      const filler = Buffer.alloc(1024 * 1024 - head.length - 4 - before, 0x66)
      await writeFile(join(folder.path, 'seam.csv'), Buffer.concat([head, filler, Buffer.from(',f\r\n'), Buffer.from(what)]))
      const counted = csvRecords(join(folder.path, 'seam.csv'), 2)
      if (records === null)
        await expect(counted).rejects.toMatchObject({ code: 'NOT_REPRESENTABLE', message: expect.stringContaining('line 3') })
      else expect(await counted).toEqual({ records: records + 1n, folded: what.includes('é\r') })
    }
  }
})
