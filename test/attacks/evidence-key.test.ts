import { describe, expect, it } from 'vitest'
import { nextEntry } from '../../layers/core/audit-chain.ts'
import { canonicalBytes, digestOf } from '../../layers/core/canonical-json.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { composePack, type PackFile, type PackInput, sealPack } from '../../layers/core/evidence/pack.ts'
import { assembleOutcome } from '../../layers/core/outcome/assembly.ts'
import { certificateStatement } from '../../layers/core/outcome/certificate-statement.ts'
import type { Signer, Signers } from '../../layers/core/ports.ts'
import type { PackKeys, PackManifest } from '../../layers/core/schemas/evidence.ts'
import { auditAnchor } from '../../layers/core/schemas/governance.ts'
import type { LifecycleState } from '../../layers/core/schemas/project.ts'
import { openEnvelope, signStatement } from '../../layers/core/statement.ts'
import { memoryReader, verifyPack } from '../../layers/core/verifier/index.ts'
import {
  anchoredAgain,
  at,
  fixtureOutcomeInput,
  fixturePackInput,
  fixturePlan,
  fixtureRecon,
  fixtureSigner,
  fixtureSigners,
  fixtureTable,
  keysOfSigners,
  withLostRow,
} from '../support/pack-fixture.ts'

/**
 * Somebody who holds the key for evidence, as every function that proves or seals does, and a plan that was signed and approved in earnest.
 * Whatever of the story comes after the approvals, they make up.
 */
const signers = fixtureSigners()
const pins = (await keysOfSigners(signers)).map(({ purpose, pem }) => `${purpose}=${pem}`)
const verify = (files: readonly PackFile[], trust = pins) => verifyPack(memoryReader(files), { trust })

const predicateIn = async (bytes: Uint8Array, signer: Signer) => openEnvelope(bytes, [await signer.publicKeyPem()]).predicate

/** A migration up to a state: its entries, anchors and approvals until then. */
async function until(state: LifecycleState, { input, signers: by }: { input: PackInput; signers: Signers }): Promise<PackInput> {
  const entries = input.entries.slice(0, input.entries.findIndex(({ details }) => details.to === state) + 1)
  const told = new Set(entries.map(({ details }) => details.statement_sha256))
  const anchors: Uint8Array[] = []
  for (const bytes of input.anchors)
    if (auditAnchor.parse(await predicateIn(bytes, by.anchor)).sequence < entries.length) anchors.push(bytes)
  const approvals = input.approvals.filter((bytes) => told.has(sha256(bytes)))
  // Of the comparisons, the first, with its checks.
  const { reconReports, reconFolder } = input
  return {
    ...input,
    entries,
    anchors,
    approvals,
    reconReports: reconReports.slice(0, 1),
    reconFolder: reconFolder.slice(0, 1),
    cutoverFolder: [],
  }
}

const sealed = (input: PackInput, state: LifecycleState) =>
  sealPack(signers.evidence, composePack(input), { projectId: 'ledger', state, now: new Date(at(130)) })

/** A proof that holds, of an execution and a comparison that never were; every anchor by whoever is given. */
async function madeUp(anchor: Signer): Promise<PackFile[]> {
  const forgers = { ...signers, anchor }
  return sealed(await until('RECONCILED', { ...(await fixturePackInput({ signers: forgers })), signers: forgers }), 'RECONCILED')
}

/** As the key list of a Waybill that knew no such key would be, with everything sealed anew. */
async function withoutAnchorKey(files: readonly PackFile[]): Promise<PackFile[]> {
  const manifest: PackManifest = JSON.parse(textOf(files, 'sha256_manifest.json'))
  const listed = files.filter(({ path }) => manifest.files.some((file) => file.path === path) && !path.startsWith('keys/anchor-'))
  const list: PackKeys = JSON.parse(textOf(files, 'keys/keys.json'))
  const keys = canonicalBytes({ ...list, keys: list.keys.filter(({ purpose }) => purpose !== 'anchor') })
  const rewritten = listed
    .filter(({ path }) => path !== 'SHA256SUMS')
    .map((file) => (file.path === 'keys/keys.json' ? { ...file, bytes: keys } : file))
  return sealPack(signers.evidence, rewritten, { projectId: 'ledger', state: 'RECONCILED', now: new Date(at(130)) })
}

const textOf = (files: readonly PackFile[], path: string) => Buffer.from(files.find((file) => file.path === path)!.bytes).toString('utf8')

