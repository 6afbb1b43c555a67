import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openPooler } from '../connectors/postgres/recon-pooler.ts'
import { waybill } from '../end-to-end/command.ts'
import { type FreshDatabase, freshDatabase, runSql, serverUrl } from '../support/postgres.ts'

let folder: string
let target: FreshDatabase
const at = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-places-'))
  target = await freshDatabase()
  await runSql(target.url, "CREATE TABLE orders (id int, v text); INSERT INTO orders VALUES (1, 'a'); CREATE TABLE s (id int, year int)")
  for (const name of ['one', 'deep/s/year=2025', 'deep/s/year=2026/month=1', 'a/sales', 'b/sales']) mkdirSync(at(name), { recursive: true })
  writeFileSync(at('one/orders.json'), '{"id":1,"v":"a"}\n')
  writeFileSync(at('one/orders.ndjson'), '{"id":2,"v":"b"}\n')
  writeFileSync(at('deep/s/year=2025/x.csv'), 'id\n1\n')
  writeFileSync(at('deep/s/year=2026/month=1/y.csv'), 'id\n2\n')
  writeFileSync(at('data.jsonl'), '{"id":1,"v":"a"}\n')
})
afterAll(async () => {
  await target.drop()
  rmSync(folder, { recursive: true, force: true })
})

describe('two files for one table are never read as one of them', () => {
  it('in one folder', async () => {
    const result = await waybill(['compare', `json:${at('one')}`, target.url, '--table', 'orders'])
    expect([result.code, result.err]).toEqual([2, expect.stringMatching(/Both orders\.json and orders\.ndjson stand for public\.orders/)])
  })

  it('in partitions of different depth', async () => {
    const result = await waybill(['compare', `csv:${at('deep')}`, target.url, '--table', 's'])
    expect([result.code, result.err]).toEqual([2, expect.stringMatching(/stand for public\.s/)])
  })

  it('and a choice by glob that leaves them out does not mind them', async () => {
    const result = await waybill(['compare', `json:${at('one')}`, target.url, '--exclude', '*'])
    expect([result.code, result.err]).toEqual([2, expect.stringMatching(/nothing to compare/)])
  })
})

describe('an output never replaces data', () => {
  const refused = async (side: string, option: string, path: string) => {
    const before = readFileSync(at('data.jsonl'), 'utf8')
    const result = await waybill(['compare', side, target.url, '--table', 'orders', option, path])
    expect([result.code, result.err]).toEqual([2, expect.stringMatching(new RegExp(`${option}: .*would replace data`))])
    expect(readFileSync(at('data.jsonl'), 'utf8')).toBe(before)
  }

  it('the file itself, under each option', async () => {
    for (const option of ['--differences', '--html', '--junit', '--state'])
      await refused(`json:${at('data.jsonl')}`, option, at('data.jsonl'))
  })

  it('the file under another name', async () => {
    symlinkSync(at('data.jsonl'), at('link.jsonl'))
    linkSync(at('data.jsonl'), at('twin.jsonl'))
    await refused(`json:${at('data.jsonl')}`, '--differences', at('link.jsonl'))
    await refused(`json:${at('data.jsonl')}`, '--differences', at('twin.jsonl'))
    await refused(`json:${at('link.jsonl')}`, '--differences', at('data.jsonl'))
  })

  it('what would be read the next time', async () => {
    await refused(`json:${folder}`, '--differences', at('differences.jsonl'))
    await refused(`json:${at('d*.jsonl')}`, '--differences', at('differences.jsonl'))
  })

  it('and beside it is fine', async () => {
    const result = await waybill([
      'compare',
      `json:${at('data.jsonl')}`,
      target.url,
      '--table',
      'orders',
      '--differences',
      at('found.jsonl'),
    ])
    expect([result.code, result.err]).toEqual([0, expect.anything()])
  })
})

describe('a database compared with itself', () => {
  it('is refused', async () => {
    const result = await waybill(['compare', target.url, target.url])
    expect([result.code, result.err]).toEqual([
      2,
      expect.stringMatching(/one and the same database.*public\.orders would be compared with itself/),
    ])
  })

  it('is refused by whatever address: another name, an address written otherwise, a pooler', async () => {
    const spelled = (host: string) => {
      const url = new URL(target.url)
      url.hostname = host
      return url.href
    }
    const pooler = await openPooler(target.url, 'transactions')
    try {
      for (const other of [spelled('localhost'), spelled('127.0.0.1').replace('127.0.0.1', '127.1'), pooler.url]) {
        for (const sides of [
          [target.url, other],
          [other, target.url],
        ]) {
          const result = await waybill(['compare', ...sides, '--table', 'orders'])
          expect([result.code, result.err], other).toEqual([2, expect.stringMatching(/one and the same database/)])
        }
      }
    } finally {
      await pooler.close()
    }
  }, 60_000)

  it('a database of the same server, and one made from it, are others', async () => {
    const name = new URL(target.url).pathname.slice(1)
    await runSql(serverUrl('postgres'), `CREATE DATABASE ${name}_twin TEMPLATE ${name}`)
    try {
      const twin = new URL(serverUrl(`${name}_twin`))
      twin.hostname = 'localhost'
      const result = await waybill(['compare', target.url, twin.href, '--table', 'orders'])
      expect([result.code, result.out]).toEqual([0, expect.stringContaining('Equal')])
    } finally {
      await runSql(serverUrl('postgres'), `DROP DATABASE ${name}_twin WITH (FORCE)`)
    }
  })

  it('but two tables of it may be compared', async () => {
    await runSql(target.url, 'CREATE TABLE copied AS TABLE orders')
    expect((await waybill(['compare', target.url, target.url, '--table', 'orders=copied'])).code).toBe(0)
  })
})
