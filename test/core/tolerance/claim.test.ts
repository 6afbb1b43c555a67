import { describe, expect, it } from 'vitest'
import { planSections } from '../../../layers/core/approval-page/plan-words.ts'
import { proofSections } from '../../../layers/core/approval-page/proof-words.ts'
import { arithmeticFaults } from '../../../layers/core/outcome/arithmetic.ts'
import { assembleOutcome } from '../../../layers/core/outcome/assembly.ts'
import { recomputeTable } from '../../../layers/core/outcome/table-recomputation.ts'
import { reportHtml } from '../../../layers/core/report/html.ts'
import { reportMarkdown } from '../../../layers/core/report/markdown.ts'
import { outcome as outcomeSchema } from '../../../layers/core/schemas/outcome.ts'
import type { Plan } from '../../../layers/core/schemas/plan.ts'
import { type TableResult, tableResult } from '../../../layers/core/schemas/recon.ts'
import { toleranceSentences } from '../../../layers/core/tolerance/claim.ts'
import { memoryReader, verifyPack } from '../../../layers/core/verifier/index.ts'
import { fixtureOutcomeInput, fixturePack, fixturePlan, fixtureRecon, fixtureTable } from '../../support/pack-fixture.ts'
import { fixtureReport } from '../../support/report-fixture.ts'

type Held = NonNullable<TableResult['tolerances']>[number]
const HELD = {
  column: 'name',
  kind: 'absolute',
  value: '0.01',
  compared: '5',
  equal: '3',
  within: '2',
  beyond: '0',
  largest: '0.005',
} as const

/** Airports of which "name" is held to a tolerance; sentences as the comparison writes them, unless others are given. */
function airports(held: Partial<Held> = {}, more: Partial<TableResult> = {}): TableResult {
  const table = fixtureTable('airports', [5], { columns: [{ name: 'iata', type: 'text' }], tolerances: [{ ...HELD, ...held }], ...more })
  return tableResult.parse({ ...table, reasons: more.reasons ?? toleranceSentences(table) })
}
const flights = () => fixtureTable('flights', [20, 20, 20])
function planWith(tolerances: Plan['recon']['tables'][number]['tolerances']): Plan {
  const plan = fixturePlan()
  plan.recon.tables[0]!.tolerances = tolerances
  return plan
}
const PLANNED = planWith([{ column: 'name', kind: 'absolute', value: '0.01' }])

describe('a result held to a tolerance', () => {
  it('passes when its figures add up', () => {
    expect(recomputeTable(airports())).toMatchObject({ integrity: 'PASS', completeness: 'PASS', faults: [] })
  })
  it('fails when a row is beyond it, without any digest that differs', () => {
    const table = airports({ equal: '2', beyond: '1' }, { verdict: 'fail', changed: '1', severity: 'Major' })
    expect(recomputeTable(table)).toMatchObject({ integrity: 'FAIL', completeness: 'PASS', faults: [] })
  })
  it.each<[string, Partial<Held>, Partial<TableResult>, RegExp]>([
    ['counts that do not add up', { equal: '4' }, {}, /are not 5 compared/],
    ['fewer rows compared than both sides have', { compared: '4', equal: '2' }, {}, /4 rows compared, where 5/],
    ['a deviation above the tolerance', { largest: '0.0100001' }, {}, /is not within 0\.01/],
    ['a deviation of nothing', { largest: '0' }, {}, /is not within/],
    ['rows within and no deviation', { largest: null }, {}, /does not fit/],
    ['a deviation and no rows within', { within: '0', equal: '5' }, {}, /does not fit/],
    ['a row beyond it and a pass', { equal: '2', beyond: '1' }, { changed: '1' }, /pass although 1 rows are beyond/],
    ['a row beyond it that is not counted', { equal: '2', beyond: '1' }, { verdict: 'fail' }, /1 rows are beyond it, 0 are called changed/],
    [
      'rows changed that neither digests nor tolerances explain',
      { equal: '2', beyond: '1' },
      { verdict: 'fail', changed: '2' },
      /2 differing records are counted/,
    ],
    ['a tolerance of nothing', { value: '0', largest: null, within: '0', equal: '5' }, {}, /tolerates nothing/],
    ['a column that is digested as well', { column: 'iata' }, {}, /digested exactly as well/],
    ['one column twice', {}, { tolerances: [HELD, HELD] }, /there are two/],
    ['reasons that do not say it', {}, { reasons: [] }, /the reasons do not say: Equal within tolerance/],
    [
      'reasons that say less',
      {},
      { reasons: ['Equal within tolerance on column "name": no row of 5 differs within it (tolerance 0.01).'] },
      /do not say/,
    ],
  ])('is not believed with %s', (_, held, more, fault) => {
    const recomputed = recomputeTable(airports(held, more))
    expect(recomputed.faults.join('\n')).toMatch(fault)
    expect(recomputed.integrity).toBe('FAIL')
  })
})

