import { appendFile, mkdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mirrorResult, mirrorWords } from '../../../cli/compare/mirror.ts'
import { openFileRows } from '../../../layers/connectors/duckdb/rows.ts'
import type { TableResult } from '../../../layers/core/schemas/recon.ts'
import { type FreshDatabase, freshDatabase, runSql } from '../../support/postgres.ts'
import { column, table } from '../postgres/table-mapping.ts'
import { compared, exportTable } from './exporting.ts'
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

/** Makes a table of PostgreSQL from a body such as `(id int); INSERT INTO $ VALUES (1)`, where `$` is its name. */
async function server(body: string): Promise<string> {
  const name = `t${++tables}`
  await client.query(`CREATE TABLE ${name} ${body.replaceAll('$', name)}`)
  return `public.${name}`
}

async function file(path: string, content: string | Uint8Array): Promise<string> {
  const full = join(folder.path, path)
  await mkdir(dirname(full), { recursive: true })
  await writeFile(full, content)
  return `${path.slice(path.lastIndexOf('.') + 1)}:${full}`
}

async function verdict(side: string, name: string): Promise<TableResult> {
  const { comparison } = await compared(side, database.url, { table: [name] })
  expect(comparison.problems).toEqual([])
  return comparison.tables[0]!
}

const passes = async (side: string, name: string) => expect((await verdict(side, name)).reasons).toEqual([])
async function undecided(side: string, name: string, says: RegExp): Promise<void> {
  const result = await verdict(side, name)
  expect(result.verdict).toBe('inconclusive')
  expect(result.reasons.join(' ')).toMatch(says)
}

