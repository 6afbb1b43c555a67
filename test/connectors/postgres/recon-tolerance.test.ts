import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ReconcileOptions } from '../../../layers/core/connector.ts'
import { recomputeTable } from '../../../layers/core/outcome/table-recomputation.ts'
import type { ColumnMapping, TableMapping, TableRecon } from '../../../layers/core/schemas/proposal.ts'
import { freshDatabase, runSql } from '../../support/postgres.ts'
import { identity, mappingOf, type Pair, reconcile } from './recon-fixture.ts'

/** Columns held to a tolerance, on a real server: what is within it, what is beyond it, and what must never be held to one. */
let pair: Pair
let names = 0
beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
})
afterAll(async () => {
  await pair.source.drop()
  await pair.target.drop()
})

type Tolerances = TableRecon['tolerances']
type Case = {
  columns: Record<string, string> | readonly ColumnMapping[]
  ddl?: string
  targetDdl?: string
  source: string
  target: string
  tolerances: Tolerances
  more?: Partial<TableMapping>
  recon?: Partial<TableRecon>
  options?: Partial<ReconcileOptions>
}

const absolute = (column: string, value: string) => ({ column, kind: 'absolute' as const, value })
const relative = (column: string, value: string) => ({ column, kind: 'relative' as const, value })
const time = (column: string, value: string) => ({ column, kind: 'time' as const, value })

async function compared(one: Case) {
  const name = `held_${++names}`
  const types = Array.isArray(one.columns)
    ? (one.columns as readonly ColumnMapping[]).map((column) => [column.target, column.target_type])
    : Object.entries(one.columns)
  const ddl = one.ddl ?? types.map(([column, type], i) => `"${column}" ${type}${i === 0 ? ' PRIMARY KEY' : ''}`).join(', ')
  const make = (columns: string, rows: string) =>
    `CREATE TABLE ${name} (${columns})${rows === '' ? '' : `; INSERT INTO ${name} ${/^(SELECT|OVERRIDING)/.test(rows) ? rows : `VALUES ${rows}`}`}`
  await runSql(pair.source.url, make(ddl, one.source))
  await runSql(pair.target.url, make(one.targetDdl ?? ddl, one.target))
  const mapping = mappingOf(name, one.columns, { key: [types[0]![0]!], ...one.more })
  const { result, mismatches } = await reconcile(pair, mapping, { tolerances: one.tolerances, ...one.recon }, one.options)
  const shown = mismatches.map((mismatch) => {
    const key = mismatch.key.map((part) => part.value).join(',')
    return `${mismatch.kind} ${key} ${mismatch.columns.map((cell) => `${cell.column}:${cell.source}→${cell.target}`).join(' ')}`.trim()
  })
  return { result, differences: shown, held: result.tolerances?.[0], mismatches }
}

/** One numeric value a side. */
const two = (type: string, tolerance: Tolerances[number], a: string, b: string, targetType = type) =>
  compared({
    columns: [identity('id', 'integer'), identity('v', targetType, { source_types: [type] })],
    ddl: `id integer PRIMARY KEY, v ${type}`,
    targetDdl: `id integer PRIMARY KEY, v ${targetType}`,
    source: `(1, ${a})`,
    target: `(1, ${b})`,
    tolerances: [tolerance],
  })
const within = async (...args: Parameters<typeof two>) => {
  const { result, held, differences } = await two(...args)
  expect({ verdict: result.verdict, reasons: result.reasons, differences }).toMatchObject({ verdict: 'pass', differences: [] })
  expect(held).toMatchObject({ compared: '1', equal: '0', within: '1', beyond: '0' })
  return held!.largest
}
const same = async (...args: Parameters<typeof two>) => {
  const { result, held } = await two(...args)
  expect(result).toMatchObject({ verdict: 'pass' })
  expect(held).toMatchObject({ equal: '1', within: '0', beyond: '0', largest: null })
}
const beyond = async (...args: Parameters<typeof two>) => {
  const { result, held, differences } = await two(...args)
  expect(result).toMatchObject({ verdict: 'fail', changed: '1', missing: '0', extra: '0', severity: 'Major' })
  expect(held).toMatchObject({ within: '0', beyond: '1', largest: null })
  expect(differences).toHaveLength(1)
  expect(differences[0]).toMatch(/^changed 1 v:/)
}

