import fc from 'fast-check'
import type { PlainTable } from './recon-brute-force.ts'

/** Values of each type as SQL literals, chosen to fool a comparison. */
export const NASTY: Readonly<Record<string, readonly string[]>> = {
  smallint: ['0', '-1', '32767', '-32768', '7'],
  integer: ['0', '1', '-1', '2147483647', '-2147483648', '42'],
  bigint: [
    '0',
    '9007199254740993',
    '9007199254740992',
    '-9223372036854775808',
    '9223372036854775807',
    '123456789012345678',
    '123456789012345679',
  ],
  numeric: [
    '0',
    '0.71',
    '.710',
    '1',
    '1.00',
    '-0.0',
    '1e20',
    '100000000000000000000',
    "'NaN'",
    "'Infinity'",
    "'-Infinity'",
    '0.00000000000000000001',
    '-12345.6789',
    '10000',
    '0.0001',
  ],
  'numeric(12,2)': ['0', '0.71', '-0.01', '9999999999.99', '10000', "'NaN'"],
  real: ['0', "'-0'", '0.1', '16777216', '16777217', "'NaN'", "'Infinity'", '1e-45', '3.4e38'],
  'double precision': ['0', "'-0'", '0.1', '0.30000000000000004', '0.3', "'NaN'", "'-Infinity'", '5e-324', '1e22'],
  boolean: ['true', 'false'],
  text: [
    "''",
    "'NULL'",
    "'a|b'",
    "'c'",
    "'a'",
    "'b|c'",
    "'A'",
    "'é'",
    "'e\u0301'",
    "'a '",
    "'a'",
    "E'a\\n'",
    "E'a\\t'",
    "'co-op'",
    "'coop'",
    "'日本'",
    "'😀'",
    "E'\\\\N'",
  ],
  'character varying(10)': ["''", "'x'", "'x '", "'NULL'"],
  'character(5)': ["''", "'x'", "'x  '", "'xxxxx'"],
  bytea: ["''", "'\\x00'", "'\\x0000'", "'\\xff64'", "'\\x6400000007'"],
  date: ["'2000-01-01'", "'1999-12-31'", "'0044-03-15 BC'", "'infinity'", "'-infinity'", "'5874897-12-31'", "'1970-01-01'", "'2024-02-29'"],
  'timestamp without time zone': [
    "'2000-01-01 00:00:00'",
    "'1999-12-31 23:59:59.999999'",
    "'1999-12-31 23:59:59.999'",
    "'infinity'",
    "'0001-01-01 00:00:00 BC'",
    "'2024-03-31 02:30:00.000001'",
  ],
  'timestamp with time zone': [
    "'2000-01-01 00:00:00+00'",
    "'2000-01-01 00:00:00+05:30'",
    "'-infinity'",
    "'1901-02-03 04:05:06.7+00'",
    "'2024-10-27 01:30:00+02'",
    "'2024-10-27 01:30:00+01'",
  ],
  'time without time zone': ["'00:00'", "'24:00'", "'23:59:59.999999'", "'12:00:00.5'"],
  interval: [
    "'0'",
    "'1 mon'",
    "'30 days'",
    "'24 hours'",
    "'1 day'",
    "'-1 year 3 days -04:05:06.7'",
    "'1 year'",
    "'12 mons'",
    "'-0.000001 s'",
  ],
  uuid: ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'", "'123e4567-e89b-12d3-a456-426614174000'"],
  jsonb: [`'1.0'`, `'1'`, `'{"a":1,"b":[null,1e30]}'`, `'{"b":[null,1e30],"a":1}'`, `'"x"'`, `'123456789012345678901234567890'`],
  json: [`'{"a": 1}'`, `'{"a":1}'`],
  inet: ["'10.0.0.1'", "'10.0.0.1/24'", "'::1'"],
  'integer[]': ["'{}'", "'{1,NULL}'", "'{{1,2},{3,4}}'", "'[2:3]={1,2}'", "'{1,2}'"],
  'text[]': [`'{"NULL",NULL}'`, `'{NULL,NULL}'`, `'{"a,b"}'`, `'{a,b}'`],
  int4range: ["'empty'", "'[1,5)'", "'[1,)'"],
  mood: ["'happy'", "'sad'"],
  posint: ['1', '2'],
}

