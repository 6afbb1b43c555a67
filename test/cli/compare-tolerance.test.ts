import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Item } from '../../cli/compare/run.ts'
import { StateFile } from '../../cli/compare/state-file.ts'
import { comparison as comparisonSchema } from '../../layers/core/comparison-report/comparison.ts'
import { mappingOf, reconOf } from '../connectors/postgres/recon-fixture.ts'
import { waybill } from '../end-to-end/command.ts'
import { fixtureTable } from '../support/pack-fixture.ts'
import { type FreshDatabase, freshDatabase, runSql } from '../support/postgres.ts'

let folder: string
let source: FreshDatabase
let target: FreshDatabase
const path = (name: string) => join(folder, name)

const LEDGER = `CREATE TABLE ledger (id int PRIMARY KEY, note text, amount numeric(12,2), rate float8, seen_at timestamp);
  INSERT INTO ledger SELECT i, 'entry ' || i, i * 1.25, i / 7.0, timestamp '2026-01-01' + i * interval '1 minute' FROM generate_series(1, 5000) i;
  CREATE TABLE plain (id int PRIMARY KEY, note text); INSERT INTO plain VALUES (1, 'x'); ANALYZE;`

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-tolerance-'))
  source = await freshDatabase()
  target = await freshDatabase()
  await runSql(source.url, LEDGER)
  await runSql(
    target.url,
    `${LEDGER} UPDATE ledger SET amount = amount + 0.01 WHERE id % 10 = 0; UPDATE ledger SET rate = rate * 1.0005 WHERE id % 4 = 0;
     UPDATE ledger SET seen_at = seen_at + interval '1 ms' WHERE id = 17`,
  )
})
afterAll(async () => {
  await source.drop()
  await target.drop()
  await rm(folder, { recursive: true, force: true })
})

const HELD = { column: 'name', kind: 'absolute', value: '1', compared: '5', equal: '4', within: '1', beyond: '0', largest: '1' } as const
const compare = (...args: string[]) => waybill(['compare', source.url, target.url, ...args])
const ALL = ['--tolerance', 'amount=0.01', '--tolerance', 'rate=0.1%', '--tolerance', 'seen_at=1ms']

