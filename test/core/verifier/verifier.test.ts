import { describe, expect, it } from 'vitest'
import { anchorOf, nextEntry } from '../../../layers/core/audit-chain.ts'
import { canonicalBytes } from '../../../layers/core/canonical-json.ts'
import { sha256 } from '../../../layers/core/digest.ts'
import { readEnvelope, writeEnvelope } from '../../../layers/core/dsse.ts'
import { composePack, type PackFile, type PackInput, sealPack } from '../../../layers/core/evidence/pack.ts'
import { fingerprintOf, MANIFEST, OUTSIDE_MANIFEST, type PackKey } from '../../../layers/core/evidence/pack-files.ts'
import { SIGNING_PURPOSES } from '../../../layers/core/names.ts'
import { assembleOutcome } from '../../../layers/core/outcome/assembly.ts'
import { certificateStatement } from '../../../layers/core/outcome/certificate-statement.ts'
import { passing } from '../../../layers/core/rules/rule.ts'
import { type Findings, VALIDATORS } from '../../../layers/core/schemas/finding.ts'
import { outcome as outcomeSchema } from '../../../layers/core/schemas/outcome.ts'
import type { CheckResult, ChecksReport } from '../../../layers/core/schemas/recon.ts'
import { openEnvelope, PREDICATES, signStatement, statementOf } from '../../../layers/core/statement.ts'
import { memoryReader, verifyPack } from '../../../layers/core/verifier/index.ts'
import {
  anchoredAgain,
  at,
  fixtureOutcomeInput,
  fixturePack,
  fixturePackInput,
  fixturePlan,
  fixtureSigners,
  fixtureTable,
  sealFixture,
  withLostRow,
} from '../../support/pack-fixture.ts'
import { passkeyPair } from '../support/passkey.ts'

const pair = passkeyPair()
const good = await fixturePack()
const verify = (files: readonly PackFile[], trust?: string[]) => verifyPack(memoryReader(files), trust ? { trust } : {})
const pinsOf = (keys: readonly PackKey[]) => keys.map(({ purpose, pem }) => `${purpose}=${pem}`)
const replaced = (files: readonly PackFile[], path: string, change: (bytes: Uint8Array) => Uint8Array): PackFile[] =>
  files.map((file) => (file.path === path ? { path, bytes: change(file.bytes) } : file))

/** The path of the newest anchor, up to its dot. */
function lastAnchor(files: readonly PackFile[]): string {
  const newest = files.filter(({ path }) => /^audit\/anchors\/.*\.dsse\.json$/.test(path)).at(-1)!.path
  return newest.slice(0, newest.indexOf('.'))
}

function flipped(bytes: Uint8Array, index: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[index]! ^= 0x01
  return copy
}

