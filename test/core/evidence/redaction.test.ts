import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { canonicalBytes } from '../../../layers/core/canonical-json.ts'
import type { PackFile } from '../../../layers/core/evidence/pack.ts'
import { fingerprintOf, MANIFEST } from '../../../layers/core/evidence/pack-files.ts'
import { redactedPack } from '../../../layers/core/evidence/redaction.ts'
import { memoryReader, verifyPack } from '../../../layers/core/verifier/index.ts'
import { verifyRedactedPack } from '../../../layers/core/verifier/redacted.ts'
import { fixturePackInput, sealFixture } from '../../support/pack-fixture.ts'
import { inFolder } from '../../support/pack-folder.ts'
import { survivors } from '../verifier/mutation.ts'

const run = promisify(execFile)
let whole: PackFile[]
let redacted: PackFile[]
let pins: string[]

beforeAll(async () => {
  const { input, signers } = await fixturePackInput()
  whole = await sealFixture(input, signers)
  pins = input.keys.map(({ purpose, pem }) => `${purpose}=${fingerprintOf(pem)}`)
  redacted = redactedPack(mapOf(whole))
})

const mapOf = (files: readonly PackFile[]) => new Map(files.map(({ path, bytes }) => [path, bytes]))
const verify = (files: readonly PackFile[], trust?: string[]) => verifyRedactedPack(memoryReader(files), trust ? { trust } : {})
const text = (files: readonly PackFile[], path: string) => Buffer.from(mapOf(files).get(path)!).toString('utf8')
const changed = (files: readonly PackFile[], path: string, change: (before: string) => string): PackFile[] => {
  const after = change(text(files, path))
  expect(after).not.toBe(text(files, path))
  return files.map((file) => (file.path === path ? { path, bytes: Buffer.from(after) } : file))
}
const withoutFile = (files: readonly PackFile[], pattern: RegExp) => files.filter(({ path }) => !pattern.test(path))

