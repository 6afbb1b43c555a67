import { readFileSync } from 'node:fs'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { entryDigest } from '../../../layers/core/audit-chain.ts'
import { canonicalBytes } from '../../../layers/core/canonical-json.ts'
import { composePack, type PackFile, sealPack } from '../../../layers/core/evidence/pack.ts'
import { MANIFEST } from '../../../layers/core/evidence/pack-files.ts'
import { certificateStatement } from '../../../layers/core/outcome/certificate-statement.ts'
import type { AuditEntry } from '../../../layers/core/schemas/governance.ts'
import type { Outcome } from '../../../layers/core/schemas/outcome.ts'
import { signStatement } from '../../../layers/core/statement.ts'
import { memoryReader, verifyPack } from '../../../layers/core/verifier/index.ts'
import { openPackFolder } from '../../../layers/local/pack-folder.ts'
import { at, fixturePack, fixturePackInput, sealFixture } from '../../support/pack-fixture.ts'
import { inFolder } from '../../support/pack-folder.ts'

const good = await fixturePack()
const faultsOf = async (files: readonly PackFile[]) => (await verifyPack(memoryReader(files))).faults
const text = (files: readonly PackFile[], path: string) => Buffer.from(files.find((file) => file.path === path)!.bytes).toString('utf8')

/** Every digest and link holds again: what somebody with write access to the log, but without the evidence key, can make. */
function rehashed(chain: readonly AuditEntry[]): AuditEntry[] {
  const made: AuditEntry[] = []
  for (const [seq, entry] of chain.entries()) {
    const { entry_sha256: _, ...body } = { ...entry, seq, prev_sha256: made.at(-1)?.entry_sha256 ?? '0'.repeat(64) }
    made.push({ ...body, entry_sha256: entryDigest(body) })
  }
  return made
}

describe('an audit log that was tampered with, sealed by whoever holds the evidence key', () => {
  const forged = async (change: (chain: readonly AuditEntry[]) => AuditEntry[]) => {
    const { input, signers } = await fixturePackInput()
    return faultsOf(
      await sealPack(signers.evidence, composePack({ ...input, entries: change(input.entries) }), {
        projectId: 'ledger',
        state: 'CUTOVER_DONE',
        now: new Date(at(130)),
      }),
    )
  }

  it.each<[string, (chain: readonly AuditEntry[]) => AuditEntry[], RegExp]>([
    ['an entry removed', (c) => c.toSpliced(4, 1), /entry 4 says it is number 5/],
    ['an entry removed, the rest rewritten', (c) => rehashed(c.toSpliced(4, 1)), /the chain was rewritten/],
    ['two entries reordered', (c) => c.with(3, c[4]!).with(4, c[3]!), /entry 3 says it is number 4/],
    ['two entries reordered, the rest rewritten', (c) => rehashed(c.with(3, c[4]!).with(4, c[3]!)), /the chain was rewritten/],
    [
      'a fork: a valid second entry in one place',
      (c) => c.toSpliced(5, 0, rehashed(c.with(5, { ...c[5]!, actor: 'mallory' }))[5]!),
      /entry 6 says it is number 5/,
    ],
    ['a fork followed to its end', (c) => rehashed(c.with(5, { ...c[5]!, actor: 'mallory' })), /the chain was rewritten/],
    ['its tail cut', (c) => c.slice(0, -2), /the chain was cut/],
    [
      'all of it rewritten with valid hashes',
      (c) => rehashed(c.map((entry) => ({ ...entry, actor: 'mallory' }))),
      /the chain was rewritten: entry 0/,
    ],
    ['entries of another project', (c) => rehashed(c.map((entry) => ({ ...entry, project_id: 'orders' }))), /belongs to project orders/],
  ])('%s', async (_what, change, says) => {
    expect((await forged(change)).join('\n')).toMatch(says)
  })

  it('is what these forgeries change, and nothing else', async () => {
    expect(await forged((chain) => [...chain])).toEqual([])
  })
})

describe('a second manifest', () => {
  it.each([
    'sha256_manifest-2.json',
    'plan/sha256_manifest.json',
    'SHA256_MANIFEST.json',
    'manifest2.dsse.json',
    'timestamp/sha256_manifest.json',
  ])('is refused as %s', async (path) => {
    const manifest = good.find((file) => file.path === MANIFEST)!.bytes
    expect((await faultsOf([...good, { path, bytes: manifest }])).join('\n')).toContain(path)
  })

  it('is refused from another pack of the same project and the same keys', async () => {
    const { input, signers } = await fixturePackInput()
    const one = await sealFixture(input, signers)
    const two = await sealFixture(
      { ...input, reconFolder: [...input.reconFolder, { path: 'explanation.run-1.json', bytes: canonicalBytes({}) }] },
      signers,
    )
    const swapped = one.map((file) => (file.path === MANIFEST ? two.find(({ path }) => path === MANIFEST)! : file))
    expect((await faultsOf(swapped)).join('\n')).toMatch(/is not the manifest that was sealed/)
    const withSeal = one.map((file) =>
      /^(manifest\.|sha256_manifest|timestamp\/)/.test(file.path) ? two.find(({ path }) => path === file.path)! : file,
    )
    expect((await faultsOf(withSeal)).join('\n')).toMatch(/explanation\.run-1\.json: is missing/)
  })

  it('may not list itself, its seal or its timestamps', async () => {
    const { input, signers } = await fixturePackInput()
    for (const path of [MANIFEST, 'manifest.sig.der', 'manifest.sigstore.json', 'timestamp/manifest.tsq']) {
      const files = [...composePack(input), { path, bytes: Buffer.from('x') }]
      await expect(
        sealPack(signers.evidence, files, { projectId: 'ledger', state: 'CUTOVER_DONE', now: new Date(at(130)) }),
      ).rejects.toMatchObject({ code: 'BAD_INPUT' })
    }
    const files = [...composePack(input), { path: 'timestamp/manifest.tsr', bytes: Buffer.from('x') }]
    const sealed = await sealPack(signers.evidence, files, { projectId: 'ledger', state: 'CUTOVER_DONE', now: new Date(at(130)) })
    expect((await faultsOf(sealed)).join('\n')).toMatch(
      /timestamp\/manifest\.tsr: is listed in the manifest that it carries, seals or stamps/,
    )
  })
})

