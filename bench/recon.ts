/**
 * `node bench/recon.ts [--rows N] [--rounds N]`: the reconciliation engine against raw COPY of both sides at once and against the
 * method of a peer, on tables it makes itself, interleaved, as medians. Writes bench/recon-results.md.
 */
import { writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import pg from 'pg'
import { openReconciler } from '../layers/connectors/postgres/reconciler.ts'
import { openSession } from '../layers/connectors/postgres/session.ts'
import type { TableMapping } from '../layers/core/schemas/proposal.ts'
import type { TableResult } from '../layers/core/schemas/recon.ts'
import { startServer } from '../test/support/postgres-server.ts'
import { median } from './process-tree.ts'

type Table = {
  name: string
  rows: number
  key: string | null
  segments: number
  create: string
  fill: string
  change: (n: number) => string
}

const argument = (name: string, fallback: number) => {
  const at = process.argv.indexOf(name)
  return at === -1 ? fallback : Number(process.argv[at + 1])
}
const ROUNDS = argument('--rounds', 5)
const SCALE = argument('--rows', 3_000_000) / 3_000_000

const rows = (n: number) => Math.round(n * SCALE)
const TABLES: readonly Table[] = [
  {
    name: 'ledger',
    rows: rows(2_000_000),
    key: 'id',
    segments: 1000,
    create:
      'id bigint PRIMARY KEY, a int, b int, c bigint, d numeric(18,4), e numeric(12,2), f timestamptz, g timestamp, h date, i text, j text, k text, l varchar(40), m uuid, n boolean, o double precision, p double precision, q smallint, r text, s text, t timestamptz, u int, v text',
    fill: `SELECT g, g % 1000, g % 77, g::bigint * 1000003, g * 1.2345, g * 0.01, timestamptz '2024-01-01' + g * interval '1 second', timestamp '2020-01-01' + g * interval '1 minute', date '2020-01-01' + (g % 3000), 'customer ' || g, md5(g::text), CASE WHEN g % 3 = 0 THEN NULL ELSE 'EUR' END, 'ref-' || g, md5(g::text)::uuid, g % 2 = 0, g * 0.1, sqrt(g), g % 100, 'status', repeat('x', g % 30), timestamptz '2024-01-01', g % 5, 'note ' || (g % 1000) FROM generate_series(1, $n) g`,
    change: (n) => `UPDATE ledger SET a = a + 1 WHERE id % ${Math.max(1, Math.floor(rows(2_000_000) / n))} = 5`,
  },
  {
    name: 'accounts',
    rows: rows(5_000_000),
    key: 'id',
    segments: 1000,
    create: 'id int PRIMARY KEY, balance bigint, kind int, name text',
    fill: `SELECT g, g::bigint * 7919 % 1000003, g % 9, 'acc' || (g % 100000) FROM generate_series(1, $n) g`,
    change: (n) => `UPDATE accounts SET kind = kind + 1 WHERE id % ${Math.max(1, Math.floor(rows(5_000_000) / n))} = 5`,
  },
  {
    name: 'flights',
    rows: rows(3_000_000),
    key: null,
    segments: 256,
    create: 'date timestamp, delay int, distance int, origin text, destination text',
    fill: `SELECT timestamp '2001-01-01' + (random() * 90)::int * interval '1 day' + (random() * 1440)::int * interval '1 minute', (random() * 100)::int - 20, (random() * 2500)::int, chr(65 + (random() * 25)::int) || 'AX', chr(65 + (random() * 25)::int) || 'YZ' FROM generate_series(1, $n) g`,
    change: (n) => `UPDATE flights SET delay = delay + 1000 WHERE ctid IN (SELECT ctid FROM flights LIMIT ${n})`,
  },
]

async function timed<T>(work: () => Promise<T>): Promise<[number, T]> {
  const from = performance.now()
  const value = await work()
  return [performance.now() - from, value]
}

async function sql(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(text)
  await client.end()
}

/** Bytes from the socket thrown away unread: nothing that reads every row can be faster. */
async function rawCopy(url: string, table: string): Promise<void> {
  const session = await openSession(url, { readOnly: true, connectTimeoutMs: 5000, statementTimeoutMs: 0 })
  const { stream } = (session.client as unknown as { connection: { stream: NodeJS.ReadWriteStream } }).connection
  await new Promise<void>((resolve, reject) => {
    stream.removeAllListeners('data')
    let bytes = 0
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength
      const last = chunk.byteLength - 6
      if (last >= 0 && chunk[last] === 0x5a && chunk.readInt32BE(last + 1) === 5) {
        if (bytes > 100_000) resolve()
        else reject(new Error(`COPY of ${table} gave ${bytes} bytes`))
      }
    })
    stream.on('error', reject)
    const text = `COPY public.${table} TO STDOUT (FORMAT binary)`
    const query = Buffer.alloc(6 + text.length)
    query.write('Q', 0)
    query.writeInt32BE(5 + text.length, 1)
    query.write(text, 5)
    stream.write(query)
  })
  session.destroy()
}