describe('within tolerance', () => {
  it('passes, and no output calls it equal and nothing more', async () => {
    const result = await compare(...ALL, '--html', path('p.html'), '--junit', path('p.xml'))
    expect(result.code, result.out + result.err).toBe(0)
    expect(result.out).toContain('equal within tolerance  public.ledger')
    expect(result.out).toContain('Equal within tolerance on column "amount": 500 of 5000 rows differ by at most 0.01 (tolerance 0.01).')
    expect(result.out).toMatch(/column "rate": 1250 of 5000 rows differ by at most 0\.0499\d+ % \(tolerance 0\.1 % of the larger value\)/)
    expect(result.out).toContain('Equal within tolerance on column "seen_at": 1 of 5000 rows differs by at most 1 ms (tolerance 1 ms).')
    expect(result.out).toMatch(/Equal within tolerance: every row .* 3 columns were held to a tolerance; 1751 values differ within it/s)
    expect(result.out).toMatch(/^equal {2}public\.plain/m)
    expect(result.out).not.toMatch(/^Equal:|^equal {2}public\.ledger/m)
    const page = await readFile(path('p.html'), 'utf8')
    expect(page).toContain('<strong>Equal within tolerance</strong>')
    expect(page).toContain('500 of 5000 rows differ by at most 0.01')
    expect(page).not.toMatch(/<strong>Equal<|: equal<\/title>|>equal<\/span>/)
    const junit = await readFile(path('p.xml'), 'utf8')
    expect(junit).toMatch(/name="public\.ledger"[^>]*>\s*<system-out>Equal within tolerance on column &#34;amount&#34;: 500 of 5000 rows/)
    expect(junit).toMatch(/name="public\.plain" time="[\d.]+"\/>/)
    expect(junit).toMatch(/failures="0" errors="0"/)
  })

  it('a sample is no proof, and says that too', async () => {
    const result = await compare(...ALL, '--table', 'ledger', '--sample', '100')
    expect(result.code).toBe(2)
    expect(result.out).toContain('No difference beyond tolerance in the sample.')
  })

  it('is not remembered as equal by --state', () => {
    const state = new StateFile(path('state.jsonl'), { source: 'a', target: 'b' })
    const { tolerances, ...exact } = fixtureTable('airports', [5], { tolerances: [HELD] })
    const mapping = mappingOf('airports', { iata: 'text' })
    const item = { work: { mapping, recon: reconOf(mapping), gaps: [] } } as unknown as Item
    state.add(item, { ...exact, tolerances })
    expect(state.earlier(item)).toBeNull()
    expect(readFileSync(path('state.jsonl'), 'utf8').trimEnd().split('\n')).toHaveLength(1)
    state.add(item, exact)
    expect(readFileSync(path('state.jsonl'), 'utf8').trimEnd().split('\n')).toHaveLength(2)
  })
})

describe('beyond tolerance', () => {
  it('fails and names each row once, with the columns that are beyond', async () => {
    const result = await compare(
      '--table',
      'ledger',
      '--tolerance',
      'amount=0.001',
      '--tolerance',
      'rate=0.1%',
      '--tolerance',
      'seen_at=1ms',
      '--json',
    )
    expect(result.code).toBe(1)
    const [table] = comparisonSchema.parse(JSON.parse(result.out)).tables
    expect(table).toMatchObject({ verdict: 'fail', changed: '500', missing: '0', severity: 'Major' })
    expect(table!.mismatches.every((one) => one.columns.map((cell) => cell.column).join() === 'amount')).toBe(true)
    expect(table!.tolerances).toMatchObject([
      { column: 'amount', within: '0', beyond: '500', largest: null },
      { column: 'rate', within: '1250', beyond: '0' },
      { column: 'seen_at', within: '1', beyond: '0', largest: '1' },
    ])
    expect(table!.source_root).toBe(table!.target_root)
  })

  it('without any tolerance every one of them is a difference', async () => {
    const result = await compare('--table', 'ledger')
    expect(result.code).toBe(1)
    expect(result.out).toMatch(/1501 changed/)
  })

  it('repair SQL sets what is beyond, and leaves alone what is within', async () => {
    const sql = path('repair.sql')
    const args = ['--tolerance', 'amount=0.001', '--tolerance', 'rate=0.1%', '--tolerance', 'seen_at=1ms']
    const result = await compare('--table', 'ledger', ...args, '--repair-sql', sql, '--show-values')
    expect(result.code, result.err).toBe(1)
    const repair = await readFile(sql, 'utf8')
    expect(repair.match(/^UPDATE /gm)).toHaveLength(500)
    expect(repair).not.toMatch(/"rate"|"seen_at"/)
  })
})

describe('a configuration', () => {
  it('sets tolerances for all tables or for one', async () => {
    const file = path('c.yaml')
    await writeFile(file, `tables:\n  - {source: ledger, tolerances: {amount: '0.01', rate: '0.1%', seen_at: 1ms}}\n`)
    const result = await compare('--config', file)
    expect(result.code, result.out + result.err).toBe(0)
    await writeFile(file, `tolerances: {amount: '0.01', rate: '0.1%', seen_at: '500us'}\ntables: [ledger]\n`)
    const beyond = await compare('--config', file)
    expect(beyond.code).toBe(1)
    expect(beyond.out).toMatch(/changed id="17" {2}seen_at/)
  })
})

describe('wrong input', () => {
  it.each([
    [['--tolerance', 'amount'], /COL=TOLERANCE/],
    [['--tolerance', 'amount=a lot'], /cannot be read\. Write 0\.01/],
    [['--tolerance', 'amount=-1'], /cannot be read/],
    [['--tolerance', 'amount=1e-3'], /cannot be read/],
    [['--tolerance', 'amount=0'], /tolerates nothing/],
    [['--tolerance', 'amount=100%'], /100 % or more/],
    [['--tolerance', 'seen_at=1ns'], /cannot be read/],
    [['--tolerance', 'seen_at=0.1us'], /finer than a microsecond/],
    [['--tolerance', 'amount=1', '--tolerance', 'amount=2'], /twice/],
    [['--tolerance', 'amuont=1'], /No table compared has a column "amuont"/],
    [['--tolerance', 'amount=1', '--schema-only'], /about values of rows/],
    [['--tolerance', 'amount=1', '--aggregates-only'], /about values of rows/],
    [['--tolerance', 'amount=1', '--live', '5'], /exclude each other/],
  ])('%j', async (args, message) => {
    const result = await compare('--table', 'ledger', ...args)
    expect(result.code).toBe(2)
    expect(result.err).toMatch(message)
  })

  it.each([
    [['--tolerance', 'id=1'], /"id" is about a key column/],
    [['--tolerance', 'note=1'], /"note" is text/],
    [['--tolerance', 'amount=1', '--order-key', 'amount'], /about the order key/],
  ])('%j is undecided, by name', async (args, message) => {
    const result = await compare('--table', 'ledger', ...args)
    expect(result.code).toBe(2)
    expect(result.out).toMatch(message)
    expect(result.out).toMatch(/Not decided/)
  })
})
