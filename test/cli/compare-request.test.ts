import { describe, expect, it } from 'vitest'
import { type CompareFlags, readRequest } from '../../cli/compare/request.ts'
import { readCondition } from '../../layers/core/comparison-request/condition.ts'
import { readCompareConfig } from '../../layers/core/comparison-request/config.ts'

const env = { PGPASSFILE: '/nonexistent', PGUSER: 'u' }
const request = (flags: Partial<CompareFlags>, config = {}) =>
  readRequest(['a', 'b'], { table: [], include: [], exclude: [], where: [], ...flags }, config, env)

describe('conditions', () => {
  it.each([
    ['a=b', 'eq', 'a', ['b']],
    ['a = b', 'eq', 'a', ['b']],
    ["a = ' b'", 'eq', 'a', [' b']],
    ["a = 'it''s'", 'eq', 'a', ["it's"]],
    ["a=''", 'eq', 'a', ['']],
    ['a  in  x, y ', 'in', 'a', ['x', 'y']],
    ["a not in 'x, y', z", 'not_in', 'a', ['x, y', 'z']],
    ["a in it's, x", 'in', 'a', ["it's", 'x']],
    ['a in x,', 'in', 'a', ['x', '']],
    ['a  is   NOT  null ', 'is_not_null', 'a', []],
    ['a>=2', 'ge', 'a', ['2']],
    ['a<>2', 'ne', 'a', ['2']],
    ['a!=', 'ne', 'a', ['']],
    ['a=b=c', 'eq', 'a', ['b=c']],
    ['a in x,y', 'in', 'a', ['x', 'y']],
    ['a NOT IN x', 'not_in', 'a', ['x']],
    ['a is null', 'is_null', 'a', []],
    ['"a ""b"" is" is not null', 'is_not_null', 'a "b" is', []],
    [`a=1' OR '1'='1`, 'eq', 'a', [`1' OR '1'='1`]],
  ])('%s', (text, op, column, values) => {
    expect(readCondition(text)).toEqual({ column, op, values })
  })

  it.each(['', 'a', '=b', 'a is', 'a like b', 'a; DROP TABLE x'])('refuses %j', (text) => {
    expect(() => readCondition(text)).toThrow(/is not a condition/)
  })
})

describe('options that contradict each other are refused before anything is opened', () => {
  it.each<[Partial<CompareFlags>, RegExp]>([
    [{ repairSql: 'x.sql' }, /--show-values/],
    [{ repairSql: 'x.sql', showValues: true, sample: 5 }, /every row/],
    [{ showValues: true, mask: true }, /contradict/],
    [{ schemaOnly: true, aggregatesOnly: true }, /exclude each other/],
    [{ aggregatesOnly: true, sample: 5 }, /exclude each other/],
    [{ aggregatesOnly: true, where: ['a=1'] }, /whole tables/],
    [{ table: ['a'], include: ['b'] }, /one or the other/],
    [{ table: ['a', 'b', 'a'] }, /names a twice/],
    [{ html: 'x', junit: './x' }, /same file/],
    [{ state: 's', sample: 5 }, /every row/],
    [{ differences: 'x.txt' }, /\.jsonl/],
    [{ differences: 'x.jsonl', schemaOnly: true }, /there are none/],
    [{ tenant: 'a>1' }, /COL=VALUE/],
    [{ live: 5, sample: 5 }, /every row/],
    [{ live: 5, state: 's' }, /exclude each other/],
    [{ pauseAbove: 5, connections: 1 }, /--connections 2/],
    [{ pauseAbove: 5, schemaOnly: true }, /none are read/],
    [{ maxRowsPerSecond: 5, aggregatesOnly: true }, /none are read/],
  ])('%j', (flags, message) => {
    expect(() => request(flags)).toThrow(message)
  })

  it('files do not settle and are not watched', () => {
    const files = (flags: Partial<CompareFlags>) =>
      readRequest(['csv:a.csv', 'b'], { table: ['t'], include: [], exclude: [], where: [], ...flags }, {}, env)
    expect(() => files({ live: 5 })).toThrow(/both sides/)
    expect(() => files({ pauseAbove: 5 })).toThrow(/must be PostgreSQL/)
  })

  it('what the servers are spared comes from the command line, else from the configuration, else retries alone', () => {
    const config = readCompareConfig('retries: 0\nlive_seconds: 9\nmax_rows_per_second: 8\npause_above_ms: 7\n')
    const own = ({ retries, live, throttle }: ReturnType<typeof request>) => ({ retries, live, throttle })
    expect(own(request({}))).toEqual({ retries: 3, live: null, throttle: {} })
    expect(own(request({}, config))).toEqual({ retries: 0, live: { deadlineMs: 9000 }, throttle: { rowsPerSecond: 8, pauseAboveMs: 7 } })
    expect(own(request({ retries: 1, live: 2, maxRowsPerSecond: 3, pauseAbove: 4 }, config))).toEqual({
      retries: 1,
      live: { deadlineMs: 2000 },
      throttle: { rowsPerSecond: 3, pauseAboveMs: 4 },
    })
  })

  it('asks for two sides', () => {
    expect(() => readRequest(['a', undefined], { table: [], include: [], exclude: [], where: [] }, {}, env)).toThrow(/Two sides/)
  })
})

describe('configuration', () => {
  it('says what options say, and options win', () => {
    const config = readCompareConfig(
      'key: [id]\nconnections: 4\ntables: [a.b, {source: c.d, target: c.e, rename: {new: old}}]\ntenant: t=1\nshow_values: true',
    )
    const read = request({ key: 'x, y', connections: 1 }, config)
    expect(read.comparison.key).toEqual(['x', 'y'])
    expect(read.connections).toBe(1)
    expect(read.showValues).toBe(true)
    expect(read.filter).toEqual(['t=1'])
    expect(read.tables).toEqual([
      { source: 'a.b', target: null, options: {} },
      { source: 'c.d', target: 'c.e', options: { rename: { new: 'old' } } },
    ])
    expect(request({ table: ['only'] }, config).tables).toEqual([{ source: 'only', target: null, options: {} }])
  })

  it('names every fault with its place, and repeats no value', () => {
    try {
      readCompareConfig('source: 1\ntargt: postgresql://u:s3cret@h/x\nsample: s3cret')
      expect.unreachable()
    } catch (error) {
      const { details } = error as { details: string[] }
      expect(details).toHaveLength(3)
      expect(details.join('\n')).toMatch(/line 2.*targt.*did you mean "target"/)
      expect(details.join('\n')).not.toContain('s3cret')
    }
    expect(() => readCompareConfig('a: &x 1\nb: *x')).toThrow(/BAD_INPUT|configuration/)
  })
})
