import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asker } from '../../../layers/connectors/postgres/ask.ts'
import { BUILTIN_TYPES } from '../../../layers/connectors/postgres/builtin-types.ts'
import { readCatalog } from '../../../layers/connectors/postgres/catalog.ts'
import { copyOut } from '../../../layers/connectors/postgres/copy-stream.ts'
import { fieldTypes } from '../../../layers/connectors/postgres/field-types.ts'
import { type FieldType, nativeColumn, type RowColumn } from '../../../layers/connectors/postgres/row-column.ts'
import { valueText } from '../../../layers/connectors/postgres/row-value.ts'
import { openSession, READ_SNAPSHOT, type Session } from '../../../layers/connectors/postgres/session.ts'
import { readForms } from '../../../layers/connectors/postgres/text-form.ts'
import { tsqueryText } from '../../../layers/connectors/postgres/tsquery-text.ts'
import { tableRepair } from '../../../layers/core/comparison-repair/statements.ts'
import { sha256 } from '../../../layers/core/digest.ts'
import { decodeFrame, encodeFrame } from '../../../layers/core/encoding/row-frame.ts'
import { quoteLiteral } from '../../../layers/core/sql-text.ts'
import { type FreshDatabase, freshDatabase, runSql, serverUrl } from '../../support/postgres.ts'
import { mappingOf, type Pair, reconcile } from './recon-fixture.ts'

type Vector = { type: string; sql: string; bytes: string; text: string; sha256: string }
const golden = JSON.parse(readFileSync(new URL('../../core/encoding/native.golden.json', import.meta.url), 'utf8')) as {
  setup: string[]
  vectors: Vector[]
}
const byType = Map.groupBy(golden.vectors, (vector) => vector.type)

let database: FreshDatabase
let session: Session
let pair: Pair
beforeAll(async () => {
  database = await freshDatabase()
  session = await openSession(database.url, { readOnly: false, connectTimeoutMs: 5000, statementTimeoutMs: 0 })
  for (const sql of golden.setup) await session.run(sql)
  pair = { source: await freshDatabase(), target: await freshDatabase() }
})
afterAll(async () => {
  await session.close()
  for (const one of [database, pair.source, pair.target]) await one.drop()
})

describe('every built-in type', () => {
  /** Base types of the server that are no arrays, as it numbers and prints them. */
  const SCALARS = `
SELECT t.oid::text, format_type(t.oid, NULL) FROM pg_type t
 WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype = 'b'
   AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid) ORDER BY t.oid`

  it('has its place in the written table, and the table has no other', async () => {
    const server = (await session.rows(SCALARS)).map(([oid, name]) => `${oid} ${name}`)
    const written = [...BUILTIN_TYPES].sort(([a], [b]) => a - b).map(([oid, type]) => `${oid} ${type.name}`)
    expect(written).toEqual(server)
  })

  it('that is refused is refused alone, within an array and at the top', async () => {
    const types = await session.rows(
      `SELECT oid::text, format_type(oid, NULL), typarray::text FROM pg_type
        WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm') AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = pg_type.oid) ORDER BY pg_type.oid`,
    )
    const refused: string[] = []
    for (const [oid, name] of types) {
      const form = (await readForms(session, [Number(oid)], false)).get(Number(oid))!
      const field = { oid: Number(oid), modifier: -1, name: name!, sql: 'v', ...(BUILTIN_TYPES.has(Number(oid)) ? {} : { form }) }
      if (thrown(() => nativeColumn('v', field, field)) !== null) refused.push(name!)
    }
    expect(refused).toEqual([
      'regproc',
      'pg_node_tree',
      'aclitem',
      'regoper',
      'pg_ndistinct',
      'pg_dependencies',
      'gtsvector',
      'pg_brin_bloom_summary',
      'pg_brin_minmax_multi_summary',
      'pg_mcv_list',
    ])
    const arrays = types.filter(([, , array]) => array !== '0').map(([, name, array]) => [name, Number(array)] as const)
    const forms = await readForms(
      session,
      arrays.map(([, array]) => array),
      false,
    )
    expect(arrays.filter(([, array]) => forms.get(array)!.kind !== 'exact').map(([name]) => name)).toEqual([
      'regproc',
      'aclitem',
      'regoper',
      'tsquery',
      'gtsvector',
    ])
  })

  it('that is not refused has a golden vector', async () => {
    const server = await session.rows(
      `SELECT format_type(oid, NULL) FROM pg_type
        WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm') AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = pg_type.oid)`,
    )
    const refused = new Set([...BUILTIN_TYPES.values()].filter((type) => type.travels === 'refused').map((type) => type.name))
    const covered = new Set([...byType.keys()].map((type) => type.replace(/\([0-9,-]+\)/, '')))
    const without = server.map(([name]) => name!).filter((name) => !covered.has(name) && !refused.has(name))
    expect(without).toEqual([])
  })
})

