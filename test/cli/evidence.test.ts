import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleFromJSON } from '@sigstore/bundle'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PackFile } from '../../layers/core/evidence/pack.ts'
import { fingerprintOf } from '../../layers/core/evidence/pack-files.ts'
import { memoryReader, verifyPack } from '../../layers/core/verifier/index.ts'
import { waybill } from '../end-to-end/command.ts'
import { fixturePackInput, sealFixture } from '../support/pack-fixture.ts'
import { writePack } from '../support/pack-folder.ts'
import { type Authority, timestampAuthority } from '../timestamp/authority.ts'

let folder: string
let files: PackFile[]
let pins: string[]
let authority: Authority

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-evidence-'))
  const { input, signers } = await fixturePackInput()
  pins = input.keys.map(({ purpose, pem }) => `${purpose}=${fingerprintOf(pem)}`)
  files = await sealFixture(input, signers)
  authority = timestampAuthority()
})
afterAll(async () => {
  authority.remove()
  await rm(folder, { recursive: true, force: true })
})

let count = 0
const fresh = async (): Promise<string> => {
  const at = join(folder, `pack-${++count}`)
  await writePack(at, files)
  return at
}
const printed = (out: string) => out.slice(out.indexOf('hash() {'), out.indexOf('\n\nThe segment lies'))

describe('waybill verify --segment', () => {
  it('prints a path that sha256sum follows, and writes a proof that needs no pack', async () => {
    const pack = await fresh()
    const file = join(folder, 'proof.json')
    const result = await waybill(['verify', pack, '--segment', 'flights:2', '--extract', file, '--trust', ...pins])
    expect(result.code, result.err).toBe(0)
    expect(result.out).toContain('Segment 2 of flights, leaf 2 of 3 in run run-1')
    expect(execFileSync('sh', ['-c', printed(result.out)], { encoding: 'utf8' })).toBe(
      'source: leads to the signed root\ntarget: leads to the signed root\n',
    )
    await rm(pack, { recursive: true })
    const alone = await waybill(['verify', '--segment-proof', file, '--trust', ...pins])
    expect([alone.code, alone.out]).toEqual([0, expect.stringContaining('under a root signed by a key you trust')])
    const json = JSON.parse((await waybill(['verify', '--segment-proof', file, '--json'])).out)
    expect(json).toMatchObject({ verified: true, trust: 'key-in-file', equal: true })
    expect((await waybill(['verify', '--segment-proof', file, '--trust', `evidence=${'f'.repeat(64)}`])).code).toBe(1)
    await writeFile(file, (await readFile(file, 'utf8')).replace('"rows":"20"', '"rows":"21"'))
    const forged = await waybill(['verify', '--segment-proof', file, '--trust', ...pins])
    expect([forged.code, forged.out]).toEqual([1, expect.stringContaining('do not lead to the signed root')])
  })

  it('is part of the result in JSON, with the commands', async () => {
    const { code, out } = await waybill(['verify', await fresh(), '--segment', 'airports:0', '--json'])
    expect(code).toBe(0)
    const { segment } = JSON.parse(out)
    expect(segment).toMatchObject({ verified: true, proof: { table_id: 'airports', index: 0, tree_size: 1 } })
    expect(execFileSync('sh', ['-c', segment.commands], { encoding: 'utf8' })).toContain('source: leads to the signed root')
  })

  it('gives no path through a pack that does not hold', async () => {
    const pack = await fresh()
    await writeFile(join(pack, 'report.md'), 'x')
    const { code, out } = await waybill(['verify', pack, '--segment', 'flights:1', '--extract', join(folder, 'never.json')])
    expect([code, out]).toEqual([1, expect.not.stringContaining('hash()')])
    expect(await readdir(folder)).not.toContain('never.json')
  })

  it.each([
    [['--segment', 'flights:9'], /has no segment 9; it has 3/],
    [['--segment', 'ports:0'], /holds no table ports; it holds airports, flights/],
    [['--segment', 'flights'], /such as flights:12/],
    [['--extract', 'x.json'], /--segment TABLE:NUMBER/],
  ])('says what it takes: %j', async (options, says) => {
    const { code, err } = await waybill(['verify', await fresh(), ...options])
    expect([code, err]).toEqual([2, expect.stringMatching(says)])
  })
})

