import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalBytes, canonicalJson, canonicalNumber, digestOf, parseStrictJson } from '../../layers/core/canonical-json.ts'

const golden = (name: string): unknown => JSON.parse(readFileSync(new URL(`golden/${name}`, import.meta.url), 'utf8'))

const value = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'grapheme' }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((x) => !Number.isInteger(x) || Number.isSafeInteger(x)),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('tree')),
    fc.dictionary(
      fc.string({ unit: 'grapheme' }).filter((text) => text !== '__proto__'),
      tie('tree'),
    ),
  ),
})).tree

describe('canonicalJson', () => {
  test.each(golden('rfc8785-numbers.golden.json') as [string, string][])('the double %s prints as %s', (bits, text) => {
    expect(canonicalNumber(Buffer.from(bits, 'hex').readDoubleBE())).toBe(text)
  })

  test.each(golden('rfc8785-documents.golden.json') as { name: string; input: string; keys?: string[]; text?: string }[])(
    'document: $name',
    ({ input, keys, text }) => {
      const written = canonicalJson(parseStrictJson(input))
      if (text !== undefined) expect(written).toBe(text)
      if (keys !== undefined)
        expect([...written.matchAll(/"((?:[^"\\]|\\.)*)":/g)].map(([, name]) => JSON.parse(`"${name}"`))).toEqual(keys)
    },
  )

  test('parsing what was written gives the value back, and writing that gives the same text', () => {
    fc.assert(
      fc.property(value, (tree) => {
        const text = canonicalJson(tree)
        const back = parseStrictJson(canonicalBytes(tree))
        expect(canonicalJson(back)).toBe(text)
        expect(back).toEqual(JSON.parse(JSON.stringify(tree)))
      }),
      { numRuns: 500 },
    )
  })

  test('the order in which keys were set does not matter', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string().filter((text) => text !== '__proto__'),
          fc.integer(),
        ),
        (fields) => {
          expect(canonicalJson(Object.fromEntries(Object.entries(fields).reverse()))).toBe(canonicalJson(fields))
        },
      ),
    )
  })

  test('two values have the same text exactly when they are the same value', () => {
    const small = fc.array(fc.oneof(fc.constantFrom(0, 1, '', '0', 'null', null, false, '[]'), fc.array(fc.constantFrom(0, '0'))), {
      maxLength: 2,
    })
    fc.assert(
      fc.property(small, small, (a, b) => {
        expect(canonicalJson(a) === canonicalJson(b)).toBe(isDeepStrictEqual(a, b))
      }),
      { numRuns: 2000 },
    )
  })

  const cycle: unknown[] = []
  cycle.push(cycle)
  test.each([
    ['undefined', undefined],
    ['an undefined field', { a: undefined }],
    ['a hole', new Array(2)],
    ['a bigint', 10n],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['bytes', new Uint8Array(2)],
    ['NaN', Number.NaN],
    ['infinity', { a: [Number.NEGATIVE_INFINITY] }],
    ['an unsafe integer', 2 ** 53],
    ['a lone surrogate', 'a\ud800'],
    ['a lone surrogate in a key', { '\udc00': 1 }],
    ['a key named __proto__', JSON.parse('{"__proto__":1}')],
    ['a cycle', cycle],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
  ])('refuses %s', (_name, bad) => {
    expect(() => canonicalJson(bad)).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }))
  })

  test('digestOf is SHA-256 over the UTF-8 bytes', () => {
    expect(digestOf({ b: '€', a: 1 })).toBe(createHash('sha256').update('{"a":1,"b":"€"}', 'utf8').digest('hex'))
  })

  test.each([
    ['many small texts', Array.from({ length: 20_000 }, (_, at) => `${at} €😀`)],
    ['one text longer than any piece', { long: '€'.repeat(100_000), after: 'x' }],
    ['a text as long as a piece, and its neighbours', [21_844, 21_845, 21_846, 65_535, 65_536, 65_537].map((length) => 'a'.repeat(length))],
    ['numbers and nesting', Array.from({ length: 9000 }, (_, at) => ({ at, in: [at / 3, null, true, { deep: [] }] }))],
  ])('digestOf is that of the whole text however large it is: %s', (_, value) => {
    expect(digestOf(value)).toBe(createHash('sha256').update(canonicalJson(value), 'utf8').digest('hex'))
  })
})