/** What a peer pushes down: 60 bits of an MD5 per row, summed per segment. Not a proof; here for its speed. */
async function md5Sums(url: string, table: Table): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const names = table.create.split(', ').map((column) => column.split(' ')[0]!)
  const row = names.map((name) => `coalesce(${name}::text, '<null>')`).join(` || '|' || `)
  for (let i = 0; i < table.segments; i++) {
    const from = Math.floor((i * table.rows) / table.segments)
    const to = Math.floor(((i + 1) * table.rows) / table.segments)
    await client.query(
      `SELECT count(*), sum(('x' || substring(md5(${row}), 18))::bit(60)::bigint) FROM ${table.name} WHERE id > ${from} AND id <= ${to}`,
    )
  }
  await client.end()
}

async function mappingOf(url: string, table: Table): Promise<TableMapping> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const found = await client.query<{ name: string; type: string }>(
    'SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0',
    [table.name],
  )
  await client.end()
  return {
    table_id: table.name,
    source: { schema: 'public', name: table.name, kind: 'table' },
    target: { schema: 'public', name: table.name },
    filter: null,
    columns: found.rows.map(({ name, type }) => ({
      target: name,
      target_type: type,
      nullable: true,
      source: [name],
      source_types: [type],
      transform: { kind: 'identity' },
      rule: 'identity',
      lossy: false,
      pii: false,
    })),
    key: table.key === null ? null : [table.key],
    order_key: null,
    foreign_keys: [],
  }
}

async function proof(source: string, target: string, table: Table, connections: number): Promise<TableResult> {
  const signal = new AbortController().signal
  const reconciler = await openReconciler(
    { systemType: 'POSTGRESQL', url: source },
    { systemType: 'POSTGRESQL', url: target },
    { connectTimeoutMs: 5000, statementTimeoutMs: 0, signal },
  )
  const [result] = await reconciler.reconcile(
    [
      {
        mapping: await mappingOf(source, table),
        recon: {
          table_id: table.name,
          encoding: 'native',
          mode: table.key === null ? 'bucketed' : 'ordered',
          segments: table.segments,
          tolerances: [],
        },
      },
    ],
    {
      hashingSpecSha256: '0'.repeat(64),
      connections,
      statementTimeoutMs: 0,
      method: 'stream',
      mask: (v) => v,
      onMismatch: () => {},
      onProgress: () => {},
      signal,
    },
  )
  await reconciler.close()
  return result!
}

const server = await startServer()
const lines: string[] = []
let peak = 0
setInterval(() => {
  peak = Math.max(peak, process.memoryUsage().rss)
}, 20).unref()
try {
  const url = (database: string) => server.url.replace(/postgres$/, database)
  const [a, b] = [url('a'), url('b')]
  await sql(server.url, 'CREATE DATABASE a')
  for (const table of TABLES)
    await sql(
      a,
      `CREATE TABLE ${table.name} (${table.create}); SELECT setseed(0.5); INSERT INTO ${table.name} ${table.fill.replace('$n', String(table.rows))}`,
    )
  await sql(a, 'INSERT INTO flights SELECT * FROM flights LIMIT 1000')
  await sql(a, 'VACUUM ANALYZE')
  await sql(server.url, 'CREATE DATABASE b TEMPLATE a')
  for (const table of TABLES) {
    const times = new Map<string, number[]>()
    const note = (what: string, ms: number) => times.set(what, [...(times.get(what) ?? []), ms])
    const round = async (what: string, connections: number, expected: string) => {
      const [ms, result] = await timed(() => proof(a, b, table, connections))
      if (result.verdict !== expected)
        throw new Error(`${table.name}: ${result.verdict} instead of ${expected}: ${result.reasons.join(' ')}`)
      note(what, ms)
    }
    for (let i = 0; i < ROUNDS; i++) {
      const [raw] = await timed(() => Promise.all([rawCopy(a, table.name), rawCopy(b, table.name)]))
      note('raw COPY of both sides at once', raw)
      await round('equal, 1 connection a side', 1, 'pass')
      if (table.key !== null) {
        await round('equal, 2 connections a side', 2, 'pass')
        if (i < 3)
          note('peer: MD5 sums pushed down, same segments', (await timed(() => Promise.all([md5Sums(a, table), md5Sums(b, table)])))[0])
      }
    }
    for (const n of [1, 1000]) {
      await sql(b, table.change(n))
      await sql(b, `VACUUM ANALYZE ${table.name}`)
      for (let i = 0; i < ROUNDS; i++) await round(`${n} difference${n === 1 ? '' : 's'}`, 1, 'fail')
    }
    const raw = median(times.get('raw COPY of both sides at once')!)
    for (const [what, all] of times)
      lines.push(
        `| ${table.name}, ${table.rows.toLocaleString('en')} rows | ${what} | ${(median(all) / 1000).toFixed(2)} | ${(median(all) / raw).toFixed(2)} |`,
      )
    console.log(lines.filter((line) => line.startsWith(`| ${table.name}`)).join('\n'))
  }
} finally {
  await server.stop()
}
const text = `# The reconciliation engine, measured

${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.versions.node}, PostgreSQL 18 on the same machine, ${new Date().toISOString().slice(0, 10)}.
Medians of ${ROUNDS}, interleaved. Both sides in full SHA-256. Peak memory of the whole Node process: ${Math.round(peak / 2 ** 20)} MiB.

| table | what | seconds | × raw COPY |
|---|---|---|---|
${lines.join('\n')}
`
await writeFile(new URL('recon-results.md', import.meta.url), text)
