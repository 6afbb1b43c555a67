import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nextEntry } from '../../../layers/core/audit-chain.ts'
import { canonicalBytes } from '../../../layers/core/canonical-json.ts'
import { sha256 } from '../../../layers/core/digest.ts'
import { replayLifecycle } from '../../../layers/core/evidence/lifecycle-replay.ts'
import { checksumLines, composePack, manifestOf, type PackFile, type PackInput, sealPack } from '../../../layers/core/evidence/pack.ts'
import { fingerprintOf, MANIFEST, OUTSIDE_MANIFEST } from '../../../layers/core/evidence/pack-files.ts'
import type { AuditEntry } from '../../../layers/core/schemas/governance.ts'
import { PREDICATES, signStatement, statementOf } from '../../../layers/core/statement.ts'
import { memoryReader, verifyPack } from '../../../layers/core/verifier/index.ts'
import { openPackFolder } from '../../../layers/local/pack-folder.ts'
import { at, fixturePack, fixturePackInput, fixtureSigner, fixtureSigners, sealFixture } from '../../support/pack-fixture.ts'

const run = promisify(execFile)

async function writePack(at: string, pack: readonly PackFile[]): Promise<void> {
  for (const { path, bytes } of pack) {
    await mkdir(dirname(join(at, path)), { recursive: true })
    await writeFile(join(at, path), bytes)
  }
}