describe('a redacted pack', () => {
  it('holds as far as it goes, and is never called verified', async () => {
    for (const trust of [undefined, pins]) {
      const result = await verify(redacted, trust)
      expect(result).toMatchObject({ consistent: true, verified: false, faults: [], trust: trust ? 'pinned' : 'keys-in-pack' })
      expect(result.withheld.length).toBeGreaterThan(20)
      expect(result.checks.map(({ says }) => says).join('\n')).toContain('nothing they say was checked')
    }
    // Nor does it pass for a whole one.
    expect((await verifyPack(memoryReader(redacted))).verified).toBe(false)
    expect(
      (
        await verifyPack(
          memoryReader(redacted.flatMap(({ path, bytes }) => (path.startsWith('pack/') ? [{ path: path.slice(5), bytes }] : []))),
        )
      ).verified,
    ).toBe(false)
  })

  it('names nobody, no column, no value, and shows no difference', () => {
    const all = redacted.map(({ bytes }) => Buffer.from(bytes).toString('latin1')).join('\n')
    const decoded = all.replace(/"(?:payload)":"([^"]+)"/g, (_, payload: string) => Buffer.from(payload, 'base64').toString('utf8'))
    // Words that the whole pack does hold.
    const before = whole.map(({ bytes }) => Buffer.from(bytes).toString('latin1')).join('\n')
    for (const word of ['@example.org', 'flown_at', 'airport', 'select 1', 'Ledger to the new database', 'legacy.example.org', 'hmac:']) {
      if (word !== 'hmac:' && word !== 'airport') expect(before).toContain(word)
      const shown = word === 'airport' ? decoded.replaceAll('"table_id":"airports"', '') : decoded
      expect(shown, word).not.toContain(word)
    }
  })

  it('withholds a kind of file that nobody thought of', async () => {
    const { input, signers } = await fixturePackInput()
    const files = await sealFixture(
      { ...input, reconFolder: [...input.reconFolder, { path: 'new_report.json', bytes: Buffer.from('{}') }] },
      signers,
    )
    expect(redactedPack(mapOf(files)).map(({ path }) => path)).not.toContain('pack/recon/new_report.json')
  })

  it('withholds more when asked, and says so', async () => {
    const certificates = ['proof_certificate.dsse.json', 'recon/proof_certificate.run-2.dsse.json']
    const less = redactedPack(mapOf(whole), ['merkle.json', ...certificates])
    expect(less.map(({ path }) => path).join()).not.toMatch(/merkle|proof_certificate/)
    const result = await verify(less)
    expect(result.faults).toEqual([])
    expect(result.checks.at(-1)?.says).toContain('nothing says how the migration ended')
    expect(() => redactedPack(mapOf(whole), ['nothing.json'])).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }))
    const key = whole.find(({ path }) => path.startsWith('keys/evidence'))!.path
    expect(() => redactedPack(mapOf(whole), [key])).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }))
  })

  it('is refused under keys of somebody else', async () => {
    expect((await verify(redacted, [`evidence=${'f'.repeat(64)}`])).consistent).toBe(false)
  })

  it.each<[string, (files: PackFile[]) => PackFile[], RegExp]>([
    ['a file that is neither here nor withheld', (f) => withoutFile(f, /^pack\/merkle\.json$/), /merkle\.json: is missing/],
    [
      'a withheld file put back changed',
      (f) => [...f, { path: 'pack/outcome.json', bytes: Buffer.from('{}') }],
      /outcome\.json: is here although/,
    ],
    [
      'a stub with another digest',
      (f) => changed(f, 'redaction.json', (t) => t.replace(/"path":"outcome.json","sha256":"..../, '"path":"outcome.json","sha256":"0000')),
      /says something else about outcome\.json/,
    ],
    [
      'a stub for a file that never was',
      (f) => changed(f, 'redaction.json', (t) => t.replace('"path":"report.md"', '"path":"report.mx"')),
      /withholds report\.mx, which was never/,
    ],
    [
      'a stub left out',
      (f) => changed(f, 'redaction.json', (t) => t.replace(/,?\{"bytes":"\d+","path":"report\.md"[^}]*\}/, '')),
      /report\.md: is missing/,
    ],
    [
      'a reason of somebody else',
      (f) => changed(f, 'redaction.json', (t) => t.replace('"why":"names people"', '"why":"was checked and is fine"')),
      /gives a reason for approvals\/.* that is not Waybill's/,
    ],
    ['no list of stubs', (f) => withoutFile(f, /^redaction\.json$/), /redaction\.json: is missing/],
    ['a changed guide', (f) => changed(f, 'VERIFY.md', (t) => t.replace('openssl', 'true ||')), /VERIFY\.md: is not the guide/],
    ['no guide', (f) => withoutFile(f, /^VERIFY\.md$/), /VERIFY\.md: is missing/],
    ['a file beside it', (f) => [...f, { path: 'note.txt', bytes: Buffer.from('x') }], /note\.txt: does not belong/],
    ['a file in it', (f) => [...f, { path: 'pack/note.txt', bytes: Buffer.from('x') }], /note\.txt: does not belong/],
    [
      'a kept file that was changed',
      (f) => changed(f, 'pack/merkle.json', (t) => t.replace('"tree_size":3', '"tree_size":4')),
      /merkle\.json: was changed/,
    ],
    ['no seal', (f) => withoutFile(f, /^pack\/manifest\./), /manifest\.dsse\.json: is missing/],
    [
      'the keys withheld too',
      (f) => {
        const listed = JSON.parse(text(f, `pack/${MANIFEST}`)).files.find(({ path }: { path: string }) => path === 'keys/keys.json')
        const list = JSON.parse(text(f, 'redaction.json'))
        list.withheld = [...list.withheld, { ...listed, why: 'was withheld by whoever made this redaction' }].sort((a, b) =>
          a.path < b.path ? -1 : 1,
        )
        return withoutFile(f, /keys\/keys\.json$/).map((file) =>
          file.path === 'redaction.json' ? { ...file, bytes: canonicalBytes(list) } : file,
        )
      },
      /without which nothing can be verified/,
    ],
  ])('is refused with %s', async (_what, forge, says) => {
    const result = await verify(forge(redacted))
    expect(result.consistent).toBe(false)
    expect(result.faults.join('\n')).toMatch(says)
  })

  it.each([
    [
      'exchanged',
      (checks: PackFile): PackFile[] => [{ ...checks, bytes: Buffer.from(text([checks], checks.path).replace('"fail"', '"pass"')) }],
    ],
    ['left out', () => []],
  ])('is refused where the checks of a comparison after the proof were %s before it was sealed', async (_how, put) => {
    const { input, signers } = await fixturePackInput()
    const path = 'checks_report.run-2.json'
    const reconFolder = input.reconFolder.flatMap((file) => (file.path === path ? put(file) : [file]))
    const forged = redactedPack(mapOf(await sealFixture({ ...input, reconFolder }, signers)))
    expect((await verify(forged)).faults).toEqual([`audit_chain.json: names another report of checks than the sealed recon/${path}`])
  })

  it('is refused after any of 300 mutations', { timeout: 120_000 }, async () => {
    expect(
      await survivors(redacted, 11, 300, async (files) => {
        const { consistent } = await verify(files)
        return consistent
      }),
    ).toEqual([])
  })

  it('lets a withheld file be shown later: its digest is the sealed one', () => {
    const { withheld } = JSON.parse(text(redacted, 'redaction.json')) as { withheld: { path: string; sha256: string }[] }
    const sums = text(whole, 'SHA256SUMS')
    const stub = withheld.find(({ path }) => path === 'outcome.json')!
    expect(sums).toContain(`${stub.sha256}  outcome.json`)
  })
})