describe('CSV', () => {
  it('is read by its fixed dialect: byte order mark, CRLF, quotes, lines in fields, empty and NULL, leading zeros', async () => {
    const name = await server(
      `(code text, note text, n integer); INSERT INTO $ VALUES ('007', E'say "hi",\\r\\nthen go', 7), ('', NULL, NULL), ('''x', ' y ', 10)`,
    )
    await passes(await file('dialect.csv', '\ufeffcode,note,n\r\n007,"say ""hi"",\r\nthen go",007\r\n"",,\r\n\'x, y ,10\r\n'), name)
    const other = await verdict(await file('dialect2.csv', 'code,note,n\n7,"say ""hi"",\r\nthen go",7\n,"",\n\'x, y ,10\n'), name)
    expect([other.verdict, other.missing, other.extra]).toEqual(['fail', '2', '2'])
  })

  it('never guesses: quotes of another kind, semicolons and headers that look like rows stay what they are', async () => {
    const name = await server(`(a text, b text); INSERT INTO $ VALUES ('''x', 'y'''), ('1;2', '3'), ('aN', '\\N')`)
    await passes(await file('single.csv', "a,b\n'x,y'\n1;2,3\naN,\\N\n"), name)
    await passes(await file('numbers.csv', '1,2\n3,4\n'), await server(`("1" int, "2" int); INSERT INTO $ VALUES (3, 4)`))
  })

  it('takes types from the target: text behind 25,000 lines of digits is text, and refused for a number by name', async () => {
    const lines = Array.from({ length: 25_000 }, (_, i) => `${i}`).join('\n')
    const side = await file('late.csv', `n\n${lines}\n12a\n`)
    await passes(
      side,
      await server(`(n text); INSERT INTO $ SELECT g::text FROM generate_series(0, 24999) g; INSERT INTO $ VALUES ('12a')`),
    )
    await undecided(side, await server('(n integer)'), /Column "n" of the file/)
  })

  it.each([
    ['a line with too many fields', 'a,b\n1,2\n1,2,3\n', /line 3/],
    ['a line with too few fields', 'a,b\n1,2\n1\n', /line 3/],
    ['a quote that does not end', 'a,b\n1,2\n3,"x\n', /line 3/],
    ['an empty field too many', 'a,b\n1,2\n2,y,\n', /line 3 has 3 fields where the header has 2/],
    ['empty fields too many', 'a,b\n"1\n",2\n2,y,,\n', /line 4 has 4 fields/],
    ['a blank line', 'a,b\n1,2\n\n3,4\n', /line 3 has nothing in it/],
    ['a blank line at the end', 'a,b\r\n1,2\r\n\r\n', /line 3 has nothing in it/],
    ['a blank before a quote', 'a,b\n2, "y"\n', /line 2 has a quote inside a field/],
    ['blanks behind a quote', 'a,b\n2,"y"  \n', /line 2 has something between the end of a quoted field/],
    ['line ends of two kinds', 'a,b\n1,2\r\n', /line 2 has a line end of another kind/],
    ['line ends of old Macs', 'a,b\n1,2\r3,4\r', /line 2 has a carriage return without/],
    ['bytes that are not UTF-8', Buffer.from('a,b\n1,\xe9\n', 'latin1'), /UTF-8|line 2/],
  ])('gives no verdict on %s, and says where', async (what, content, says) => {
    const side = await file(`${what.replaceAll(' ', '-')}.csv`, content)
    const said = await verdict(side, await server('(a int, b text)')).then(
      (result) => `${result.verdict} ${result.reasons}`,
      (error: Error) => `inconclusive ${error.message}`,
    )
    expect(said).toMatch(/^inconclusive/)
    expect(said).toMatch(says)
  })

  it.each([
    ['the same name twice', 'a,b,a\n1,2,3\n', /"a" more than once/],
    ['names that differ by capitals', 'a,A\n1,2\n', /"A" more than once/],
    ['a column without a name', 'a,\n1,2\n', /without a name/],
    ['no header', '', /no header/],
    ['a torn header', 'a,"b\n', /quote that does not end/],
  ])('is refused with %s', async (what, content, says) => {
    const side = await file(`${what.replaceAll(' ', '-')}.csv`, content)
    await expect(verdict(side, await server('(a int, b int)'))).rejects.toMatchObject({
      code: 'NOT_REPRESENTABLE',
      message: expect.stringMatching(says),
    })
  })

  it('is read over several buffers with line ends inside quotes', { timeout: 120_000 }, async () => {
    const line = `"${'x,y\n'.repeat(1000)}",b\n`
    const side = await file('folded.csv', `a,b\n${line.repeat(14_000)}`)
    await passes(side, await server(`(a text, b text); INSERT INTO $ SELECT repeat(E'x,y\\n', 1000), 'b' FROM generate_series(1, 14000)`))
  })

  it('has no rows behind a header alone, as an empty table has', async () => {
    await passes(await file('none.csv', 'a,b\n'), await server('(a int, b int)'))
  })

  it.each([
    ['timestamp(6)', '2001-01-01 00:00:00.1234567', /Column "v"/],
    ['timestamp(6)', '2001-01-01 00:00:00+05', /Column "v"/],
    ['timestamp(6)', '2001-02-30 00:00:00', /Column "v"/],
    ['date', '2001-01-01 12:00:00', /Column "v"/],
    ['date', '2023-02-29', /Column "v"/],
    ['date', '0000-01-01', /Column "v"/],
    ['date', '0004-02-29 BC', /Column "v"/],
    ['timestamptz', '2023-02-29 12:00:00+05', /Column "v"/],
    ['timestamptz', '2024-01-01 25:61:61-01', /Column "v"/],
    ['timestamptz', '2024-01-01 12:00:00+16', /Column "v"/],
    ['timestamptz', '2024-01-01 24:00:00+00', /Column "v"/],
    ['timestamp(6)', '2100-02-29 00:00:00', /Column "v"/],
    ['timestamp(6)', '2024-01-01 12:60:00', /Column "v"/],
    ['time', '25:00:00', /Column "v"/],
    ['time', '24:00:01', /Column "v"/],
    ['interval', '04:99:00', /Column "v"/],
    ['real', '1_000', /"v" of the file: a value is no number as real reads it/],
    ['double precision', '1_000', /"v" of the file: a value is no number/],
    ['double precision', '-nan', /"v" of the file: a value is no number/],
    ['boolean', '\u00a0yes', /Column "v"/],
    ['date', '01/02/2001', /Column "v"/],
    ['real', '1e39', /too large or too small/],
    ['real', '1e-60', /too large or too small/],
    ['double precision', '1e-400', /too large or too small/],
    ['integer', '1.0', /Column "v"/],
    ['interval', '1 fortnight', /Column "v"/],
    ['boolean', 'ja', /Column "v"/],
    ['jsonb', '{"a": }', /Column "v"/],
    ['jsonb', '"\\ud800"', /Column "v"/],
  ])('reads %s exactly or not at all: %s', async (type, text, says) => {
    const side = await file(`exact-${++tables}.csv`, `v\n"${text.replaceAll('"', '""')}"\n`)
    await undecided(side, await server(`(v ${type})`), says)
  })

  it.each([
    ['timestamptz', '2001-01-01 00:30:00.5+05:30', '2000-12-31 19:00:00.5Z'],
    ['timestamptz', '0001-01-01 00:00:00+01', '0001-12-31 23:00:00Z BC'],
    ['timestamptz', '2001-01-01T00:00:00', '2001-01-01 00:00:00Z'],
    ['timestamptz', '1890-01-01 00:00:00+05:53:28', '1889-12-31 18:06:32Z'],
    ['timestamp', '2001-01-01', '2001-01-01 00:00'],
    ['interval', '-1 years +2 mons -3 days -04:05:06.7', '-1 years +2 mons -3 days -04:05:06.7'],
    ['interval', 'P1Y2M3DT4H5M6.7S', '1 year 2 mons 3 days 04:05:06.7'],
    ['boolean', 'Yes', 'true'],
    ['boolean', ' off\t', 'false'],
    ['date', '0005-02-29 BC', '0005-02-29 BC'],
    ['date', '2000-02-29', '2000-02-29'],
    ['time', '24:00:00', '24:00:00'],
    ['double precision', ' -1.5e3 ', '-1500'],
    ['double precision', 'iNf', 'Infinity'],
    ['double precision', 'nan', 'NaN'],
    ['real', '1.00000017881393432617187499', '1.00000017881393432617187499'],
  ])('reads %s %s as PostgreSQL reads it', async (type, text, same) => {
    await passes(await file(`same-${++tables}.csv`, `v\n"${text}"\n`), await server(`(v ${type}); INSERT INTO $ VALUES ('${same}')`))
  })
})

