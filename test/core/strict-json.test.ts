import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseStrictJson } from '../../layers/core/canonical-json.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** JSON texts that `JSON.parse` takes and Waybill takes too: no `__proto__`, no number that a double loses, no lone surrogate. */
const key = fc.string({ unit: 'grapheme' }).filter((text) => text !== '__proto__')
const number = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .filter((value) => !Number.isInteger(value) || Number.isSafeInteger(value))
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'grapheme' }),
    number,
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('tree')),
    fc.dictionary(key, tie('tree'), { noNullPrototype: true }),
  ),
}))

describe('parseStrictJson', () => {
  test('reads what JSON.parse reads, from bytes and from text, with any indentation', () => {
    fc.assert(
      fc.property(tree, fc.constantFrom('', ' ', '\t', '\r\n'), (value, indent) => {
        const text = JSON.stringify(value, null, indent)
        expect(parseStrictJson(bytes(text))).toStrictEqual(JSON.parse(text))
        expect(parseStrictJson(`${indent}${text}\n`)).toStrictEqual(JSON.parse(text))
      }),
      { numRuns: 500 },
    )
  })

  test('accepts nothing that JSON.parse refuses', () => {
    const noise = fc.oneof(
      fc.string({ unit: fc.constantFrom(...'{}[]",:\\u0019eE+-. \ntfn'.split('')), maxLength: 24 }),
      tree.chain((value) => {
        const text = JSON.stringify(value)
        return fc
          .tuple(fc.nat({ max: Math.max(0, text.length - 1) }), fc.constantFrom('', ',', '"', '}', '\\', '0', ' '))
          .map(([at, put]) => {
            return text.slice(0, at) + put + text.slice(at + 1)
          })
      }),
    )
    fc.assert(
      fc.property(noise, (text) => {
        let parsed: unknown
        try {
          parsed = parseStrictJson(text)
        } catch {
          return
        }
        expect(parsed).toStrictEqual(JSON.parse(text))
      }),
      { numRuns: 2000 },
    )
  })

  test('a key that stands twice is refused, however it is spelled and wherever it stands', () => {
    fc.assert(
      fc.property(key, tree, (name, value) => {
        const plain = JSON.stringify(name)
        const spelled = `"${[...name].flatMap((letter) => [...Array(letter.length).keys()].map((at) => `\\u${letter.charCodeAt(at).toString(16).padStart(4, '0')}`)).join('')}"`
        const text = `[{"x":{${plain}:${JSON.stringify(value)},${spelled}:1}}]`
        expect(() => parseStrictJson(text)).toThrow(/stands twice/)
      }),
    )
  })

  const refused: [string, string, RegExp][] = [
    ['unsafe integer', '{"rows":9007199254740993}', /write it as text/],
    ['unsafe negative integer', '-9007199254740992', /write it as text/],
    ['unsafe integer as exponent', '1e16', /write it as text/],
    ['unsafe integer with a fraction that a double drops', '9007199254740992.5', /write it as text/],
    ['infinity by exponent', '1e400', /too big/],
    ['underflow to zero', '0.1e-400', /too small/],
    ['NaN', '{"a":NaN}', /no JSON value/],
    ['Infinity', '[-Infinity]', /digit/],
    ['__proto__', '{"__proto__":{"admin":true}}', /__proto__/],
    ['__proto__ in disguise', '{"\\u005f_proto__":1}', /__proto__/],
    ['lone high surrogate', '"\\ud800"', /lone surrogate/],
    ['lone low surrogate', '"\\udc00x"', /lone surrogate/],
    ['surrogates the wrong way round', '"\\udc00\\ud800"', /lone surrogate/],
    ['byte order mark', '\ufeff{}', /byte order mark/],
    ['text afterwards', '{} {}', /after the end/],
    ['a comma too many', '[1,]', /no JSON value/],
    ['a comma too many in an object', '{"a":1,}', /key in double quotes/],
    ['single quotes', "{'a':1}", /key in double quotes/],
    ['a leading zero', '01', /after the end/],
    ['a leading plus', '+1', /no JSON value/],
    ['a bare point', '1.', /digit/],
    ['a control character', '"a\nb"', /control character/],
    ['an escape of another language', '"\\x41"', /escape/],
    ['an escape named like an inherited property', '"\\constructor"', /escape/],
    ['half an escape', '"\\u12"', /hexadecimal/],
    ['nothing', '', /ends too early/],
    ['an open string', '"abc', /closing quote/],
    ['an open string after an escape', '"a\\n', /closing quote/],
    ['a comment', '/* */1', /no JSON value/],
    ['other white space', '\u00a01', /no JSON value/],
  ]
  test.each(refused)('refuses %s', (_name, text, why) => {
    expect(() => parseStrictJson(text)).toThrow(why)
    expect(() => parseStrictJson(bytes(text))).toThrow(why)
    expect(() => parseStrictJson(text)).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }))
  })

  test.each([
    ['an overlong form', [0x22, 0xc0, 0xaf, 0x22]],
    ['a surrogate in UTF-8', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['a cut sequence', [0x22, 0xe2, 0x82, 0x22]],
    ['a byte beyond Unicode', [0x22, 0xf5, 0x80, 0x80, 0x80, 0x22]],
  ])('refuses %s', (_name, raw) => {
    expect(() => parseStrictJson(Uint8Array.from(raw))).toThrow(/not valid UTF-8/)
  })

  test('a lone surrogate in text that was never bytes is refused', () => {
    expect(() => parseStrictJson('"\ud800"')).toThrow(/lone surrogate/)
  })

  test('depth and size have limits', () => {
    const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
    expect(parseStrictJson(deep(128))).toBeDefined()
    expect(() => parseStrictJson(deep(129))).toThrow(/nested deeper than 128/)
    expect(() => parseStrictJson(deep(3), { maxDepth: 2 })).toThrow(/nested deeper than 2/)
    expect(parseStrictJson('"€"', { maxBytes: 5 })).toBe('€')
    expect(() => parseStrictJson('"€"', { maxBytes: 4 })).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }))
    expect(() => parseStrictJson('['.repeat(5_000_000))).toThrow(/nested deeper/)
  })

  test('names of inherited properties are ordinary keys', () => {
    const text = '{"constructor":1,"toString":2,"hasOwnProperty":3,"valueOf":4}'
    expect(parseStrictJson(text)).toStrictEqual(JSON.parse(text))
  })
})