/** The golden values of one type in a table of their own, and how their column is encoded. */
async function tableOf(type: string, vectors: readonly Vector[], name: string): Promise<RowColumn> {
  await session.run(`CREATE TABLE public."${name}" (n integer PRIMARY KEY, v ${type})`)
  const rows = vectors.map(({ sql }, n) => `(${n}, (${sql})::${type})`).join(', ')
  await session.run(`INSERT INTO public."${name}" VALUES ${rows}`)
  const [field] = await fieldTypes(session, ['"v"'], `public."${name}"`, 'source')
  return nativeColumn('v', { ...field!, sql: 'v' }, { ...field!, sql: 'v' })
}

async function sent(sql: string): Promise<Buffer[]> {
  const values: Buffer[] = []
  for await (const chunk of copyOut(session, sql, 'testing').chunks) {
    const bytes = Buffer.from(chunk)
    for (let at = 0; at < bytes.byteLength; ) {
      const end = at + 1 + bytes.readInt32BE(at + 1)
      values.push(Buffer.from(decodeFrame(bytes.subarray(at, end))[0]!))
      at = end
    }
  }
  return values
}

describe('golden vectors', () => {
  it.each([...byType])('%s', async (type, vectors) => {
    const name = `golden ${type.replaceAll('"', '')}`
    const column = await tableOf(type, vectors, name)
    const got = (await sent(`SELECT ${column.source} FROM public."${name}" ORDER BY n`)).map((bytes, n) => ({
      type,
      sql: vectors[n]!.sql,
      bytes: bytes.toString('hex'),
      text: valueText(column.wire, bytes),
      sha256: sha256(encodeFrame([bytes])),
    }))
    expect(got).toEqual(vectors)
    // What a report shows reads back as the value: by the bytes it is sent as.
    const literals = got.map(({ text }, n) => `(${n}, '${text.replaceAll("'", "''")}'::${type})`)
    const back = await sent(`SELECT ${column.source} FROM (VALUES ${literals.join(', ')}) AS w(n, v) ORDER BY n`)
    expect(back.map((bytes) => bytes.toString('hex'))).toEqual(vectors.map(({ bytes }) => bytes))
  })

  it('have one digest, streamed or pushed down', async () => {
    const types = [...byType]
    const rows = Math.max(...types.map(([, vectors]) => vectors.length)) + 1
    const columns = types.map(([type], i) => `c${i} ${type}`)
    await session.run(`CREATE TABLE public.everything (n integer PRIMARY KEY, ${columns.join(', ')})`)
    for (let n = 0; n < rows; n++) {
      // A shorter list is continued by NULL.
      const values = types.map(([type, vectors]) => (vectors[n] === undefined ? 'NULL' : `(${vectors[n]!.sql})::${type}`))
      await session.run(`INSERT INTO public.everything VALUES (${n}, ${values.join(', ')})`)
    }
    const named = Object.fromEntries(types.map((_, i) => [`c${i}`, 'text']))
    const mapping = mappingOf('everything', { n: 'integer', ...named }, { key: ['n'] })
    const itself = { source: database, target: database }
    const streamed = await reconcile(itself, mapping, {}, { method: 'stream' })
    const pushed = await reconcile(itself, mapping, {}, { method: 'push-down' })
    expect([streamed.result.method, pushed.result.method]).toEqual(['stream', 'push-down'])
    expect([rowsOf(streamed).rows, rowsOf(pushed).rows, streamed.result.source_rows]).toEqual(['equal', 'equal', String(rows)])
    expect(pushed.result.source_root).toBe(streamed.result.source_root)
  })

  it('that have one text for two values have one digest, and no two values of a type else', () => {
    const alike: string[] = []
    for (const [type, vectors] of byType) {
      for (const group of Map.groupBy(vectors, (vector) => vector.bytes).values()) {
        if (group.length > 1) alike.push(`${type}: ${group.map(({ sql }) => sql).join(' = ')}`)
      }
    }
    expect(alike).toEqual([
      "numeric: 0 = '-0.0'",
      'numeric: 0.71 = .710',
      'numeric: 1 = 1.00',
      'numeric: 1e20 = 100000000000000000000',
      "timestamp with time zone: '2000-01-01+00' = '2000-01-01 05:30+05:30'",
      `xml: '<a/>' = '<?xml version="1.0" encoding="UTF-8"?><a/>'`,
      "int4range: '[1,5]' = '[1,6)'",
    ])
  })
})