describe('JSON', () => {
  const rows = `(id bigint, price numeric, doc jsonb, word text); INSERT INTO $ VALUES
    (9007199254740993, 1.10000000000000000000001, '{"k": 1.50, "big": 123456789012345678901234567890, "l": [1, {"é": null}]}', 'x'),
    (2, NULL, '"1"', NULL), (3, 0.1, '1', 'true')`
  const first = `{"id": 9007199254740993, "price": 1.10000000000000000000001, "word": "x", "doc": {"l":[1,{"\\u00e9":null}], "big":123456789012345678901234567890,"k":1.50}}`
  const [second, third] = ['{"id": 2, "doc": "1", "price": null}', '{"word": "true", "doc": 1, "price": 1e-1, "id": "3"}']

  it.each([
    ['one object a line', [first, second, third].join('\n')],
    ['an array', `[${[first, second, third].join(',\n ')}]`],
    ['objects over several lines', [first, second, third].join('\n').replaceAll(', ', ',\n  ')],
    ['lines that end in CR LF, with a byte order mark', `\ufeff${[first, second, third].join('\r\n')}\r\n`],
  ])('is read exactly as %s; an absent key is NULL', async (what, text) => {
    await passes(await file(`${what.replaceAll(/\W+/g, '-')}.json`, text), await server(rows))
  })

  it('tells the string "1" from the number 1 in jsonb, and one last digit of a number', async () => {
    const name = await server(rows)
    const swapped = await verdict(await file('swapped.json', [first, second.replace('"1"', '1'), third].join('\n')), name)
    expect([swapped.verdict, swapped.missing, swapped.extra]).toEqual(['fail', '1', '1'])
    const digit = await verdict(await file('digit.json', [first.replace('00001,', '00002,'), second, third].join('\n')), name)
    expect([digit.verdict, digit.missing]).toEqual(['fail', '1'])
  })

  it.each([
    ['a key twice', '{"id": 1, "id": 2}', /same key twice/],
    ['a value that is no object', '{"id": 1}\n[1]', /must hold objects/],
    ['nothing', '', /names no columns/],
    ['an object that does not end', '{"id": 1}\n{"id":', /ends inside a row/],
    ['an array that does not end', '[{"id": 1}, {"id": 2}', /ends before its array/],
    ['an array cut off behind a comma, though its rows are all there', '[{"id": 1}, {"id": 2},', /ends before its array/],
    ['keys that differ by capitals', '{"id": 1}\n{"ID": 2}', /"ID" more than once/],
  ])('is refused with %s', async (what, text, says) => {
    const side = await file(`${what.replaceAll(' ', '-')}.json`, text)
    await expect(verdict(side, await server('(id int); INSERT INTO $ VALUES (1), (2)'))).rejects.toMatchObject({
      code: 'NOT_REPRESENTABLE',
      message: expect.stringMatching(says),
    })
  })

  it('refuses an object for a column that is not jsonb, and U+0001, by name', async () => {
    await undecided(await file('nested.json', '{"v": {"a": 1}}'), await server('(v text)'), /"v" holds an object or an array/)
    await undecided(await file('marked.json', '{"v": "\\u00015"}'), await server(`(v text); INSERT INTO $ VALUES ('5')`), /u0001/)
  })

  it('finds a key that comes up in the last of many objects', async () => {
    const lines = Array.from({ length: 30_000 }, (_, i) => `{"id": ${i}}`)
    const name = await server('(id int); INSERT INTO $ SELECT generate_series(0, 30000)')
    const result = await verdict(await file('late.json', [...lines, '{"id": 30000, "surprise": 1}'].join('\n')), name)
    expect(result).toMatchObject({ verdict: 'fail', missing: '0', reasons: [expect.stringContaining('"surprise" is only in the source')] })
  })
})