describe('line ends', () => {
  it.each([MANIFEST, 'audit/entries.jsonl', 'manifest.pub.pem', 'manifest.dsse.json', 'SHA256SUMS', 'report.md'])(
    'translated in %s are noticed',
    async (path) => {
      const before = text(good, path)
      const after = before.includes('\n') ? before.replaceAll('\n', '\r\n') : `${before}\r\n`
      const faults = await faultsOf(good.map((file) => (file.path === path ? { path, bytes: Buffer.from(after) } : file)))
      expect(faults.join('\n')).toMatch(new RegExp(`^${path.replaceAll('.', '\\.')}`, 'm'))
    },
  )
})

describe('figures that do not recompute', () => {
  it('are refused in an outcome that was signed and sealed as it stands: the contradictions of a published example', async () => {
    const example: unknown = JSON.parse(readFileSync(new URL('../outcome/contradictory-outcome.json', import.meta.url), 'utf8'))
    const { input, signers } = await fixturePackInput()
    const files = composePack(input)
      .filter(({ path }) => path !== 'SHA256SUMS')
      .map((file) => (file.path === 'outcome.json' ? { path: file.path, bytes: canonicalBytes(example) } : file))
    const faults = await faultsOf(
      await sealPack(signers.evidence, files, { projectId: 'ledger', state: 'CUTOVER_DONE', now: new Date(at(130)) }),
    )
    expect(faults.filter((fault) => fault.startsWith('outcome.json')).length).toBeGreaterThan(5)
    // Among them a digest that is too short, which is no digest.
    expect(faults.join('\n')).toMatch(/64 lower-case hexadecimal digits/)
  })

  const edits: [string, RegExp, (figure: string) => string][] = [
    ['a VALID proof over a failed one', /"PROOF_VALID":(true)/, () => 'false'],
    ['another BPS', /"bps_composite_calculation":([\d.]+)/, (figure) => String(Number(figure) + 0.01)],
    ['seconds for milliseconds', /"elapsed_time_seconds":([\d.]+)/, (figure) => String(Number(figure) * 1000)],
  ]
  it.each(edits)('are refused although signed anew: %s', async (_what, figure, edit) => {
    const { input, signers } = await fixturePackInput()
    const before = Buffer.from(input.outcome!.document).toString('utf8')
    const after = before.replace(figure, (whole, value: string) => whole.replace(value, edit(value)))
    expect(after).not.toBe(before)
    const outcome = JSON.parse(after) as Outcome
    const certificate = (await signStatement(signers.evidence, certificateStatement(outcome))).bytes
    const faults = await faultsOf(await sealFixture({ ...input, outcome: { document: canonicalBytes(outcome), certificate } }, signers))
    expect(faults.filter((fault) => fault.startsWith('outcome.json')).length).toBeGreaterThan(0)
  })
})

describe('what a folder can hold besides files', () => {
  it.each<[string, (folder: string) => Promise<void>, RegExp]>([
    ['a link out of the pack', (folder) => symlink('/etc/passwd', join(folder, 'plan', 'passwd')), /plan\/passwd: is a link/],
    ['a link to a folder', (folder) => symlink(join(folder, 'plan'), join(folder, 'more')), /more: is a link/],
    ['a dangling link', (folder) => symlink('/nowhere/at/all', join(folder, 'x')), /x: is a link/],
    ['a name with a line feed', (folder) => writeFile(join(folder, 'a\nb'), 'x'), /is no name for a file of a pack/],
    ['a name with a backslash', (folder) => writeFile(join(folder, '..\\x'), 'x'), /is no name for a file of a pack/],
    [
      'a folder in the place of a stamp',
      (folder) => mkdir(join(folder, 'timestamp', 'manifest.tsr')),
      /timestamp\/manifest\.tsr: an empty folder/,
    ],
  ])('is refused: %s', async (_what, add, says) => {
    await inFolder(good, async (folder) => {
      await add(folder)
      expect((await verifyPack(await openPackFolder(folder))).faults.join('\n')).toMatch(says)
    })
  })
})