/** How a value of each kind is made of two drawn texts and a drawn number, as SQL. */
const MADE: Readonly<Record<string, (a: string, b: string, n: string) => string>> = {
  'text[]': (a, b) => `ARRAY[${a}, NULL, ${b}]::text[]`,
  'text[][]': (a, b) => `ARRAY[ARRAY[${a}], ARRAY[${b}]]::text[]`,
  'drawn.two': (a, b, n) => `ROW(${a}, ARRAY[${b}]::text[], ${n})::drawn.two`,
  'drawn.two[]': (a, b, n) => `ARRAY[ROW(${a}, NULL, NULL)::drawn.two, ROW(NULL, ARRAY[${b}]::text[], ${n})::drawn.two]`,
  'drawn.deep': (a, b, n) => `ROW(ROW(${a}, '{}', ${n})::drawn.two, drawn.hstore(${b}, ${a}))::drawn.deep`,
  'drawn.hstore': (a, b) => `drawn.hstore(ARRAY[${a}, 'x' || ${b}], ARRAY[${b}, NULL])`,
  'drawn.words': (a, b) => `drawn.words(LEAST(${a} COLLATE "C", ${b}), GREATEST(${a} COLLATE "C", ${b}), '[]')`,
  'drawn.many_words': (a, b) => `drawn.many_words(drawn.words(LEAST(${a} COLLATE "C", ${b}), GREATEST(${a} COLLATE "C", ${b}), '[)'))`,
  tsvector: (a, b) => `array_to_tsvector(ARRAY['a' || ${a}, 'b' || ${b}])`,
  'jsonb[]': (a, b, n) => `ARRAY[to_jsonb(${a}), jsonb_build_object(${b}, ${n})]`,
  'double precision[]': (_a, _b, n) => `ARRAY[${n}, 0]::float8[]`,
  point: (_a, _b, n) => `point(${n}, 1)`,
  tsquery: (a, b) => `(${lexeme(a)} || ' & ' || ${lexeme(b)})::tsquery`,
}

/** A word of a tsquery in quotes, whose backslashes and quotes are doubled. */
const lexeme = (word: string) => `'''w' || replace(replace(${word}, E'\\\\', E'\\\\\\\\'), '''', '''''') || ''''`

