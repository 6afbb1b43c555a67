import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCompareConfig } from '../../layers/core/comparison-request/config.ts'
import { root, waybill } from '../end-to-end/command.ts'
import { type FreshDatabase, freshDatabase, runSql } from '../support/postgres.ts'

/** What docs/compare.md shows is run: its sides stand for two real databases, its configuration is used as it is printed. */
let page: string
let folder: string
let source: FreshDatabase
let target: FreshDatabase

const ORDERS = `CREATE TABLE orders (id int PRIMARY KEY, status text, tenant_id int, amount numeric(10,2), rate numeric(6,3), seen_at timestamptz);
     INSERT INTO orders SELECT i, 'open', 7, i, 1, timestamptz '2026-01-01Z' FROM generate_series(1, 100) i; ANALYZE orders;`

beforeAll(async () => {
  page = await readFile(join(root, 'docs/compare.md'), 'utf8')
  folder = await mkdtemp(join(tmpdir(), 'waybill-document-'))
  source = await freshDatabase()
  target = await freshDatabase()
  await runSql(
    source.url,
    `${ORDERS}
     CREATE SCHEMA sales; CREATE TABLE sales.lead (id int PRIMARY KEY); CREATE TABLE sales.lead_log (id int);
     CREATE TABLE customer (id int PRIMARY KEY, name text, balance numeric(10,2))`,
  )
  await runSql(
    target.url,
    `${ORDERS}
     CREATE SCHEMA sales; CREATE TABLE sales.lead (id int PRIMARY KEY); CREATE TABLE sales.lead_log (id int, other int);
     CREATE SCHEMA crm; CREATE TABLE crm.client (id int PRIMARY KEY, full_name text, imported_at date, balance numeric(10,2)); CREATE TABLE customer (id int PRIMARY KEY, name text, balance numeric(10,2))`,
  )
})
afterAll(async () => {
  await source.drop()
  await target.drop()
  await rm(folder, { recursive: true, force: true })
})

const block = (language: string) => [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map((match) => match[1]!)

describe('docs/compare.md', () => {
  it('its commands do what they say', async () => {
    const lines = block('sh')
      .join('')
      .split('\n')
      .filter((line) => /^waybill compare postgresql/.test(line))
    expect(lines).toHaveLength(6)
    await mkdir(join(folder, 'export'))
    const rows = Array.from({ length: 100 }, (_, i) => ({
      id: i + 1,
      status: 'open',
      tenant_id: 7,
      amount: i + 1,
      rate: 1,
      seen_at: '2026-01-01T00:00:00Z',
    }))
    await writeFile(join(folder, 'export/orders-1.ndjson'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
    const codes: (number | null)[] = []
    for (const line of lines) {
      const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2]!).slice(1)
      const args = words.map((word) =>
        word
          .replace('postgresql://me@old/db', source.url)
          .replace('postgresql://me@new/db', target.url)
          .replace('json:export', `json:${folder}/export`),
      )
      codes.push((await waybill(args)).code)
    }
    // The whole databases differ: each has tables and columns that the other lacks.
    expect(codes).toEqual([1, 0, 0, 0, 1, 1])
  })

  it('its options of fewer rows give the exit codes of its table', async () => {
    const rows = [...page.matchAll(/^\|\s*(`--.+?`)\s*\|.*\|\s*(\d)\s*\|$/gm)].flatMap((match) =>
      [...match[1]!.matchAll(/`([^`]+)`/g)].map((option) => ({ option: option[1]!, code: Number(match[2]) })),
    )
    expect(rows).toHaveLength(5)
    for (const { option, code } of rows) {
      const args = option
        .replaceAll("'", '')
        .split(' ')
        .map((word) => word.replace('10000', '20'))
      const result = await waybill(['compare', source.url, target.url, '--table', 'orders', ...args])
      expect(result.code, `${option}\n${result.out}${result.err}`).toBe(code)
    }
  })

  it('its configuration works as printed', async () => {
    const [text] = block('yaml')
    expect(Object.keys(readCompareConfig(text!))).toContain('tables')
    await writeFile(join(folder, 'compare.yaml'), text!.replaceAll(/: (\S+\.(?:jsonl|html|xml))$/gm, `: ${folder}/$1`))
    const result = await waybill(['compare', '--config', join(folder, 'compare.yaml')], {
      OLD_DATABASE: source.url,
      NEW_DATABASE: target.url,
    })
    expect(result.code, result.out + result.err).toBe(0)
    expect(await readFile(join(folder, 'comparison.html'), 'utf8')).toContain('crm.client')
  })
})