let folder: string
let files: PackFile[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-pack-'))
  files = await fixturePack()
  await writePack(folder, files)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** The `sh` blocks of a pack's VERIFY.md, exactly as printed. */
function blocks(pack: readonly PackFile[], fence = 'sh'): string[] {
  const guide = Buffer.from(pack.find(({ path }) => path === 'VERIFY.md')!.bytes).toString()
  return [...guide.matchAll(new RegExp(`\`\`\`${fence}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, block]) => block!)
}

type Ran = { code: number; said: string }

/** Runs every block of the good pack's guide in `at`, each in a shell of its own. */
const runGuide = (at: string, shell?: readonly string[]): Promise<Ran[]> => runBlocks(blocks(files), at, shell)

async function runBlocks(commands: readonly string[], at: string, shell: readonly string[] = ['sh', '-c']): Promise<Ran[]> {
  const results: Ran[] = []
  for (const block of commands) {
    const [program, ...flags] = shell
    const ran: Ran = await run(program!, [...flags, block], { cwd: at }).then(
      ({ stdout, stderr }) => ({ code: 0, said: stdout + stderr }),
      (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, said: error.stdout + error.stderr }),
    )
    results.push(ran)
  }
  return results
}

const text = (pack: readonly PackFile[], path: string): string => Buffer.from(pack.find((file) => file.path === path)!.bytes).toString()

/** What a forger without any key can do: change a file, and every list that nobody signed. */
function withSums(pack: readonly PackFile[]): PackFile[] {
  const others = pack.filter(({ path }) => path !== 'SHA256SUMS')
  const listed = others.filter(({ path }) => !OUTSIDE_MANIFEST.includes(path))
  return [...others, { path: 'SHA256SUMS', bytes: Buffer.from(checksumLines(listed)) }]
}

function changed(pack: readonly PackFile[], path: string, change: (text: string) => string): PackFile[] {
  const before = text(pack, path)
  expect(change(before)).not.toBe(before)
  return pack.map((file) => (file.path === path ? { path, bytes: Buffer.from(change(before)) } : file))
}

function withManifest(pack: readonly PackFile[]): PackFile[] {
  const listed = pack.filter(({ path }) => !OUTSIDE_MANIFEST.includes(path))
  const manifest = canonicalBytes(manifestOf('ledger', listed))
  return pack.map((file) => (file.path === MANIFEST ? { path: MANIFEST, bytes: manifest } : file))
}

/** The three raw files of a statement, signed again with a key made for it. */
async function resigned(pack: readonly PackFile[], stem: string): Promise<PackFile[]> {
  const signer = fixtureSigner()
  const message = pack.find(({ path }) => path === `${stem}.pae.bin`)!.bytes
  const signature = await signer.sign(createHash('sha256').update(message).digest())
  const bytes: Record<string, Uint8Array> = {
    [`${stem}.sig.der`]: signature,
    [`${stem}.pub.pem`]: Buffer.from(await signer.publicKeyPem()),
  }
  return pack.map((file) => ({ path: file.path, bytes: bytes[file.path] ?? file.bytes }))
}

const tamperedOutcome = (pack: readonly PackFile[]) =>
  changed(pack, 'outcome.json', (json) => json.replace('"timestamp":', '"timestamp":1'))
const forgeries: [what: string, forge: () => PackFile[] | Promise<PackFile[]>, says: RegExp][] = [
  ['outcome.json changed', () => tamperedOutcome(files), /outcome\.json: FAILED/],
  ['outcome.json changed and SHA256SUMS rewritten', () => withSums(tamperedOutcome(files)), /outcome\.json: FAILED/],
  [
    'outcome.json changed, SHA256SUMS and the manifest rewritten',
    () => withManifest(withSums(tamperedOutcome(files))),
    /FAILED: sha256_manifest\.json is not the one that was sealed/,
  ],
  [
    'the manifest changed and SHA256SUMS rewritten',
    () => withSums(changed(files, MANIFEST, (json) => json.replace('"bytes":"', '"bytes":"1'))),
    /FAILED: sha256_manifest\.json is not the one that was sealed/,
  ],
  ['the manifest emptied', () => changed(files, MANIFEST, () => '{}'), /FAILED: sha256_manifest\.json is not the one that was sealed/],
  ['a file added', () => withSums([...files, { path: 'recon/note.txt', bytes: Buffer.from('x') }]), /FAILED: \.\/recon\/note\.txt/],
  [
    'a file added under a name that looks like two',
    () => [...files, { path: 'q\n./q', bytes: Buffer.from('x') }],
    /FAILED: .* a name that no pack has/,
  ],
  ['a file removed', () => withSums(files.filter(({ path }) => path !== 'report.md')), /report\.md: FAILED open or read/],
  ['the seal signed with another key', () => resigned(files, 'manifest'), /FAILED: \.\/manifest\.pub\.pem is no evidence key/],
  [
    'a plan signed with another key',
    async () => withManifest(withSums(await resigned(files, 'plan/signed_plan'))),
    /FAILED: \.\/plan\/signed_plan\.pub\.pem is no plan key/,
  ],
  [
    'a plan signed with another key, and the manifest and its seal made anew with one more',
    async () => resigned(withManifest(withSums(await resigned(files, 'plan/signed_plan'))), 'manifest'),
    /FAILED: \.\/manifest\.pub\.pem is no evidence key/,
  ],
  [
    'anchors signed with the evidence key',
    async () => {
      const signers = fixtureSigners()
      const pack = await fixturePack({ signers: { ...signers, anchor: signers.evidence } })
      return withManifest(withSums(pack.filter(({ path }) => !path.startsWith('keys/anchor-'))))
    },
    /FAILED: \.\/audit\/anchors\/[0-9a-f-]+\.pub\.pem is no anchor key/,
  ],
  [
    'a proof signed with the anchor key',
    async () => {
      const signers = fixtureSigners()
      const pack = await fixturePack({ signers: { ...signers, evidence: signers.anchor } })
      return withManifest(withSums(pack.filter(({ path }) => !path.startsWith('keys/evidence-'))))
    },
    /FAILED: \.\/proof_certificate\.pub\.pem is no evidence key/,
  ],
  [
    'a key put in the place of another',
    async () => {
      const stranger = await fixtureSigner().publicKeyPem()
      const path = files.find((file) => file.path.startsWith('keys/evidence-'))!.path
      return withManifest(withSums(changed(files, path, () => stranger)))
    },
    /FAILED: keys\/evidence-[0-9a-f]+\.pem is not the key that keys\/keys\.json names/,
  ],
  [
    'a key that the list names for another purpose',
    () => withManifest(withSums(changed(files, 'keys/keys.json', (json) => json.replace('"purpose":"plan"', '"purpose":"evidence"')))),
    /FAILED: keys\/plan-[0-9a-f]+\.pem is not the key that keys\/keys\.json names for this/,
  ],
  [
    'one key for two purposes',
    async () => {
      const signers = fixtureSigners()
      return fixturePack({ signers: { ...signers, approval: signers.evidence } })
    },
    /FAILED: the key [0-9a-f]{64} has two purposes/,
  ],
]

/** Packs of somebody who may seal and prove, and cannot anchor. */
async function sealedAnew(change: (input: PackInput) => PackInput): Promise<PackFile[]> {
  const { input, signers } = await fixturePackInput()
  return sealFixture(change(input), signers)
}
const appended = (input: PackInput, why = 'nobody signed this'): PackInput => {
  const fields = { project_id: 'ledger', at: at(125), actor: 'waybill', action: 'CHANGE_NOT_MADE', details: { why } }
  return { ...input, entries: [...input.entries, nextEntry(input.entries.at(-1)!, fields)] }
}
/** Whose digests all recompute, from the third entry on anew. */
const rewritten = (input: PackInput): PackInput => {
  const entries: AuditEntry[] = []
  for (const { entry_sha256: _, prev_sha256: __, seq, ...fields } of input.entries)
    entries.push(nextEntry(entries.at(-1) ?? null, seq === 3 ? { ...fields, actor: 'somebody-else' } : fields))
  return { ...input, entries }
}
/** One entry that says otherwise, and hides its old digest where a careless reader would find it. */
const edited = (input: PackInput): PackInput => ({
  ...input,
  entries: input.entries.map((entry) =>
    entry.seq === 3 ? { ...entry, details: { ...entry.details, entry_sha256: entry.entry_sha256, prev_sha256: entry.prev_sha256 } } : entry,
  ),
})
/** A pack that its sealer made, whose log has these bytes. */
async function sealedWithLog(change: (log: Buffer) => Buffer, of: (input: PackInput) => PackInput = (input) => input): Promise<PackFile[]> {
  const { input: before, signers } = await fixturePackInput()
  const input = of(before)
  const { state } = replayLifecycle(input.entries)
  const log = (pack: readonly PackFile[]) =>
    pack.map(({ path, bytes }) => ({ path, bytes: path === LOG ? new Uint8Array(change(Buffer.from(bytes))) : bytes }))
  const composed = withSums(log(composePack(input)))
  return sealPack(signers.evidence, composed, { projectId: input.projectId, state, now: new Date(at(130)) })
}
const LOG = 'audit/entries.jsonl'
/** `text` before the third entry, or behind it. */
const beforeThird = (text: string) => (log: Buffer) => spliced(log, log.indexOf(10, log.indexOf(10) + 1) + 1, text)
const behindThird = (text: string) => (log: Buffer) => spliced(log, log.indexOf(10, log.indexOf(10, log.indexOf(10) + 1) + 1), text)
const spliced = (log: Buffer, at: number, text: string) =>
  Buffer.concat([log.subarray(0, at), Buffer.from(text, 'latin1'), log.subarray(at)])
const aboutTheLog: [what: string, forge: () => Promise<PackFile[]>, says: RegExp][] = [
  [
    'with an entry behind the newest anchor',
    () => sealedAnew((input) => appended(input)),
    /FAILED: the last entry of the audit log lies under no anchor/,
  ],
  ['without anchors', () => sealedAnew((input) => ({ ...input, anchors: [] })), /FAILED: no anchor is here/],
  [
    'without its newest anchor',
    () => sealedAnew((input) => ({ ...input, anchors: input.anchors.slice(0, -1) })),
    /FAILED: the last entry of the audit log lies under no anchor/,
  ],
  [
    'whose last entry was cut off',
    () => sealedAnew((input) => ({ ...input, entries: input.entries.slice(0, -1) })),
    /FAILED: audit\/anchors\/\S+ lies over an entry that the audit log does not hold/,
  ],
  ['without a log', () => sealedAnew((input) => ({ ...input, entries: [] })), /FAILED: the audit log is empty/],
  ['whose log was written anew with valid digests', () => sealedAnew(rewritten), /lies over an entry that the audit log does not hold/],
  ['with blanks before an entry', () => sealedWithLog(beforeThird('  ')), /FAILED: entry 2 of the audit log was changed/],
  ['with a NUL behind an entry', () => sealedWithLog(behindThird('\0')), /FAILED: the audit log holds a NUL byte/],
  ['with an edited entry', () => sealedAnew(edited), /FAILED: entry 3 of the audit log was changed/],
  [
    'with an entry taken out of the middle',
    () => sealedAnew((input) => ({ ...input, entries: input.entries.filter(({ seq }) => seq !== 4) })),
    /FAILED: entry 4 of the audit log was changed, or does not follow/,
  ],
]

const strayBytes: [what: string, change: (log: Buffer) => Buffer, says: RegExp][] = [
  ...[' ', '   ', '\t', '\r', '\f', '\v', '\xef\xbb\xbf', '\n', ' \n', '"', '\x01'].flatMap(
    (text): [string, (log: Buffer) => Buffer, RegExp][] => [
      [`${JSON.stringify(text)} before an entry`, beforeThird(text), /FAILED: entry 2 of the audit log was changed/],
      [`${JSON.stringify(text)} behind an entry`, behindThird(text), /FAILED: entry [23] of the audit log was changed/],
    ],
  ),
  ['a NUL before an entry', beforeThird('\0'), /FAILED: the audit log holds a NUL byte/],
  ['a NUL behind an entry', behindThird('\0'), /FAILED: the audit log holds a NUL byte/],
  ['a NUL within an entry', (log) => spliced(log, log.indexOf('"action"'), '\0'), /FAILED: the audit log holds a NUL byte/],
  ['a NUL behind all entries', (log) => Buffer.concat([log, Buffer.from([0])]), /FAILED: the audit log holds a NUL byte/],
  ['a blank within an entry', (log) => spliced(log, log.indexOf('"action"'), ' '), /FAILED: entry 0 of the audit log was changed/],
  [
    'a line of nothing behind all entries',
    (log) => Buffer.concat([log, Buffer.from('\n')]),
    /FAILED: entry \d+ of the audit log was changed/,
  ],
  ['a blank behind all entries', (log) => Buffer.concat([log, Buffer.from(' ')]), /FAILED: the last line of the audit log is not ended/],
  ['no end of its last line', (log) => log.subarray(0, -1), /FAILED: the last line of the audit log is not ended/],
  [
    'a NUL for the end of its last line',
    (log) => Buffer.concat([log.subarray(0, -1), Buffer.from([0])]),
    /FAILED: the last line of the audit log is not ended/,
  ],
  ['carriage returns', (log) => Buffer.from(log.toString().replaceAll('\n', '\r\n')), /FAILED: entry 0 of the audit log was changed/],
]

describe('VERIFY.md', () => {
  it.each([[['sh', '-c']], [['sh', '-e', '-c']], [['bash', '-euo', 'pipefail', '-c']]])(
    'holds commands that accept the pack, run by %j',
    async (shell) => {
      const results = await runGuide(folder, shell)
      expect(results.filter(({ code }) => code !== 0)).toEqual([])
      for (const { said } of results) {
        expect(said).not.toBe('')
        expect(said).not.toMatch(/fail/i)
      }
      const signed = files.filter(({ path }) => path.endsWith('.pae.bin'))
      expect(signed.length).toBeGreaterThan(10)
      const said = results.map((result) => result.said).join('\n')
      for (const { path } of signed) expect(said).toContain(`./${path.replace('.pae.bin', '')}: Verified OK`)
    },
  )

  it.each(forgeries)('holds commands that refuse: %s', async (_what, forge, says) => {
    const at = await mkdtemp(join(tmpdir(), 'waybill-forged-'))
    try {
      await writePack(at, await forge())
      const refused = (await runGuide(at)).filter(({ code }) => code !== 0)
      expect(refused.length).toBeGreaterThan(0)
      // None of them is silent about it.
      for (const { said } of refused) expect(said).toMatch(/fail|no such file|no properly formatted/i)
      expect(refused.map(({ said }) => said).join('\n')).toMatch(says)
    } finally {
      await rm(at, { recursive: true, force: true })
    }
  })

  it.each(aboutTheLog)('holds commands that refuse a pack that its sealer made, %s', async (_what, forge, says) => {
    const at = await mkdtemp(join(tmpdir(), 'waybill-forged-'))
    try {
      const forged = await forge()
      await writePack(at, forged)
      const refused = (await runGuide(at)).filter(({ code }) => code !== 0)
      // Everything else of it holds: it was sealed like any other.
      expect(refused.map(({ said }) => said).join('')).toMatch(says)
      for (const { said } of refused) expect(said).toMatch(/^FAILED: .*(audit log|anchor)/)
      expect((await verifyPack(memoryReader(forged))).verified).toBe(false)
    } finally {
      await rm(at, { recursive: true, force: true })
    }
  })

  describe.each([[['sh', '-c']], [['bash', '-euo', 'pipefail', '-c']]])('about every byte of the log, by %j', (shell) => {
    const command = () => blocks(files).find((printed) => printed.includes('follow one another'))!
    const inFolder = async (log: Uint8Array) => {
      const at = await mkdtemp(join(tmpdir(), 'waybill-log-'))
      try {
        await writePack(at, [{ path: LOG, bytes: log }])
        return (await runBlocks([command()], at, shell))[0]!
      } finally {
        await rm(at, { recursive: true, force: true })
      }
    }

    it.each(strayBytes)('holds a command that refuses %s, as the verifier does', async (_what, change, says) => {
      const forged = await sealedWithLog(change)
      const { code, said } = await inFolder(forged.find(({ path }) => path === LOG)!.bytes)
      expect([code, said]).toEqual([1, expect.stringMatching(says)])
      const { faults } = await verifyPack(memoryReader(forged))
      expect(faults.join('\n')).toMatch(/^audit\/entries\.jsonl\b/m)
    })

    it('holds a command that refuses a byte that is no character, where a replacement character was digested, as the verifier does', async () => {
      const asByte = (log: Buffer) => Buffer.from(log.toString('latin1').replace('\xef\xbf\xbd', '\xff'), 'latin1')
      const forged = await sealedWithLog(asByte, (input) => appended(input, '\ufffd'))
      const { code, said } = await inFolder(forged.find(({ path }) => path === LOG)!.bytes)
      expect([code, said]).toEqual([1, expect.stringMatching(/FAILED: entry \d+ of the audit log was changed/)])
      const { faults } = await verifyPack(memoryReader(forged))
      expect(faults).toContainEqual(expect.stringMatching(/^audit\/entries\.jsonl line \d+: is not acceptable JSON/))
    })

    it('holds commands that accept whatever a person wrote into an entry', async () => {
      const bytes = Array.from({ length: 0x180 }, (_, code) => String.fromCodePoint(code)).join('')
      const words = ['  blanks  ', '\t\\n\\', '$(id) `id` \'"', '%s%n', bytes, '\u2028\ufeff\ufffd\u{1f600}', '},"entry_sha256":"x"', '']
      const entries: AuditEntry[] = []
      for (const word of words) {
        const fields = {
          project_id: 'ledger',
          at: '2026-03-01T08:00:00.000Z',
          actor: 'a',
          action: 'CHANGE_NOT_MADE',
          details: { why: word },
        }
        entries.push(nextEntry(entries.at(-1) ?? null, fields))
      }
      const log = Buffer.concat(entries.flatMap((entry) => [canonicalBytes(entry), Buffer.from('\n')]))
      expect(await inFolder(log)).toEqual({ code: 0, said: `the ${words.length} entries of the audit log follow one another\n` })
    })
  })

  it('refuses a link, even to an unchanged copy', async () => {
    const at = await mkdtemp(join(tmpdir(), 'waybill-forged-'))
    try {
      await writePack(at, files)
      await writeFile(`${at}.md`, text(files, 'report.md'))
      await rm(join(at, 'report.md'))
      await symlink(`${at}.md`, join(at, 'report.md'))
      expect((await runGuide(at)).filter(({ code }) => code !== 0).map(({ said }) => said)).toEqual([
        expect.stringContaining('FAILED: ./report.md is a link'),
      ])
    } finally {
      await rm(at, { recursive: true, force: true })
      await rm(`${at}.md`, { force: true })
    }
  })

  it('tells keys that the reader trusts, each for its purpose, from others', async () => {
    const list = `${folder}.keys`
    const keys = files.filter(({ path }) => /^keys\/.*\.pem$/.test(path))
    const printed = keys.map(
      ({ path, bytes }) => `${/plan|approval|evidence|anchor/.exec(path)![0]} ${fingerprintOf(Buffer.from(bytes).toString())}`,
    )
    expect((await runGuide(folder)).map(({ said }) => said).join('\n')).toContain(printed.join('\n'))
    const command = blocks(files, 'text')[0]!.replace('/path/to/your/keys', list)
    const said = async (lines: string[]) => {
      await writeFile(list, lines.map((line) => `${line}\n`).join(''))
      return run('sh', ['-c', command], { cwd: folder }).then(
        ({ stdout }) => ({ code: 0, stdout }),
        ({ code, stdout }: { code: number; stdout: string }) => ({ code, stdout }),
      )
    }
    try {
      expect(await said(printed)).toEqual({ code: 0, stdout: 'every key is one of yours, for its purpose\n' })
      const one = await said(printed.slice(0, 1))
      expect([one.code, one.stdout.match(/NOT YOURS/g)]).toEqual([1, Array(keys.length - 1).fill('NOT YOURS')])
      // The same keys, two of them for what the other may sign.
      const swapped = printed.map((line) => line.replace(/^(plan|approval)/, (purpose) => (purpose === 'plan' ? 'approval' : 'plan')))
      const mixed = await said(swapped)
      expect([mixed.code, mixed.stdout.match(/NOT YOURS: (plan|approval)/g)]).toEqual([1, expect.objectContaining({ length: 2 })])
    } finally {
      await rm(list, { force: true })
    }
  })

  it('holds commands that accept a pack with waivers, which the approval key signs', async () => {
    const { input, signers } = await fixturePackInput()
    const finding = { rule_id: 'tolerance-validator', verdict: 'fail', severity: 'ERROR', what: 'x', where: '', remedy: '' }
    const predicate = {
      ...{ waiver_id: 'w-1', project_id: 'ledger', plan_sha256: sha256(input.plan!), finding_id: 'f-1', finding },
      ...{ role: 'engineering_manager', approver: 'mara@example.org', reason: 'known', identified_by: 'invited-address' },
      ...{ waived_at: at(12), expires_at: at(3600) },
    }
    const subject = [{ name: 'migration_plan.json', sha256: sha256(input.plan!) }]
    const waiver = await signStatement(signers.approval, statementOf({ predicateType: PREDICATES.waiver, subject, predicate }))
    const pack = await sealFixture({ ...input, waivers: [waiver.bytes] }, signers)
    const where = await mkdtemp(join(tmpdir(), 'waybill-waived-'))
    try {
      await writePack(where, pack)
      const results = await runGuide(where)
      expect(results.filter(({ code }) => code !== 0)).toEqual([])
      expect(results.map(({ said }) => said).join('\n')).toContain('./waivers/w-1: Verified OK')
    } finally {
      await rm(where, { recursive: true, force: true })
    }
  })
})

describe('a pack in a folder', () => {
  it('verifies', async () => {
    expect((await verifyPack(await openPackFolder(folder))).faults).toEqual([])
  })

  it('is refused with a link in it, even to an unchanged copy', async () => {
    const target = join(folder, 'report.md')
    const outside = `${folder}-report.md`
    await writeFile(outside, files.find(({ path }) => path === 'report.md')!.bytes)
    await rm(target)
    await symlink(outside, target)
    try {
      const result = await verifyPack(await openPackFolder(folder))
      expect(result.verified).toBe(false)
      expect(result.faults).toContainEqual(expect.stringMatching(/^report\.md: is a link/))
    } finally {
      await rm(target)
      await rm(outside)
      await writeFile(target, files.find(({ path }) => path === 'report.md')!.bytes)
    }
  })

  it('is refused with an empty folder in it', async () => {
    await mkdir(join(folder, 'notes'))
    try {
      expect((await verifyPack(await openPackFolder(folder))).faults).toContainEqual(expect.stringMatching(/^notes: an empty folder/))
    } finally {
      await rm(join(folder, 'notes'), { recursive: true })
    }
  })

  it('is read nowhere else', async () => {
    const reader = await openPackFolder(folder)
    for (const path of ['../x', '/etc/passwd', 'plan/../../x', ''])
      await expect(reader.read(path)).rejects.toMatchObject({ code: 'EVIDENCE_INVALID' })
  })

  it('must exist', async () => {
    await expect(openPackFolder(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})