describe('verifying a pack', () => {
  it.each(SIGNING_PURPOSES)('calls nothing missing that is here, where only the key for signing the %s is pinned', async (purpose) => {
    const { input, signers } = await fixturePackInput()
    const own = input.keys.filter((key) => key.purpose === purpose)
    const { verified, faults } = await verify(await sealFixture(input, signers), pinsOf(own))
    expect(verified).toBe(false)
    expect(faults.filter((fault) => /is missing|is not in the pack|holds no signed plan$|nobody signed/.test(fault))).toEqual([])
    const refused = faults.some((fault) => fault === 'proof_certificate.dsse.json: is here, and was not accepted')
    expect(refused).toBe(purpose !== 'evidence')
    expect(faults.some((fault) => /no statement of audit entry \d+ .* that was accepted is in the pack/.test(fault))).toBe(
      purpose !== 'approval',
    )
  })

  it('verifies a pack nobody touched, and says whose keys it used', async () => {
    const result = await verify(good)
    expect(result.faults).toEqual([])
    expect(result.verified).toBe(true)
    expect(result.checks.find((check) => check.name === 'keys')?.says).toContain('not who signed it')
  })

  it('verifies the pack of a migration that was rolled back', async () => {
    const tables = [fixtureTable('airports', [5]), withLostRow(fixtureTable('flights', [20, 20, 20]))]
    const result = await verify(await fixturePack({ tables }))
    expect(result.faults).toEqual([])
    expect(result.checks.find((check) => check.name === 'outcome')?.says).toContain('INVALID')
  })

  it.each(good.map(({ path }) => path))('notices one changed byte in %s', async (path) => {
    const bytes = good.find((file) => file.path === path)!.bytes
    // The seal's own files are not in the manifest: every byte of its signature, many of the others.
    const parts = path === 'manifest.sig.der' ? bytes.length : OUTSIDE_MANIFEST.includes(path) ? 12 : 1
    const stride = Math.ceil(bytes.length / parts)
    const indexes = [...bytes.keys()].filter((index) => index % stride === 0 || index === bytes.length - 1)
    for (const index of indexes) {
      const result = await verify(replaced(good, path, (before) => flipped(before, index)))
      expect(result.verified, `byte ${index}`).toBe(false)
      expect(
        result.faults.some((fault) => fault.startsWith(`${path}:`)) ||
          (path === 'manifest.dsse.json' && result.faults.some((f) => f.startsWith('manifest.'))),
        `byte ${index}: ${result.faults.join('\n')}`,
      ).toBe(true)
    }
  })

  it.each(good.map(({ path }) => path))('notices that %s is gone', async (path) => {
    const result = await verify(good.filter((file) => file.path !== path))
    expect(result.verified).toBe(false)
    expect(result.faults.some((fault) => fault.startsWith(`${path}:`))).toBe(true)
  })

  it.each(['extra.txt', 'approvals/a-99.json', 'audit/anchors/x.dsse.json', '.hidden', 'manifest2.sig.der'])(
    'notices the added file %s',
    async (path) => {
      const result = await verify([...good, { path, bytes: Buffer.from('x') }])
      expect(result.verified).toBe(false)
      expect(result.faults.some((fault) => fault.startsWith(path))).toBe(true)
    },
  )

  it('notices a renamed file under both names', async () => {
    const result = await verify(good.map((file) => (file.path === 'report.md' ? { ...file, path: 'report2.md' } : file)))
    expect(result.faults).toContainEqual(expect.stringMatching(/^report\.md: is missing/))
    expect(result.faults).toContainEqual(expect.stringMatching(/^report2\.md: does not belong here/))
  })

  it.each(['../escape.txt', '/etc/passwd', 'a//b', 'plan/../x', 'plan/./x', 'nul\u0000', 'back\\slash', 'new\nline'])(
    'refuses the path %j',
    async (path) => {
      const result = await verify([...good, { path, bytes: Buffer.from('x') }])
      expect(result.verified).toBe(false)
      expect(result.faults).toContainEqual(expect.stringContaining(JSON.stringify(path)))
    },
  )

  it('refuses two files whose names differ only in case', async () => {
    const result = await verify([...good, { path: 'REPORT.md', bytes: Buffer.from('x') }])
    expect(result.faults).toContainEqual(expect.stringContaining('only in case'))
  })

  it('notices line ends that were translated', async () => {
    const result = await verify(replaced(good, 'VERIFY.md', (bytes) => Buffer.from(Buffer.from(bytes).toString().replaceAll('\n', '\r\n'))))
    expect(result.faults).toContainEqual(expect.stringMatching(/^VERIFY\.md: was changed/))
  })
})

describe('pinned keys', () => {
  it('verifies when every key is pinned, by PEM or by fingerprint', async () => {
    const { input, signers } = await fixturePackInput()
    const files = await sealFixture(input, signers)
    expect((await verify(files, pinsOf(input.keys))).verified).toBe(true)
    const fingerprints = input.keys.map(({ purpose, pem }) => `${purpose}=${fingerprintOf(pem)}`)
    expect((await verify(files, fingerprints)).verified).toBe(true)
  })

  it('refuses a key that is trusted for nothing in particular, or for two purposes', async () => {
    const pem = await fixtureSigners().plan.publicKeyPem()
    await expect(verify(good, [pem])).rejects.toMatchObject({ code: 'BAD_INPUT', message: expect.stringContaining('plan=KEY') })
    await expect(verify(good, [`plan=${pem}`, `evidence=${fingerprintOf(pem)}`])).rejects.toThrow('for two purposes')
  })

  it.each(SIGNING_PURPOSES)('lets the %s key alone prove nothing: no plan signed, no approval, no execution', async (purpose) => {
    const { input, signers } = await fixturePackInput()
    const evidence = signers[purpose]
    const entries = input.entries.slice(0, 1)
    const made = assembleOutcome(fixtureOutcomeInput(fixturePlan(), { auditEntries: entries }))
    const certificate = (await signStatement(evidence, certificateStatement(made))).bytes
    const anchor = statementOf({
      predicateType: PREDICATES.anchor,
      subject: [{ name: 'audit head', sha256: entries[0]!.entry_sha256 }],
      predicate: anchorOf(entries[0]!, at(0)),
    })
    const forged = {
      ...input,
      signedPlan: null,
      approvals: [],
      entries,
      anchors: [(await signStatement(evidence, anchor)).bytes],
      outcome: { document: canonicalBytes(made), certificate },
      keys: await Promise.all(
        (['evidence', 'anchor'] as const).map(async (each) => ({
          purpose: each,
          pem: await evidence.publicKeyPem(),
          key_id: await evidence.keyId(),
        })),
      ),
    }
    const files = await sealPack(evidence, composePack(forged), { projectId: 'ledger', state: 'CREATED', now: new Date(at(130)) })
    const { verified, faults } = await verify(files, pinsOf(input.keys))
    expect(verified).toBe(false)
    if (purpose !== 'anchor') expect(faults).toContainEqual(expect.stringContaining('is not a key you trust for this (anchor'))
    if (purpose !== 'evidence') expect(faults).toContainEqual(expect.stringContaining('is not a key you trust for this (evidence'))
    expect(faults).toContainEqual('outcome.json: is about an execution, and the pack holds no signed plan that was accepted')
    expect(faults).toContainEqual(expect.stringMatching(/^outcome\.json: .*never says that the project was RECONCILED/))
    expect(faults).toContainEqual(expect.stringMatching(/^recon\/execution_report\.json: .*never says that the project was EXECUTED/))
  })

  it('refuses a pack signed with other keys, however consistent', async () => {
    const { input } = await fixturePackInput()
    const result = await verify(good, pinsOf(input.keys))
    expect(result.verified).toBe(false)
    expect(result.faults).toContainEqual(expect.stringContaining('is not a key you trust for this'))
  })

  it.each(SIGNING_PURPOSES)('refuses when the key for %s is not pinned', async (purpose) => {
    const { input, signers } = await fixturePackInput()
    const others = input.keys.filter((key) => key.purpose !== purpose)
    expect(others).toHaveLength(SIGNING_PURPOSES.length - 1)
    const { verified, faults } = await verify(await sealFixture(input, signers), pinsOf(others))
    expect(verified).toBe(false)
    expect(faults).toContainEqual(expect.stringContaining(`is not a key you trust for this (${purpose}`))
  })

  it('throws for a trusted key that is none', async () => {
    await expect(verify(good, ['plan=not a key'])).rejects.toMatchObject({ code: 'BAD_INPUT' })
  })

  it.each([
    ['approval', 'plan'],
    ['anchor', 'evidence'],
  ] as const)('refuses one key for two purposes: %s and %s', async (one, other) => {
    const signers = fixtureSigners()
    const files = await fixturePack({ signers: { ...signers, [one]: signers[other] } })
    expect((await verify(files)).faults).toContainEqual(expect.stringContaining('two purposes'))
  })
})

