import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ColumnMapping, TableMapping, TableRecon } from '../../../layers/core/schemas/proposal.ts'
import { freshDatabase, runSql } from '../../support/postgres.ts'
import { identity, mappingOf, type Pair, reconcile } from './recon-fixture.ts'

/** Every trap of the design that other comparison tools fell into, by its name. */
let pair: Pair
let names = 0
beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
})
afterAll(async () => {
  await pair.source.drop()
  await pair.target.drop()
})

type Case = {
  columns: Record<string, string> | readonly ColumnMapping[]
  ddl?: string
  targetDdl?: string
  /** More statements for both sides, `$t` being the table. */
  after?: string
  source: string
  target: string
  more?: Partial<TableMapping>
  recon?: Partial<TableRecon>
}

/** Loads both sides and says: verdict, then every difference as `kind key|row`. */
async function outcome(trap: Case): Promise<{ verdict: string; differences: string[]; mode: string; roots: boolean; reasons: string[] }> {
  const name = `trap_${++names}`
  const types = Array.isArray(trap.columns)
    ? (trap.columns as readonly ColumnMapping[]).map((column) => [column.target, column.target_type])
    : Object.entries(trap.columns)
  const ddl = trap.ddl ?? types.map(([column, type]) => `"${column}" ${type}`).join(', ')
  const make = (columns: string, rows: string) =>
    `CREATE TABLE ${name} (${columns})${rows === '' ? '' : `; INSERT INTO ${name} ${rows.startsWith('SELECT') ? rows : `VALUES ${rows}`}`}`
  await runSql(pair.source.url, make(ddl, trap.source))
  await runSql(pair.target.url, make(trap.targetDdl ?? ddl, trap.target))
  for (const side of trap.after === undefined ? [] : [pair.source, pair.target]) await runSql(side.url, trap.after!.replaceAll('$t', name))
  const { result, mismatches } = await reconcile(pair, mappingOf(name, trap.columns, trap.more), trap.recon)
  return {
    verdict: result.verdict,
    mode: result.mode,
    reasons: result.reasons,
    roots: result.source_root === result.target_root,
    differences: mismatches
      .map(
        (one) =>
          `${one.kind} ${one.key.length > 0 ? one.key.map((part) => part.value).join(',') : one.columns.map((part) => part.source ?? part.target).join(',')}`,
      )
      .sort(),
  }
}

const differs = async (trap: Case, differences: string[]) => {
  expect(await outcome(trap)).toMatchObject({ verdict: 'fail', roots: false, differences: differences.sort() })
}
const equal = async (trap: Case) => {
  expect(await outcome(trap)).toMatchObject({ verdict: 'pass', roots: true, differences: [] })
}

describe('rows run together', () => {
  it('concatenation ambiguity: (a|b, c) is not (a, b|c)', () =>
    differs({ columns: { a: 'text', b: 'text' }, source: `('a|b', 'c')`, target: `('a', 'b|c')` }, ['missing a|b,c', 'extra a,b|c']))

  it('a NULL sentinel equal to data: NULL, empty, the text NULL and \\N all differ', () =>
    differs(
      {
        columns: { id: 'integer', a: 'text' },
        ddl: 'id int PRIMARY KEY, a text',
        more: { key: ['id'] },
        source: `(1, NULL), (2, ''), (3, 'NULL'), (4, NULL)`,
        target: `(1, ''), (2, 'NULL'), (3, NULL), (4, E'\\\\N')`,
      },
      ['changed 1', 'changed 2', 'changed 3', 'changed 4'],
    ))

  it('a NULL that moves to the next column', () =>
    differs(
      { columns: { a: 'text', b: 'text' }, source: `(NULL, 'x')`, target: `('x', NULL)` },
      ['missing ,x', 'extra x,'].map((s) => s),
    ))
})

