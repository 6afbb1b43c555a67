import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fingerprintOf } from '../../layers/core/evidence/pack-files.ts'
import { waybill } from '../end-to-end/command.ts'
import { fixturePackInput, sealFixture } from '../support/pack-fixture.ts'

let folder: string
let pack: string
let pins: string[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-verify-'))
  pack = join(folder, 'evidence_pack')
  const { input, signers } = await fixturePackInput()
  pins = input.keys.map(({ purpose, pem }) => `${purpose}=${fingerprintOf(pem)}`)
  for (const { path, bytes } of await sealFixture(input, signers)) {
    await mkdir(dirname(join(pack, path)), { recursive: true })
    await writeFile(join(pack, path), bytes)
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const lastLine = (text: string) => text.trimEnd().split('\n').at(-1)

describe('waybill verify', () => {
  it('does not call a pack verified whose signers nobody pinned', async () => {
    const result = await waybill(['verify', pack])
    expect(result.code, result.err).toBe(0)
    expect(lastLine(result.out)).toBe('Whole and consistent. Who signed was not checked: pin keys with --trust.')
    expect(result.out).not.toMatch(/verified/i)
  })

  it('calls it verified under pinned keys', async () => {
    const result = await waybill(['verify', pack, '--trust', ...pins])
    expect(result.code, result.err + result.out).toBe(0)
    expect(lastLine(result.out)).toBe('Verified.')
  })

  it('refuses it under the keys of somebody else', async () => {
    const result = await waybill(['verify', pack, '--trust', `evidence=${'f'.repeat(64)}`])
    expect(result.code).toBe(1)
    expect(result.out).toContain('Not verified. First fault:')
  })

  it('says in JSON which of the two it was', async () => {
    const own = await waybill(['verify', pack, '--json'])
    expect(JSON.parse(own.out)).toMatchObject({ verified: true, trust: 'keys-in-pack' })
    const pinned = await waybill(['verify', pack, '--json', '--trust', ...pins])
    expect(JSON.parse(pinned.out)).toMatchObject({ verified: true, trust: 'pinned' })
  })

  it('says that a link was mailed to an address, not who opened it', async () => {
    const result = await waybill(['verify', pack])
    expect(result.out).toMatch(/opened by whoever held the links mailed to [^\n]*security@example\.org/)
  })

  it.each([
    ['an empty folder', async (at: string) => void (await mkdir(at))],
    [
      'a folder of other things',
      async (at: string) => {
        await mkdir(at)
        await writeFile(join(at, 'notes.txt'), 'x')
      },
    ],
  ])('says that %s is not an evidence pack', async (what, make) => {
    const at = join(folder, what.replaceAll(' ', '-'))
    await make(at)
    for (const flags of [[], ['--json']]) {
      const result = await waybill(['verify', at, ...flags])
      expect(result.code).toBe(2)
      expect(result.out + result.err).toContain('is not an evidence pack')
      expect(result.out).not.toContain('FAIL')
    }
  })
})