describe('partitioned folders', () => {
  const rows = `(id int, year int, city text); INSERT INTO $ VALUES (1, 2025, 'a/b c''d%'), (2, 2026, NULL), (3, 2026, 'São')`
  const places = [`year=2025/city=a%2Fb c'd%25`, 'year=2026/city=__HIVE_DEFAULT_PARTITION__', 'year=2026/city=S%C3%A3o']

  it.each(['parquet', 'csv', 'json'] as const)('are columns of %s: escapes, NULL and types', async (format) => {
    for (const [i, place] of places.entries()) {
      if (format === 'parquet') {
        await mkdir(join(folder.path, 'hive-parquet', place), { recursive: true })
        await folder.write(`COPY (SELECT ${i + 1} AS id) TO '{}/hive-parquet/${place.replaceAll("'", "''")}/part.parquet' (FORMAT parquet)`)
      } else await file(`hive-${format}/${place}/part.${format}`, format === 'csv' ? `id\n${i + 1}\n` : `{"id": ${i + 1}}`)
    }
    const name = await server(rows)
    await passes(`${format}:${folder.path}/hive-${format}/year=*/city=*/*.${format}`, name)
    await passes(`${format}:${folder.path}/hive-${format}/**/*.${format}`, name)
    await client.query(`UPDATE ${name} SET year = 2025 WHERE id = 2`)
    expect(await verdict(`${format}:${folder.path}/hive-${format}/**/*.${format}`, name)).toMatchObject({
      verdict: 'fail',
      missing: '1',
      extra: '1',
    })
    await client.query(`ALTER TABLE ${name} RENAME TO "hive-${format}"; UPDATE "hive-${format}" SET year = 2026 WHERE id = 2`)
    const whole = await compared(`${format}:${folder.path}/hive-${format}`, database.url, { table: [`public."hive-${format}"`] })
    expect(whole.comparison.verdict).toBe('pass')
  })

  it.each([
    ['a column that is in the rows too', ['p=1/x.csv'], 'id,P\n1,2\n', /"p" in its rows and in the name of a folder/],
    ['folders that name one column twice', ['p=1/P=2/x.csv'], 'id\n1\n', /both name the column "P"/],
    ['an escape that is none', ['p=%zz/x.csv'], 'id\n1\n', /does not begin an escape/],
    ['files of other partitions', ['p=1/x.csv', 'q=1/x.csv'], 'id\n1\n', /do not all have the same columns/],
  ])('are refused with %s', async (what, paths, content, says) => {
    const base = what.replaceAll(' ', '-')
    for (const path of paths) await file(`${base}/${path}`, content)
    await expect(verdict(`csv:${folder.path}/${base}/**/*.csv`, await server('(id int, p int)'))).rejects.toMatchObject({
      message: expect.stringMatching(says),
    })
  })
})