describe('numbers', () => {
  it('exactly at the tolerance is within it, one digit more is not', async () => {
    expect(await within('numeric', absolute('v', '0.01'), '1.00', '1.01')).toBe('0.01')
    await beyond('numeric', absolute('v', '0.01'), '1.00', '1.01000000000000000000000000001')
    expect(await within('numeric', absolute('v', '0.01'), '-1.005', '-0.995')).toBe('0.01')
    await beyond('numeric', absolute('v', '0.01'), '0.006', '-0.006')
  })
  it('a float counts as what its bits are: 0.1 + 0.2 is not 0.3, and 1.1 − 1 is more than 0.1', async () => {
    expect(await within('double precision', absolute('v', '0.0000000000000001'), '0.1::float8 + 0.2::float8', '0.3')).toMatch(
      '0.0000000000000000555112',
    )
    await beyond('double precision', absolute('v', '0.1'), '1.1', '1')
    expect(await within('double precision', absolute('v', '0.1'), '1.0', '0.9')).toBe('0.1')
    await within('double precision', absolute('v', '0.01'), '1e-300', '-1e-300')
    await beyond('double precision', relative('v', '0.5'), '1e-300', '-1e-300')
    await within('double precision', relative('v', '0.5'), '1e-300', '0.5e-300')
  })
  it('other scales, other types: values meet as decimals', async () => {
    await same('numeric(10,2)', absolute('v', '0.01'), '1.5', '1.500000', 'numeric(20,6)')
    await same('double precision', absolute('v', '0.01'), '0.5', '0.500', 'numeric(10,3)')
    expect(await within('real', absolute('v', '0.0001'), '0.1', '0.1', 'numeric(10,3)')).toBe('0.0000000015')
    expect(await within('bigint', absolute('v', '1'), '9007199254740993', '9007199254740992', 'double precision')).toBe('1')
    await beyond('bigint', absolute('v', '1'), '9223372036854775807', '9223372036854775805')
    // Eight bytes on both sides, the same ones, and not the same value.
    await beyond('bigint', absolute('v', '1'), '4607182418800017408', '1', 'double precision')
    await same('double precision', absolute('v', '0.01'), `'-0'`, '0')
  })
  it('relative to the larger of the two', async () => {
    expect(await within('numeric', relative('v', '0.001'), '1000', '999')).toBe('0.001')
    await beyond('numeric', relative('v', '0.001'), '999', '1000.0000001')
    expect(await within('numeric', relative('v', '0.1'), '-9', '-10')).toBe('0.1')
    await beyond('numeric', relative('v', '0.5'), '0', '0.0000001')
    await same('numeric', relative('v', '0.5'), '0', '0.000')
  })
  it('NaN is near to NaN only, infinity to itself only, NULL to NULL only', async () => {
    for (const type of ['numeric', 'double precision', 'real']) {
      await same(type, absolute('v', '0.01'), `'NaN'`, `'NaN'`)
      await same(type, absolute('v', '0.01'), `'Infinity'`, `'Infinity'`)
      await same(type, absolute('v', '0.01'), 'NULL', 'NULL')
      await beyond(type, absolute('v', '1000000'), `'NaN'`, '0')
      await beyond(type, absolute('v', '1000000'), `'Infinity'`, `'-Infinity'`)
      await beyond(type, relative('v', '0.99'), `'Infinity'`, '1e30')
      await beyond(type, absolute('v', '1000000'), 'NULL', '0')
      await beyond(type, absolute('v', '1000000'), '0', 'NULL')
    }
    await same('double precision', absolute('v', '0.01'), `'NaN'`, `'NaN'`, 'numeric')
    await same('numeric', absolute('v', '0.01'), `'-Infinity'`, `'-Infinity'`, 'real')
  })
})