describe('the guide of a redacted pack', () => {
  const blocks = (files: readonly PackFile[]) => [...text(files, 'VERIFY.md').matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block!)
  const guide = (files: readonly PackFile[], shell: readonly string[] = ['sh', '-c']) =>
    inFolder(files, async (cwd) => {
      const said: { code: number; said: string }[] = []
      for (const block of blocks(redacted)) {
        const [program, ...flags] = shell
        said.push(
          await run(program!, [...flags, block], { cwd }).then(
            ({ stdout, stderr }) => ({ code: 0, said: stdout + stderr }),
            (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, said: error.stdout + error.stderr }),
          ),
        )
      }
      return said
    })

  it.each([[['sh', '-c']], [['bash', '-euo', 'pipefail', '-c']]])('holds commands that accept it, run by %j', async (shell) => {
    const results = await guide(redacted, shell)
    expect(results.length).toBeGreaterThanOrEqual(7)
    expect(results.filter(({ code, said }) => code !== 0 || said === '' || /fail/i.test(said))).toEqual([])
    expect(results.map(({ said }) => said).join('')).toMatch(/\d+ files are the sealed ones; \d+ are withheld and not verified/)
  })

  it.each<[string, (files: PackFile[]) => PackFile[]]>([
    ['a file is gone', (f) => withoutFile(f, /^pack\/merkle\.json$/)],
    ['a kept file was changed', (f) => changed(f, 'pack/merkle.json', (t) => t.replace('"tree_size":3', '"tree_size":4'))],
    ['a withheld file was put back', (f) => [...f, { path: 'pack/report.md', bytes: mapOf(whole).get('report.md')! }]],
    [
      'a stub has another digest',
      (f) => changed(f, 'redaction.json', (t) => t.replace(/"path":"outcome.json","sha256":"..../, '"path":"outcome.json","sha256":"0000')),
    ],
    ['a file was added', (f) => [...f, { path: 'pack/approvals/x.json', bytes: Buffer.from('x') }]],
    ['the list was changed', (f) => changed(f, `pack/${MANIFEST}`, (t) => t.replace('"bytes":"', '"bytes":"1'))],
  ])('holds commands that refuse when %s', async (_what, forge) => {
    const refused = (await guide(forge(redacted))).filter(({ code }) => code !== 0)
    expect(refused.length).toBeGreaterThan(0)
    for (const { said } of refused) expect(said).toMatch(/FAILED|failure/)
  })

  it('holds commands, and a verifier, that refuse a log whose head lies under no anchor', async () => {
    const { input, signers } = await fixturePackInput()
    for (const kept of [input.anchors.slice(0, -1), []]) {
      const forged = redactedPack(mapOf(await sealFixture({ ...input, anchors: kept }, signers)))
      const refused = (await guide(forged)).filter(({ code }) => code !== 0)
      expect(refused.map(({ said }) => said)).toEqual([expect.stringMatching(/^FAILED: the head of the audit log/)])
      expect((await verify(forged)).faults).toContain('audit_chain.json: ends with an entry that lies under no anchor')
    }
  })

  it('says what is not verified where the anchors or their summary are withheld', async () => {
    const anchors = whole.map(({ path }) => path).filter((path) => /^audit\/anchors\/.*\.dsse\.json$/.test(path))
    for (const also of [['audit_chain.json'], anchors]) {
      const less = redactedPack(mapOf(whole), also)
      const results = await guide(less, ['bash', '-euo', 'pipefail', '-c'])
      expect(results.filter(({ code }) => code !== 0)).toEqual([])
      expect(results.map(({ said }) => said).join('')).toContain('not verified: what it takes is withheld')
      expect((await verify(less)).faults).toEqual([])
    }
  })
})