describe('drawn values', () => {
  beforeAll(async () => {
    for (const sql of [
      'CREATE SCHEMA drawn',
      'CREATE EXTENSION hstore SCHEMA drawn',
      'CREATE TYPE drawn.two AS (t text, "u v" text[], f float8)',
      'CREATE TYPE drawn.deep AS (two drawn.two, h drawn.hstore)',
      'CREATE TYPE drawn.words AS RANGE (subtype = text, collation = "C", multirange_type_name = drawn.many_words)',
    ])
      await runSql(pair.source.url, sql)
  })
  /** Few letters, most of them with a meaning in some printed form, so that two texts are often nearly or quite the same. */
  const word = fc.array(fc.constantFrom(...`"",\\\\(){}[] =>':NULLnull0é\n`), { maxLength: 4 }).map((letters) => letters.join(''))
  const number = fc.oneof(fc.double({ noNaN: false }), fc.constantFrom(0, -0, 0.1, Number.NaN))
  const value = fc.tuple(word, word, number)

  it.each(Object.keys(MADE))('of %s have one encoding exactly when the server holds the same bytes', { timeout: 60_000 }, async (type) => {
    const own = await openSession(pair.source.url, { readOnly: false, connectTimeoutMs: 5000, statementTimeoutMs: 0 })
    try {
      const name = `public."drawn ${type}"`
      await own.run(`CREATE TABLE ${name} (a ${type}, b ${type})`)
      const [field] = await fieldTypes(own, ['"a"'], name, 'source')
      const encoded = (sql: string) => nativeColumn('v', { ...field!, sql }, { ...field!, sql }).source
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(value, value), { minLength: 40, maxLength: 40 }), async (drawn) => {
          const sql = ([a, b, n]: readonly [string, string, number]) =>
            MADE[type]!(`${quoteLiteral(a)}::text`, `${quoteLiteral(b)}::text`, `'${Object.is(n, -0) ? '-0' : n}'::float8`)
          // Half of them differ in one part only.
          const rows = drawn.map(([a, b], i) => `(${sql(a)}, ${sql(i % 2 === 0 ? b : [a[0], b[1], a[2]])})`)
          const found = await own.rows(
            `SELECT record_image_eq(ROW(a), ROW(b))::text, (${encoded('a')} IS NOT DISTINCT FROM ${encoded('b')})::text, a::text, b::text FROM (VALUES ${rows.join(', ')}) AS v(a, b)`,
          )
          expect(found.filter(([same, alike]) => same !== alike)).toEqual([])
        }),
        { numRuns: 25 },
      )
    } finally {
      await own.close()
    }
  })
})

let tables = 0
type Case = { type: string; source: string; targetType?: string; target: string; setup?: string; targetSetup?: string }

/** What the rows say; that the planned type is another one is no matter here. */
async function compared(one: Case): Promise<{ rows: string; reason: string }> {
  const name = `typed_${++tables}`
  const make = (type: string, value: string) => `CREATE TABLE ${name} (v ${type}); INSERT INTO ${name} VALUES (${value})`
  await runSql(pair.source.url, `${one.setup ?? ''}; ${make(one.type, one.source)}`)
  await runSql(pair.target.url, `${one.targetSetup ?? one.setup ?? ''}; ${make(one.targetType ?? one.type, one.target)}`)
  return rowsOf(await reconcile(pair, mappingOf(name, { v: 'text' })))
}

function rowsOf({ result, mismatches }: Awaited<ReturnType<typeof reconcile>>): { rows: string; reason: string } {
  const equal = result.source_root === result.target_root && mismatches.length === 0 && result.source_rows === result.target_rows
  return { rows: result.verdict === 'inconclusive' ? 'undecided' : equal ? 'equal' : 'differ', reason: result.reasons[0] ?? '' }
}
const same = async (one: Case) => expect(await compared(one)).toMatchObject({ rows: 'equal' })
const differs = async (one: Case) => expect(await compared(one)).toMatchObject({ rows: 'differ' })
const refused = async (one: Case, words: RegExp) => {
  const { rows, reason } = await compared(one)
  expect([rows, reason]).toEqual(['undecided', expect.stringMatching(words)])
  expect(reason).toMatch(/^NOT_REPRESENTABLE/)
}