/** Forgeries by someone who holds the evidence key and seals the forged pack again: nothing may rest on the manifest alone. */
describe('a pack that was forged and sealed again', () => {
  const forge = async (change: (files: PackFile[]) => PackFile[]) => {
    const { input, signers } = await fixturePackInput()
    const files = change(composePack(input).filter(({ path }) => path !== 'SHA256SUMS'))
    const sealed = await sealPack(signers.evidence, files, { projectId: 'ledger', state: 'CUTOVER_DONE', now: new Date(at(130)) })
    return verify(sealed)
  }
  const edit = (path: string, change: (text: string) => string) => (files: PackFile[]) =>
    replaced(files, path, (bytes) => {
      const text = Buffer.from(bytes).toString()
      const after = change(text)
      if (after === text) throw new Error(`nothing to change in ${path}`)
      return Buffer.from(after)
    })

  it('verifies when nothing was forged', async () => {
    expect((await forge((files) => files)).faults).toEqual([])
  })

  it.each<[string, (files: PackFile[]) => PackFile[], RegExp]>([
    ['a plan', edit('plan/migration_plan.json', (t) => t.replace('Ledger to', 'Ledger from')), /not the plan that was signed/],
    ['a policy', edit('plan/policy.json', (t) => t.replace('"qa_lead"', '"dba"')), /not the policy that the plan names/],
    ['a rulebook', edit('plan/hashing_spec.json', (t) => t.replace('"version":"', '"version":"9')), /not the one that the plan names/],
    ['findings', edit('plan/findings.json', (t) => t.replace('"verdict":"pass"', '"verdict":"fail"')), /not the findings that were signed/],
    [
      'a count of a segment',
      edit('recon/recon_report.run-1.json', (t) => t.replace('"source_rows":"20"', '"source_rows":"21"')),
      /segments hold 61 source records/,
    ],
    [
      'a segment digest',
      edit('recon/recon_report.run-1.json', (t) => t.replace(/"source_sha256":"[0-9a-f]{8}/, '"source_sha256":"00000000')),
      /root is not the Merkle root/,
    ],
    [
      'a Merkle root',
      edit('merkle.json', (t) => t.replace(/"source_root":"[0-9a-f]{8}/, '"source_root":"00000000')),
      /does not follow from the reconciliation reports/,
    ],
    [
      'an execution report',
      edit('recon/execution_report.json', (t) => t.replace('"retries":"0"', '"retries":"7"')),
      /execution_report_sha256 does not follow/,
    ],
    [
      'a figure of the outcome',
      edit('outcome.json', (t) => t.replace('"missing_records":0', '"missing_records":1')),
      /outcome\.json: .*(not the outcome that was signed|PASS although)/,
    ],
    [
      'the audit links',
      edit('audit_chain.json', (t) => t.replace('"state":"CUTOVER_DONE"', '"state":"EXECUTED"')),
      /audit_chain\.json: does not follow/,
    ],
    [
      'an audit entry',
      edit('audit/entries.jsonl', (t) => t.replace('"actor":"waybill"', '"actor":"nobody!"')),
      /was changed: its digest does not recompute/,
    ],
    ['a cut audit tail', edit('audit/entries.jsonl', (t) => t.split('\n').slice(0, -2).join('\n').concat('\n')), /the chain was cut/],
    [
      'a dropped anchor',
      (files) => files.filter(({ path }) => !path.includes(lastAnchor(files))),
      /audit\/entries\.jsonl: the entries from 19 on lie under no anchor/,
    ],
    [
      'a dropped approval',
      (files) => files.filter(({ path }) => !path.startsWith('approvals/a-2.')),
      /PLANNED->EXECUTED was passed without its approvals: no security/,
    ],
    [
      'a dropped signed plan',
      (files) => files.filter(({ path }) => !path.startsWith('plan/signed_plan')),
      /signed_plan\.dsse\.json: is missing/,
    ],
    ['a dropped reconciliation', (files) => files.filter(({ path }) => !path.startsWith('recon/recon_report')), /no reconciliation report/],
    ['a dropped outcome', (files) => files.filter(({ path }) => path !== 'outcome.json'), /outcome\.json: is missing/],
    [
      'raw files that are not the envelope’s',
      edit('approvals/a-0.pae.bin', (t) => t.replace('APPROVED', 'REJECTED')),
      /is not what approvals\/a-0\.dsse\.json holds/,
    ],
    [
      'a raw triple without envelope',
      (files) => files.filter(({ path }) => path !== 'approvals/a-0.dsse.json'),
      /stands beside no envelope/,
    ],
    [
      'a swapped key file',
      (files) => replaced(files, 'plan/signed_plan.pub.pem', () => files.find(({ path }) => path === 'approvals/a-0.pub.pem')!.bytes),
      /is not what plan\/signed_plan/,
    ],
  ])('notices %s', async (_, change, fault) => {
    const result = await forge(change)
    expect(result.verified).toBe(false)
    expect(result.faults).toContainEqual(expect.stringMatching(fault))
  })

  it('notices a changed key id, which no signature covers', async () => {
    const result = await forge((files) =>
      replaced(files, 'approvals/a-0.dsse.json', (bytes) => {
        const { payload, signature } = readEnvelope(bytes)
        return writeEnvelope(payload, 'arn:aws:kms:somewhere', signature)
      }),
    )
    expect(result.faults).toContainEqual(expect.stringMatching(/^approvals\/a-0\.dsse\.json: is not in the one form/))
  })

  it('notices an approval passed off as an anchor', async () => {
    const result = await forge((files) => {
      const approval = files.filter(({ path }) => path.startsWith('approvals/a-0.'))
      return [
        ...files,
        ...approval.map(({ path, bytes }) => ({ path: path.replace('approvals/a-0', 'audit/anchors/999999-00000000'), bytes })),
      ]
    })
    expect(result.faults).toContainEqual(expect.stringMatching(/^audit\/anchors\/999999.*does not hold under any/))
  })

  it('notices a manifest that is only formatted differently', async () => {
    const result = await verify(replaced(good, MANIFEST, (bytes) => Buffer.from(`${Buffer.from(bytes).toString()}\n`)))
    expect(result.faults).toContainEqual(expect.stringMatching(/^sha256_manifest\.json: is not/))
  })
})

describe('what a pack says about itself', () => {
  it('cannot be sealed as complete before the cutover', async () => {
    const tables = [fixtureTable('airports', [5]), withLostRow(fixtureTable('flights', [20, 20, 20]))]
    const { input, signers } = await fixturePackInput({ tables })
    const about = { projectId: 'ledger', state: 'EVIDENCE_COMPLETE' as const, now: new Date(at(130)) }
    const result = await verify(await sealPack(signers.evidence, composePack(input), about))
    expect(result.faults).toContainEqual(expect.stringMatching(/leaves the project in ROLLED_BACK, the seal says EVIDENCE_COMPLETE/))
  })

  it('may not carry a valid certificate over a reconciliation that failed', async () => {
    const tables = [fixtureTable('airports', [5]), withLostRow(fixtureTable('flights', [20, 20, 20]))]
    const { input, signers } = await fixturePackInput({ tables })
    const statement = openEnvelope(input.outcome!.certificate, [await signers.evidence.publicKeyPem()])
    const lie = await signStatement(signers.evidence, { ...statement, predicate: { ...statement.predicate, proof_status: 'VALID' } })
    const result = await verify(await sealFixture({ ...input, outcome: { ...input.outcome!, certificate: lie.bytes } }, signers))
    expect(result.faults).toContainEqual(expect.stringMatching(/is VALID over a reconciliation that is fail/))
  })

  it('may not call a migration proven whose outcome is assembled otherwise', async () => {
    const { input, signers } = await fixturePackInput()
    const document = JSON.parse(Buffer.from(input.outcome!.document).toString())
    document.proof_certificate.tables[0].segments_differing = 1
    const forged = outcomeSchema.parse(document)
    const certificate = (await signStatement(signers.evidence, certificateStatement(forged))).bytes
    const result = await verify(await sealFixture({ ...input, outcome: { document: canonicalBytes(forged), certificate } }, signers))
    expect(result.faults).toContainEqual(expect.stringMatching(/segments_differing does not follow from the reports/))
  })
})

describe('approvals in a pack', () => {
  it.each([
    ['one person in both execution roles', { people: { data_owner: 'eve@example.org', security: 'Eve+x@example.org' } }],
    ['the author approving', { people: { tech_lead: 'a.da@example.org' } }],
    ['a missing role', { without: ['qa_lead'] as const }],
    ['a rejection that was ignored', { reject: ['business_owner'] as const }],
    ['one person planning and securing', { people: { tech_lead: 'eve@example.org', security: 'eve@example.org' } }],
    ['one person planning and cutting over', { people: { tech_lead: 'eve@example.org', release_manager: 'e.ve+x@example.org' } }],
    ['one passkey in two mailboxes', { passkeys: { data_owner: pair, security: pair } }],
    ['one passkey in two mailboxes, far apart', { passkeys: { tech_lead: pair, business_owner: pair } }],
    ['an approval that the log never heard of', { unlogged: ['security'] as const }],
    ['a cutover approved by an earlier proof', { newerProof: 'ignored' as const }],
  ])('notices %s', async (_, options) => {
    const result = await verify(await fixturePack(options))
    expect(result.verified).toBe(false)
    expect(result.checks.find((check) => check.name === 'approvals')?.verdict).toBe('fail')
  })
})

it('verifies two people with a passkey each, and a newer proof that people approved', async () => {
  expect((await verify(await fixturePack({ passkeys: { data_owner: pair, security: passkeyPair() } }))).faults).toEqual([])
  expect((await verify(await fixturePack({ newerProof: 'approved' }))).faults).toEqual([])
})

it('says whose approvals are of one passkey', async () => {
  const { faults } = await verify(await fixturePack({ passkeys: { data_owner: pair, security: pair } }))
  expect(faults.join('\n')).toMatch(/data_owner@example\.org and security@example\.org approved with one and the same passkey/)
})

describe('findings', () => {
  const findings = VALIDATORS.map((id) => passing(id, 'fine'))
  it.each<[string, Partial<Findings>, RegExp]>([
    ['no validator at all', { validators: [], findings: [] }, /name the validators \(none\)/],
    [
      'one that did not run',
      { validators: VALIDATORS.slice(1), findings: findings.slice(1) },
      /say nothing of the type-coercion-validator/,
    ],
    ['one that said nothing', { findings: findings.slice(0, -1) }, /say nothing of the signed-plan-validator/],
    ['one that ran twice', { validators: [...VALIDATORS, 'hashing-validator'] }, /name the validators/],
    [
      'something CRITICAL that is called a pass',
      { findings: [...findings, { ...findings[0]!, severity: 'CRITICAL' }] },
      /call something of the type-coercion-validator that is CRITICAL a pass/,
    ],
    [
      'an ERROR that is called not applicable',
      { findings: [...findings, { ...findings[1]!, severity: 'ERROR', verdict: 'not-applicable' }] },
      /that is ERROR a not-applicable/,
    ],
    [
      'a failure that is no more than INFO',
      { findings: [...findings, { ...findings[1]!, verdict: 'fail' }] },
      /call something of the hashing-validator that is INFO a fail/,
    ],
    [
      'an ERROR under a verdict that is pass',
      { findings: [...findings, { ...findings[1]!, verdict: 'fail', severity: 'ERROR' }] },
      /signed although its validation did not pass/,
    ],
  ])('of a signed plan are refused with %s', async (_what, over, says) => {
    expect((await verify(await fixturePack({ findings: over }))).faults).toContainEqual(expect.stringMatching(says))
  })
})

it('notices values in a pack whose policy lets none into the evidence', async () => {
  const { input, signers } = await fixturePackInput()
  const planFolder = [...input.planFolder, { path: 'profiling_report.json', bytes: Buffer.from('{}') }]
  expect((await verify(await sealFixture({ ...input, planFolder }, signers))).faults).toEqual([
    'plan/profiling_report.json: holds values, and the policy lets none into the evidence',
  ])
})

describe('the newest comparison before a cutover', () => {
  const NEWEST = 'checks_report.run-2.json'
  /** Put in the place of those that the log names, by whoever seals. */
  const withChecks = async (change: (checks: ChecksReport) => object | null) => {
    const { input, signers } = await fixturePackInput()
    const reconFolder = input.reconFolder.flatMap((file) => {
      if (file.path !== NEWEST) return [file]
      const changed = change(JSON.parse(Buffer.from(file.bytes).toString()) as ChecksReport)
      return changed === null ? [] : [{ path: NEWEST, bytes: canonicalBytes(changed) }]
    })
    return sealFixture({ ...input, reconFolder }, signers)
  }
  const rows = (checks: ChecksReport, verdict: CheckResult['verdict']): ChecksReport => ({
    ...checks,
    checks: checks.checks.map((check) => (check.check_id === 'rows-flights' ? { ...check, verdict } : check)),
  })
  const orphans = (checks: ChecksReport, orphan_rows: string, source_orphan_rows: string): ChecksReport => ({
    ...checks,
    checks: checks.checks.map((check) => ({
      ...check,
      ...(check.check_id === 'fk-origin' ? { figures: { orphan_rows, source_orphan_rows } } : {}),
    })),
  })

  it.each<[string, (checks: ChecksReport) => ChecksReport | null, RegExp]>([
    ['fails', (checks) => rows(checks, 'fail'), /run run-2\) found every row in both, but a check no longer holds: Both hold 60/],
    ['is not decided', (checks) => rows(checks, 'inconclusive'), /run run-2\) could not be decided: Both hold 60/],
    [
      'is left out',
      (checks) => ({ ...checks, checks: checks.checks.slice(1) }),
      /rows-flights held when the proof was made, and was not run/,
    ],
    [
      'has more orphans than the plan accepts',
      (checks) => orphans(checks, '4', '3'),
      /a check no longer holds: 3 of 60 rows name an origin/,
    ],
    ['has no report', () => null, /run run-2\) found every row in both, and its checks were not completed/],
  ])('counts a check that held at the proof and %s', async (_what, nightChecks, says) => {
    expect((await verify(await fixturePack({ nightChecks }))).faults).toEqual([expect.stringMatching(says)])
  })

  it('takes orphans that the plan accepts for what the proof takes them for', async () => {
    expect((await verify(await fixturePack({ nightChecks: (checks) => orphans(checks, '5', '5') }))).faults).toEqual([])
  })

  it.each<[string, (checks: ChecksReport) => ChecksReport | null, ((checks: ChecksReport) => object | null)?]>([
    ['that passed, in place of one that failed', (checks) => rows(checks, 'fail'), (checks) => rows(checks, 'pass')],
    ['with another figure', (checks) => checks, (checks) => orphans(checks, '2', '3')],
    ['that the log names no checks of', () => null],
    ['that was taken out', (checks) => checks, () => null],
  ])('refuses a report of checks %s', async (_what, told, put = (checks) => checks) => {
    const { input, signers } = await fixturePackInput({ nightChecks: told })
    const real = (await fixturePackInput()).input.reconFolder.find(({ path }) => path === NEWEST)!
    const changed = put(JSON.parse(Buffer.from(real.bytes).toString()) as ChecksReport)
    const reconFolder = [
      ...input.reconFolder.filter(({ path }) => path !== NEWEST),
      ...(changed === null ? [] : [{ path: NEWEST, bytes: canonicalBytes(changed) }]),
    ]
    const { verified, faults } = await verify(await sealFixture({ ...input, reconFolder }, signers))
    expect(verified).toBe(false)
    expect(faults).toContainEqual(
      expect.stringMatching(
        /the cutover was made although the newest comparison before it \(run run-2\) (could not be decided|found every row in both, and its checks were not completed)/,
      ),
    )
  })

  it('takes checks for those of the run they are called by, once', async () => {
    const { faults } = await verify(await withChecks((checks) => ({ ...checks, run_id: 'run-1' })))
    expect(faults).toContainEqual(`recon/${NEWEST}: is the checks report of run run-1`)
    expect(faults).toContainEqual(`recon/${NEWEST}: a second checks report of run run-1`)
  })
})

describe('a log that was appended to', () => {
  const appended = (input: PackInput, said: Record<string, string>[]) => {
    const entries = [...input.entries]
    for (const details of said) {
      const fields = { project_id: 'ledger', at: at(125), actor: 'waybill', action: 'CHANGE_NOT_MADE', details }
      entries.push(nextEntry(entries.at(-1)!, fields))
    }
    return { ...input, entries }
  }

  it('takes no move back that an anchor lies over: gates that were passed still need their approvals', async () => {
    const { input, signers } = await fixturePackInput({ without: ['security'] })
    const moves = input.entries.filter(({ details }) => details.to !== undefined)
    const undone = moves.slice(4).map(({ seq, details }) => ({ entry: String(seq), revision: details.revision! }))
    const back = moves.slice(4).map(({ details }) => ({ from: details.from!, to: 'PLANNED', revision: details.revision! }))
    const forged = { ...appended(input, [...undone, ...back]), outcome: null, executionReport: null, reconReports: [], reconFolder: [] }
    const files = await sealPack(signers.evidence, composePack(forged), { projectId: 'ledger', state: 'PLANNED', now: new Date(at(130)) })
    const { faults } = await verify(files)
    expect(faults).toContainEqual(expect.stringMatching(/leaves the project in CUTOVER_DONE, the seal says PLANNED/))
    expect(faults.filter((fault) => /it was not written with the project/.test(fault))).toHaveLength(back.length)
    expect(faults).toContainEqual(expect.stringMatching(/PLANNED->EXECUTED was passed without its approvals: no security/))
  })

  it('knows no approval better for having been told after the step', async () => {
    const { input, signers } = await fixturePackInput({ unlogged: ['security'] })
    const [bytes, predicate] = input.approvals
      .map((each) => [each, openEnvelope(each, [input.keys[1]!.pem]).predicate as Record<string, string>] as const)
      .find(([, each]) => each.role === 'security')!
    const { approval_id, transition, decision, subject_sha256 } = predicate
    const details = { approval_id: approval_id!, transition: transition!, decision: decision!, statement_sha256: sha256(bytes) }
    const last = input.entries.at(-1)!
    const told = nextEntry(last, {
      project_id: 'ledger',
      at: at(125),
      actor: predicate.approver!,
      action: 'DECISION_TAKEN',
      subject_sha256: subject_sha256!,
      details,
    })
    const { faults } = await verify(await sealFixture({ ...input, entries: [...input.entries, told] }, signers))
    expect(faults).toContainEqual(
      expect.stringMatching(/PLANNED->EXECUTED was passed without its approvals: no security.*knows no approval/),
    )
  })

  it('is named where a certificate stands that is not the newest proof it records', async () => {
    const { input, signers } = await fixturePackInput({ newerProof: 'approved' })
    const earlier = input.reconFolder.find(({ path }) => path === 'proof_certificate.run-1.dsse.json')!.bytes
    const swapped = { ...input, outcome: { ...input.outcome!, certificate: earlier }, reconFolder: input.reconFolder.slice(0, 1) }
    expect((await verify(await sealFixture(swapped, signers))).faults).toContainEqual(
      'proof_certificate.dsse.json: is not the newest proof that the audit log records',
    )
  })
})

describe('what the audit log says about decisions', () => {
  it.each([
    ['APPROVAL_WITHDRAWN', { approval_id: 'a-1', transition: 'PLANNED->EXECUTED', statement_sha256: 'd'.repeat(64) }],
    ['APPROVAL_WITHDRAWN', { approval_id: 'a-1', transition: 'PLANNED->EXECUTED' }],
    ['DECISION_TAKEN', { approval_id: 'a-9', transition: 'PLANNED->EXECUTED', decision: 'REJECTED', statement_sha256: 'f'.repeat(64) }],
    ['PLAN_WITHDRAWN', { transition: 'PLANNED->EXECUTED', statement_sha256: 'e'.repeat(64) }],
  ] as [string, Record<string, string>][])('notices %s whose statement was left out (%j)', async (action, details) => {
    const { input, signers } = await fixturePackInput()
    const last = input.entries.at(-1)!
    const said = nextEntry(last, { project_id: 'ledger', at: at(121), actor: 'x@example.org', action, details })
    const { verified, faults } = await verify(await sealFixture({ ...input, entries: [...input.entries, said] }, signers))
    expect(verified).toBe(false)
    expect(faults).toContainEqual(expect.stringMatching(new RegExp(`^approvals: no statement of audit entry ${said.seq} \\(${action}`)))
  })

  it('takes a recorded decision whose statement is here, and one that was handed on', async () => {
    const { input, signers } = await fixturePackInput()
    const decided = {
      approval_id: 'a-0',
      transition: 'PLAN_DRAFTED->PLANNED',
      decision: 'APPROVED',
      statement_sha256: sha256(input.approvals[0]!),
    }
    const handedOn = { approval_id: 'a-8', transition: 'PLAN_DRAFTED->PLANNED', decision: 'DELEGATED' }
    const entries = [...input.entries]
    for (const details of [decided, handedOn])
      entries.push(nextEntry(entries.at(-1)!, { project_id: 'ledger', at: at(121), actor: 'x', action: 'DECISION_TAKEN', details }))
    expect((await verify(await sealFixture(await anchoredAgain({ ...input, entries }, signers), signers))).faults).toEqual([])
  })
})

describe('when things were done', () => {
  it('notices that a plan was approved and executed after it had expired', async () => {
    const { faults } = await verify(await fixturePack({ plan: { ...fixturePlan(), expires_at: at(21) } }))
    expect(faults).toContainEqual(expect.stringMatching(/^approvals\/a-1.*the execution of a plan that had expired/))
    const early = await verify(await fixturePack({ plan: { ...fixturePlan(), expires_at: at(-3600) } }))
    expect(early.faults).toContainEqual(expect.stringMatching(/^recon\/execution_report\.json: writes at .*had expired/))
    expect(early.faults).toContainEqual(expect.stringMatching(/^plan\/signed_plan\.dsse\.json: was signed at .*had expired/))
  })

  it('does not count approvals given after the step that they open', async () => {
    const { input, signers } = await fixturePackInput()
    const approvals = await Promise.all(
      input.approvals.map(async (bytes) => {
        const statement = openEnvelope(bytes, [await signers.approval.publicKeyPem()])
        return (await signStatement(signers.approval, { ...statement, predicate: { ...statement.predicate, decided_at: at(139) } })).bytes
      }),
    )
    const { verified, faults } = await verify(await sealFixture({ ...input, approvals }, signers))
    expect(verified).toBe(false)
    for (const gate of ['PLAN_DRAFTED->PLANNED', 'PLANNED->EXECUTED', 'CUTOVER_READY->CUTOVER_DONE'])
      expect(faults).toContainEqual(expect.stringMatching(new RegExp(`^approvals: ${gate} was passed without.*the step was made at`)))
  })
})

it('counts the clean nights by what the pack shows of them, not by what the chain says', async () => {
  const { faults } = await verify(await fixturePack({ cleanRun: 'run-of-nobody' }))
  expect(faults.join('\n')).toContain('complete after 0 clean nights that the pack shows; the policy asks for 1')
})

describe('systems', () => {
  it.each(['source', 'target'] as const)('notices a reconciliation of another %s than the plan names', async (side) => {
    const { input, signers } = await fixturePackInput()
    const reconReports = input.reconReports.map((bytes) => {
      const report = JSON.parse(Buffer.from(bytes).toString('utf8'))
      report.identities[side].database_oid = '4'
      return canonicalBytes(report)
    })
    const { faults } = await verify(await sealFixture({ ...input, reconReports }, signers))
    expect(faults.join('\n')).toMatch(new RegExp(`compares another ${side} than the plan's: database ".*" \\(oid 4\\)`))
  })
})

describe('two projects', () => {
  it('cannot lend each other files', async () => {
    const signers = fixtureSigners()
    const ours = await fixturePackInput({ signers })
    const theirs = await fixturePackInput({ signers, projectId: 'orders' })
    for (const part of ['approvals', 'signedPlan', 'plan', 'executionReport', 'reconReports', 'outcome', 'entries', 'anchors'] as const) {
      const mixed = { ...ours.input, [part]: theirs.input[part] }
      const result = await verify(await sealFixture(mixed, signers))
      expect(result.verified, part).toBe(false)
    }
  })

  it('have different packs, and a file of one is noticed in the other', async () => {
    const other = await fixturePack({ projectId: 'orders' })
    for (const path of ['plan/migration_plan.json', 'manifest.dsse.json', 'sha256_manifest.json', 'keys/keys.json']) {
      const bytes = other.find((file) => file.path === path)!.bytes
      expect((await verify(replaced(good, path, () => bytes))).verified, path).toBe(false)
    }
  })
})

describe('composing a pack', () => {
  it('gives the same bytes for the same input', async () => {
    const { input } = await fixturePackInput()
    expect(canonicalBytes(composePack(input).map(({ path, bytes }) => [path, Buffer.from(bytes).toString('base64')]))).toEqual(
      canonicalBytes(composePack(structuredClone(input)).map(({ path, bytes }) => [path, Buffer.from(bytes).toString('base64')])),
    )
  })

  it.each(['../x.sql', '/x.sql', 'a/../../x', 'two words.sql'])('refuses the rewrite file %s', async (path) => {
    const { input } = await fixturePackInput()
    expect(() => composePack({ ...input, code: [{ path, bytes: Buffer.from('') }] })).toThrow(
      expect.objectContaining({ code: 'BAD_INPUT' }),
    )
  })

  it('refuses an envelope that none of its keys verifies', async () => {
    const { input } = await fixturePackInput()
    const stranger = await fixturePackInput()
    expect(() => composePack({ ...input, keys: stranger.input.keys })).toThrow(expect.objectContaining({ code: 'EVIDENCE_INVALID' }))
  })
})
