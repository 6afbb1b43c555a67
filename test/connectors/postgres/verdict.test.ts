import { describe, expect, it } from 'vitest'
import type { Comparison } from '../../../layers/connectors/postgres/comparison.ts'
import type { Named } from '../../../layers/connectors/postgres/difference-tally.ts'
import type { TolerancePass } from '../../../layers/connectors/postgres/tolerance-pass.ts'
import { differenceWords, judge, judgeTolerances } from '../../../layers/connectors/postgres/verdict.ts'
import type { SegmentDigest } from '../../../layers/core/schemas/recon.ts'

const hex = (letter: string) => letter.repeat(64)
const segment = (index: number, more: Partial<SegmentDigest> = {}): SegmentDigest => ({
  index,
  range: '',
  source_rows: '10',
  target_rows: '10',
  source_sha256: hex('a'),
  target_sha256: hex('a'),
  ...more,
})

/** Three segments of ten rows, equal. */
const comparison = (more: Partial<Comparison> = {}): Comparison => ({
  method: 'stream',
  segmentsExpected: 3,
  segments: [segment(0), segment(1), segment(2)],
  sourceRows: 30n,
  targetRows: 30n,
  ...more,
})
const named = (more: Partial<Named> = {}): Named => ({ missing: 0n, extra: 0n, changed: 0n, segments: new Set(), ...more })
const changedIn1 = { segments: [segment(0), segment(1, { target_sha256: hex('b') }), segment(2)] }

describe('a verdict', () => {
  it('is equal where everything says so', () => {
    expect(judge(comparison(), named())).toMatchObject({ equal: true, differing: 0 })
    expect(judge(comparison({ segmentsExpected: 0, segments: [], sourceRows: 0n, targetRows: 0n }), named())).toMatchObject({ equal: true })
  })
  it('is different where segments and rows agree on it', () => {
    const judged = judge(comparison(changedIn1), named({ changed: 2n, segments: new Set([1]) }))
    expect(judged).toMatchObject({ equal: false, differing: 1 })
    expect(judged.sourceRoot).not.toBe(judged.targetRoot)
    const lost = { segments: [segment(0), segment(1), segment(2, { target_rows: '9', target_sha256: hex('b') })], targetRows: 29n }
    expect(judge(comparison(lost), named({ missing: 1n, segments: new Set([2]) }))).toMatchObject({ equal: false })
    expect(judge(comparison(changedIn1), named({ missing: 1n, extra: 1n, segments: new Set([1]) }))).toMatchObject({ equal: false })
  })
})

describe('no verdict at all', () => {
  it.each<[string, Partial<Comparison>, Partial<Named>, RegExp]>([
    ['a segment is missing', { segments: [segment(0), segment(1)], sourceRows: 20n, targetRows: 20n }, {}, /2 of 3 segments/],
    ['a segment came twice', { segments: [segment(0), segment(1), segment(1)] }, {}, /3 of 3 segments/],
    ['a segment too many', { segments: [...comparison().segments, segment(3)], sourceRows: 40n, targetRows: 40n }, {}, /4 of 3 segments/],
    ['segments out of order', { segments: [segment(1), segment(0), segment(2)] }, {}, /segments were completed/],
    ['source rows read that no segment holds', { sourceRows: 31n }, { missing: 1n, segments: new Set([0]) }, /do not hold as many rows/],
    ['target rows read that no segment holds', { targetRows: 31n }, { extra: 1n, segments: new Set([0]) }, /do not hold as many rows/],
    [
      'a source segment that holds rows nobody read',
      { sourceRows: 29n },
      { extra: 1n, segments: new Set([0]) },
      /do not hold as many rows/,
    ],
    [
      'counts of two segments that cancel out against what was read',
      { segments: [segment(0, { source_rows: '11' }), segment(1), segment(2)], targetRows: 31n },
      {},
      /do not hold as many rows/,
    ],
    [
      'fewer rows in the target, and no row named missing',
      { segments: [segment(0), segment(1, { target_rows: '9', target_sha256: hex('b') }), segment(2)], targetRows: 29n },
      { changed: 1n, segments: new Set([1]) },
      /do not explain/,
    ],
    ['a row named missing, and equal counts', changedIn1, { missing: 1n, segments: new Set([1]) }, /do not explain/],
    ['more extra than the counts allow', changedIn1, { extra: 2n, missing: 1n, segments: new Set([1]) }, /do not explain/],
    [
      'one digest over two counts',
      { segments: [segment(0, { target_rows: '9' }), segment(1, { target_rows: '11', target_sha256: hex('b') }), segment(2)] },
      { changed: 1n, segments: new Set([1]) },
      /one digest and two counts/,
    ],
    ['digests that differ, and no row that does', changedIn1, {}, /contradict/],
    ['a row that differs, and digests that do not', {}, { changed: 1n, segments: new Set([1]) }, /contradict/],
    [
      'a second segment that differs, and no row in it',
      { segments: [segment(0, { target_sha256: hex('c') }), segment(1, { target_sha256: hex('b') }), segment(2)] },
      { changed: 1n, segments: new Set([1]) },
      /Segment 0 differs, but no row/,
    ],
    [
      'a row in a segment that does not differ',
      changedIn1,
      { changed: 2n, segments: new Set([1, 2]) },
      /segment 2 differs, but its digests/,
    ],
  ])('%s', (_, facts, rows, message) => {
    expect(() => judge(comparison(facts), named(rows))).toThrow(
      expect.objectContaining({ code: 'SEGMENT_INCOMPLETE', message: expect.stringMatching(message) }),
    )
  })
})

