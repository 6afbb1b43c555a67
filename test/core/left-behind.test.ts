import { describe, expect, it } from 'vitest'
import { planInShort, proofInShort } from '../../layers/core/approval-page/in-short.ts'
import { changeSection } from '../../layers/core/approval-page/plan-changes.ts'
import { planSections } from '../../layers/core/approval-page/plan-words.ts'
import { renderSection } from '../../layers/core/approval-page/section.ts'
import { digestOf } from '../../layers/core/canonical-json.ts'
import { columnsInWords, leftBehind, omissions } from '../../layers/core/left-behind.ts'
import { reportHtml } from '../../layers/core/report/html.ts'
import { reportMarkdown } from '../../layers/core/report/markdown.ts'
import { defaultPolicy, hashingSpec, typeCoercionRulebook } from '../../layers/core/rulebooks.ts'
import { signedPlanValidator } from '../../layers/core/rules/signed-plan-validator.ts'
import type { ColumnMapping } from '../../layers/core/schemas/proposal.ts'
import { column as catalogColumn, catalogOf, table } from '../agents/support/facts.ts'
import { fixtureReport } from '../support/report-fixture.ts'
import { column, NOW, planOf } from './support/plan.ts'

const catalogWith = (...names: string[]) =>
  catalogOf(
    table(
      'public',
      'airports',
      names.map((name) => catalogColumn(name, 'text')),
    ),
  )

const tablesWith = (columns: ColumnMapping[]) => planOf().tables.map((table) => ({ ...table, columns }))

describe('what a plan leaves behind', () => {
  it('is every source column that no target column is made from', () => {
    const catalog = catalogWith('iata', 'city', 'salary', 'email')
    const tables = tablesWith([
      column('code', { source: ['iata'] }),
      column('place', { source: ['city', 'iata'], transform: { kind: 'concat', separator: ' ' } }),
      // A fixed value under the name of a source column moves nothing of it.
      column('email', { source: [], source_types: [], transform: { kind: 'constant', value: 'nobody' } }),
    ])
    expect(leftBehind(tables, catalog)).toEqual([{ table_id: 'airports', columns: ['salary', 'email'] }])
    expect(leftBehind(tables, catalogWith('iata', 'city'))).toEqual([])
  })

  it('is not known of a table that nobody read, which is no reason to call it nothing', () => {
    expect(() => leftBehind(planOf().tables, { ...catalogWith(), tables: [] })).toThrow(expect.objectContaining({ code: 'PLAN_INVALID' }))
  })

  it('is counted in words, with everything else that does not arrive as it was', () => {
    const plan = planOf({ left_behind: [{ table_id: 'airports', columns: ['salary', 'bonus'] }] })
    expect(omissions(planOf())).toEqual([])
    expect(omissions(plan)).toEqual(['2 columns left behind'])
    const filter = { all: [{ column: 'city', op: 'is_null' as const, values: [] }] }
    const columns = [column('a', { lossy: true }), column('b', { transform: { kind: 'mask_redact', value: '' } })]
    const tolerances = [{ column: 'a', kind: 'absolute' as const, value: '1' }]
    expect(
      omissions({
        ...plan,
        tables: plan.tables.map((table) => ({ ...table, filter, columns })),
        recon: { ...plan.recon, tables: plan.recon.tables.map((table) => ({ ...table, tolerances })) },
      }),
    ).toEqual(['2 columns left behind', '1 table moved only in part', '1 column masked', '1 column that loses information', '1 tolerance'])
    expect(columnsInWords(['a', 'b', 'c'], 2)).toBe('a, b and 1 more')
  })
})

describe('an approver', () => {
  const plan = planOf({ left_behind: [{ table_id: 'airports', columns: ['salary', 'bonus'] }] })
  const page = planSections(plan, 400)
    .map((section, at) => renderSection(section, at))
    .join('')

  it('reads the name of every column that stays behind, and never that nothing is left', () => {
    expect(page).toContain('salary, bonus')
    expect(page).not.toContain('Every column is moved')
    const [, left] = planInShort(plan, [])
    expect(left).toMatchObject({ mark: 'care', text: expect.stringContaining('2 columns left behind') })
    expect(planInShort(planOf(), [])[1]).toMatchObject({ mark: 'good' })
  })

  it('reads names of strangers as names', () => {
    const hostile = planOf({ left_behind: [{ table_id: 'airports', columns: ['<img src=x>', '\u202eyralas'] }] })
    const html = planSections(hostile, 400)
      .map((section, at) => renderSection(section, at))
      .join('')
    expect(html).not.toContain('<img')
    expect(html).not.toContain('\u202e')
  })

  it('reads beside "equal" what nothing compared', () => {
    const { outcome } = fixtureReport()
    const said = proofInShort(outcome, plan)
    expect(said.map(({ mark }) => mark)).toEqual(['good', 'care'])
    expect(said[1]?.text).toContain('2 columns left behind')
    expect(proofInShort(outcome, planOf())).toHaveLength(1)
  })

  it('reads that another version leaves something else', () => {
    expect(changeSection(planOf(), plan, 400).items?.map(({ text }) => text)).toEqual([
      'What is left behind in the source changed; the plan file has the details.',
    ])
  })
})

describe('the validators', () => {
  const facts = {
    policy: defaultPolicy,
    typeCoercion: typeCoercionRulebook,
    hashingSpec,
    approvers: [],
    gate: null,
    signed: null,
    now: NOW,
  }
  const judged = (left_behind: { table_id: string; columns: string[] }[]) => {
    const catalog = catalogWith('iata', 'city', 'salary')
    const plan = planOf({ left_behind, source: { ...planOf().source, catalog_sha256: digestOf(catalog) } })
    return signedPlanValidator.run(plan, { ...facts, catalog }).filter(({ where }) => where === '/left_behind')
  }

  it('refuse a plan that hides a column from its approvers', () => {
    expect(judged([{ table_id: 'airports', columns: ['salary'] }])).toEqual([])
    expect(judged([])).toMatchObject([{ severity: 'CRITICAL' }])
    expect(judged([{ table_id: 'airports', columns: ['city'] }])).toMatchObject([{ severity: 'CRITICAL' }])
  })
})

describe('the report', () => {
  it('names what stayed behind, as a page and as text', () => {
    const model = fixtureReport()
    const plan = { ...model.plan, left_behind: [{ table_id: model.plan.tables[0]!.table_id, columns: ['salary', 'bonus'] }] }
    for (const text of [reportHtml({ ...model, plan }), reportMarkdown({ ...model, plan })])
      expect(text).toMatch(/2 columns left behind[\s\S]*salary, bonus/)
    for (const text of [reportHtml(model), reportMarkdown(model)]) expect(text).not.toContain('left behind as planned')
  })
})
