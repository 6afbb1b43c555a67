import { afterAll, beforeAll, expect, it } from 'vitest'
import { freshDatabase, runSql, withClient } from '../../support/postgres.ts'
import { mappingOf, type Pair, reconcile } from './recon-fixture.ts'

let pair: Pair
beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
})
afterAll(async () => {
  await pair.source.drop()
  await pair.target.drop()
})

/** Drawn again the same on every run. */
function draws(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const ROWS = 6000
type Fraction = { n: bigint; d: bigint }
type Cell = Fraction | string | null
const abs = (x: bigint) => (x < 0n ? -x : x)

/** A value written apart from the code under test: numerics from their text, floats from the bits the server sends, times in microseconds. */
function cellOf(kind: string, text: string | null): Cell {
  if (text === null || /^-?infinity$|^nan$/i.test(text)) return text === null ? null : text.toLowerCase()
  if (kind === 'seen') return { n: BigInt(text), d: 1000n }
  if (kind === 'amount') {
    const [whole, part = ''] = text.split('.')
    return { n: BigInt(whole + part), d: 10n ** BigInt(part.length) }
  }
  const bits = BigInt(`0x${text}`)
  const exponent = Number((bits >> 52n) & 0x7ffn)
  const mantissa = bits & ((1n << 52n) - 1n)
  if (exponent === 0x7ff) return mantissa !== 0n ? 'nan' : bits >> 63n === 1n ? '-infinity' : 'infinity'
  const size = exponent === 0 ? mantissa : mantissa | (1n << 52n)
  const power = BigInt(Math.max(exponent, 1) - 1075)
  const signed = bits >> 63n === 1n ? -size : size
  return power >= 0n ? { n: signed << power, d: 1n } : { n: signed, d: 1n << -power }
}

/** `share`: of the larger value; otherwise the limit itself. */
function stateOf(a: Cell, b: Cell, limit: Fraction, share: boolean): 'equal' | 'within' | 'beyond' {
  if (a === null || b === null || typeof a === 'string' || typeof b === 'string') return a === b ? 'equal' : 'beyond'
  const apart = abs(a.n * b.d - b.n * a.d)
  if (apart === 0n) return 'equal'
  // A share of the larger value is a share of either of them.
  const whole = share ? [abs(a.n) * b.d, abs(b.n) * a.d] : [a.d * b.d]
  return whole.some((size) => apart * limit.d <= limit.n * size) ? 'within' : 'beyond'
}

function table(next: () => number): { source: string[]; target: string[] } {
  const pick = <T>(...values: T[]): T => values[Math.floor(next() * values.length)]!
  const odd = (text: string) => (next() < 0.03 ? pick(`'NaN'`, 'NULL', `'Infinity'`, `'-Infinity'`) : text)
  const time = (text: string) => (next() < 0.03 ? pick('NULL', `'infinity'`, `'-infinity'`) : text)
  const source: string[] = []
  const target: string[] = []
  for (let id = 1; id <= ROWS; id++) {
    const cents = Math.floor((next() - 0.5) * 1e9)
    const near = pick('0', '0', '0.01', '-0.01', '0.0100000000001', '-0.0099999999999', '0.02')
    const rate = `(${(next() - 0.5) * 10 ** Math.floor(next() * 300 - 150)})::float8`
    const factor = pick('1', '1', '1.001', '0.999', '1.0009', '0.99900001', '1.0011', '-1')
    const seen = `timestamp '${pick('0044-03-15 12:00:00 BC', '1582-10-04', '2026-01-01')}' + ${Math.floor(next() * 1e12)} * interval '1 microsecond'`
    const later = pick('0', '0', '1000', '-1000', '1001', '999', '-1001')
    const note = next() < 0.02 ? `'other'` : `'same'`
    const row = (amount: string, rated: string, at: string, text: string) => `(${id}, ${text}, ${amount}, ${rated}, ${at})`
    if (next() > 0.01) source.push(row(odd(`${cents}.${id % 7}`), odd(rate), time(seen), `'same'`))
    if (next() > 0.01)
      target.push(
        row(odd(`${cents}.${id % 7} + ${near}`), odd(`${rate} * ${factor}`), time(`${seen} + ${later} * interval '1 microsecond'`), note),
      )
  }
  return { source, target }
}

const READ = `SELECT id::text, note, amount::text,
  encode(float8send(rate), 'hex'), CASE WHEN isfinite(seen) THEN (extract(epoch FROM seen) * 1000000)::numeric(30,0)::text ELSE seen::text END FROM held`

it.each([
  [1, 'ordered'],
  [2, 'bucketed'],
  [3, 'ordered'],
] as const)(
  'thousands of rows near the border, drawn by seed %i, %s: every verdict on every value is the one of exact fractions',
  async (seed, mode) => {
    const { source, target } = table(draws(seed))
    const make = (rows: string[]) =>
      `DROP TABLE IF EXISTS held; CREATE TABLE held (id int PRIMARY KEY, note text, amount numeric, rate float8, seen timestamp); INSERT INTO held VALUES ${rows.join(',')}; ANALYZE held`
    await runSql(pair.source.url, make(source))
    await runSql(pair.target.url, make(target))
    const read = (url: string) =>
      withClient(url, async (client) => {
        const { rows } = await client.query({ text: READ, rowMode: 'array' })
        return new Map((rows as (string | null)[][]).map(([id, ...cells]) => [id!, cells]))
      })
    const [left, right] = [await read(pair.source.url), await read(pair.target.url)]
    const limits = [
      ['amount', { n: 1n, d: 100n }, false],
      ['rate', { n: 1n, d: 1000n }, true],
      ['seen', { n: 1n, d: 1n }, false],
    ] as const
    const expected: string[] = []
    const counts = limits.map(() => ({ equal: 0, within: 0, beyond: 0 }))
    for (const id of new Set([...left.keys(), ...right.keys()])) {
      const [a, b] = [left.get(id), right.get(id)]
      if (a === undefined || b === undefined) {
        expected.push(`${a === undefined ? 'extra' : 'missing'} ${id}`)
        continue
      }
      const states = limits.map(([kind, limit, share], i) => stateOf(cellOf(kind, a[i + 1]!), cellOf(kind, b[i + 1]!), limit, share))
      for (const [i, state] of states.entries()) counts[i]![state]++
      const columns = [...(a[0] === b[0] ? [] : ['note']), ...limits.flatMap(([kind], i) => (states[i] === 'beyond' ? [kind] : []))]
      if (columns.length > 0) expected.push(`changed ${id} ${columns.join(',')}`)
    }
    const mapping = mappingOf(
      'held',
      { id: 'integer', note: 'text', amount: 'numeric', rate: 'double precision', seen: 'timestamp' },
      { key: ['id'] },
    )
    const { result, mismatches } = await reconcile(pair, mapping, {
      mode,
      segments: 16,
      tolerances: [
        { column: 'amount', kind: 'absolute', value: '0.01' },
        { column: 'rate', kind: 'relative', value: '0.001' },
        { column: 'seen', kind: 'time', value: '1' },
      ],
    })
    const named = mismatches.map(
      (one) => `${one.kind} ${one.key[0]!.value}${one.kind === 'changed' ? ` ${one.columns.map((cell) => cell.column).join(',')}` : ''}`,
    )
    expect(result.verdict, result.reasons.join(' ')).toBe('fail')
    expect(named.sort()).toEqual(expected.sort())
    expect(
      result.tolerances!.map(({ equal, within, beyond }) => ({ equal: Number(equal), within: Number(within), beyond: Number(beyond) })),
    ).toEqual(counts)
    for (const count of counts) expect(Math.min(count.equal, count.within, count.beyond)).toBeGreaterThan(100)
  },
)