it('the anchor key in hand proves nothing: no certificate, no outcome, no seal', async () => {
  const forgers = { ...signers, evidence: signers.anchor }
  const { input } = await fixturePackInput({ signers: forgers })
  const proven = await until('RECONCILED', { input, signers: forgers })
  const files = await sealPack(signers.anchor, composePack(proven), { projectId: 'ledger', state: 'RECONCILED', now: new Date(at(130)) })
  const { verified, faults } = await verify(files)
  expect(verified).toBe(false)
  expect(faults[0]).toBe('manifest.dsse.json: the pack statement was signed with the anchor key; only the evidence key may say this')
  expect(faults).toContainEqual(expect.stringMatching(/^keys\/evidence-[0-9a-f]+\.pem: is not a key you trust for this \(evidence/))
  expect(faults).toContainEqual(
    expect.stringMatching(/^proof_certificate\.dsse\.json: the outcome statement was signed with the anchor key/),
  )
})

describe('the evidence key in hand, together with a plan that was approved', () => {
  it('would prove what never happened, if the anchor key were in the same hand', async () => {
    const { verified, trust, faults } = await verify(await madeUp(signers.anchor))
    expect([faults, verified, trust]).toEqual([[], true, 'pinned'])
  })

  it('signs no anchor: presented as the key for anchors, it has two purposes', async () => {
    const { verified, faults } = await verify(await madeUp(signers.evidence))
    expect(verified).toBe(false)
    expect(faults[0]).toMatch(/^keys\/anchor-[0-9a-f]+\.pem: is not a key you trust for this \(anchor, SHA-256 [0-9a-f]{64}\)$/)
    expect(faults[1]).toMatch(/^keys\/evidence-[0-9a-f]+\.pem: is used for two purposes, evidence and anchor$/)
  })

  it('signs no anchor: as the key for evidence alone, it vouches for no entry', async () => {
    const files = await withoutAnchorKey(await madeUp(signers.evidence))
    const { verified, faults } = await verify(files)
    expect(verified).toBe(false)
    expect(faults[0]).toMatch(
      /^audit\/anchors\/000000-\w+\.dsse\.json: its signature does not hold under any of the 0 keys for signing the anchor$/,
    )
    expect(faults).toContain('audit/entries.jsonl: the entries from 0 on lie under no anchor that was accepted, so nobody vouches for them')
    // Also where nobody pins a key.
    expect((await verifyPack(memoryReader(files))).faults).toContainEqual(
      expect.stringMatching(/: the anchor statement was signed with the evidence key; only the anchor key may say this$/),
    )
  })

  it('has no use for an anchor key of its own, nor for a reader who pins the other three', async () => {
    const files = await madeUp(fixtureSigner())
    const three = pins.filter((pin) => !pin.startsWith('anchor='))
    expect(three).toHaveLength(3)
    for (const trust of [pins, three]) {
      const result = await verify(files, trust)
      expect(result.verified).toBe(false)
      expect(result.faults[0]).toMatch(/^keys\/anchor-[0-9a-f]+\.pem: is not a key you trust for this \(anchor, SHA-256 [0-9a-f]{64}\)$/)
    }
  })

  it('adds nothing to a log that is real so far: a comparison and a proof that no anchor lies over are nobody’s', async () => {
    const tables = [fixtureTable('airports', [5]), withLostRow(fixtureTable('flights', [20, 20, 20]))]
    const real = await until('RECONCILED', await fixturePackInput({ signers, tables }))
    const plan = fixturePlan()
    const reconReport = { ...fixtureRecon(plan), run_id: 'run-9' }
    const checksReport = { ...fixtureOutcomeInput(plan).checksReport, run_id: 'run-9' }
    const made = assembleOutcome(fixtureOutcomeInput(plan, { reconReport, checksReport, auditEntries: [...real.entries] }))
    const certificate = (await signStatement(signers.evidence, certificateStatement(made))).bytes
    const entries = [...real.entries]
    const lie = (action: string, subject: string, details: Record<string, string>) => {
      const fields = { project_id: 'ledger', at: at(81), actor: 'waybill', action, subject_sha256: subject, details }
      entries.push(nextEntry(entries.at(-1)!, fields))
    }
    lie('RECONCILIATION_MERGED', digestOf(reconReport), { run_id: 'run-9', verdict: 'pass', tables: '2' })
    lie('PARALLEL_RUN_PROOF_TAKEN', sha256(certificate), { run_id: 'run-9' })
    const forged = {
      ...real,
      entries,
      reconReports: [...real.reconReports, canonicalBytes(reconReport)],
      reconFolder: [...real.reconFolder, { path: 'checks_report.run-9.json', bytes: canonicalBytes(checksReport) }],
      outcome: { document: canonicalBytes(made), certificate },
    }
    const { verified, faults } = await verify(await sealed(forged, 'RECONCILED'))
    expect(verified).toBe(false)
    expect(faults).toEqual([
      `audit/entries.jsonl: the entries from ${real.entries.length} on lie under no anchor that was accepted, so nobody vouches for them`,
    ])
  })

  it('leaves a withdrawal out only together with all that came after it, and with every proof', async () => {
    const whole = await fixturePackInput({ signers })
    const planned = await until('PLANNED', whole)
    const nothing = { outcome: null, executionReport: null, reconReports: [], reconFolder: [] }
    expect((await verify(await sealed({ ...planned, ...nothing }, 'PLANNED'))).faults).toEqual([])
    const { faults } = await verify(await sealed(planned, 'PLANNED'))
    expect(faults).toContainEqual(
      expect.stringMatching(/^outcome\.json: is here, although the audit log never says that the project was RECONCILED$/),
    )
    const proven = await until('RECONCILED', whole)
    const withdrawal = {
      project_id: 'ledger',
      at: at(76),
      actor: 'x@example.org',
      action: 'PLAN_WITHDRAWN',
      details: { transition: 'PLANNED->EXECUTED' },
    }
    const entries = [...proven.entries, nextEntry(proven.entries.at(-1)!, withdrawal)]
    const { anchors } = await anchoredAgain({ ...proven, entries }, signers)
    const without = { ...proven, anchors }
    expect((await verify(await sealed(without, 'RECONCILED'))).faults).toContainEqual(
      expect.stringMatching(/the chain was cut: entry \d+ was anchored/),
    )
  })
})
