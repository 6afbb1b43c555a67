import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type EstimateInput, estimateRun } from '../../layers/core/estimate.ts'
import type { TableMapping } from '../../layers/core/schemas/proposal.ts'
import { catalogOf, profileOf, table } from '../agents/support/facts.ts'

const mapping = (name: string): TableMapping => ({
  table_id: name,
  source: { schema: 's', name, kind: 'table' },
  target: { schema: 't', name },
  filter: null,
  columns: [],
  key: null,
  order_key: null,
  foreign_keys: [],
})
const sized = (rows: string, bytes: string): EstimateInput => ({
  tables: [mapping('a')],
  source: catalogOf(table('s', 'a', [], { estimated_rows: rows, bytes })),
  profile: null,
  parallelism: 2,
  rowsPerChunk: 500_000,
})

describe('an estimate', () => {
  it('of a terabyte and a billion rows is about fourteen hours of one processor and a dollar', () => {
    const estimate = estimateRun({ ...sized('1000000000', '1000000000000'), parallelism: 1 })
    expect(estimate).toMatchObject({ rows: '1000000000', bytes: '1000000000000', reason: null })
    expect((estimate.seconds ?? 0) / 3600).toBeCloseTo(13.9, 1)
    expect(estimate.usd).toBeGreaterThan(0.7)
    expect(estimate.usd).toBeLessThan(2)
  })
  it('takes counted rows before estimated ones', () => {
    const input = sized('7', '8192')
    expect(estimateRun({ ...input, profile: profileOf(input.source, { a: '42' }) }).rows).toBe('42')
  })
  it('of an empty table is the fixed part', () => {
    expect(estimateRun(sized('0', '0'))).toMatchObject({ rows: '0', bytes: '0', seconds: 60, reason: null })
  })
  it.each([
    ['a table that was never analysed', sized('0', '8192')],
    ['a system that does not tell sizes', sized('5', '0')],
    ['a table that is not in the catalog', { ...sized('5', '5'), tables: [mapping('b')] }],
  ])('of %s is null, and says why', (_name, input) => {
    const estimate = estimateRun(input)
    expect(estimate).toMatchObject({ rows: null, bytes: null, seconds: null, usd: null })
    expect(estimate.reason).toContain(input.tables[0]?.table_id)
  })
  it('never falls when there is more to move', () => {
    const amount = fc.bigInt({ min: 1n, max: 10n ** 15n })
    fc.assert(
      fc.property(amount, amount, amount, (rows, bytes, more) => {
        const less = estimateRun(sized(String(rows), String(bytes)))
        const greater = estimateRun(sized(String(rows + more), String(bytes + more)))
        expect(greater.seconds).toBeGreaterThanOrEqual(less.seconds ?? Number.POSITIVE_INFINITY)
        expect(greater.usd).toBeGreaterThanOrEqual(less.usd ?? Number.POSITIVE_INFINITY)
      }),
    )
  })
  it('keeps counts beyond what a double holds', () => {
    expect(estimateRun(sized('9007199254740993', '1')).rows).toBe('9007199254740993')
  })
})
