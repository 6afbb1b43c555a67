import { execFileSync, spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalBytes, digestOf } from '../../../layers/core/canonical-json.ts'
import { fingerprintOf } from '../../../layers/core/evidence/pack-files.ts'
import { segmentProofOf } from '../../../layers/core/evidence/segment-proof.ts'
import type { SegmentProof } from '../../../layers/core/schemas/evidence.ts'
import type { ReconReport } from '../../../layers/core/schemas/recon.ts'
import { PREDICATES, signStatement, statementOf } from '../../../layers/core/statement.ts'
import { segmentCommands } from '../../../layers/core/verifier/segment-commands.ts'
import { verifySegmentProof } from '../../../layers/core/verifier/segment-proof.ts'
import { hybridForm } from '../../support/hybrid-key.ts'
import { fixturePlan, fixtureRecon, fixtureSigner, fixtureTable, withLostRow } from '../../support/pack-fixture.ts'

const signer = fixtureSigner()
const publicKeyPem = await signer.publicKeyPem()

async function certified(report: ReconReport, by = signer) {
  const signed = await signStatement(
    by,
    statementOf({
      predicateType: PREDICATES.outcome,
      subject: [{ name: 'outcome.json', sha256: digestOf('outcome') }],
      predicate: {
        project_id: report.project_id,
        run_id: report.run_id,
        plan_sha256: report.plan_sha256,
        proof_status: 'VALID',
        rollback_decision: 'CONTINUE',
        tables: report.tables.map(({ table_id, segments, source_root, target_root }) => ({
          table_id,
          tree_size: segments.length,
          source_root,
          target_root,
        })),
      },
    }),
  )
  return { certificate: signed.bytes, publicKeyPem: await by.publicKeyPem() }
}

const reportOf = (rows: number[]) => fixtureRecon(fixturePlan(), [fixtureTable('flights', rows)])
const small = reportOf([20, 0, 7, 1, 9])
const proofOf = async (report: ReconReport, index: number) => segmentProofOf(report, await certified(report), 'flights', index)
const verify = (proof: SegmentProof, trust?: string[]) => verifySegmentProof(canonicalBytes(proof), trust)

describe('the proof of one segment', () => {
  it('holds for every segment of trees of every size, and says nothing of the others', async () => {
    for (let size = 1; size <= 18; size++) {
      const report = reportOf(Array.from({ length: size }, (_, at) => at * 3))
      const signed = await certified(report)
      for (let index = 0; index < size; index++) {
        const proof = segmentProofOf(report, signed, 'flights', index)
        expect(verify(proof), `${index} of ${size}`).toMatchObject({ verified: true, equal: true, trust: 'key-in-file', faults: [] })
      }
    }
  })

  it('is followed by sha256sum and printf alone', async () => {
    for (const index of [0, 2, 4]) {
      const commands = segmentCommands(await proofOf(small, index))
      for (const shell of ['sh', 'bash'])
        expect(execFileSync(shell, ['-e', '-c', commands], { encoding: 'utf8' })).toBe(
          'source: leads to the signed root\ntarget: leads to the signed root\n',
        )
      const wrong = spawnSync('sh', ['-e', '-c', commands.replace(/rows=[0-9a-f]{16}/, 'rows=00000000000000ff')], { encoding: 'utf8' })
      expect([wrong.status, wrong.stdout]).toEqual([1, 'FAILED: source\n'])
    }
  })

  it('says when the sides differ', async () => {
    const report = fixtureRecon(fixturePlan(), [withLostRow(fixtureTable('flights', [5, 6]))])
    expect(verify(await proofOf(report, 0))).toMatchObject({ verified: true, equal: false })
    expect(verify(await proofOf(report, 1))).toMatchObject({ verified: true, equal: true })
  })

  it('holds for what was completed of a table that was not completed', async () => {
    const whole = fixtureTable('flights', [4, 5, 6])
    const segments = whole.segments.filter(({ index }) => index !== 1)
    const { segmentRoot } = await import('../../../layers/core/outcome/table-recomputation.ts')
    const root = segmentRoot(segments, 'source')
    const report = fixtureRecon(fixturePlan(), [{ ...whole, segments, source_root: root, target_root: root, verdict: 'inconclusive' }])
    expect(await proofOf(report, 2)).toMatchObject({ index: 2, position: 1, tree_size: 2 })
    expect(verify(await proofOf(report, 2)).faults).toEqual([])
    await expect(proofOf(report, 1)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('is not there for a table or segment that is not', async () => {
    await expect(proofOf(small, 5)).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('it has 5') })
    const signed = await certified(small)
    expect(() => segmentProofOf(small, signed, 'ports', 0)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }))
  })
})