describe('numbers', () => {
  it('18-digit keys that a double collapses into one', () =>
    differs(
      {
        columns: { id: 'bigint' },
        ddl: 'id bigint PRIMARY KEY',
        more: { key: ['id'] },
        source: '(900719925474099267), (900719925474099268)',
        target: '(900719925474099267), (900719925474099269)',
      },
      ['missing 900719925474099268', 'extra 900719925474099269'],
    ))

  it('.71 and 0.71 are one number, and two texts', async () => {
    await equal({ columns: { a: 'numeric' }, source: `('.71')`, target: `('0.71')` })
    await differs({ columns: { a: 'text' }, source: `('.71')`, target: `('0.71')` }, ['missing .71', 'extra 0.71'])
  })

  it('trailing zeros: no part of a number without a declared scale', async () => {
    await equal({ columns: { a: 'numeric' }, source: '(1.0), (100)', target: '(1.000), (100.0)' })
    await differs({ columns: { a: 'numeric' }, source: '(1.0)', target: '(1.0000000001)' }, ['missing 1', 'extra 1.0000000001'])
  })

  it('numeric with a declared scale on one side only', () =>
    equal({
      columns: { a: 'numeric' },
      ddl: 'a numeric(12,2)',
      targetDdl: 'a numeric',
      source: '(1.50), (-0.10)',
      target: '(1.5), (-0.1)',
    }))

  it('−0 is not 0; every NaN is one NaN; infinities have a sign', async () => {
    await differs({ columns: { a: 'double precision' }, source: `('-0')`, target: `('0')` }, ['missing -0', 'extra 0'])
    await equal({
      columns: { a: 'double precision', b: 'real' },
      source: `('NaN', 'NaN')`,
      target: `('inf'::float8 - 'inf'::float8, ('inf'::float8 - 'inf'::float8)::real)`,
    })
    await differs({ columns: { a: 'double precision' }, source: `('Infinity')`, target: `('-Infinity')` }, [
      'missing Infinity',
      'extra -Infinity',
    ])
  })

  it('doubles that look alike with few digits', () =>
    differs({ columns: { a: 'double precision' }, source: '(0.1::float8 + 0.2::float8)', target: '(0.3)' }, [
      'missing 0.30000000000000004',
      'extra 0.3',
    ]))

  it('extra_float_digits set for the role or database', async () => {
    const target = await freshDatabase()
    try {
      await runSql(target.url, `ALTER DATABASE ${new URL(target.url).pathname.slice(1)} SET extra_float_digits = -15`)
      await runSql(
        pair.source.url,
        'CREATE TABLE digits (a double precision[]); INSERT INTO digits VALUES (ARRAY[0.1::float8, 1e15::float8 / 3])',
      )
      await runSql(
        target.url,
        'CREATE TABLE digits (a double precision[]); INSERT INTO digits VALUES (ARRAY[0.1::float8, 1e15::float8 / 3])',
      )
      const { result } = await reconcile({ source: pair.source, target }, mappingOf('digits', { a: 'double precision[]' }))
      expect(result.verdict).toBe('pass')
    } finally {
      await target.drop()
    }
  })

  it('sums of float32 that swallow a one', () =>
    differs(
      {
        columns: { id: 'integer', a: 'real' },
        ddl: 'id int PRIMARY KEY, a real',
        more: { key: ['id'] },
        source: '(1, 16777216), (2, 1)',
        target: '(1, 16777216), (2, 0)',
      },
      ['changed 2'],
    ))

  it('sums that overflow or agree by chance: swapped values with equal sums', () =>
    differs(
      {
        columns: { id: 'integer', a: 'bigint' },
        ddl: 'id int PRIMARY KEY, a bigint',
        more: { key: ['id'] },
        source: '(1, 9223372036854775807), (2, 1)',
        target: '(1, 1), (2, 9223372036854775807)',
      },
      ['changed 1', 'changed 2'],
    ))
})

