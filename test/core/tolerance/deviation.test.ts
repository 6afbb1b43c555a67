import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DeviationScale } from '../../../layers/core/tolerance/deviation.ts'
import { decimalOf, decimalText, type Exact, exactDouble } from '../../../layers/core/tolerance/exact.ts'
import { exceeds } from '../../../layers/core/tolerance/limit.ts'

/** Fractions, written apart from the code under test: numerator and denominator, never a float. */
type Fraction = { n: bigint; d: bigint }
const abs = (x: bigint) => (x < 0n ? -x : x)
const minus = (a: Fraction, b: Fraction): Fraction => ({ n: a.n * b.d - b.n * a.d, d: a.d * b.d })
const atMost = (a: Fraction, b: Fraction) => a.n * b.d <= b.n * a.d
const fractionOf = (text: string): Fraction => {
  const [whole, part = ''] = text.split('.')
  return { n: BigInt(`${whole}${part}`), d: 10n ** BigInt(part.length) }
}
const larger = (a: Fraction, b: Fraction): Fraction =>
  atMost({ ...a, n: abs(a.n) }, { ...b, n: abs(b.n) }) ? { ...b, n: abs(b.n) } : { ...a, n: abs(a.n) }

const decimals = fc
  .tuple(fc.bigInt(-(10n ** 30n), 10n ** 30n), fc.integer({ min: 0, max: 25 }))
  .map(([unscaled, scale]) => decimalText({ unscaled, scale }))
const tolerances = fc
  .tuple(fc.bigInt(1n, 10n ** 9n), fc.integer({ min: 0, max: 12 }))
  .map(([unscaled, scale]) => decimalText({ unscaled, scale }))
const shares = fc.bigInt(1n, 999_999n).map((unscaled) => decimalText({ unscaled, scale: 6 }))

describe('a deviation', () => {
  it('absolute, agrees with exact fractions, near the tolerance above all', () => {
    const near = fc
      .tuple(decimals, tolerances, fc.constantFrom(-1n, 0n, 1n), fc.integer({ min: 0, max: 30 }), fc.boolean())
      .map(([a, limit, nudge, places, up]) => {
        const scale = 60
        const step = decimalOf(limit).unscaled * 10n ** BigInt(scale - decimalOf(limit).scale) + nudge * 10n ** BigInt(places)
        const base = decimalOf(a).unscaled * 10n ** BigInt(scale - decimalOf(a).scale)
        return [a, decimalText({ unscaled: up ? base + step : base - step, scale }), limit] as const
      })
    fc.assert(
      fc.property(fc.oneof(near, fc.tuple(decimals, decimals, tolerances)), ([a, b, limit]) => {
        const apart = minus(fractionOf(a), fractionOf(b))
        const size = { ...apart, n: abs(apart.n) }
        const expected = size.n === 0n ? 'equal' : atMost(size, fractionOf(limit)) ? 'within' : 'beyond'
        const scale = new DeviationScale({ kind: 'absolute', value: limit })
        const judged = scale.judge(decimalOf(a), decimalOf(b))
        expect(judged.state).toBe(expected)
        expect(scale.judge(decimalOf(b), decimalOf(a))).toEqual(judged)
        if (judged.state !== 'equal') {
          const stated = scale.text(judged.units!)
          expect(atMost(size, fractionOf(stated))).toBe(true)
          if (judged.state === 'within') expect(exceeds(stated, limit)).toBe(false)
        }
      }),
      { numRuns: 5000 },
    )
  })

  it('relative, agrees with exact fractions of the larger value', () => {
    const near = fc.tuple(decimals, shares, fc.constantFrom(-1n, 0n, 1n)).map(([a, share, nudge]) => {
      const [value, of] = [decimalOf(a), decimalOf(share)]
      const scale = value.scale + of.scale
      const whole = value.unscaled * 10n ** BigInt(of.scale)
      return [a, decimalText({ unscaled: whole - value.unscaled * of.unscaled + nudge, scale }), share] as const
    })
    fc.assert(
      fc.property(fc.oneof(near, fc.tuple(decimals, decimals, shares)), ([a, b, share]) => {
        const [left, right] = [fractionOf(a), fractionOf(b)]
        const apart = minus(left, right)
        const most = larger(left, right)
        const limit = fractionOf(share)
        const size = { ...apart, n: abs(apart.n) }
        const expected = size.n === 0n ? 'equal' : atMost(size, { n: most.n * limit.n, d: most.d * limit.d }) ? 'within' : 'beyond'
        const scale = new DeviationScale({ kind: 'relative', value: share })
        const judged = scale.judge(decimalOf(a), decimalOf(b))
        expect(judged.state).toBe(expected)
        expect(scale.judge(decimalOf(b), decimalOf(a))).toEqual(judged)
        if (judged.state === 'within') {
          const stated = scale.text(judged.units!)
          expect(exceeds(stated, share)).toBe(false)
          expect(atMost({ n: size.n * most.d, d: size.d * most.n }, fractionOf(stated))).toBe(true)
        }
      }),
      { numRuns: 5000 },
    )
  })

  it('nothing is near to a value that is no number', () => {
    const odd: (Exact | null)[] = [null, 'NaN', 'Infinity', '-Infinity', decimalOf('0')]
    for (const kind of ['absolute', 'relative'] as const) {
      const scale = new DeviationScale({ kind, value: '0.9' })
      for (const [i, a] of odd.entries())
        for (const [j, b] of odd.entries()) expect(scale.judge(a, b).state).toBe(i === j ? 'equal' : 'beyond')
    }
  })
})

describe('a double', () => {
  it('is the exact decimal of its bits', () => {
    expect(decimalText(exactDouble(0.1) as { unscaled: bigint; scale: number })).toBe(
      '0.1000000000000000055511151231257827021181583404541015625',
    )
    expect(decimalText(exactDouble(-2.5) as { unscaled: bigint; scale: number })).toBe('-2.5')
    expect(exactDouble(2 ** 80)).toEqual({ unscaled: 2n ** 80n, scale: 0 })
    expect(exactDouble(Number.MIN_VALUE)).toEqual({ unscaled: 5n ** 1074n, scale: 1074 })
    expect([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map(exactDouble)).toEqual(['NaN', 'Infinity', '-Infinity'])
    expect(decimalText(exactDouble(-0) as { unscaled: bigint; scale: number })).toBe('0')
  })
  it('can be put together again from it', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const exact = exactDouble(value)
        if (typeof exact === 'string') throw new Error(exact)
        // A double has one exact decimal, and reading that rounds to nothing else.
        expect(Number(decimalText(exact))).toBe(value === 0 ? 0 : value)
        expect(exact.scale).toBeGreaterThanOrEqual(0)
      }),
      { numRuns: 3000 },
    )
  })
})