/** Types whose keys are drawn for ordered tables, and some that are not ordered here. */
const KEY_TYPES = [
  'integer',
  'bigint',
  'smallint',
  'numeric',
  'text',
  'uuid',
  'date',
  'timestamp without time zone',
  'bytea',
  'character(5)',
  'double precision',
  'interval',
  'mood',
]

export type RandomTable = PlainTable & {
  source: readonly (readonly string[])[]
  target: readonly (readonly string[])[]
  /** Whether the key is declared on both sides, so that key order can be used. */
  declared: boolean
  collate: boolean
  segments: number
  mode: 'ordered' | 'bucketed'
}

const pick = <T>(values: readonly T[]) => fc.constantFrom(...values)

const columnsOf = fc.record({
  keyTypes: fc.array(pick(KEY_TYPES), { maxLength: 2 }),
  types: fc.array(pick(Object.keys(NASTY)), { minLength: 1, maxLength: 4 }),
})

export const randomTable: fc.Arbitrary<Omit<RandomTable, 'name'>> = columnsOf.chain(({ keyTypes, types }) => {
  const columns = [...types.map((type, i) => ({ name: `c${i}`, type })), ...keyTypes.map((type, i) => ({ name: `k${i}`, type }))]
  const key = keyTypes.map((_, i) => `k${i}`)
  const cell = (type: string, nullable: boolean) => {
    const values = NASTY[type]!
    const nasty = pick(nullable ? [...values, 'NULL'] : values)
    if (nullable) return nasty
    // Keys need more different values than the list of nasty ones.
    const many = fc.integer({ min: -300, max: 300 })
    if (['integer', 'bigint', 'smallint', 'numeric'].includes(type)) return fc.oneof(nasty, many.map(String))
    if (type === 'text')
      return fc.oneof(
        nasty,
        many.map((n) => `'k${n}'`),
      )
    if (type === 'date')
      return fc.oneof(
        nasty,
        many.map((n) => `date '2000-01-01' + ${n}`),
      )
    return nasty
  }
  const row = fc.tuple(...columns.map((column, i) => cell(column.type, i < types.length)))
  const mutation = fc.oneof(
    fc.record({ what: fc.constant('delete' as const), at: fc.nat() }),
    fc.record({ what: fc.constant('duplicate' as const), at: fc.nat() }),
    fc.record({ what: fc.constant('insert' as const), row }),
    fc.record({ what: fc.constant('cell' as const), at: fc.nat(), column: fc.nat(columns.length - 1), row }),
  )
  return fc
    .record({
      rows: fc.array(row, { maxLength: 40, size: 'max' }),
      copies: fc.array(fc.nat(), { maxLength: 5 }),
      mutations: fc.array(mutation, { maxLength: 3 }),
      declared: fc.boolean(),
      collate: fc.boolean(),
      segments: fc.integer({ min: 1, max: 9 }),
      mode: pick(['ordered', 'bucketed'] as const),
    })
    .map(({ rows, copies, mutations, ...rest }) => {
      const source: string[][] = rows.map((one) => [...one])
      for (const at of copies) if (source.length > 0) source.push([...source[at % source.length]!])
      const target = source.map((one) => [...one])
      for (const change of mutations) {
        if (change.what === 'insert') target.push([...change.row])
        else if (target.length === 0) continue
        else if (change.what === 'delete') target.splice(change.at % target.length, 1)
        else if (change.what === 'duplicate') target.push([...target[change.at % target.length]!])
        else target[change.at % target.length]![change.column] = change.row[change.column]!
      }
      return { columns, key, source, target: target.toReversed(), ...rest }
    })
})

/** DDL and rows of one side. With a declared key, rows whose key the server has already are left out by the server itself. */
export function tableSql(table: RandomTable, side: 'source' | 'target'): string {
  const keyed = table.declared && table.key.length > 0
  const columns = table.columns.map(({ name, type }) => `"${name}" ${type}${table.collate && type === 'text' ? ' COLLATE "C"' : ''}`)
  const rows = table[side].map((row) => `(${row.map((value, i) => `(${value})::${table.columns[i]!.type}`).join(', ')})`)
  return [
    `CREATE TABLE public."${table.name}" (${columns.join(', ')}${keyed ? `, PRIMARY KEY (${table.key.map((name) => `"${name}"`).join(', ')})` : ''})`,
    ...(rows.length === 0 ? [] : [`INSERT INTO public."${table.name}" VALUES ${rows.join(', ')}${keyed ? ' ON CONFLICT DO NOTHING' : ''}`]),
  ].join('; ')
}