describe('time', () => {
  it('sub-second loss', () =>
    differs(
      { columns: { a: 'timestamp without time zone' }, source: `('2024-01-01 00:00:00.000001')`, target: `('2024-01-01 00:00:00')` },
      ['missing 2024-01-01 00:00:00.000001', 'extra 2024-01-01 00:00:00'],
    ))

  it('rounding into the next year', () =>
    differs(
      {
        columns: { a: 'timestamp without time zone' },
        source: `('1999-12-31 23:59:59.9999999')`,
        target: `('1999-12-31 23:59:59.999999')`,
      },
      ['missing 2000-01-01 00:00:00', 'extra 1999-12-31 23:59:59.999999'],
    ))

  it('the hour that exists twice when summer time ends', () =>
    differs({ columns: { a: 'timestamp with time zone' }, source: `('2024-10-27 02:30:00+02')`, target: `('2024-10-27 02:30:00+01')` }, [
      'missing 2024-10-27 00:30:00+00',
      'extra 2024-10-27 01:30:00+00',
    ]))

  it('dates before Christ, and infinity', () =>
    differs({ columns: { a: 'date' }, source: `('0044-03-15 BC'), ('infinity')`, target: `('0044-03-15'), ('-infinity')` }, [
      'missing 0044-03-15 BC',
      'missing infinity',
      'extra 0044-03-15',
      'extra -infinity',
    ]))

  it('1 mon is not 30 days, and 24 hours are not a day', () =>
    differs(
      {
        columns: { id: 'integer', a: 'interval' },
        ddl: 'id int PRIMARY KEY, a interval',
        more: { key: ['id'] },
        source: `(1, '1 mon'), (2, '24 hours'), (3, '1 year')`,
        target: `(1, '30 days'), (2, '1 day'), (3, '12 mons')`,
      },
      ['changed 1', 'changed 2'],
    ))

  it('a database with another TimeZone, DateStyle and IntervalStyle', async () => {
    const target = await freshDatabase()
    try {
      const name = new URL(target.url).pathname.slice(1)
      for (const setting of [
        `TimeZone = 'Asia/Kolkata'`,
        `DateStyle = 'German, DMY'`,
        `IntervalStyle = 'sql_standard'`,
        `bytea_output = 'escape'`,
      ]) {
        await runSql(target.url, `ALTER DATABASE ${name} SET ${setting}`)
      }
      const rows = `CREATE TABLE zones (a timestamptz[], b tstzrange, c interval[], d bytea[]); INSERT INTO zones VALUES (ARRAY['2024-06-01 00:00:00+00'::timestamptz], '[2024-01-02 00:00:00+00,)', ARRAY['1 day 02:00'::interval], ARRAY['\\x00ff'::bytea])`
      await runSql(pair.source.url, rows)
      await runSql(target.url, rows)
      const columns = { a: 'timestamp with time zone[]', b: 'text', c: 'interval[]', d: 'bytea[]' }
      const { result, mismatches } = await reconcile({ source: pair.source, target }, mappingOf('zones', columns))
      expect(mismatches).toEqual([])
      expect(result.source_root).toBe(result.target_root)
    } finally {
      await target.drop()
    }
  })

  it('a view that changes the session’s TimeZone while it is read', async () => {
    const view = `CREATE FUNCTION shift() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT set_config('TimeZone', 'Asia/Kolkata', false) $$;
      CREATE TABLE moments_of (id int, at timestamptz); INSERT INTO moments_of SELECT g, timestamptz '2024-01-01 00:00:00+00' + g * interval '1 hour' FROM generate_series(1, 100) g`
    await runSql(
      pair.source.url,
      `${view}; CREATE VIEW moments AS SELECT id, CASE WHEN id = 1 AND public.shift() = '' THEN NULL ELSE ARRAY[at] END AS at FROM moments_of`,
    )
    await runSql(pair.target.url, `${view}; CREATE TABLE moments AS SELECT id, ARRAY[at] AS at FROM moments_of`)
    const { result } = await reconcile(pair, mappingOf('moments', { id: 'integer', at: 'timestamp with time zone[]' }))
    expect(result.verdict).toBe('inconclusive')
    expect(result.reasons[0]).toMatch(/TimeZone/)
  })
})