describe('values that look alike', () => {
  it('composites with their fields in another order are refused: (1,2) is not (1,2)', () =>
    refused(
      {
        setup: 'CREATE TYPE swapped AS (a int, b int)',
        targetSetup: 'CREATE TYPE swapped AS (b int, a int)',
        type: 'swapped',
        source: 'ROW(1, 2)',
        target: 'ROW(1, 2)',
      },
      /public\.swapped.*row \("a" integer, "b" integer\); row \("b" integer, "a" integer\)/,
    ))
  it('and so they are deep within arrays and ranges of others', () =>
    refused(
      {
        setup: 'CREATE TYPE low AS (a int, b text); CREATE TYPE high AS (l low[])',
        targetSetup: 'CREATE TYPE low AS (a bigint, b text); CREATE TYPE high AS (l low[])',
        type: 'high[]',
        source: `ARRAY[ROW(ARRAY[ROW(1, 'x')::low])::high]`,
        target: `ARRAY[ROW(ARRAY[ROW(1, 'x')::low])::high]`,
      },
      /"a" integer.*"a" bigint/,
    ))
  it('types that only happen to have one number in both databases are refused', async () => {
    const field = (means: string): FieldType & { sql: string } => ({
      oid: 20_000,
      modifier: -1,
      name: 'public.t',
      sql: 'v',
      form: { kind: 'exact', means, words: false },
    })
    expect(thrown(() => nativeColumn('v', field('hstore'), field('ltree')))).toMatch(/hstore; ltree/)
    expect(nativeColumn('v', field('hstore'), field('hstore'))).toMatchObject({ wire: 'utf8', type: 'public.t' })
  })
  it('a tsquery grouped in another way differs, though it prints alike', () =>
    differs({ type: 'tsquery', source: `'a & (b & c)'`, target: `'(a & b) & c'` }))
  it('one XML document, once written down in another encoding, is one document', () =>
    same({ type: 'xml', source: `'<?xml version="1.0" encoding="UTF-8"?><a/>'`, target: `'<a/>'` }))
  it('XML that is written otherwise differs', () => differs({ type: 'xml', source: `'<a></a>'`, target: `'<a/>'` }))
  it('every NaN is one NaN and −0 is not 0 within arrays and points too', async () => {
    // What a processor makes of ∞ − ∞ need not be the NaN that is read from text.
    const nan = `('Infinity'::float8 - 'Infinity'::float8)`
    await same({ type: 'float8', source: nan, target: `'NaN'` })
    await same({ type: 'float8[]', source: `ARRAY[${nan}]`, target: `'{NaN}'` })
    await same({ type: 'point', source: `point(${nan}, 1)`, target: `'(NaN,1)'` })
    await differs({ type: 'float8[]', source: `'{-0}'`, target: `'{0}'` })
    await differs({ type: 'point', source: `'(-0,1)'`, target: `'(0,1)'` })
  })
  it('numbers within another value keep the zeros they were written with', async () => {
    await differs({ type: 'numeric[]', source: `'{1.0}'`, target: `'{1.00}'` })
    await differs({ type: 'numrange', source: `'[1.0,2]'`, target: `'[1,2]'` })
    await same({ type: 'numeric', source: '1.0', target: '1.00' })
  })
  it('a NULL composite is no composite of NULLs', () =>
    differs({ setup: 'CREATE TYPE two AS (a int, b int)', type: 'two', source: 'NULL', target: 'ROW(NULL, NULL)' }))
  it('a hidden letter, another case and a blank differ in citext', () =>
    differs({ setup: 'CREATE EXTENSION citext', type: 'citext', source: `'Case'`, target: `'case'` }))
  it('labels are compared by what they say: enum with text, with another enum, in arrays', async () => {
    const setup = `CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE other AS ENUM ('ok', 'sad')`
    await same({ setup, type: 'mood', source: `'ok'`, targetType: 'text', target: `'ok'` })
    await same({ type: 'mood', source: `'ok'`, targetType: 'other', target: `'ok'` })
    await same({ type: 'mood[]', source: `'{ok,sad}'`, targetType: 'text[]', target: `'{ok,sad}'` })
    await differs({ type: 'mood', source: `'ok'`, targetType: 'other', target: `'sad'` })
  })
  it('arrays of unlike elements are refused', () =>
    refused({ type: 'int[]', source: `'{1}'`, targetType: 'text[]', target: `'{1}'` }, /Give it a cast/))
  it('a type whose printing nobody has proven is refused, alone and within others', async () => {
    const setup =
      `CREATE TYPE odd; CREATE FUNCTION odd_in(cstring) RETURNS odd AS 'textin' LANGUAGE internal STRICT IMMUTABLE; ` +
      `CREATE FUNCTION odd_out(odd) RETURNS cstring AS 'textout' LANGUAGE internal STRICT IMMUTABLE; CREATE TYPE odd (INPUT = odd_in, OUTPUT = odd_out); ` +
      'CREATE TYPE with_odd AS (o odd)'
    await refused({ setup, type: 'odd', source: `'x'`, target: `'x'` }, /public\.odd, which cannot be compared exactly: it is not known/)
    await refused({ type: 'with_odd[]', source: `'{}'`, target: `'{}'` }, /not known whether public\.odd prints every value differently/)
  })
  it('a type named like one of an extension is not that one', async () => {
    const setup =
      `CREATE TYPE ltree; CREATE FUNCTION ltree_in(cstring) RETURNS ltree AS 'textin' LANGUAGE internal STRICT IMMUTABLE; ` +
      `CREATE FUNCTION ltree_out(ltree) RETURNS cstring AS 'textout' LANGUAGE internal STRICT IMMUTABLE; CREATE TYPE ltree (INPUT = ltree_in, OUTPUT = ltree_out)`
    await refused({ setup, type: 'ltree', source: `'x'`, target: `'x'` }, /public\.ltree/)
  })
  it('names of overloaded functions and entries of access lists are refused', async () => {
    await refused({ type: 'regproc', source: `'now'`, target: `'now'` }, /overloaded/)
    await refused({ type: 'aclitem[]', source: `'{}'`, target: `'{}'` }, /roles of one server/)
    await refused({ type: 'tsquery[]', source: `'{a}'`, target: `'{a}'` }, /not equal/)
  })
  it('money whose unit is not the same on both sides is refused: 100 cents are not 100 yen', () => {
    const money = (decimals: number) => ({
      oid: 790,
      modifier: -1,
      name: 'money',
      sql: 'v',
      form: { kind: 'exact' as const, means: `money with ${decimals} decimals`, words: false },
    })
    expect(nativeColumn('v', money(2), money(2)).wire).toBe('money')
    expect(thrown(() => nativeColumn('v', money(2), money(0)))).toMatch(/2 decimals; money with 0 decimals/)
  })
  it('money is asked for in the locale of its own database, and the pinned one is back afterwards', async () => {
    await session.run('CREATE TABLE public.priced (v money)')
    await session.run(READ_SNAPSHOT)
    await session.pin()
    const [field] = await fieldTypes(session, ['"v"'], 'public.priced', 'source')
    expect(field!.form).toEqual({ kind: 'exact', means: 'money with 2 decimals', words: false })
    await session.checkPinned()
    await session.run('ROLLBACK')
  })
  it('servers that do not print floating-point numbers exactly are not believed', async () => {
    const [[oid]] = (await session.rows(`SELECT 'float8[]'::regtype::oid::text`)) as [[string]]
    const old = { ...session, serverVersion: 110_022 }
    expect((await readForms(old, [Number(oid)], false)).get(Number(oid))).toMatchObject({
      kind: 'refused',
      why: expect.stringMatching(/before PostgreSQL 12/),
    })
  })
  it('bytes that are no tsquery are refused', () => {
    for (const hex of [
      '',
      '00000001',
      '0000000103',
      '000000010100',
      '0000000102',
      '000000010209',
      '0000000101000061',
      '00000000ff',
      '0000000201000061000100006100ff',
    ])
      expect(thrown(() => tsqueryText(Buffer.from(hex, 'hex'))) ?? hex).toMatch(hex === '' ? /^$|not what/ : /not what its type sends/)
  })
})