describe('the outcome', () => {
  const outcomeOf = (plan: Plan, table: TableResult) =>
    assembleOutcome({ ...fixtureOutcomeInput(plan), reconReport: fixtureRecon(plan, [table, flights()]) })
  it('proves it within tolerance, and the certificate says so with its figures', () => {
    const { proof_certificate: proof, ...rest } = outcomeSchema.parse(outcomeOf(PLANNED, airports()))
    expect(proof.proof_status).toBe('VALID')
    expect(proof.tables[0]!.tolerances).toEqual([HELD])
    const sentence = 'Equal within tolerance on column "name": 2 of 5 rows differ by at most 0.005 (tolerance 0.01).'
    expect(proof.tables[0]!.reasons).toContain(sentence)
    expect(proof.integrity_result.reasons).toContain(`airports: ${sentence}`)
    expect(proof.integrity_result.confidence_basis).toContain('1 column is in no digest')
    const lying = structuredClone(proof)
    lying.tables[0]!.tolerances![0]!.equal = '4'
    expect(arithmeticFaults({ proof_certificate: lying, ...rest }).join()).toContain('are not 5')
    lying.tables[0]!.tolerances![0] = { ...HELD, equal: '2', beyond: '1' }
    expect(arithmeticFaults({ proof_certificate: lying, ...rest }).join()).toContain('PASS although 1 records are beyond')
    lying.tables[0]!.tolerances![0] = { ...HELD, compared: '4', equal: '2' }
    expect(arithmeticFaults({ proof_certificate: lying, ...rest }).join()).toContain('are not 4')
  })
  it.each([
    ['a tolerance that nobody planned', planWith([])],
    ['a wider one than planned', planWith([{ column: 'name', kind: 'absolute', value: '0.001' }])],
    ['one of another kind', planWith([{ column: 'name', kind: 'relative', value: '0.01' }])],
  ])('does not decide over %s', (_, plan) => {
    expect(outcomeOf(plan, airports()).proof_certificate.proof_status).toBe('INCONCLUSIVE')
  })
  it('does not decide over a planned tolerance that was not applied, or a column that nobody looked at', () => {
    expect(outcomeOf(PLANNED, fixtureTable('airports', [5])).proof_certificate.proof_status).toBe('INCONCLUSIVE')
    const left = airports({}, { columns: [{ name: 'other', type: 'text' }] })
    expect(outcomeOf(PLANNED, left).proof_certificate.integrity_result.reasons.join()).toContain(
      'column "iata" was neither digested nor held',
    )
  })
})

describe('the verifier', () => {
  const faultsOf = async (plan: Plan, table: TableResult) =>
    (await verifyPack(memoryReader(await fixturePack({ plan, tables: [table, flights()] })), {})).faults
  it('verifies a pack whose tolerances are those of the signed plan', async () => {
    expect(await faultsOf(PLANNED, airports())).toEqual([])
  })
  it('finds tolerances that nobody signed, and figures that do not add up', async () => {
    expect((await faultsOf(planWith([]), airports())).join('\n')).toMatch(/held to the tolerances .*the plan has none/)
    expect((await faultsOf(PLANNED, fixtureTable('airports', [5]))).join('\n')).toMatch(/held to the tolerances none/)
    expect((await faultsOf(PLANNED, airports({}, { reasons: [] }))).join('\n')).toMatch(/the reasons do not say/)
    // What contradicts itself is not even emitted.
    await expect(faultsOf(PLANNED, airports({ equal: '4' }))).rejects.toThrow(expect.objectContaining({ code: 'EVIDENCE_INVALID' }))
    expect((await faultsOf(PLANNED, airports({ largest: '0.02' }))).join('\n')).toMatch(/not within 0\.01/)
  })
})

describe('what people read', () => {
  const model = () => {
    const report = fixtureReport()
    const table = airports()
    const recon = fixtureRecon(PLANNED, [table, flights()])
    const outcome = assembleOutcome({ ...fixtureOutcomeInput(PLANNED), reconReport: recon })
    return { ...report, plan: PLANNED, recon, outcome }
  }
  it('the report says within tolerance wherever it says that something holds', () => {
    const page = reportHtml(model())
    expect(page).toContain('Proven within tolerance: nothing lost')
    expect(page).toContain('2 of 5 rows differ by at most 0.005')
    expect(page).toMatch(/agree\s?within tolerance/)
    expect(page).toContain('but for 1 column held to a tolerance')
    expect(page).toContain('changed by more than its tolerance')
    const markdown = reportMarkdown(model())
    expect(markdown).toContain('Proven within tolerance')
    expect(markdown).toContain('pass within tolerance')
    expect(markdown).toMatch(/- public\.airport.*2 of 5 rows differ by at most 0\.005/)
    expect(reportMarkdown(fixtureReport())).not.toMatch(/tolerance/)
  })
  it('approvers see what they excuse, and what came of it', () => {
    const plan = JSON.stringify(planSections(PLANNED, 100))
    expect(plan).toContain('Not compared exactly: source and target may differ in name up to 0.01.')
    const proof = JSON.stringify(proofSections(model().outcome, 100))
    expect(proof).toContain('Within tolerance, not exactly, on ')
    expect(proof).toContain('2 of 5 rows differ by at most 0.005')
    expect(proof).not.toContain('Yes, in all')
  })
})
