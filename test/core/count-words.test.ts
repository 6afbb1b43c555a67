import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { counted, grouped } from '../../layers/core/count-words.ts'

describe('counts in words', () => {
  it('are grouped however large, and decimals in their whole part alone', () => {
    expect(grouped('9007199254740993')).toBe('9,007,199,254,740,993')
    expect([0, 999, 1000, -12345].map(grouped)).toEqual(['0', '999', '1,000', '-12,345'])
    expect([grouped('12345.6789'), grouped(0.123456), grouped(-1234n)]).toEqual(['12,345.6789', '0.123456', '-1,234'])
    fc.assert(fc.property(fc.bigInt(), (count) => BigInt(grouped(count).replaceAll(',', '')) === count))
    fc.assert(fc.property(fc.bigInt(), (count) => /^-?\d{1,3}(,\d{3})*$/.test(grouped(count))))
  })

  it('name one thing in the singular, and none or many in the plural', () => {
    expect([0, 1, 2, 1000].map((count) => counted(count, 'table'))).toEqual(['0 tables', '1 table', '2 tables', '1,000 tables'])
    expect([counted(1n, 'query', 'queries'), counted(10n ** 18n, 'query', 'queries')]).toEqual([
      '1 query',
      '1,000,000,000,000,000,000 queries',
    ])
  })
})