describe('a segment proof that was tampered with', () => {
  const forgeries: [string, (proof: SegmentProof) => SegmentProof][] = [
    ['other rows', (p) => ({ ...p, source: { ...p.source, rows: '21' } })],
    ['more rows than any leaf holds', (p) => ({ ...p, source: { ...p.source, rows: '9'.repeat(30) } })],
    ['another digest', (p) => ({ ...p, target: { ...p.target, sha256: digestOf('x') } })],
    ['another segment', (p) => ({ ...p, index: 3 })],
    ['another position', (p) => ({ ...p, position: 1 })],
    ['another size', (p) => ({ ...p, tree_size: 6 })],
    ['another root', (p) => ({ ...p, source: { ...p.source, root: digestOf('x') } })],
    ['another table', (p) => ({ ...p, table_id: 'airports' })],
    ['another run', (p) => ({ ...p, run_id: 'run-2' })],
    ['another project', (p) => ({ ...p, project_id: 'orders' })],
    ['a shorter path', (p) => ({ ...p, source: { ...p.source, path: p.source.path.slice(1) } })],
    ['a longer path', (p) => ({ ...p, source: { ...p.source, path: [...p.source.path, p.source.path[0]!] } })],
    [
      'a sibling on the other side',
      (p) => ({ ...p, source: { ...p.source, path: p.source.path.with(0, { ...p.source.path[0]!, stands: 'left' }) } }),
    ],
    ['an empty certificate', (p) => ({ ...p, certificate: { payload: '', sig: '' } })],
    ['another key', (p) => ({ ...p, public_key: p.public_key.replace(/[A-Z]/, 'b') })],
  ]

  it.each(forgeries)('is refused: %s', async (_what, forge) => {
    const proof = forge(await proofOf(small, 2))
    expect(verify(proof)).toMatchObject({ verified: false, equal: null })
  })

  it('is refused when one bit of it changed, wherever', async () => {
    const bytes = canonicalBytes(await proofOf(small, 2))
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        const changed = Uint8Array.from(bytes)
        changed[at]! ^= 1 << bit
        expect(verifySegmentProof(changed).verified).toBe(false)
      }),
      { numRuns: 1000 },
    )
  })

  it('is refused when its key is written another way: one key has one form', async () => {
    const proof = await proofOf(small, 2)
    const hybrid = hybridForm(proof.public_key)
    expect(fingerprintOf(hybrid)).toBe(fingerprintOf(proof.public_key))
    expect(verify({ ...proof, public_key: hybrid })).toMatchObject({ verified: false, equal: null })
    expect(verify(proof, [`evidence=${hybrid}`])).toMatchObject({ verified: true, trust: 'pinned' })
  })

  it('is refused when it was signed by somebody else than the key that is pinned', async () => {
    const stranger = fixtureSigner()
    const proof = segmentProofOf(small, await certified(small, stranger), 'flights', 2)
    expect(verify(proof).verified).toBe(true)
    expect(verify(proof, [`evidence=${publicKeyPem}`])).toMatchObject({
      verified: false,
      faults: [expect.stringContaining('a key you do not trust')],
    })
    expect(verify(await proofOf(small, 2), [`evidence=${fingerprintOf(publicKeyPem)}`])).toMatchObject({
      verified: true,
      trust: 'pinned',
    })
    // The same key, trusted for something else: it may approve, and proves nothing.
    expect(verify(await proofOf(small, 2), [`approval=${publicKeyPem}`])).toMatchObject({ verified: false, equal: null })
  })

  it('is refused when the certificate is a statement of another kind', async () => {
    const anchor = await signStatement(
      signer,
      statementOf({ predicateType: PREDICATES.anchor, subject: [{ name: 'x', sha256: digestOf('x') }], predicate: {} }),
    )
    const proof = segmentProofOf(small, { certificate: anchor.bytes, publicKeyPem }, 'flights', 2)
    expect(verify(proof).faults.join()).toContain('its certificate does not hold')
  })

  it('is refused when it is no proof at all', () => {
    for (const text of ['', '{}', '[]', 'null', '{"schema":"waybill/segment-proof/v1"}'])
      expect(verifySegmentProof(Buffer.from(text))).toMatchObject({ verified: false, proof: null })
  })
})
