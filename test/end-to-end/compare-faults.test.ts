import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FreshDatabase, freshDatabase, runSql } from '../support/postgres.ts'
import { type RunningServer, startServer } from '../support/postgres-server.ts'
import { type Outcome, root, startWaybill, waybill } from './command.ts'

/** Disks that fill up, readers that go away, servers that stop: never 0, and no difference that nobody mentions. */
let folder: string
let source: FreshDatabase
let target: FreshDatabase
const ROWS = 40_000
const DIFFERING = ROWS / 2

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-faults-'))
  source = await freshDatabase()
  target = await freshDatabase()
  for (const side of [source, target])
    await runSql(
      side.url,
      `CREATE TABLE equal (id int PRIMARY KEY, a text); INSERT INTO equal SELECT g, 'x' FROM generate_series(1, 100) g;
       CREATE TABLE keyed (id int PRIMARY KEY, a text); INSERT INTO keyed SELECT g, md5(g::text) FROM generate_series(1, ${ROWS}) g;
       CREATE TABLE heap (id int, a text); INSERT INTO heap SELECT * FROM keyed; ANALYZE`,
    )
  for (const table of ['keyed', 'heap']) await runSql(target.url, `UPDATE ${table} SET a = 'changed' WHERE id % 2 = 0`)
})
afterAll(async () => {
  await source.drop()
  await target.drop()
  await rm(folder, { recursive: true, force: true })
})

/** A file whose disk is full: it opens, and the first byte is refused. */
async function full(name: string): Promise<string> {
  const path = join(folder, name)
  await symlink('/dev/full', path)
  return path
}

const compare = (...args: string[]) => waybill(['compare', source.url, target.url, ...args])

describe('the disk is full', () => {
  it.each([
    ['--differences', 'full-keyed.jsonl', 'keyed'],
    ['--differences', 'full-heap.jsonl', 'heap'],
    ['--repair-sql', 'full.sql', 'keyed'],
    ['--html', 'full.html', 'keyed'],
    ['--junit', 'full.xml', 'keyed'],
    ['--html', 'full-equal.html', 'equal'],
    ['--junit', 'full-equal.xml', 'equal'],
  ])('%s %s: exit 2, and the file is named', async (option, name, table) => {
    const result = await compare('--table', table, option, await full(name), ...(option === '--repair-sql' ? ['--show-values'] : []))
    expect(result.code, result.out + result.err).toBe(2)
    expect(result.out + result.err).toMatch(/ENOSPC|could not be written|cannot be written/)
    expect(result.out).not.toMatch(/^equal/m)
  })

  it('--state: exit 2, and the file is named', async () => {
    const path = join(folder, 'short.state')
    const result = await limited(0, ['compare', source.url, target.url, '--table', 'equal', '--state', path])
    expect(result.code, result.out + result.err).toBe(2)
    expect(result.out + result.err).toContain(`--state: ${path} cannot be written (EFBIG)`)
  })

  it('a file may not grow further in the middle of the differences: what was written is whole lines, and nobody calls it complete', async () => {
    const path = join(folder, 'short.jsonl')
    const result = await limited(1024, ['compare', source.url, target.url, '--table', 'keyed', '--differences', path])
    expect(result.code, result.out + result.err).toBe(2)
    const lines = readFileSync(path, 'utf8').split('\n').length
    expect(lines).toBeGreaterThan(100)
    expect(lines).toBeLessThan(DIFFERING)
    expect(result.err).toMatch(/short\.jsonl: \d+ differences, .*INCOMPLETE/)
  })

  it('no room for what is sorted aside', async () => {
    const own = await freshDatabase()
    try {
      await runSql(
        own.url,
        'CREATE TABLE many (id int); INSERT INTO many SELECT g FROM generate_series(1, 900000) g; CREATE TABLE twin AS TABLE many',
      )
      const result = await limited(64, ['compare', own.url, own.url, '--table', 'many=twin'])
      expect(result.code, result.out + result.err).toBe(2)
      expect(result.out + result.err).toContain('EFBIG')
    } finally {
      await own.drop()
    }
  })
})

/** With files of at most `kib` KiB, as a quota or a full disk would have it. */
function limited(kib: number, args: readonly string[]): Promise<Outcome> {
  const command = `ulimit -f ${kib}; exec "$0" "$@"`
  const child = spawn('bash', ['-c', command, process.execPath, join(root, 'cli/main.ts'), ...args], {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString()
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

it.each(['keyed', 'equal'])('a reader that goes away: %s, never 0', async (table) => {
  const running = startWaybill(['compare', source.url, target.url, '--table', table, '--json', '--show-values'])
  running.child.stdout?.destroy()
  const { code } = await running.done
  expect([1, 2, 130]).toContain(code)
})

describe('a server that stops in the middle', () => {
  it.each([
    ['fast', 'SIGINT'],
    ['immediate', 'SIGQUIT'],
  ] as const)('%s: undecided', async (_, signal) => {
    const server: RunningServer = await startServer()
    let data = ''
    let killed = false
    const spills = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('waybill-spill-'))
    try {
      await runSql(
        server.url,
        `CREATE TABLE slow_of (id int PRIMARY KEY, a text); INSERT INTO slow_of SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g;
         CREATE VIEW heap AS SELECT id, CASE WHEN id % 500 = 0 AND pg_sleep(0.2)::text = 'x' THEN '' ELSE a END AS a FROM slow_of;
         CREATE TABLE equal AS SELECT 1 AS id`,
      )
      const client = new pg.Client({ connectionString: server.url })
      // The server takes this connection with it.
      client.on('error', () => {})
      await client.connect()
      data = (await client.query('SHOW data_directory')).rows[0].data_directory as string
      const postmaster = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0])
      const before = await spills()
      const running = startWaybill(['compare', server.url, target.url, '--table', 'heap'])
      const reading = async () =>
        (await client.query(`SELECT FROM pg_stat_activity WHERE application_name = 'waybill' AND wait_event = 'PgSleep'`)).rowCount
      await expect.poll(reading, { timeout: 30_000 }).toBe(1)
      process.kill(postmaster, signal)
      killed = true
      const result = await running.done
      expect(result.code, result.out + result.err).toBe(2)
      expect(result.out + result.err).toMatch(/CONNECTION_FAILED|undecided/)
      expect(await spills()).toEqual(before)
      await expect.poll(() => existsSync(join(data, 'postmaster.pid'))).toBe(false)
    } finally {
      if (killed) await rm(data, { recursive: true, force: true })
      else await server.stop()
    }
  })
})