/** A Parquet file without rows that DuckDB would not write, around a footer in Thrift's compact protocol. */
function byHand(footer: readonly number[]): Buffer {
  return Buffer.concat([Buffer.from('PAR1'), Buffer.from(footer), Buffer.from([footer.length, 0, 0, 0]), Buffer.from('PAR1')])
}

describe('Parquet', () => {
  let written = 0
  const parquet = async (select: string, options = '') => {
    const path = `p${++written}.parquet`
    await folder.write(`COPY (${select}) TO '{}/${path}' (FORMAT parquet${options})`)
    return `parquet:${folder.path}/${path}`
  }

  it('is read exactly: unsigned, wide decimals, milli-, micro- and whole nanoseconds, uuid, many row groups, no rows', async () => {
    const side = await parquet(
      `SELECT 18446744073709551615::UBIGINT AS u, 4294967295::UINTEGER AS w, 1234567890123456789012345678.0123456789::DECIMAL(38,10) AS d,
         TIMESTAMP_MS '2001-01-01 00:00:00.001' AS ms, TIMESTAMP '2001-01-01 00:00:00.000001' AS us, TIMESTAMP_NS '2001-01-01 00:00:00.000001' AS ns,
         '00000000-0000-0000-0000-00000000000a'::UUID AS id`,
    )
    const types = '(u numeric(20,0), w bigint, d numeric(38,10), ms timestamp, us timestamp, ns timestamp, id uuid)'
    await passes(
      side,
      await server(
        `${types}; INSERT INTO $ VALUES (18446744073709551615, 4294967295, 1234567890123456789012345678.0123456789, '2001-01-01 00:00:00.001',
          '2001-01-01 00:00:00.000001', '2001-01-01 00:00:00.000001', '00000000-0000-0000-0000-00000000000a')`,
      ),
    )
    const many = await parquet(`SELECT i AS id, 'w' || (i % 3) AS w FROM range(9000) t(i)`, ', ROW_GROUP_SIZE 2048')
    await passes(many, await server(`(id bigint, w text); INSERT INTO $ SELECT g, 'w' || g % 3 FROM generate_series(0, 8999) g`))
    await passes(await parquet('SELECT 1 AS id WHERE false'), await server('(id int)'))
  })

  it.each([
    ['nanoseconds', `TIMESTAMP_NS '2001-01-01 00:00:00.000000001'`, 'timestamp', '2001-01-01', /"v" holds nanoseconds/],
    ['a double for real', '0.1::DOUBLE', 'real', '0.1', /real would round/],
    ['a whole number for double precision', '9007199254740993::BIGINT', 'double precision', '9007199254740992', /would round/],
    ['a time of day for a date', `TIMESTAMP '2001-01-01 12:00:00'`, 'date', '2001-01-01', /holds times of day/],
    ['a double for numeric', '0.1::DOUBLE', 'numeric', '0.1', /"v" holds a floating-point number that is no whole number/],
    ['a large double for numeric', '1e300::DOUBLE', 'numeric', '1e300', /"v" holds a floating-point number/],
    ['a list', '[1]', 'jsonb', '[1]', /INTEGER\[\]/],
    ['a struct', `{'a': 1}`, 'jsonb', '{"a": 1}', /STRUCT/],
    ['a map', `MAP {'a': 1}`, 'jsonb', '{"a": 1}', /MAP/],
  ])('refuses by name %s that would be rounded or has no form', async (_what, value, type, same, says) => {
    await undecided(await parquet(`SELECT ${value} AS v`), await server(`(v ${type}); INSERT INTO $ VALUES ('${same}')`), says)
  })

  it('refuses nanoseconds in UTC by name, of which three digits would be dropped', async () => {
    const side = await parquet(`SELECT TIMESTAMP_NS '2024-01-01 00:00:00.123456789' AS v`)
    const path = side.slice('parquet:'.length)
    const bytes = await readFile(path)
    // isAdjustedToUTC of a timestamp in nanoseconds: false becomes true.
    const at = bytes.lastIndexOf(Buffer.from('8c121c3c', 'hex'))
    expect(at).toBeGreaterThan(0)
    bytes[at + 1] = 0x11
    await writeFile(path, bytes)
    const same = await server(`(v timestamptz); INSERT INTO $ VALUES ('2024-01-01 00:00:00.123456Z')`)
    await undecided(side, same, /Column "v" has type TIMESTAMP WITH TIME ZONE in nanoseconds/)
    await undecided(await parquet(`SELECT TIME_NS '12:00:00.123456789' AS v`), await server('(v time)'), /Column "v" has type TIME_NS/)
  })

  it('refuses a column with the name of its own row numbers', async () => {
    await undecided(await parquet('SELECT 7 AS file_row_number'), await server('(file_row_number int)'), /"file_row_number".*Rename it/)
  })

  it('takes what fits: a double that is a real, a whole number that is a double, midnight for a date', async () => {
    const side = await parquet(
      `SELECT 0.5::DOUBLE AS r, 9007199254740992::BIGINT AS d, TIMESTAMP '2001-01-01 00:00:00' AS day, 'nan'::DOUBLE AS n, -3::DOUBLE AS whole`,
    )
    await passes(
      side,
      await server(
        `(r real, d double precision, day date, n real, whole numeric); INSERT INTO $ VALUES (0.5, 9007199254740992, '2001-01-01', 'NaN', -3)`,
      ),
    )
  })

  it.each([
    ['INT96, of whose nanoseconds three digits would be dropped', [0x15, 0x06, 0x25, 0x02], [], /INT96/],
    [
      'a decimal of 40 digits, which would be a double',
      [0x15, 0x0e, 0x15, 0x22, 0x15, 0x02],
      [0x25, 0x0a, 0x15, 0x04, 0x15, 0x50],
      /DECIMAL\(40,2\)/,
    ],
  ])('refuses by name %s', async (_what, before, after, says) => {
    const element = [...before, 0x18, 1, 0x76, ...after, 0]
    const footer = [0x15, 0x02, 0x19, 0x2c, 0x48, 1, 0x72, 0x15, 0x02, 0, ...element, 0x16, 0, 0x19, 0x0c, 0]
    await undecided(await file(`hand-${++written}.parquet`, byHand(footer)), await server('(v timestamp)'), says)
  })

  it('refuses names that differ by capitals, two shapes under one glob, and a file cut short', async () => {
    const name = await server('(a int)')
    const whole = (letter: number) => [0x15, 0x02, 0x25, 0x02, 0x18, 1, letter, 0]
    const twice = byHand([0x15, 0x02, 0x19, 0x3c, 0x48, 1, 0x72, 0x15, 0x04, 0, ...whole(0x61), ...whole(0x41), 0x16, 0, 0x19, 0x0c, 0])
    await expect(verdict(await file('twice.parquet', twice), name)).rejects.toMatchObject({
      message: expect.stringMatching(/"A" more than once/),
    })
    const cut = await parquet('SELECT 1 AS a')
    await folder.write(`COPY (SELECT 1 AS a) TO '{}/g-1.parquet'; COPY (SELECT 1::BIGINT AS a) TO '{}/g-2.parquet'`)
    await expect(verdict(`parquet:${folder.path}/g-*.parquet`, name)).rejects.toMatchObject({ code: 'PLAN_INVALID' })
    await truncate(cut.slice('parquet:'.length), 60)
    await expect(verdict(cut, name)).rejects.toMatchObject({ code: expect.stringMatching(/CONNECTION_FAILED|NOT_REPRESENTABLE/) })
  })
})

