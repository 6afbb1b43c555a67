import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { escaped, escapedFormat, mixesAlphabets, unlinked, visible, visibleName } from '../../layers/core/approval-page/visible-text.ts'

describe('text from strangers', () => {
  it.each([
    ['a\u202Eb', 'a[U+202E]b'],
    ['zero\u200Bwidth', 'zero[U+200B]width'],
    ['two  blanks', 'two [U+0020]blanks'],
    ['no\u00a0break', 'no[U+00A0]break'],
    ['p\u0430yment', 'p[U+0430]yment'],
    ['\u039fption', '[U+039F]ption'],
    ['оплата', 'оплата'],
    ['Ελλάδα', 'Ελλάδα'],
    ['café and naïve', 'café and naïve'],
    ['日本', '日本'],
    ['a\ufe0fb', 'a[U+FE0F]b'],
    ['e\u0301\u0301\u0301\u0301', 'e\u0301\u0301\u0301[U+0301]'],
    ['\u001b[31m', '[U+001B][31m'],
    ['\u{e0041}x', '[U+E0041]x'],
    ['line\nbreak', 'line[U+000A]break'],
  ])('%j is shown as %j', (text, shown) => {
    expect(visible(text)).toBe(shown)
  })

  it('stands in one line of characters that all can be seen', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(visible(text, 10_000)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|\p{Zs}\p{Zs}/u)
      }),
    )
  })

  it('shows a blank at either end of a name, and cuts no letter in two', () => {
    expect(visibleName(' id ')).toBe('[U+0020]id[U+0020]')
    expect(visible('🚚🚚🚚', 4).isWellFormed()).toBe(true)
  })

  it('becomes no markup and no link', () => {
    expect(escaped('<b onclick="x">\u202E')).toBe('&#60;b onclick=&#34;x&#34;&#62;[U+202E]')
    expect(unlinked('see https://evil.example or WWW.evil.example')).toBe('see https[://]evil.example or [www.]evil.example')
  })

  it('mixes alphabets or does not', () => {
    expect([mixesAlphabets('\u0430pproved'), mixesAlphabets('одобрено by all'), mixesAlphabets('plain words')]).toEqual([
      true,
      false,
      false,
    ])
  })

  it('means the same as JSON, in characters that hide nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const written = escapedFormat(JSON.stringify({ [text]: text }))
        expect(JSON.parse(written)).toEqual({ [text]: text })
        expect(written).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
      }),
    )
  })
})
