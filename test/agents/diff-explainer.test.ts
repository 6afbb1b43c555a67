import { describe, expect, it } from 'vitest'
import { diffExplainerAgent } from '../../layers/agents/diff-explainer.ts'
import { difference, exactDecimal, microseconds, sameRatio } from '../../layers/agents/exact-value.ts'
import { runAgent } from '../../layers/agents/orchestrator.ts'
import type { Explanation } from '../../layers/core/schemas/proposal.ts'
import type { Mismatch, TableResult } from '../../layers/core/schemas/recon.ts'

const SHA = 'a'.repeat(64)
const segment = (index: number, source: string, target: string): TableResult['segments'][number] => ({
  index,
  range: `${index}`,
  source_rows: source,
  target_rows: target,
  source_sha256: SHA,
  target_sha256: SHA,
})

function result(change: Partial<TableResult> = {}): TableResult {
  return {
    table_id: 't',
    source_object: 's.t',
    target_object: 't.t',
    encoding: 'native',
    mode: 'ordered',
    method: 'stream',
    hashing_spec_sha256: SHA,
    columns: [],
    snapshot: { source: '1', target: '2' },
    source_rows: '1000000',
    target_rows: '1000000',
    segments_expected: 4,
    segments: [0, 1, 2, 3].map((index) => segment(index, '250000', '250000')),
    source_root: SHA,
    target_root: SHA,
    missing: '0',
    extra: '0',
    changed: '0',
    mismatches: [],
    aggregates: [],
    ordering: null,
    schema_differences: [],
    severity: 'Critical',
    verdict: 'fail',
    reasons: [],
    started_at: '2026-01-31T12:00:00.000Z',
    finished_at: '2026-01-31T12:00:01.000Z',
    ...change,
  }
}
const mismatch = (kind: Mismatch['kind'], more: Partial<Mismatch> = {}): Mismatch => ({
  kind,
  segment: 0,
  key: [],
  columns: [],
  source_count: kind === 'extra' ? '0' : '1',
  target_count: kind === 'missing' ? '0' : '1',
  ...more,
})
/** Rows in which one column went from the first value to the second. */
const changes = (pairs: [string | null, string | null][], name = 'c') =>
  result({
    changed: String(pairs.length),
    mismatches: pairs.map(([source, target], index) =>
      mismatch('changed', { segment: index % 4, columns: [{ column: name, source, target }] }),
    ),
  })

async function explain(table: TableResult): Promise<Explanation['tables'][number]> {
  const { proposal } = await runAgent(diffExplainerAgent, { mapping: { tables: [] }, tables: [table] })
  return proposal.tables[0]!
}
const causesOf = async (table: TableResult) => (await explain(table)).likely_causes.map((cause) => cause.cause).join('\n')