describe('text', () => {
  it('CHAR padding is stored with the value and compared with it; in text a blank is a blank', async () => {
    await equal({ columns: { a: 'character(5)' }, source: `('x')`, target: `('x    ')` })
    // CHAR(5) and CHAR(9) hold the same text; that a plan made a wider column is its own finding.
    const wider = { columns: { a: 'character(5)' }, ddl: 'a char(5)', targetDdl: 'a char(9)', source: `('x')` }
    expect(await outcome({ ...wider, target: `('x')` })).toMatchObject({ roots: true, differences: [] })
    expect(await outcome({ ...wider, target: `('x   y')` })).toMatchObject({ roots: false, verdict: 'fail' })
    await differs({ columns: { a: 'text' }, source: `('x ')`, target: `('x')` }, ['missing x ', 'extra x'])
  })

  it('trailing newline and tab', () =>
    differs({ columns: { a: 'text' }, source: `(E'a\\n'), (E'b\\t')`, target: `('a'), ('b')` }, [
      'missing a\n',
      'missing b\t',
      'extra a',
      'extra b',
    ]))

  it('NFC is not NFD', () =>
    differs({ columns: { a: 'text' }, source: `(U&'\\00E9')`, target: `(U&'e\\0301')` }, ['missing é', 'extra e\u0301']))

  it('a byte order mark at the beginning stays in the report', () =>
    differs({ columns: { a: 'text' }, source: `(U&'\\FEFFa')`, target: `('a')` }, ['missing \uFEFFa', 'extra a']))

  const words = `('coop'), ('co-op'), ('CO-OP'), ('Coop'), ('résumé'), ('resume'), ('Résumé'), ('z'), ('Z'), ('_'), ('10'), ('9')`
  const changed = words.replace(`('resume')`, `('resumE')`)
  const swapped = ['extra resumE', 'missing resume']
  it('text keys under a language collation are compared by buckets', async () => {
    const trap = { columns: { a: 'text' }, ddl: 'a text PRIMARY KEY', more: { key: ['a'] }, source: words, target: changed }
    expect(await outcome(trap)).toMatchObject({ mode: 'bucketed', differences: swapped })
  })
  it('text keys under byte order are compared in key order', async () => {
    const trap = {
      columns: { a: 'text' },
      ddl: 'a text COLLATE "C" PRIMARY KEY',
      more: { key: ['a'] },
      recon: { segments: 9 },
      source: words,
      target: changed,
    }
    expect(await outcome(trap)).toMatchObject({ mode: 'ordered', differences: swapped })
  })
  it('text keys under unlike collations on the two sides', async () => {
    const trap = {
      columns: { a: 'text' },
      ddl: 'a text COLLATE "C" PRIMARY KEY',
      targetDdl: 'a text COLLATE "en-US-x-icu" PRIMARY KEY',
      more: { key: ['a'] },
      source: words,
      target: changed,
    }
    expect(await outcome(trap)).toMatchObject({ mode: 'bucketed', differences: swapped })
  })
  it('a case-insensitive collation under which the key is the same', async () => {
    for (const side of [pair.source, pair.target])
      await runSql(side.url, `CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`)
    await differs(
      { columns: { a: 'text' }, ddl: 'a text COLLATE nocase PRIMARY KEY', more: { key: ['a'] }, source: `('abc')`, target: `('ABC')` },
      ['missing abc', 'extra ABC'],
    )
  })
})