describe('waybill timestamp', () => {
  const stamped = async (of: 'manifest' | 'signature') => {
    const pack = await fresh()
    const [request, response] = [join(folder, `${count}.tsq`), join(folder, `${count}.tsr`)]
    expect((await waybill(['timestamp', pack, '--request', request, '--of', of])).code).toBe(0)
    await writeFile(response, authority.reply(await readFile(request)))
    const put = await waybill(['timestamp', pack, '--response', response, '--tsa-ca', authority.rootPath])
    expect(put.code, put.err).toBe(0)
    return { pack, response }
  }

  it.each([
    ['manifest', 'sha256_manifest.json'],
    ['signature', 'manifest.sig.der'],
  ] as const)('has the %s stamped; Waybill and openssl both say when', async (of, file) => {
    const { pack } = await stamped(of)
    const args = ['ts', '-verify', '-in', `timestamp/${of}.tsr`, '-data', file, '-CAfile', authority.rootPath]
    // The intermediate certificate lies in the answer itself.
    expect(execFileSync('openssl', args, { cwd: pack, stdio: 'pipe' }).toString()).toContain('Verification: OK')
    const trusted = await waybill(['verify', pack, '--trust', ...pins, '--tsa-ca', authority.rootPath])
    expect(trusted.code, trusted.out).toBe(0)
    expect(trusted.out).toMatch(new RegExp(`${file} existed by 20.*says O=Example, CN=Test stamps \\(an authority you trust\\)`))
    expect(trusted.out).toContain('Verified.')
    const unnamed = await waybill(['verify', pack, '--trust', ...pins])
    expect([unnamed.code, unnamed.out]).toEqual([0, expect.stringContaining('not checked whether you trust that authority')])
    const stranger = timestampAuthority()
    try {
      expect((await waybill(['verify', pack, '--tsa-ca', stranger.rootPath])).code).toBe(1)
    } finally {
      stranger.remove()
    }
  })

  it('puts the stamped signature into a bundle that Sigstore reads', async () => {
    const { pack, response } = await stamped('signature')
    const bundle = bundleFromJSON(JSON.parse(await readFile(join(pack, 'timestamp/manifest.sigstore.json'), 'utf8')))
    expect(bundle.verificationMaterial.timestampVerificationData?.rfc3161Timestamps[0]?.signedTimestamp).toEqual(await readFile(response))
    await rm(join(pack, 'timestamp/manifest.sigstore.json'))
    expect((await waybill(['verify', pack])).out).toContain('timestamp/manifest.sigstore.json: is missing')
  })

  it('keeps the earlier answer, and takes the same one twice', async () => {
    const { pack, response } = await stamped('manifest')
    expect((await waybill(['timestamp', pack, '--response', response])).code).toBe(0)
    await writeFile(response, authority.reply(await readFile(join(pack, 'timestamp/manifest.tsq'))))
    const again = await waybill(['timestamp', pack, '--response', response])
    expect([again.code, again.err]).toEqual([2, expect.stringContaining('The earlier answer proves the earlier time')])
  })

  it('does not take an answer about another pack, nor one from nobody', async () => {
    const { response } = await stamped('manifest')
    const { input, signers } = await fixturePackInput({ projectId: 'orders' })
    const other = join(folder, 'other')
    await writePack(other, await sealFixture(input, signers))
    const result = await waybill(['timestamp', other, '--response', response])
    expect([result.code, result.err]).toEqual([2, expect.stringContaining('This answer confirms nothing in this pack')])
    expect(await readdir(join(other, 'timestamp'))).toEqual(['manifest.tsq', 'signature.tsq'])
    // Put there by hand, past the command.
    await writeFile(join(other, 'timestamp/manifest.tsr'), await readFile(response))
    const verified = await waybill(['verify', other])
    expect([verified.code, verified.out]).toEqual([1, expect.stringContaining('timestamp/manifest.tsr: this timestamp does not hold')])
  })

  it('leaves the pack’s own guide content', async () => {
    const { pack } = await stamped('signature')
    const guide = await readFile(join(pack, 'VERIFY.md'), 'utf8')
    for (const [, block] of guide.matchAll(/```sh\n([\s\S]*?)```/g))
      expect(execFileSync('sh', ['-c', block!], { cwd: pack, encoding: 'utf8', stdio: 'pipe' })).not.toMatch(/fail/i)
  })

  it('counts for nothing where nobody can check it', async () => {
    const response = authority.reply(files.find(({ path }) => path === 'timestamp/manifest.tsq')!.bytes)
    const result = await verifyPack(memoryReader([...files, { path: 'timestamp/manifest.tsr', bytes: response }]))
    expect(result.faults).toEqual([expect.stringMatching(/^timestamp\/manifest\.tsr: was not checked/)])
  })
})

describe('waybill evidence redact', () => {
  it('writes what outsiders may see, which verifies as far as it goes', async () => {
    const out = join(folder, 'redacted')
    const made = await waybill(['evidence', 'redact', await fresh(), '--out', out, '--trust', ...pins])
    expect(made.code, made.err + made.out).toBe(0)
    expect((await readdir(out)).toSorted()).toEqual(['VERIFY.md', 'pack', 'redaction.json'])
    const result = await waybill(['verify', out, '--trust', ...pins])
    // Never 0: whoever takes out what fails must not turn a pack that fails into a success.
    expect(result.code).toBe(2)
    expect(result.out).toMatch(/What is here is what was sealed\. \d+ files are withheld and were not verified\.\n$/)
    expect(result.out).not.toMatch(/^Verified/m)
    expect(JSON.parse((await waybill(['verify', out, '--json'])).out)).toMatchObject({ verified: false, consistent: true })
    expect((await waybill(['evidence', 'redact', await fresh(), '--out', out])).err).toContain('is not empty')
    await writeFile(join(out, 'pack/merkle.json'), '{}')
    expect((await waybill(['verify', out])).code).toBe(1)
  })

  it('redacts nothing that does not verify, and never into the pack', async () => {
    const pack = await fresh()
    expect((await waybill(['evidence', 'redact', pack, '--out', join(pack, 'outsiders')])).err).toContain('lies inside the pack')
    await writeFile(join(pack, 'report.md'), 'x')
    const { code, out } = await waybill(['evidence', 'redact', pack, '--out', join(folder, 'never')])
    expect([code, out]).toEqual([1, expect.stringContaining('report.md: was changed')])
    expect(await readdir(folder)).not.toContain('never')
  })
})