describe('databases in other encodings', () => {
  const inEncoding = async (encoding: string): Promise<FreshDatabase> => {
    const name = `${new URL(database.url).pathname.slice(1)}_${encoding.toLowerCase()}`
    await runSql(serverUrl('postgres'), `CREATE DATABASE ${name} ENCODING '${encoding}' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0`)
    return { url: serverUrl(name), drop: () => runSql(serverUrl('postgres'), `DROP DATABASE ${name} WITH (FORCE)`) }
  }
  const make = `CREATE TYPE word AS ENUM ('é'); CREATE TABLE texts (id int PRIMARY KEY, t text, a text[], w word, j jsonb)`
  const all = { id: 'integer', t: 'text', a: 'text[]', w: 'word', j: 'jsonb' }

  it.each(['stream', 'push-down'] as const)('hold the same text when its characters are the same: %s', async (method) => {
    const latin = await inEncoding('LATIN1')
    const utf8 = await freshDatabase()
    try {
      const rows = (last: string) =>
        `${make}; INSERT INTO texts VALUES (1, 'Zoë', '{ü,ß}', 'é', '{"ä": "ö"}'), (2, '${last}', NULL, 'é', NULL)`
      await runSql(latin.url, rows('é'))
      await runSql(utf8.url, rows('e\u0301'))
      const { result, mismatches } = await reconcile(
        { source: latin, target: utf8 },
        mappingOf('texts', all, { key: ['id'] }),
        {},
        { method },
      )
      expect([result.method, result.changed, mismatches.map((one) => one.columns)]).toEqual([
        method,
        '1',
        [[{ column: 't', source: 'é', target: 'e\u0301' }]],
      ])
    } finally {
      await latin.drop()
      await utf8.drop()
    }
  })
  it('that know no encoding are believed as far as they hold UTF-8, and no further', async () => {
    const ascii = await inEncoding('SQL_ASCII')
    const utf8 = await freshDatabase()
    try {
      for (const one of [ascii, utf8]) await runSql(one.url, `CREATE TABLE bytes_of (t text); INSERT INTO bytes_of VALUES ('é')`)
      const sides = { source: ascii, target: utf8 }
      expect(rowsOf(await reconcile(sides, mappingOf('bytes_of', { t: 'text' }))).rows).toBe('equal')
      await runSql(ascii.url, `INSERT INTO bytes_of VALUES (E'\\351')`)
      await runSql(utf8.url, `INSERT INTO bytes_of VALUES ('é')`)
      expect(rowsOf(await reconcile(sides, mappingOf('bytes_of', { t: 'text' })))).toMatchObject({ rows: 'undecided' })
    } finally {
      await ascii.drop()
      await utf8.drop()
    }
  })
})