describe('documents', () => {
  it('jsonb: 1.0 is not 1, and no digit of a big number is lost', () =>
    differs(
      {
        columns: { id: 'integer', a: 'jsonb' },
        ddl: 'id int PRIMARY KEY, a jsonb',
        more: { key: ['id'] },
        source: `(1, '1.0'), (2, '123456789012345678901234567890'), (3, '{"a":1,"b":2}')`,
        target: `(1, '1'), (2, '123456789012345678901234567891'), (3, '{"b":2,"a":1}')`,
      },
      ['changed 1', 'changed 2'],
    ))
})

describe('keys and segments', () => {
  const keyed = { columns: { id: 'integer', a: 'text' }, ddl: 'id int PRIMARY KEY, a text', more: { key: ['id'] } }

  it('rows before the reference’s first key and beyond its last', () =>
    differs({ ...keyed, source: `SELECT g, 'x' FROM generate_series(1, 100) g`, target: `SELECT g, 'x' FROM generate_series(-1, 103) g` }, [
      'extra -1',
      'extra 0',
      'extra 101',
      'extra 102',
      'extra 103',
    ]))

  it('a target that holds everything and more', () => differs({ ...keyed, source: `(1, 'a')`, target: `(1, 'a'), (2, 'b')` }, ['extra 2']))

  it('boundary rows counted once: as many segments as rows, and more', async () => {
    for (const segments of [1, 2, 7, 100, 101, 5000]) {
      const result = await outcome({
        ...keyed,
        recon: { segments },
        source: `SELECT g, 'x' FROM generate_series(1, 100) g`,
        target: `SELECT g, 'x' FROM generate_series(1, 100) g`,
      })
      expect(result).toMatchObject({ verdict: 'pass', differences: [] })
    }
  })

  it('keys with gaps of 10^18, and extremes', () =>
    differs(
      {
        columns: { id: 'bigint' },
        ddl: 'id bigint PRIMARY KEY',
        more: { key: ['id'] },
        source: '(-9223372036854775808), (0), (1000000000000000000), (9223372036854775807)',
        target: '(-9223372036854775808), (1), (1000000000000000000), (9223372036854775807)',
      },
      ['missing 0', 'extra 1'],
    ))

  it('NaN and infinity among numeric keys', () =>
    differs(
      {
        columns: { id: 'numeric', a: 'integer' },
        ddl: 'id numeric PRIMARY KEY, a int',
        more: { key: ['id'] },
        source: `('NaN', 1), ('Infinity', 2), ('-Infinity', 3), (0, 4), (-1.5, 5), (1e20, 6), (0.00001, 7)`,
        target: `('NaN', 2), ('Infinity', 2), ('-Infinity', 3), (0, 4), (-1.5, 5), (1e20, 6), (0.00002, 7)`,
      },
      ['changed NaN', 'missing 0.00001', 'extra 0.00002'],
    ))

  it('numeric keys of either sign and any size, cut into many segments', () =>
    differs(
      {
        columns: { id: 'numeric' },
        ddl: 'id numeric PRIMARY KEY',
        more: { key: ['id'] },
        recon: { segments: 40 },
        source: `SELECT g * abs(g) * 1234.5678 FROM generate_series(-100, 100) g`,
        target: `SELECT g * abs(g) * 1234.5678 FROM generate_series(-100, 100) g WHERE g NOT IN (-99, 0, 50) UNION ALL VALUES (-0.00001)`,
      },
      ['missing -12099999.0078', 'missing 0', 'missing 3086419.5', 'extra -0.00001'],
    ))

  it.each([
    ['character(5)', `('a'), (E'a\t'), ('b')`],
    ['double precision', `('-0'), (1), ('NaN')`],
    ['interval', `('1 mon'), ('31 days'), ('-1 day')`],
    ['jsonb', `('1'), ('"a"'), ('[]')`],
    ['inet', `('10.0.0.1'), ('9.0.0.1'), ('::1')`],
  ])('a key of type %s, which does not sort as its bytes do, is compared by buckets', async (type, rows) => {
    const trap = { columns: { id: type }, ddl: `id ${type} PRIMARY KEY`, more: { key: ['id'] }, source: rows, target: rows }
    expect(await outcome(trap)).toMatchObject({
      verdict: 'pass',
      mode: 'bucketed',
      reasons: [expect.stringContaining('one order on both sides')],
    })
  })

  it.each([
    ['is not unique', 'CREATE INDEX ON $t (id)'],
    ['is unique over some rows only', 'CREATE UNIQUE INDEX ON $t (id) WHERE id > 1'],
    ['is unique on an expression', 'CREATE UNIQUE INDEX ON $t ((id * 10 + length(a)))'],
    ['is unique on more than the key', 'CREATE UNIQUE INDEX ON $t (id, a)'],
    ['is unique on columns that are not the key', 'CREATE UNIQUE INDEX ON $t (a)'],
  ])('an index that %s proves nothing: the target holds a key twice', async (_, after) => {
    const trap = {
      columns: { id: 'integer', a: 'text' },
      ddl: 'id int NOT NULL, a text NOT NULL',
      more: { key: ['id'] },
      after,
      source: `(1, 'a'), (2, 'b')`,
      target: `(1, 'a'), (1, 'cc'), (2, 'b')`,
    }
    expect(await outcome(trap)).toMatchObject({ verdict: 'fail', mode: 'bucketed', differences: ['extra 1'] })
  })

  it('a unique index in another collation than the column', async () => {
    const trap = {
      columns: { a: 'text' },
      ddl: 'a text COLLATE "C" NOT NULL',
      more: { key: ['a'] },
      after: 'CREATE UNIQUE INDEX ON $t (a COLLATE "en-US-x-icu")',
      source: `('a'), ('B')`,
      target: `('a'), ('b')`,
    }
    expect(await outcome(trap)).toMatchObject({ mode: 'bucketed', differences: ['extra b', 'missing B'] })
  })

  it('NULL in a key that is only unique', () =>
    differs(
      {
        columns: { id: 'integer', a: 'text' },
        ddl: 'id int UNIQUE, a text',
        more: { key: ['id'] },
        source: `(1, 'a'), (NULL, 'b'), (NULL, 'c')`,
        target: `(1, 'a'), (NULL, 'b'), (NULL, 'd')`,
      },
      ['changed '],
    ))

  it('composite keys, compared by tuple', () =>
    differs(
      {
        columns: { a: 'text', b: 'integer', c: 'date' },
        ddl: 'a text COLLATE "C", b int, c date, PRIMARY KEY (a, b)',
        more: { key: ['a', 'b'] },
        recon: { segments: 5 },
        source: `SELECT chr(65 + g / 10), g % 10, date '2024-01-01' + g FROM generate_series(0, 49) g`,
        target: `SELECT chr(65 + g / 10), CASE WHEN g = 30 THEN -1 ELSE g % 10 END, date '2024-01-01' + g FROM generate_series(0, 49) g`,
      },
      ['missing D,0', 'extra D,-1'],
    ))

  it('a key that the target holds twice', () =>
    differs({ ...keyed, targetDdl: 'id int, a text', source: `(1, 'a'), (2, 'b')`, target: `(1, 'a'), (2, 'b'), (2, 'b')` }, ['extra 2']))

  it('rows of child tables, over which the parent’s key is not unique', async () => {
    for (const side of [pair.source, pair.target])
      await runSql(
        side.url,
        'CREATE TABLE parent (id int PRIMARY KEY, a text); CREATE TABLE child () INHERITS (parent); INSERT INTO parent VALUES (1, $$a$$); INSERT INTO child VALUES (1, $$b$$)',
      )
    await runSql(pair.target.url, 'UPDATE child SET a = $$c$$')
    const { result, mismatches } = await reconcile(pair, mappingOf('parent', { id: 'integer', a: 'text' }, { key: ['id'] }))
    expect([result.mode, mismatches.length]).toEqual(['bucketed', 1])
  })

  it('partitioned tables', async () => {
    for (const side of [pair.source, pair.target]) {
      await runSql(
        side.url,
        `CREATE TABLE parts (id int PRIMARY KEY, a text) PARTITION BY RANGE (id); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (MINVALUE) TO (50); CREATE TABLE parts_2 PARTITION OF parts DEFAULT; INSERT INTO parts SELECT g, 'x' FROM generate_series(1, 100) g`,
      )
    }
    await runSql(pair.target.url, 'DELETE FROM parts WHERE id IN (49, 50)')
    const { result, mismatches } = await reconcile(pair, mappingOf('parts', { id: 'integer', a: 'text' }, { key: ['id'] }))
    expect([result.mode, mismatches.map((one) => one.key[0]!.value).sort()]).toEqual(['ordered', ['49', '50']])
  })
})

