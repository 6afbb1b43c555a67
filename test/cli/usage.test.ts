import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apart } from '../../cli/alike.ts'
import { waybill } from '../end-to-end/command.ts'

const LONG = 120_000
let home: string
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'waybill-usage-'))
})
afterAll(() => rm(home, { recursive: true, force: true }))

describe('a command used wrongly', () => {
  it('says so as JSON where JSON was asked for', { timeout: LONG }, async () => {
    const { code, out } = await waybill(['demo', '--rows', 'x', '--json'], {})
    expect([code, JSON.parse(out)]).toMatchObject([2, { error: { code: 'BAD_INPUT', message: expect.stringContaining('--rows') } }])
    expect((await waybill(['demo', '--rows', 'x'], {})).out).toBe('')
  })

  it('does not call a project finished that does not exist', { timeout: LONG }, async () => {
    const { code, err } = await waybill(['resume', 'nope', '--home', home], {})
    expect([code, err]).toEqual([2, expect.stringContaining('There is no project nope')])
  })

  it('asks for the name of a spec that has none', { timeout: LONG }, async () => {
    const { code, err } = await waybill(['run', '', '--home', home], {})
    expect([code, err]).toEqual([2, expect.stringContaining('Which spec?')])
  })
})

describe('two values that differ', () => {
  const quoted = (text: string | null) => JSON.stringify(text)
  it('and look alike are told apart by the code points in which they differ', () => {
    expect(apart('\u00e1', 'a\u0301', quoted)).toEqual(['"\u00e1" (U+00E1 at character 1)', '"a\u0301" (U+0061 U+0301 at character 1)'])
    expect(apart('\uff21', 'A', quoted)).toEqual(['"\uff21" (U+FF21 at character 1)', '"A" (U+0041 at character 1)'])
  })
  it('and look alike are told apart wherever they differ, behind however much that is the same', () => {
    const long = '\u00e9t\u00e9 \u{1f600} '.repeat(40)
    const [source, target] = apart(`${long}\u00e1 end`, `${long}a\u0301 end`, quoted)
    const at = [...long].length + 1
    expect(source.endsWith(` (U+00E1 at character ${at})`)).toBe(true)
    expect(target.endsWith(` (U+0061 U+0301 at character ${at})`)).toBe(true)
    expect(apart('\u00c5'.repeat(12), '\u212b'.repeat(12), quoted)[1]).toMatch(/\((U\+212B ){8}and 4 more at character 1\)$/)
  })
  it('and differ in a blank alone are told apart by it', () => {
    expect(apart('a', 'a ', String)).toEqual(['a (nothing at character 2)', 'a  (U+0020 at character 2)'])
    expect(apart('a b', 'a\u00a0b', String)[1]).toContain('(U+00A0 at character 2)')
    // A mark that is written out, and the character that is shown by it.
    expect(apart('\\u{200b}', '\u200b', String)[1]).toContain('(U+200B at character 1)')
  })
  it('and look alike are never shown as the same two texts', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 12 }), fc.constantFrom('NFC', 'NFD', 'NFKC', 'NFKD'), (text, form) => {
        const [source, target] = apart(text, text.normalize(form), quoted)
        expect(source === target).toBe(text === text.normalize(form))
      }),
    )
  })
  it('and look different stand as they are', () => {
    expect(apart('a', 'b', quoted)).toEqual(['"a"', '"b"'])
    expect(apart(null, '', quoted)).toEqual(['null', '""'])
  })
})