describe('large objects', () => {
  const made = (name: string, type: string, objects: readonly (readonly [number, string])[]) =>
    [
      `CREATE TABLE ${name} (id int PRIMARY KEY, v ${type})`,
      ...objects.map(([number, text], id) =>
        text === 'gone'
          ? `INSERT INTO ${name} VALUES (${id}, ${number})`
          : `INSERT INTO ${name} VALUES (${id}, lo_from_bytea(${number}, '${text}'))`,
      ),
      `INSERT INTO ${name} VALUES (99, NULL)`,
    ].join('; ')
  const run = async (sides: Pair, name: string) => {
    const compared = await reconcile(sides, mappingOf(name, { id: 'integer', v: 'oid' }, { key: ['id'] }))
    const { result, mismatches } = compared
    return { ...rowsOf(compared), changed: mismatches.map((one) => one.key[0]!.value), type: result.columns[1]?.type }
  }
  let sides: Pair
  beforeAll(async () => {
    sides = { source: await freshDatabase(), target: await freshDatabase() }
    for (const one of [sides.source, sides.target])
      await runSql(one.url, 'CREATE EXTENSION lo; CREATE TABLE before (id int PRIMARY KEY, v oid); INSERT INTO before VALUES (1, 5)')
  })
  afterAll(async () => {
    await sides.source.drop()
    await sides.target.drop()
  })

  it('do not exist: an oid is a number', async () => {
    expect(await run(sides, 'before')).toMatchObject({ rows: 'equal', type: 'oid' })
  })
  it('in columns of type lo are compared by content, whatever their numbers', async () => {
    await runSql(
      sides.source.url,
      made('files', 'lo', [
        [101, 'one'],
        [102, 'two'],
        [103, ''],
        [104, 'gone'],
      ]),
    )
    await runSql(
      sides.target.url,
      made('files', 'lo', [
        [201, 'one'],
        [202, 'TWO'],
        [203, ''],
        [204, 'gone'],
      ]),
    )
    expect(await run(sides, 'files')).toMatchObject({ rows: 'differ', changed: ['1', '3'], type: 'large object' })
  })
  it('behind plain oid count beside the number: neither hides the other', async () => {
    await runSql(
      sides.source.url,
      made('links', 'oid', [
        [301, 'one'],
        [302, 'two'],
        [303, 'same'],
        [7, 'gone'],
      ]),
    )
    await runSql(
      sides.target.url,
      made('links', 'oid', [
        [301, 'one'],
        [302, 'TWO'],
        [304, 'same'],
        [7, 'gone'],
      ]),
    )
    expect(await run(sides, 'links')).toMatchObject({ rows: 'differ', changed: ['1', '2'], type: 'oid and large object' })
  })
  it('that the reader may not read give no verdict', async () => {
    await runSql(sides.target.url, `CREATE ROLE reads_no_objects LOGIN PASSWORD 'p'; GRANT SELECT ON files TO reads_no_objects`)
    const url = new URL(sides.target.url)
    url.username = 'reads_no_objects'
    url.password = 'p'
    try {
      expect(await run({ source: sides.source, target: { ...sides.target, url: url.href } }, 'files')).toMatchObject({
        rows: 'undecided',
        reason: expect.stringMatching(/^PERMISSION_DENIED/),
      })
    } finally {
      await runSql(sides.target.url, 'DROP OWNED BY reads_no_objects; DROP ROLE reads_no_objects')
    }
  })
  it('are no matter for a repair script: a digest is no object', async () => {
    const own = await openSession(sides.target.url, { readOnly: true, connectTimeoutMs: 5000, statementTimeoutMs: 0 })
    try {
      const { tables: found } = await readCatalog(asker(own, 'testing'), [{ schema: 'public', name: 'files' }])
      expect(tableRepair(found[0]!, ['id'], ['id', 'v']).obstacle).toMatch(/"v" holds large objects/)
      expect(tableRepair(found[0]!, ['id'], ['id']).obstacle).toBeNull()
    } finally {
      await own.close()
    }
  })
  it('within other values are refused', async () => {
    for (const one of [sides.source, sides.target])
      await runSql(one.url, 'CREATE TABLE lists (id int PRIMARY KEY, v lo[]); CREATE TABLE numbers (id int PRIMARY KEY, v oid[])')
    for (const name of ['lists', 'numbers']) {
      expect(await run(sides, name)).toMatchObject({
        rows: 'undecided',
        reason: expect.stringMatching(/large objects inside another value/),
      })
    }
  })
})

function thrown(work: () => unknown): string | null {
  try {
    work()
    return null
  } catch (error) {
    return (error as Error).message
  }
}
