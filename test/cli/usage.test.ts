import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
  it('and look alike are told apart by their code points', () => {
    expect(apart('\u00e1', 'a\u0301', quoted)).toEqual(['"\u00e1" (U+00E1)', '"a\u0301" (U+0301)'])
    expect(apart('\uff21', 'A', quoted)).toEqual(['"\uff21" (U+FF21)', '"A" (ASCII only)'])
  })
  it('and look different stand as they are', () => {
    expect(apart('a', 'b', quoted)).toEqual(['"a"', '"b"'])
    expect(apart(null, '', quoted)).toEqual(['null', '""'])
  })
})