const column = (more: Partial<TolerancePass['columns'][number]> = {}): TolerancePass['columns'][number] => ({
  column: 'amount',
  kind: 'absolute',
  value: '0.01',
  compared: '30',
  equal: '20',
  within: '10',
  beyond: '0',
  largest: '0.01',
  ...more,
})
const pass = (more: Partial<TolerancePass> = {}): TolerancePass => ({
  sourceRows: 30n,
  targetRows: 30n,
  compared: 30n,
  exactlyChanged: 0n,
  missing: 0n,
  extra: 0n,
  columns: [column()],
  ...more,
})

describe('the second pass', () => {
  it('is believed where both passes tell one story', () => {
    judgeTolerances(comparison(), named(), pass(), named())
    judgeTolerances(comparison(), named(), pass({ exactlyChanged: null }), named())
    const two = [column({ equal: '18', beyond: '2' }), column({ column: 'rate', equal: '17', beyond: '3' })]
    for (const changed of [3n, 4n, 5n]) judgeTolerances(comparison(), named(), pass({ columns: two }), named({ changed }))
    judgeTolerances(comparison(), named({ changed: 4n }), pass({ exactlyChanged: 4n, columns: two }), named({ changed: 9n }))
    judgeTolerances(comparison({ sourceRows: 31n }), named({ missing: 1n }), pass({ sourceRows: 31n, missing: 1n }), named({ missing: 1n }))
  })
  it.each<[string, Partial<TolerancePass>, Partial<Named>, Partial<Named>, RegExp]>([
    ['a source row fewer than before', { sourceRows: 29n }, {}, {}, /29 and 30 when/],
    ['a target row more than before', { targetRows: 31n }, {}, {}, /30 and 31 when/],
    ['a row that nobody compared', { compared: 29n, columns: [column({ compared: '29', equal: '19' })] }, {}, {}, /Not every row/],
    [
      'a source row that nobody compared',
      { compared: 29n, extra: 1n, columns: [column({ compared: '29', equal: '19' })] },
      { extra: 1n },
      { extra: 1n },
      /Not every row/,
    ],
    [
      'a target row that nobody compared',
      { compared: 29n, missing: 1n, columns: [column({ compared: '29', equal: '19' })] },
      { missing: 1n },
      { missing: 1n },
      /Not every row/,
    ],
    ['a row missing by the digests alone', {}, { missing: 1n }, {}, /Other rows differ/],
    ['a row extra by the digests alone', {}, { extra: 1n }, {}, /Other rows differ/],
    [
      'rows missing and extra, and whole rows not looked at',
      { compared: 29n, missing: 1n, extra: 1n, exactlyChanged: null, columns: [column({ compared: '29', equal: '19' })] },
      { missing: 1n, extra: 1n },
      { missing: 1n, extra: 1n },
      /Whole rows were not compared/,
    ],
    [
      'a missing row that is not named, beside an extra one that is',
      { compared: 29n, missing: 1n, extra: 1n, columns: [column({ compared: '29', equal: '19' })] },
      { missing: 1n, extra: 1n },
      { extra: 1n },
      /rows named/,
    ],
    [
      'an extra row that is not named, beside a missing one that is',
      { compared: 29n, missing: 1n, extra: 1n, columns: [column({ compared: '29', equal: '19' })] },
      { missing: 1n, extra: 1n },
      { missing: 1n },
      /rows named/,
    ],
    ['a missing row made up for by an extra one', { compared: 29n, missing: 1n, extra: 1n }, {}, {}, /Other rows differ/],
    ['a row missing before and not now', {}, { missing: 1n, extra: 1n }, {}, /Other rows differ/],
    ['other rows changed than before', { exactlyChanged: 1n }, { changed: 2n }, { changed: 2n }, /Other rows differ/],
    [
      'rows changed before and not looked at now',
      { exactlyChanged: null },
      { changed: 2n },
      { changed: 2n },
      /Other rows differ|Whole rows/,
    ],
    ['a column not compared in every row', { columns: [column({ equal: '19' })] }, {}, {}, /"amount" was not compared/],
    ['a column compared in other rows', { columns: [column({ compared: '29', equal: '19' })] }, {}, {}, /"amount" was not compared/],
    ['a row beyond, and none named', { columns: [column({ equal: '19', beyond: '1' })] }, {}, {}, /rows named/],
    ['a row named, and none beyond', {}, {}, { changed: 1n }, /rows named/],
    ['fewer named than changed exactly', { exactlyChanged: 2n }, { changed: 2n }, { changed: 1n }, /rows named/],
    [
      'a missing row that is not named',
      { missing: 1n, extra: 1n, compared: 29n, columns: [column({ compared: '29', equal: '19' })] },
      { missing: 1n, extra: 1n },
      {},
      /rows named/,
    ],
    ['a row named extra that was not found', {}, {}, { extra: 1n }, /rows named/],
  ])('is not: %s', (_, facts, exact, rows, message) => {
    expect(() => judgeTolerances(comparison(), named(exact), pass(facts), named(rows))).toThrow(
      expect.objectContaining({ code: 'SEGMENT_INCOMPLETE', message: expect.stringMatching(message) }),
    )
  })
})

it('says what differs in words', () => {
  expect(differenceWords(named(), 0, 3)).toEqual([])
  expect(differenceWords(named({ missing: 1n, changed: 2n }), 2, 3)).toEqual(['Rows differ: 1 missing, 2 changed; 2 of 3 segments.'])
  expect(differenceWords(named({ changed: 2n }), 0, 3)).toEqual([
    'Rows differ: 2 changed, beyond a tolerance; no segment of the other columns differs.',
  ])
})