it('gives no verdict on a file that changed after the comparison began', async () => {
  await file('moving.csv', 'id\n1\n')
  const side = await openFileRows('CSV', folder.path)
  const mapping = table('moving', [column('id', 'integer', { source_types: ['text'], transform: { kind: 'cast' } })], {
    source: { schema: 'files', name: 'moving.csv', kind: 'file' },
  })
  const drained = async () => {
    const stream = await side.read(mapping, new AbortController().signal)
    for await (const _ of stream.chunks);
    return stream.rows()
  }
  await side.snapshot(mapping)
  expect(await drained()).toBe(1n)
  await appendFile(join(folder.path, 'moving.csv'), '2\n')
  await expect(drained()).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('changed while they were read') })
  await side.close()
})

describe('files as the target', () => {
  it('gives every word and count the other way round', async () => {
    const name = await server(`(id int PRIMARY KEY, "source" text); INSERT INTO $ VALUES (1, 'a'), (2, 'b'), (3, 'c')`)
    const own = {
      name: name.slice('public.'.length),
      columns: [
        { name: 'id', type: 'integer' },
        { name: 'source', type: 'text' },
      ],
    }
    await exportTable(client, folder, 'parquet', own, 'mirrored')
    await client.query(
      `UPDATE ${name} SET "source" = 'B' WHERE id = 2; DELETE FROM ${name} WHERE id = 3; INSERT INTO ${name} VALUES (4, 'd'), (5, 'e')`,
    )
    const { comparison, mismatches } = await compared(database.url, `parquet:${folder.path}/mirrored.parquet`, { table: [name] })
    expect(comparison).toMatchObject({ verdict: 'fail', target: expect.stringContaining('mirrored.parquet') })
    expect(comparison.tables[0]).toMatchObject({
      source_object: name,
      source_rows: '4',
      target_rows: '3',
      missing: '2',
      extra: '1',
      changed: '1',
      snapshot: { target: expect.stringContaining('mirrored.parquet') },
    })
    expect(comparison.tables[0]!.reasons).toEqual([expect.stringMatching(/^Rows differ: 1 extra, 2 missing, 1 changed/)])
    expect(mismatches.map(({ mismatch }) => [mismatch.kind, mismatch.key[0]?.value]).sort()).toEqual([
      ['changed', '2'],
      ['extra', '3'],
      ['missing', '4'],
      ['missing', '5'],
    ])
    expect(mismatches.find(({ mismatch }) => mismatch.kind === 'changed')!.mismatch.columns).toEqual([
      { column: 'source', source: 'B', target: 'b' },
    ])
    await expect(compared(database.url, `csv:${folder.path}/nowhere.csv`, { table: [name] })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('In the target'),
    })
    await client.query(`ALTER TABLE ${name} ADD more int`)
    const gap = await compared(database.url, `parquet:${folder.path}/mirrored.parquet`, { table: [name] })
    expect(gap.comparison.tables[0]!.reasons[0]).toContain('Column "more" is only in the source')
    expect(gap.comparison.tables[0]!.schema_differences).toContainEqual(
      expect.objectContaining({ where: `${name}.more`, kind: 'column_removed' }),
    )
  })

  it('exchanges what a comparison of two databases the other way round says', async () => {
    const other = await freshDatabase()
    try {
      await runSql(
        database.url,
        `CREATE SCHEMA m; CREATE TABLE m.x (id int, w text, gone int); INSERT INTO m.x SELECT g, 'w' || g % 5, 1 FROM generate_series(1, 300) g`,
      )
      await runSql(
        other.url,
        `CREATE SCHEMA m; CREATE TABLE m.x (id int, w varchar, fresh int); INSERT INTO m.x SELECT g, 'w' || g % 7, 1 FROM generate_series(5, 330) g`,
      )
      const there = (await compared(database.url, other.url, { include: ['m.*'] })).comparison.tables[0]!
      const back = (await compared(other.url, database.url, { include: ['m.*'] })).comparison.tables[0]!
      const plain = ({ started_at: _, finished_at: __, snapshot: ___, ...rest }: TableResult) => ({
        ...rest,
        mismatches: rest.mismatches.map((one) => JSON.stringify(one)).sort(),
        schema_differences: rest.schema_differences.map((one) => JSON.stringify([one.kind, one.where, one.source, one.target])).sort(),
        reasons: rest.reasons.map((one) => one.split(/[,:;] /).sort()).sort(),
      })
      expect(plain(mirrorResult(mirrorResult(there)))).toEqual(plain(there))
      const { severity: ____, ...turned } = plain(mirrorResult(there))
      expect(turned).toMatchObject({
        missing: back.missing,
        extra: back.extra,
        segments: back.segments,
        mismatches: plain(back).mismatches,
      })
      expect(turned.schema_differences).toEqual(plain(back).schema_differences)
    } finally {
      await other.drop()
    }
  })

  it('leaves names alone', () => {
    expect(mirrorWords('In the source: the target table "the source" has 3 missing rows of source.csv')).toBe(
      'In the target: the source table "the source" has 3 extra rows of source.csv',
    )
  })

  it('refuses files on both sides', async () => {
    await expect(compared(`csv:${folder.path}/none.csv`, `csv:${folder.path}/none.csv`)).rejects.toMatchObject({ code: 'BAD_INPUT' })
  })
})