describe('whole rows', () => {
  it('missing in neighbouring segments: a chunk was lost', async () => {
    const segments = [segment(0, '10', '10'), segment(1, '10', '0'), segment(2, '10', '0'), segment(3, '10', '10')]
    const { likely_causes } = await explain(
      result({
        segments,
        missing: '20',
        source_rows: '40',
        target_rows: '20',
        mismatches: [mismatch('missing', { segment: 1 }), mismatch('missing', { segment: 2 })],
      }),
    )
    expect(likely_causes[0]).toMatchObject({
      cause: 'A chunk was lost: one contiguous range of keys never arrived.',
      evidence: expect.stringContaining('Segments 1 to 2'),
    })
  })
  it('missing at the end: copying stopped early; missing here and there: no chunk', async () => {
    const end = [segment(0, '10', '10'), segment(1, '10', '0'), segment(2, '10', '0')]
    expect(await causesOf(result({ segments: end, missing: '20' }))).toContain('stopped early')
    const holes = [segment(0, '10', '0'), segment(1, '10', '10'), segment(2, '10', '0')]
    expect(await causesOf(result({ segments: holes, missing: '20' }))).not.toMatch(/chunk|stopped/)
  })
  it('missing in buckets is no lost range: buckets have no neighbours', async () => {
    const segments = [segment(0, '10', '10'), segment(1, '10', '0')]
    expect(await causesOf(result({ mode: 'bucketed', segments, missing: '10' }))).not.toContain('stopped early')
  })
  it('none at all: nothing was loaded', async () => {
    expect(await causesOf(result({ target_rows: '0', missing: '1000000' }))).toBe('Nothing was loaded, or the target was emptied.')
  })
  it('several times in the source and once in the target: duplicates were removed', async () => {
    const mismatches = [mismatch('missing', { source_count: '3' }), mismatch('missing', { source_count: '2' })].map((one) => ({
      ...one,
      target_count: '1',
    }))
    expect(await causesOf(result({ mode: 'bucketed', missing: '3', mismatches }))).toContain('Duplicates were removed')
    const other = [...mismatches, mismatch('missing')]
    expect(await causesOf(result({ mode: 'bucketed', missing: '4', mismatches: other }))).not.toContain('Duplicates were removed')
  })
  it('twice as often in the target: loaded twice', async () => {
    const mismatches = [mismatch('extra', { source_count: '2', target_count: '4' })]
    expect(await causesOf(result({ extra: '2', mismatches, target_rows: '1000002' }))).toContain('Rows were loaded twice')
    expect(await causesOf(result({ extra: '1000000', mismatches, target_rows: '2000000' }))).toContain('The table was loaded twice.')
  })
  it('as many missing as extra without a key: changed, not lost', async () => {
    expect(
      await causesOf(
        result({ mode: 'bucketed', missing: '3', extra: '3', mismatches: [mismatch('missing'), mismatch('extra', { segment: 1 })] }),
      ),
    ).toContain('changed, not lost')
  })
  it('only in the target: somebody else writes there', async () => {
    expect(await causesOf(result({ extra: '5', mismatches: [mismatch('extra')] }))).toContain('Something else writes to the target')
  })
  it('few and scattered: changed behind our back', async () => {
    const mismatches = [mismatch('missing'), mismatch('extra', { segment: 2 }), mismatch('changed', { segment: 3 })]
    expect(await causesOf(result({ missing: '3', extra: '2', changed: '2', mismatches }))).toContain(
      'Single rows were changed, deleted or added in the target',
    )
  })
})

