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
    '1000000000000000000',
    '2000000000000000000',
    '-1000000000000000000',
    '-1000000000000000001',
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

/** Types whose keys are drawn; some of them have no order that both sides and Waybill agree on. */
const KEY_TYPES = [
  'integer',
  'bigint',
  'bigint',
  'smallint',
  'numeric',
  'text',
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

/** Types of keys whose order is one on both sides. */
const ORDERED_KEY_TYPES = ['integer', 'bigint', 'smallint', 'numeric', 'text', 'uuid', 'date', 'timestamp without time zone', 'bytea']

/** Types by which a table may be divided. */
const HASHABLE = ['integer', 'bigint', 'smallint', 'numeric', 'text', 'uuid', 'date', 'bytea', 'boolean']

export type Kind = 'plain' | 'partitioned' | 'inherited' | 'view' | 'materialized'

export type RandomTable = PlainTable & {
  source: readonly (readonly string[])[]
  target: readonly (readonly string[])[]
  /** What both sides declare of the key: only with `primary` may key order be used; a key that is only `unique` may hold NULL. */
  declared: 'primary' | 'unique' | 'none'
  collation: { source: string; target: string }
  kind: { source: Kind; target: Kind }
  segments: number
  mode: 'ordered' | 'bucketed'
}

const pick = <T>(values: readonly T[]) => fc.constantFrom(...values)

/** Half of all tables can be compared in key order; the others are anything. */
const shapeOf = fc.boolean().chain((orderable) =>
  fc.record({
    orderable: fc.constant(orderable),
    keyTypes: fc.array(pick(orderable ? ORDERED_KEY_TYPES : KEY_TYPES), { minLength: orderable ? 1 : 0, maxLength: 2 }),
    types: fc.array(pick(Object.keys(NASTY)), { minLength: 1, maxLength: 4 }),
    declared: orderable ? fc.constant('primary' as const) : pick(['primary', 'unique', 'unique', 'none'] as const),
  }),
)

/** The collation of every text column of one side; the empty one is the database's own, which is ICU's. */
const COLLATIONS = ['', ' COLLATE "C"', ' COLLATE "C"', ' COLLATE "en-US-x-icu"', ' COLLATE "ucs_basic"']

const KINDS: readonly Kind[] = ['plain', 'plain', 'plain', 'plain', 'partitioned', 'inherited', 'view', 'materialized']

export const randomTable: fc.Arbitrary<Omit<RandomTable, 'name'>> = shapeOf.chain(({ orderable, keyTypes, types, declared }) => {
  const columns = [...types.map((type, i) => ({ name: `c${i}`, type })), ...keyTypes.map((type, i) => ({ name: `k${i}`, type }))]
  const key = keyTypes.map((_, i) => `k${i}`)
  const cell = (type: string, isKey: boolean) => {
    const nasty = pick(!isKey || declared !== 'primary' ? [...NASTY[type]!, 'NULL'] : NASTY[type]!)
    if (!isKey) return nasty
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
  const row = fc.tuple(...columns.map((column, i) => cell(column.type, i >= types.length)))
  const mutation = fc.oneof(
    fc.record({ what: fc.constant('delete' as const), at: fc.nat() }),
    fc.record({ what: fc.constant('duplicate' as const), at: fc.nat(), times: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ what: fc.constant('insert' as const), row }),
    fc.record({ what: fc.constant('cell' as const), at: fc.nat(), column: fc.nat(columns.length - 1), row }),
  )
  const collation = orderable ? fc.constant(' COLLATE "C"') : pick(COLLATIONS)
  const kinds = pick<Kind>(orderable ? ['plain', 'plain', 'partitioned'] : KINDS)
  return fc
    .record({
      rows: fc.array(row, { maxLength: 40, size: 'max' }),
      copies: fc.array(fc.record({ at: fc.nat(), times: fc.constantFrom(1, 1, 2, 30) }), { maxLength: 5 }),
      mutations: fc.array(mutation, { maxLength: 3 }),
      collation: fc.oneof(
        collation.map((both) => ({ source: both, target: both })),
        fc.record({ source: collation, target: collation }),
      ),
      kind: fc.oneof(
        kinds.map((both) => ({ source: both, target: both })),
        fc.record({ source: kinds, target: kinds }),
      ),
      segments: fc.integer({ min: 1, max: 9 }),
      mode: pick(['ordered', 'ordered', 'ordered', 'bucketed'] as const),
    })
    .map(({ rows, copies, mutations, ...rest }) => {
      const source: string[][] = rows.map((one) => [...one])
      for (const { at, times } of copies) for (let i = 0; i < times && rows.length > 0; i++) source.push([...rows[at % rows.length]!])
      const target = source.map((one) => [...one])
      for (const change of mutations) {
        if (change.what === 'insert') target.push([...change.row])
        else if (target.length === 0) continue
        else if (change.what === 'delete') target.splice(change.at % target.length, 1)
        else if (change.what === 'duplicate') for (let i = 0; i < change.times; i++) target.push([...target[change.at % target.length]!])
        else target[change.at % target.length]![change.column] = change.row[change.column]!
      }
      return { columns, key, declared, source, target: target.toReversed(), ...rest }
    })
})

/**
 * DDL and rows of one side. With a declared key, rows whose key the server has already are left out by the server itself. What a kind cannot
 * be made of is a plain table.
 */
export function tableSql(table: RandomTable, side: 'source' | 'target'): string {
  const keyed = table.declared !== 'none' && table.key.length > 0
  const kind = table.kind[side]
  const [first] = table.columns.filter(({ name, type }) => (keyed ? name === 'k0' : true) && HASHABLE.includes(type))
  const partitioned = kind === 'partitioned' && first !== undefined
  const relation = `public."${table.name}"`
  const below = kind === 'view' || kind === 'materialized' ? `public."${table.name} below"` : relation
  const columns = table.columns.map(({ name, type }) => `"${name}" ${type}${type === 'text' ? table.collation[side] : ''}`)
  const keyClause = keyed
    ? `, ${table.declared === 'primary' ? 'PRIMARY KEY' : 'UNIQUE'} (${table.key.map((name) => `"${name}"`).join(', ')})`
    : ''
  const conflict = keyed ? ' ON CONFLICT DO NOTHING' : ''
  const rows = table[side].map((row) => `(${row.map((value, i) => `(${value})::${table.columns[i]!.type}`).join(', ')})`)
  const insert = (into: string, some: readonly string[]) =>
    some.length === 0 ? [] : [`INSERT INTO ${into} VALUES ${some.join(', ')}${conflict}`]
  const statements = [
    `CREATE TABLE ${below} (${columns.join(', ')}${keyClause})${partitioned ? ` PARTITION BY HASH ("${first.name}")` : ''}`,
  ]
  if (partitioned) {
    for (const part of [0, 1, 2])
      statements.push(
        `CREATE TABLE public."${table.name} part ${part}" PARTITION OF ${relation} FOR VALUES WITH (MODULUS 3, REMAINDER ${part})`,
      )
  }
  if (kind === 'inherited') {
    const child = `public."${table.name} child"`
    statements.push(`CREATE TABLE ${child} () INHERITS (${relation})`)
    const half = rows.length >> 1
    statements.push(...insert(relation, rows.slice(0, half)), ...insert(child, rows.slice(half)))
  } else statements.push(...insert(below, rows))
  if (kind === 'view') statements.push(`CREATE VIEW ${relation} AS SELECT * FROM ${below}`)
  if (kind === 'materialized') statements.push(`CREATE MATERIALIZED VIEW ${relation} AS SELECT * FROM ${below}`)
  return statements.join('; ')
}
