import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../support/postgres.ts'
import { compared, exportTable, type Format } from './exporting.ts'
import { type SourceFolder, sourceFolder } from './source-folder.ts'

const TABLES_AT_ONCE = 25
const RUNS = Number(process.env.WAYBILL_PROPERTY_RUNS ?? 4)

let database: FreshDatabase
let client: pg.Client
beforeAll(async () => {
  database = await freshDatabase()
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
})
afterAll(async () => {
  await client?.end()
  await database?.drop()
})

const digits = (length: number) => fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: length })
const two = (max: number) => fc.integer({ min: 0, max }).map((n) => String(n).padStart(2, '0'))
const date = fc.oneof(
  fc.constantFrom('infinity', '-infinity', '0044-03-15 BC', '12026-01-01', '1900-02-28', '2000-02-29'),
  fc.date({ min: new Date('1000-01-01'), max: new Date('9998-12-31'), noInvalidDate: true }).map((day) => day.toISOString().slice(0, 10)),
)
const clock = fc
  .tuple(two(23), two(59), two(59), fc.constantFrom('', '.5', '.000001', '.999999', '.120000'))
  .map(([h, m, s, f]) => `${h}:${m}:${s}${f}`)
const moment = (zone: string) =>
  fc
    .tuple(date, clock)
    .map(([day, time]) =>
      day.includes('inf') ? day : day.endsWith(' BC') ? `${day.slice(0, -3)} ${time}${zone} BC` : `${day} ${time}${zone}`,
    )
const words = fc.oneof(
  fc.constantFrom(
    '',
    'NULL',
    '\\N',
    'a,b',
    '"',
    '""',
    "it's",
    ' x ',
    'x\r\ny',
    '\n',
    '\t',
    '007',
    'é',
    'e\u0301',
    '😀',
    'null',
    '\\',
    '{}',
    '-0',
  ),
  fc.string({ unit: fc.constantFrom(...'ab,"\n\\\r é'), maxLength: 6 }),
)
const json: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '1.50',
    '1',
    '-1e5',
    '1.5e-3',
    '123456789012345678901234567890.1',
    '"1"',
    'true',
    '[]',
    '{}',
    '{"bb": 1, "a": [1.0, {"x": null}], "é": "\\u00e9\\n"}',
  ),
  fc
    .jsonValue({ noUnicodeString: true })
    .map((value) => JSON.stringify(value ?? 0).replaceAll('\\u0000', ''))
    .filter((text) => text !== 'null'),
)