describe('one column', () => {
  it.each<[string, [string | null, string | null][], string]>([
    [
      'a constant factor',
      [
        ['10', '16.09344'],
        ['2176', '3501.932544'],
        ['21', '33.796224'],
      ],
      'A factor was applied twice',
    ],
    [
      'a constant amount',
      [
        ['10', '11'],
        ['20', '21'],
        ['35', '36'],
      ],
      'The same amount was added',
    ],
    [
      'rounding',
      [
        ['1.2345678901', '1.23456789'],
        ['2.9999999999', '3'],
        ['3.00000001', '3'],
      ],
      'Numbers were rounded',
    ],
    [
      'a time zone',
      [
        ['2001-01-01 00:01:00', '2001-01-01 05:01:00'],
        ['2001-03-01 23:30:00', '2001-03-02 04:30:00'],
        ['1969-12-31 23:00:00', '1970-01-01 04:00:00'],
      ],
      'another time zone (+5 h)',
    ],
    [
      'daylight saving time',
      [
        ['2001-01-01 00:00:00', '2000-12-31 19:00:00'],
        ['2001-07-01 00:00:00', '2001-06-30 20:00:00'],
        ['2001-07-02 00:00:00', '2001-07-01 20:00:00'],
      ],
      'daylight saving time',
    ],
    [
      'lost decimals of a second',
      [
        ['2001-01-01 00:01:00.123456', '2001-01-01 00:01:00'],
        ['2001-01-01 00:01:00.9', '2001-01-01 00:01:01'],
        ['2001-01-01 00:01:00.5', '2001-01-01 00:01:00'],
      ],
      'Decimals of a second',
    ],
    [
      'blanks at the end',
      [
        ['a', 'a  '],
        ['bc', 'bc '],
        ['d', 'd    '],
      ],
      'character(n) padding',
    ],
    [
      'white space in front',
      [
        [' a', 'a'],
        ['\tb', 'b'],
        ['  c', 'c'],
      ],
      'White space at an end',
    ],
    [
      'case',
      [
        ['ABC', 'abc'],
        ['Def', 'def'],
        ['x', 'X'],
      ],
      'Upper and lower case',
    ],
    [
      'composed letters',
      [
        ['é', 'e\u0301'],
        ['ü', 'u\u0308'],
        ['ñ', 'n\u0303'],
      ],
      'NFC and NFD',
    ],
    [
      'cut text',
      [
        ['abcdef', 'abc'],
        ['xyzw', 'xyz'],
        ['mnopq', 'mno'],
      ],
      'cut to 3 characters',
    ],
    [
      'NULLs',
      [
        ['a', null],
        ['b', null],
        ['c', null],
      ],
      'became NULL',
    ],
    [
      'filled NULLs',
      [
        [null, '0'],
        [null, '0'],
        [null, '1'],
      ],
      'NULLs were filled',
    ],
    [
      'empty text and NULL',
      [
        ['', null],
        [null, ''],
        ['', null],
      ],
      'Empty text and NULL',
    ],
  ])('%s is recognised', async (_name, pairs, says) => {
    expect(await causesOf(changes(pairs))).toContain(says)
  })
  it('no pattern is claimed when one difference does not fit', async () => {
    const { likely_causes } = await explain(
      changes([
        ['10', '20'],
        ['20', '40'],
        ['30', '61'],
      ]),
    )
    expect(likely_causes.map((cause) => cause.cause).join()).not.toContain('factor')
    expect(likely_causes.some((cause) => cause.cause.startsWith('Only "c" differs'))).toBe(true)
  })
  it('a pattern of two differences is only a weak guess', async () => {
    const { likely_causes } = await explain(
      changes([
        ['ABC', 'abc'],
        ['D', 'd'],
      ]),
    )
    expect(likely_causes.find((cause) => cause.cause.includes('case'))?.confidence).toBe(0.6)
  })
  it('numbers that a double would confuse are told apart', async () => {
    expect(
      await causesOf(
        changes([
          ['9007199254740993', '9007199254740992'],
          ['1', '2'],
          ['3', '4'],
        ]),
      ),
    ).not.toContain('same amount')
  })
  it('masked values show only that they differ, and are not repeated', async () => {
    const pairs: [string, string][] = [0, 1, 2].map((index) => [`hmac:${'a'.repeat(23)}${index}`, `hmac:${'b'.repeat(23)}${index}`])
    const table = await explain(changes(pairs))
    expect(table.likely_causes.some((cause) => cause.evidence.includes('Values are masked'))).toBe(true)
    expect(JSON.stringify(table)).not.toContain('aaaa')
  })
  it('values are never repeated, even where they may be read', async () => {
    expect(
      JSON.stringify(
        await explain(
          changes([
            ['Private', 'private'],
            ['Secret', 'secret'],
            ['Hidden', 'hidden'],
          ]),
        ),
      ),
    ).not.toMatch(/private|secret|hidden/i)
  })
})

describe('no difference', () => {
  it('is said as such', async () => {
    expect(await explain(result({ verdict: 'pass', severity: null }))).toEqual({
      table_id: 't',
      summary: 'All 1000000 rows are equal.',
      likely_causes: [],
    })
  })
  it('is never claimed where nothing was decided', async () => {
    const table = await explain(result({ verdict: 'inconclusive', reasons: ['The source went away.'] }))
    expect(table.summary).toBe('Not decided: The source went away.')
  })
})

describe('exact values', () => {
  it('compare without rounding', () => {
    const exact = (text: string) => exactDecimal(text)!
    expect(sameRatio(exact('3'), exact('1'), exact('0.3'), exact('0.1'))).toBe(true)
    expect(sameRatio(exact('1'), exact('0'), exact('1'), exact('0'))).toBe(false)
    expect(difference(exact('0.3'), exact('0.1'))).toEqual({ digits: 20n, scale: 2 })
    expect(exactDecimal('1e3')).toBeNull()
    expect(microseconds('2001-01-01T00:00:00.000001Z')).toBe(978307200000001n)
    expect(microseconds('infinity')).toBeNull()
  })
})