describe('times', () => {
  it('to the microsecond', async () => {
    expect(await within('timestamp', time('v', '1'), `'2026-01-01 00:00:00.001'`, `'2026-01-01 00:00:00'`)).toBe('1')
    await beyond('timestamp', time('v', '1'), `'2026-01-01 00:00:00.001001'`, `'2026-01-01 00:00:00'`)
    expect(await within('timestamptz', time('v', '0.5'), `'2025-12-31 23:59:59.9997Z'`, `'2026-01-01 00:00:00.0002Z'`)).toBe('0.5')
    expect(await within('time', time('v', '1000'), `'23:59:59'`, `'24:00:00'`)).toBe('1000')
    expect(await within('date', time('v', '86400000'), `'2024-02-29'`, `'2024-03-01'`)).toBe('86400000')
  })
  it('before Christ and at the ends of time', async () => {
    expect(await within('timestamp', time('v', '2'), `'0001-12-31 23:59:59.999 BC'`, `'0001-01-01 00:00:00.001'`)).toBe('2')
    await beyond('timestamp', time('v', '2'), `'4713-01-01 00:00:00 BC'`, `'4713-01-01 00:00:00.003 BC'`)
    await same('timestamptz', time('v', '1'), `'infinity'`, `'infinity'`)
    await beyond('timestamptz', time('v', '999999999999'), `'infinity'`, `'-infinity'`)
    await beyond('timestamp', time('v', '9999999999999999999'), `'infinity'`, `'294276-12-31 23:59:59.999999'`)
    await beyond('date', time('v', '9999999999999999999'), `'-infinity'`, `'4713-01-01 BC'`)
    await beyond('timestamp', time('v', '1'), 'NULL', `'2026-01-01'`)
  })
})