/** Text of values that PostgreSQL reads, by type. */
const VALUES: Readonly<Record<string, fc.Arbitrary<string>>> = {
  smallint: fc.integer({ min: -32768, max: 32767 }).map(String),
  integer: fc.integer().map(String),
  bigint: fc.oneof(
    fc.constantFrom('9007199254740993', '-9223372036854775808'),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  ),
  'numeric(12,3)': fc.tuple(fc.constantFrom('', '-'), digits(9), digits(3)).map(([sign, whole, fraction]) => `${sign}${whole}.${fraction}`),
  'numeric(38,10)': fc
    .tuple(fc.constantFrom('', '-'), digits(28), digits(10))
    .map(([sign, whole, fraction]) => `${sign}${whole}.${fraction}`),
  numeric: fc.oneof(
    fc.constantFrom('NaN', '1e100', '0.00', '1.10', '1e-30'),
    fc.tuple(digits(50), digits(50)).map((parts) => parts.join('.')),
  ),
  real: fc.oneof(
    fc.constantFrom('NaN', 'Infinity', '-Infinity', '-0', '1e-45', '3.4028235e38', '0.1'),
    fc.float({ noNaN: true }).map(String),
  ),
  'double precision': fc.oneof(
    fc.constantFrom('NaN', 'Infinity', '-Infinity', '-0', '5e-324', '0.1', '9007199254740993'),
    fc.double({ noNaN: true }).map(String),
  ),
  boolean: fc.constantFrom('true', 'false'),
  text: words,
  'character varying(20)': words,
  'character(5)': words.filter((word) => [...word].length <= 5),
  bytea: fc.uint8Array({ maxLength: 5 }).map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`),
  date,
  'time without time zone': clock,
  'timestamp without time zone': moment(''),
  'timestamp with time zone': moment('+00'),
  interval: fc
    .tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: -40, max: 40 }), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }))
    .map(([months, days, micros]) => `${months} mons ${days} days ${micros} microseconds`),
  uuid: fc.uuid(),
  jsonb: json,
}

type Table = { name: string; columns: { name: string; type: string }[]; rows: (string | null)[][]; change: Change }
type Change = { kind: 'none' | 'cell' | 'delete' | 'double'; row: number; column: number; value: string | null }

const cell = (type: string) => fc.option(VALUES[type]!, { freq: 6 })
const table: fc.Arbitrary<Table> = fc.array(fc.constantFrom(...Object.keys(VALUES)), { minLength: 1, maxLength: 5 }).chain((types) =>
  fc.record({
    name: fc.constant(''),
    columns: fc.constant(types.map((type, i) => ({ name: `c${i}`, type }))),
    rows: fc.array(fc.tuple(...types.map(cell)), { minLength: 1, maxLength: 6 }),
    change: fc
      .record({
        kind: fc.constantFrom('none' as const, 'cell' as const, 'cell' as const, 'delete' as const, 'double' as const),
        row: fc.nat(),
        column: fc.nat({ max: types.length - 1 }),
      })
      .chain((change) => cell(types[change.column]!).map((value) => ({ ...change, value }))),
  }),
)

const literal = (text: string | null) => (text === null ? 'NULL' : `'${text.replaceAll("'", "''")}'`)
const values = (own: Table) =>
  own.rows.map((row) => `(${row.map((value, i) => `${literal(value)}::${own.columns[i]!.type}`).join(', ')})`).join(', ')

/** Every row as text that is equal exactly where the row is: floats by their bits, everything else as PostgreSQL prints it. */
async function rowsOf(own: Table): Promise<string[]> {
  const list = own.columns.map(({ name, type }) =>
    type === 'numeric' ? `trim_scale(${name})::text` : type.startsWith('character(') ? `${name}::text` : `${name}::text`,
  )
  const { rows } = await client.query<(string | null)[]>({ text: `SELECT ${list.join(', ')} FROM public."${own.name}"`, rowMode: 'array' })
  return rows.map((row) => JSON.stringify(row)).sort()
}

function surplus(a: readonly string[], b: readonly string[]): number {
  const left = [...b]
  let only = 0
  for (const row of a) {
    const at = left.indexOf(row)
    if (at === -1) only++
    else left.splice(at, 1)
  }
  return only
}

async function change(own: Table): Promise<void> {
  const { kind, value } = own.change
  const row = `ctid = (SELECT ctid FROM public."${own.name}" ORDER BY ctid OFFSET ${own.change.row % own.rows.length} LIMIT 1)`
  const column = own.columns[own.change.column]!
  if (kind === 'cell') await client.query(`UPDATE public."${own.name}" SET ${column.name} = ${literal(value)}::${column.type} WHERE ${row}`)
  if (kind === 'delete') await client.query(`DELETE FROM public."${own.name}" WHERE ${row}`)
  if (kind === 'double') await client.query(`INSERT INTO public."${own.name}" SELECT * FROM public."${own.name}" WHERE ${row}`)
}

/** Text that PostgreSQL's type has to read, and decimals without a scale, are in files of text only, or text in Parquet too. */
function hasNativeForm(format: Format, type: string): boolean {
  const words = type.startsWith('character') || type === 'text' || type === 'jsonb'
  return words || (format === 'parquet' && type !== 'numeric' && type !== 'interval')
}

async function holds(format: Format, filesFirst: boolean, zone: string, tables: readonly Table[]): Promise<void> {
  await client.query(`DROP SCHEMA public CASCADE; CREATE SCHEMA public`)
  // As text and CSV the zone of the session shows in instants, and must not matter.
  await client.query(`SET TimeZone = '${zone}'; SET IntervalStyle = 'postgres'; SET DateStyle = 'ISO, YMD'; SET extra_float_digits = 1`)
  const folder: SourceFolder = await sourceFolder()
  try {
    const expected = new Map<string, { missing: number; extra: number }>()
    for (const own of tables) {
      await client.query(`CREATE TABLE public."${own.name}" (${own.columns.map(({ name, type }) => `${name} ${type}`).join(', ')})`)
      await client.query(`INSERT INTO public."${own.name}" VALUES ${values(own)}`)
      await exportTable(client, folder, format, own)
      const before = await rowsOf(own)
      await change(own)
      const after = await rowsOf(own)
      const [file, server] = [surplus(before, after), surplus(after, before)]
      expected.set(own.name, filesFirst ? { missing: file, extra: server } : { missing: server, extra: file })
    }
    const files = `${format}:${folder.path}`
    const { comparison } = await (filesFirst ? compared(files, database.url) : compared(database.url, files))
    expect(comparison.tables).toHaveLength(tables.length)
    expect(comparison.problems).toEqual([])
    for (const result of comparison.tables) {
      const object = filesFirst ? result.target_object : result.source_object
      const own = tables.find((one) => `public.${one.name}` === object)!
      const wanted = expected.get(own.name)!
      const label = JSON.stringify({ format, filesFirst, zone, own, reasons: result.reasons })
      const equal = wanted.missing + wanted.extra === 0
      expect(result.encoding, label).toBe(own.columns.every(({ type }) => hasNativeForm(format, type)) ? 'native' : 'canonical')
      expect([result.missing, result.extra], label).toEqual([String(wanted.missing), String(wanted.extra)])
      expect(result.source_root === result.target_root, label).toBe(equal)
      expect(result.verdict, label).toBe(equal ? 'pass' : 'fail')
    }
  } finally {
    await folder.remove()
  }
}

it('gives equal digests for equal rows and finds every changed one, in files that others wrote', { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<Format>('parquet', 'csv', 'json'),
      fc.boolean(),
      fc.constantFrom('UTC', 'UTC', 'Asia/Kolkata', 'America/St_Johns'),
      fc.array(table, { minLength: TABLES_AT_ONCE, maxLength: TABLES_AT_ONCE }),
      (format, filesFirst, zone, tables) =>
        holds(
          format,
          filesFirst,
          zone,
          tables.map((own, i) => ({ ...own, name: `t${i}` })),
        ),
    ),
    { numRuns: RUNS, endOnFailure: true },
  )
})