describe('duplicates', () => {
  const plain = { columns: { a: 'integer' } }
  it('pairs that cancel out in a XOR: {A, A} is not {B, B}', () =>
    differs({ ...plain, source: '(1), (1)', target: '(2), (2)' }, ['missing 1', 'extra 2']))
  it('equal duplicates are counted', async () => {
    await equal({ ...plain, source: '(1), (1), (2)', target: '(2), (1), (1)' })
    const name = `trap_${names + 1}`
    await differs({ ...plain, source: '(1), (1), (1), (2)', target: '(1), (2), (2), (2)' }, ['missing 1', 'extra 2'])
    const { result } = await reconcile(pair, mappingOf(name, plain.columns))
    expect([result.missing, result.extra]).toEqual(['2', '2'])
  })
})

describe('what is compared', () => {
  it('empty tables on both sides are equal, in either mode', async () => {
    await equal({ columns: { a: 'integer' }, source: '', target: '' })
    await equal({ columns: { id: 'integer' }, ddl: 'id int PRIMARY KEY', more: { key: ['id'] }, source: '', target: '' })
  })
  it('an empty target is not', () => differs({ columns: { a: 'integer' }, source: '(1)', target: '' }, ['missing 1']))

  it('generated columns', () =>
    differs(
      {
        columns: { id: 'integer', twice: 'integer' },
        ddl: 'id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED',
        targetDdl: 'id int PRIMARY KEY, twice int',
        more: { key: ['id'] },
        source: 'SELECT g FROM generate_series(1, 3) g',
        target: '(1, 2), (2, 4), (3, 7)',
      },
      ['changed 3'],
    ))

  it('transform(source) against target: a masked column is checked, not waved through', async () => {
    const masked = { ...identity('a', 'text'), transform: { kind: 'mask_redact', value: '***' } } satisfies ColumnMapping
    await equal({ columns: [masked], source: `('secret'), (NULL)`, target: `('***'), (NULL)` })
    await differs({ columns: [masked], source: `('secret')`, target: `('secret')` }, ['missing ***', 'extra secret'])
  })

  it('a row filter on the source', () =>
    equal({
      columns: { a: 'integer' },
      more: { filter: { all: [{ column: 'a', op: 'gt', values: ['5'] }] } },
      source: 'SELECT g FROM generate_series(1, 9) g',
      target: '(6), (7), (8), (9)',
    }))

  it('identifiers with quotes, blanks, 63 bytes, and differing only in case', async () => {
    const long = 'x'.repeat(63)
    const odd = ['say "hi"', 'a b;--', long, 'Id', 'id', '$1', "o'clock"]
    const columns = Object.fromEntries(odd.map((name) => [name, 'integer']))
    const ddl = odd.map((name) => `"${name.replaceAll('"', '""')}" integer`).join(', ')
    await equal({
      columns,
      ddl: `${ddl}, PRIMARY KEY ("Id", "id")`,
      more: { key: ['Id', 'id'], order_key: 'Id' },
      source: '(1,2,3,4,5,6,7)',
      target: '(1,2,3,4,5,6,7)',
    })
    await differs(
      {
        columns,
        ddl: `${ddl}, PRIMARY KEY ("Id", "id")`,
        more: { key: ['Id', 'id'] },
        source: '(1,2,3,4,5,6,7)',
        target: '(1,2,3,5,4,6,7)',
      },
      ['missing 4,5', 'extra 5,4'],
    )
  })

  it('tables and schemas with quotes, blanks, capitals and 63 bytes', async () => {
    const names = [
      { schema: 'public', name: 'Trap' },
      { schema: 'public', name: 'trap' },
      { schema: 'My "Schema"', name: 'a "b"; DROP TABLE trap; --' },
      { schema: 'public', name: 'é'.repeat(31) },
    ]
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
    for (const [i, { schema, name }] of names.entries()) {
      const table = `${quoted(schema)}.${quoted(name)}`
      for (const side of [pair.source, pair.target])
        await runSql(
          side.url,
          `CREATE SCHEMA IF NOT EXISTS ${quoted(schema)}; CREATE TABLE ${table} (id int PRIMARY KEY); INSERT INTO ${table} VALUES (${i})`,
        )
      await runSql(pair.target.url, `INSERT INTO ${table} VALUES (${i + 100})`)
      for (const key of [['id'], null]) {
        const mapping = mappingOf('any', { id: 'integer' }, { key, source: { schema, name, kind: 'table' }, target: { schema, name } })
        const { result } = await reconcile(pair, mapping)
        expect([result.source_rows, result.target_rows, result.extra, result.verdict]).toEqual(['1', '2', '1', 'fail'])
      }
    }
  })

  it('a column that hides an expression’s name in ORDER BY', () =>
    differs(
      {
        columns: [identity('id', 'integer'), { ...identity('lower', 'text'), source: ['id'], transform: { kind: 'cast' } }],
        ddl: 'id int PRIMARY KEY, lower text',
        more: { key: ['id'] },
        recon: { segments: 3 },
        source: 'SELECT g FROM generate_series(1, 30) g',
        target: 'SELECT g, CASE WHEN g = 9 THEN $$x$$ ELSE g::text END FROM generate_series(1, 30) g',
      },
      ['changed 9'],
    ))

  it('rows hidden by row level security are an error, not a smaller table', async () => {
    const ddl = 'CREATE TABLE secured (a int); INSERT INTO secured VALUES (1), (2)'
    await runSql(pair.source.url, ddl)
    await runSql(
      pair.target.url,
      `${ddl}, (3); ALTER TABLE secured ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON secured USING (a < 3); CREATE ROLE reader_of_some LOGIN PASSWORD 'p'; GRANT SELECT ON secured TO reader_of_some`,
    )
    const url = new URL(pair.target.url)
    url.username = 'reader_of_some'
    url.password = 'p'
    try {
      const { result } = await reconcile({ source: pair.source, target: { url: url.href } }, mappingOf('secured', { a: 'integer' }))
      expect(result.verdict).toBe('inconclusive')
      expect(result.reasons[0]).toMatch(/^PERMISSION_DENIED/)
    } finally {
      await runSql(pair.target.url, 'DROP OWNED BY reader_of_some; DROP ROLE reader_of_some')
    }
  })

  it('types without one exact form on both sides are refused by name', async () => {
    const result = await outcome({
      columns: { a: 'timestamp without time zone' },
      ddl: 'a timestamp',
      targetDdl: 'a timestamptz',
      source: '(now())',
      target: '(now())',
    })
    expect(result.verdict).toBe('inconclusive')
    expect(result.reasons[0]).toMatch(/"a" is timestamp without time zone on the source and timestamp with time zone on the target/)
  })
})