describe('a table', () => {
  const columns = { id: 'integer', note: 'text', amount: 'numeric', seen: 'timestamp' }
  const held = [absolute('amount', '0.01'), time('seen', '1')]
  const rows = (more: string) =>
    `SELECT n, 'row ' || n, n ${more}, timestamp '2026-01-01' + n * interval '1 second' FROM generate_series(1, 1000) n`

  it('is equal within its tolerances, and says so of each column', async () => {
    const { result, differences } = await compared({ columns, tolerances: held, source: rows('+ 0.00'), target: rows('+ (n % 3) * 0.005') })
    expect(differences).toEqual([])
    expect(result).toMatchObject({ verdict: 'pass', severity: null, missing: '0', extra: '0', changed: '0', source_rows: '1000' })
    expect(result.columns.map((column) => column.name)).toEqual(['id', 'note'])
    expect(result.tolerances).toEqual([
      { ...held[0], compared: '1000', equal: '333', within: '667', beyond: '0', largest: '0.01' },
      { ...held[1], compared: '1000', equal: '1000', within: '0', beyond: '0', largest: null },
    ])
    expect(result.reasons).toEqual([
      'Equal within tolerance on column "amount": 667 of 1000 rows differ by at most 0.01 (tolerance 0.01).',
      'Equal within tolerance on column "seen": no row of 1000 differs within it (tolerance 1 ms).',
    ])
    expect(recomputeTable(result)).toMatchObject({ integrity: 'PASS', completeness: 'PASS', faults: [] })
  })

  it.each(['ordered', 'bucketed'] as const)('names every row once, %s: missing, extra, changed, beyond, and both at once', async (mode) => {
    const { result, differences, mismatches } = await compared({
      columns,
      tolerances: held,
      recon: { mode, segments: 64 },
      source: rows('+ 0.00'),
      target: `SELECT CASE n WHEN 7 THEN 2007 ELSE n END, CASE WHEN n IN (10, 11, 12) THEN 'other' ELSE 'row ' || n END,
                      n + CASE WHEN n IN (11, 20, 30) THEN 0.02 WHEN n = 12 THEN 0.01 ELSE 0 END,
                      timestamp '2026-01-01' + n * interval '1 second' + CASE WHEN n IN (30, 40) THEN interval '2 ms' ELSE '0' END
                 FROM generate_series(1, 1000) n`,
    })
    expect(differences.toSorted()).toEqual(
      [
        'missing 7 note:row 7→null amount:7.00→null seen:2026-01-01 00:00:07→null',
        'extra 2007 note:null→row 7 amount:null→7 seen:null→2026-01-01 00:00:07',
        'changed 10 note:row 10→other',
        'changed 11 note:row 11→other amount:11.00→11.02',
        'changed 12 note:row 12→other',
        'changed 20 amount:20.00→20.02',
        'changed 30 amount:30.00→30.02 seen:2026-01-01 00:00:30→2026-01-01 00:00:30.002',
        'changed 40 seen:2026-01-01 00:00:40→2026-01-01 00:00:40.002',
      ]
        .map((line) => line.replace(/(\d)\.00→/g, '$1→').replace(/\.00→null/, '→null'))
        .toSorted(),
    )
    expect(result).toMatchObject({ verdict: 'fail', missing: '1', extra: '1', changed: '6', severity: 'Critical', mode })
    expect(result.tolerances).toMatchObject([
      { compared: '999', within: '1', beyond: '3' },
      { compared: '999', equal: '997', beyond: '2' },
    ])
    expect(recomputeTable(result).faults).toEqual([])
    const indexes = new Set(result.segments.map((segment) => segment.index))
    for (const mismatch of mismatches) expect(indexes).toContain(mismatch.segment)
    const differing = new Set(result.segments.filter((one) => one.source_sha256 !== one.target_sha256).map((one) => one.index))
    for (const mismatch of mismatches.filter(({ kind, columns: cells }) => kind !== 'changed' || cells[0]!.column === 'note'))
      expect(differing).toContain(mismatch.segment)
  })

  it('places a row beyond the tolerance in the key range that holds it', async () => {
    const { mismatches, result } = await compared({
      columns,
      tolerances: held,
      source: rows('+ 0'),
      target: rows(`+ CASE WHEN n IN (1, 250, 1000) THEN 1 ELSE 0 END`),
    })
    const segmentOf = (row: number) => {
      const upTo = (index: number) => result.segments.slice(0, index + 1).reduce((rows, segment) => rows + Number(segment.source_rows), 0)
      return result.segments.find((segment) => upTo(segment.index) >= row)!.index
    }
    expect(mismatches.map((one) => [one.key[0]!.value, one.segment])).toEqual([1, 250, 1000].map((row) => [String(row), segmentOf(row)]))
    expect(result.reasons[0]).toBe('Rows differ: 3 changed, beyond a tolerance; no segment of the other columns differs.')
    expect(result.source_root).toBe(result.target_root)
  })

  it('with the digest of other tolerances is another digest', async () => {
    const roots: string[] = []
    for (const value of ['0.01', '0.02']) {
      const { result } = await compared({
        columns,
        more: { table_id: 'one' },
        tolerances: [absolute('amount', value)],
        source: rows('+ 0'),
        target: rows('+ 0'),
      })
      roots.push(result.source_root)
    }
    expect(new Set(roots).size).toBe(2)
  })

  it('counts NULLs that may not be there, and takes sums of a tolerant column for no proof', async () => {
    const mapping = [identity('id', 'integer', { nullable: false }), identity('amount', 'numeric', { nullable: false })]
    const { result } = await compared({
      columns: mapping,
      tolerances: [absolute('amount', '0.01')],
      source: `(1, 1.00), (2, 2.00)`,
      target: `(1, 1.01), (2, NULL)`,
      options: { aggregates: true },
    })
    expect(result.aggregates.filter((one) => one.column === 'amount')).toEqual([
      { column: 'amount', kind: 'count', source: '2', target: '1', verdict: 'fail' },
      { column: 'amount', kind: 'nulls', source: '0', target: '1', verdict: 'fail' },
    ])
  })

  it('masks values and still tells how far apart the others are', async () => {
    const { differences, held: one } = await compared({
      columns: { id: 'integer', v: 'numeric' },
      tolerances: [absolute('v', '1')],
      source: '(1, 5000), (2, 5)',
      target: '(1, 0), (2, 5.5)',
      options: { mask: (value) => (value === null ? null : 'x') },
    })
    expect(differences).toEqual(['changed x v:x→x'])
    expect(one).toMatchObject({ beyond: '1', within: '1', largest: '0.5' })
  })

  it('has keys of any type that sorts as its bytes do', async () => {
    const { result } = await compared({
      columns: { k: 'text', v: 'numeric' },
      ddl: 'k text COLLATE "unicode" PRIMARY KEY, v numeric',
      tolerances: [absolute('v', '0.1')],
      source: `('a-b', 1), ('ab', 2), ('A', 3), ('é', 4), ('𝄞', 5), ('ﬁ', 6)`,
      target: `('𝄞', 5.1), ('ﬁ', 6), ('ab', 2), ('a-b', 1), ('é', 4), ('A', 3)`,
    })
    expect(result).toMatchObject({ verdict: 'pass', mode: 'bucketed' })
    expect(result.tolerances).toMatchObject([{ compared: '6', equal: '5', within: '1' }])
  })

  it('may be empty on both sides', async () => {
    const { result } = await compared({ columns, tolerances: held, source: '', target: '' })
    expect(result).toMatchObject({ verdict: 'pass', tolerances: [{ compared: '0' }, { compared: '0' }] })
  })
})

