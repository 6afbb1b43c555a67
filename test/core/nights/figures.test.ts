import { expect, it } from 'vitest'
import { figuresOf } from '../../../layers/core/nights/figures.ts'
import { nightRecord } from '../../../layers/core/schemas/night.ts'
import type { ReconReport } from '../../../layers/core/schemas/recon.ts'
import { fixtureReport } from '../../support/report-fixture.ts'

const SHA = 'c'.repeat(64)
const report = (...given: Parameters<typeof fixtureReport>): ReconReport => fixtureReport(...given).recon

it('figures are the sums of the report, exactly, and the tables that differ', () => {
  const lost = report({ rows: Array(10).fill(100), lost: [3] })
  const { compared, tables } = figuresOf(lost, null, SHA)
  const sum = (field: 'source_rows' | 'target_rows') => lost.tables.reduce((all, each) => all + Number(each[field]), 0)
  expect(compared).toMatchObject({
    source_rows: String(sum('source_rows')),
    target_rows: String(sum('target_rows')),
    missing: '1',
    tables: 2,
  })
  const table = lost.tables.find(({ verdict }) => verdict === 'fail')!
  expect(tables).toEqual([expect.objectContaining({ table_id: table.table_id, verdict: 'fail', missing: '1', clean: null })])
  expect(nightRecord.shape.compared.parse(compared)).toEqual(compared)
})

it('counts beyond what a double holds stay exact', () => {
  const big = report()
  big.tables = [{ ...big.tables[0]!, source_rows: '9007199254740993', target_rows: '9007199254740993' }]
  expect(figuresOf(big, null, SHA).compared?.source_rows).toBe('9007199254740993')
})

it('a table that is equal is listed only when its counts moved since the last clean night', () => {
  const now = report({ rows: Array(10).fill(100) })
  expect(figuresOf(now, now, SHA).tables).toEqual([])
  const then = report({ rows: Array(10).fill(99) })
  expect(figuresOf(now, then, SHA).tables).toEqual([
    expect.objectContaining({ verdict: 'pass', source_rows: '1000', clean: { source_rows: '990', target_rows: '990' } }),
  ])
})

it('what does not fit the list is counted, and the tables that differ come first', () => {
  const now = report({ rows: Array(10).fill(100), lost: [1] })
  const table = now.tables.find(({ verdict }) => verdict === 'fail')!
  now.tables = Array.from({ length: 150 }, (_, n) => ({ ...table, table_id: `t${n}` }))
  const { tables, tables_not_listed } = figuresOf(now, null, SHA)
  expect([tables.length, tables_not_listed]).toEqual([100, 50])
})

it('a run of no measurable time has no rate', () => {
  const now = report()
  expect(figuresOf({ ...now, finished_at: now.started_at }, null, SHA).compared).toMatchObject({ seconds: 0, rows_per_second: null })
})