describe('is refused by name, and nothing is concluded', () => {
  const refused = async (one: Case, reason: RegExp) => {
    const { result, differences } = await compared(one)
    expect(result.verdict).toBe('inconclusive')
    expect(result.reasons.join(' ')).toMatch(reason)
    expect(differences).toEqual([])
  }
  const base = { columns: { id: 'integer', v: 'numeric', t: 'text' }, source: `(1, 1, 'a')`, target: `(1, 1, 'a')` }
  it.each([
    ['on a key column', { ...base, tolerances: [absolute('id', '1')] }, /"id" is about a key column/],
    ['on text', { ...base, tolerances: [absolute('t', '1')] }, /"t" is text .* needs two numbers/],
    ['without a key', { ...base, tolerances: [absolute('v', '1')], more: { key: null } }, /"v" needs a key on both sides/],
    ['on the order key', { ...base, tolerances: [absolute('v', '1')], more: { order_key: 'v' } }, /"v" is about the order key/],
    ['of nothing', { ...base, tolerances: [absolute('v', '0.00')] }, /is 0 and tolerates nothing/],
    ['of everything', { ...base, tolerances: [relative('v', '1')] }, /100 % or more/],
    ['below zero', { ...base, tolerances: [absolute('v', '-1')] }, /no? ?t? ?a? ?plain decimal/],
    ['twice', { ...base, tolerances: [absolute('v', '1'), relative('v', '0.1')] }, /"v" is set twice/],
    ['on a column that is not compared', { ...base, tolerances: [absolute('w', '1')] }, /"w" is about a column that is not compared/],
    ['of time on a number', { ...base, tolerances: [time('v', '1')] }, /a number takes an absolute or a relative/],
    [
      'of a number on a time',
      { columns: { id: 'integer', v: 'timestamp' }, source: '(1, now())', target: '(1, now())', tolerances: [absolute('v', '1')] },
      /a time takes a tolerance such as 1ms/,
    ],
    [
      'between two kinds of time',
      {
        columns: { id: 'integer', v: 'timestamp' },
        targetDdl: 'id integer PRIMARY KEY, v timestamptz',
        source: '(1, now())',
        target: '(1, now())',
        tolerances: [time('v', '1')],
      },
      /of one kind/,
    ],
    [
      'on a duration, which has no one length',
      { columns: { id: 'integer', v: 'interval' }, source: `(1, '1 mon')`, target: `(1, '30 days')`, tolerances: [time('v', '1')] },
      /interval .* of one kind/,
    ],
    [
      'on a masked column',
      {
        ...base,
        columns: [identity('id', 'integer'), identity('t', 'text', { transform: { kind: 'mask_partial', keep: 1 } })],
        tolerances: [absolute('t', '1')],
        ddl: 'id integer PRIMARY KEY, v numeric, t text',
      },
      /"t" is text/,
    ],
    [
      'by a key without an order',
      { columns: { id: 'double precision', v: 'numeric' }, source: '(1, 1)', target: '(1, 1)', tolerances: [absolute('v', '1')] },
      /"id" has a type without one order/,
    ],
  ] as [string, Case, RegExp][])('%s', (_, one, reason) => refused(one, reason))

  it('where a named key is not unique', () =>
    refused(
      {
        columns: { id: 'integer', v: 'numeric' },
        ddl: 'id integer, v numeric',
        source: '(1, 1), (1, 2)',
        target: '(1, 1), (1, 2)',
        tolerances: [absolute('v', '1')],
      },
      /two rows have one key/,
    ))
})
