/**
 * `node bench/parquet.ts [--scale 1] [--rounds 5]`: PostgreSQL against Parquet files of the same rows, equal, beside a raw COPY of the PostgreSQL
 * side; interleaved, as medians, each comparison in a process of its own whose peak memory is read, in both encodings, and the parts of the
 * work one by one. Writes bench/parquet-results.md.
 */
import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { to as copyTo } from 'pg-copy-streams'
import { withClient } from '../cli/demo/client.ts'
import { openFileRows } from '../layers/connectors/duckdb/rows.ts'
import { connectors } from '../layers/connectors/index.ts'
import { copyOut } from '../layers/connectors/postgres/copy-stream.ts'
import { fileColumns } from '../layers/connectors/postgres/file-columns.ts'
import { rowHasher } from '../layers/connectors/postgres/row-digests.ts'
import { openSession } from '../layers/connectors/postgres/session.ts'
import { encodingOrder } from '../layers/connectors/postgres/table-plan.ts'
import { comparisonWork } from '../layers/core/comparison.ts'
import type { ReconcileWork } from '../layers/core/connector.ts'
import type { RowStream } from '../layers/core/encoding/row-stream.ts'
import { startServer } from '../test/support/postgres-server.ts'
import { numbersOf } from './options.ts'
import { median } from './process-tree.ts'

type Table = { name: string; rows: number; create: string; fill: string }

const at = (flag: string) => process.argv.indexOf(flag)
/** One comparison, or its parts, in a process of its own: how this file starts itself. */
const inner = at('--one') !== -1 || at('--parts') !== -1
const { scale: SCALE, rounds: ROUNDS } = inner
  ? { scale: 1, rounds: 1 }
  : numbersOf(
      `node bench/parquet.ts [--scale N] [--rounds N]

  --scale N    how large the tables are: 1 is 2,000,000 and 5,000,000 rows (1)
  --rounds N   how often each thing is measured; medians are shown (5)

Writes bench/parquet-results.md.`,
      { scale: { fallback: 1, whole: false }, rounds: { fallback: 5, whole: true } },
    )
const ENCODINGS = ['native', 'canonical'] as const

const TABLES: readonly Table[] = [
  {
    name: 'ledger',
    rows: Math.round(2_000_000 * SCALE),
    create:
      'id bigint PRIMARY KEY, a int, b int, c bigint, d numeric(18,4), e numeric(12,2), f timestamptz, g timestamp, h date, i text, j text, k text, l varchar(40), m uuid, n boolean, o double precision, p double precision, q smallint, r text, s text, t timestamptz, u int, v text',
    fill: `SELECT g, g % 1000, g % 77, g::bigint * 1000003, g * 1.2345, g * 0.01, timestamptz '2024-01-01' + g * interval '1 second', timestamp '2020-01-01' + g * interval '1 minute', date '2020-01-01' + (g % 3000), 'customer ' || g, md5(g::text), CASE WHEN g % 3 = 0 THEN NULL ELSE 'EUR' END, 'ref-' || g, md5(g::text)::uuid, g % 2 = 0, g * 0.1, sqrt(g), g % 100, 'status', repeat('x', g % 30), timestamptz '2024-01-01', g % 5, 'note ' || (g % 1000) FROM generate_series(1, $n) g`,
  },
  {
    name: 'accounts',
    rows: Math.round(5_000_000 * SCALE),
    create: 'id int PRIMARY KEY, balance bigint, kind int, name text',
    fill: `SELECT g, g::bigint * 7919 % 1000003, g % 9, 'acc' || (g % 100000) FROM generate_series(1, $n) g`,
  },
]

const signal = new AbortController().signal
const OPTIONS = { connectTimeoutMs: 5000, statementTimeoutMs: 0, signal }

async function workOf(url: string, folder: string, name: string): Promise<ReconcileWork> {
  const catalog = async (systemType: string, place: string, table: { schema: string; name: string }) => {
    const source = await connectors.source(systemType, place, OPTIONS)
    const { tables } = await source.catalog([table])
    await source.close()
    return tables[0]!
  }
  const pair = {
    source: await catalog('PARQUET', folder, { schema: 'public', name: `${name}.parquet` }),
    target: await catalog('POSTGRESQL', url, { schema: 'public', name }),
  }
  const work = comparisonWork(pair, name, {})
  if ('impossible' in work) throw new Error(work.impossible)
  const { gaps: _, ...rest } = work
  return rest
}

/** The comparison alone, in a process of its own: milliseconds and peak memory on standard output. */
async function compareOnce(url: string, folder: string, name: string, encoding: 'native' | 'canonical'): Promise<void> {
  const work = await workOf(url, folder, name)
  const started = performance.now()
  const before = process.cpuUsage()
  const reconciler = await connectors.reconciler({ systemType: 'PARQUET', url: folder }, { systemType: 'POSTGRESQL', url }, OPTIONS)
  const [result] = await reconciler.reconcile([{ ...work, recon: { ...work.recon, encoding } }], {
    hashingSpecSha256: '0'.repeat(64),
    connections: 1,
    statementTimeoutMs: 0,
    mask: (value) => value,
    onMismatch: () => {},
    onProgress: () => {},
    signal,
  })
  await reconciler.close()
  if (result?.verdict !== 'pass' || result.encoding !== encoding)
    throw new Error(`${name}: ${result?.encoding} ${result?.verdict} ${result?.reasons.join(' ')}`)
  const { user, system } = process.cpuUsage(before)
  console.log(JSON.stringify({ ms: performance.now() - started, cpu: (user + system) / 1000, mib: process.resourceUsage().maxRSS / 1024 }))
}

/** Milliseconds of the parts of a native comparison, each alone, in one process. */
async function partsOnce(url: string, folder: string, name: string): Promise<void> {
  const { mapping } = await workOf(url, folder, name)
  const rows = await openFileRows('PARQUET', folder)
  const session = await openSession(url, { readOnly: true, connectTimeoutMs: 5000, statementTimeoutMs: 0 })
  const found = await fileColumns(mapping, rows, session)
  if (found === null) throw new Error(`${name} has no native form`)
  const read = () => rows.read({ ...mapping, columns: [...encodingOrder(mapping)] }, signal, found.forms)
  const copy = async () =>
    copyOut(session, `SELECT ${found.columns.map(({ target }) => target).join(', ')} FROM public.${name} AS w`, 'measuring')
  const drained = async (open: () => Promise<RowStream>, each: (chunk: Buffer) => void) => {
    const started = performance.now()
    for await (const { buffer, byteOffset, byteLength } of (await open()).chunks) each(Buffer.from(buffer, byteOffset, byteLength))
    return performance.now() - started
  }
  const hasher = rowHasher()
  const parts = {
    'rows of the file as native frames': await drained(read, () => {}),
    'the same with their digests': await drained(read, (chunk) => hasher.digests(chunk)),
    'rows of PostgreSQL': await drained(copy, () => {}),
    'the same with their digests ': await drained(copy, (chunk) => hasher.digests(chunk)),
  }
  await session.close()
  await rows.close()
  console.log(JSON.stringify(parts))
}

/** Bytes thrown away unread. */
async function rawCopy(url: string, name: string): Promise<number> {
  return withClient(url, async (client) => {
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
    const started = performance.now()
    await pipeline(client.query(copyTo(`COPY ${name} TO STDOUT (FORMAT binary)`)), nowhere)
    return performance.now() - started
  })
}

/** The same rows as a Parquet file, with the types that PostgreSQL's columns have. */
async function exportParquet(url: string, folder: string, { name, create }: Table): Promise<void> {
  const csv = join(folder, `${name}.csv`)
  await withClient(url, (client) => pipeline(client.query(copyTo(`COPY ${name} TO STDOUT (FORMAT csv)`)), createWriteStream(csv)))
  const types = create.replace(' PRIMARY KEY', '').replace(/numeric\(/g, 'DECIMAL(')
  const columns = types.split(/, (?=[a-z])/).map((column) => `'${column.split(' ')[0]}': '${column.slice(column.indexOf(' ') + 1)}'`)
  const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '1GiB' })
  const connection = await instance.connect()
  await connection.run(
    `SET preserve_insertion_order = false; COPY (SELECT * FROM read_csv('${csv}', auto_detect = false, header = false, delim = ',', quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, columns = {${columns.join(', ')}}))
     TO '${folder}/${name}.parquet' (FORMAT parquet)`,
  )
  connection.closeSync()
  instance.closeSync()
  await rm(csv)
}

async function main(): Promise<void> {
  const server = await startServer()
  const folder = await mkdtemp(join(tmpdir(), 'waybill-parquet-'))
  const lines: string[] = []
  const profile: string[] = []
  try {
    for (const table of TABLES) {
      const { name, rows } = table
      await withClient(server.url, async (client) => {
        await client.query(`CREATE TABLE ${name} (${table.create})`)
        await client.query(`INSERT INTO ${name} ${table.fill.replace('$n', String(rows))}`)
        await client.query(`VACUUM ANALYZE ${name}`)
      })
      await exportParquet(server.url, folder, table)
      const alone = async (...what: string[]) => {
        const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(import.meta.url), ...what, server.url, folder, name])
        return JSON.parse(stdout) as Record<string, number>
      }
      const raw: number[] = []
      const found = { native: [] as Record<string, number>[], canonical: [] as Record<string, number>[] }
      const parts: Record<string, number>[] = []
      for (let round = 0; round < ROUNDS; round++) {
        raw.push(await rawCopy(server.url, name))
        for (const encoding of ENCODINGS) found[encoding].push(await alone('--one', encoding))
        parts.push(await alone('--parts'))
      }
      const seconds = (values: readonly number[]) => `${(median([...values]) / 1000).toFixed(2)} s`
      const bytes = (await stat(join(folder, `${name}.parquet`))).size
      for (const encoding of ENCODINGS) {
        const all = (figure: string) => found[encoding].map((one) => one[figure]!)
        const cells = [
          name,
          rows.toLocaleString('en'),
          `${Math.round(bytes / 2 ** 20)} MiB`,
          seconds(raw),
          encoding,
          seconds(all('ms')),
          `**${(median(all('ms')) / median(raw)).toFixed(2)} ×**`,
          seconds(all('cpu')),
          `${Math.round(Math.max(...all('mib')))} MiB`,
        ]
        lines.push(`| ${cells.join(' | ')} |`)
        console.log(lines.at(-1))
      }
      for (const part of Object.keys(parts[0]!)) profile.push(`| ${name} | ${part.trim()} | ${seconds(parts.map((one) => one[part]!))} |`)
      console.log(profile.slice(-4).join('\n'))
    }
  } finally {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
  // Above the number of processors, other work on the machine decides the ratios.
  const load = `load average ${Math.round(loadavg()[0]!)} at the end`
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`
  await writeFile(
    fileURLToPath(new URL('parquet-results.md', import.meta.url)),
    `# PostgreSQL against Parquet\n\n\`node bench/parquet.ts\` on ${machine}, ${load}, ${ROUNDS} rounds, medians; the largest peak memory of the whole Node process, DuckDB included.\n\n` +
      `| table | rows | file | raw COPY of the PostgreSQL side | encoding | full proof, equal | ratio | processor time of Node and DuckDB | peak memory |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n${lines.join('\n')}\n\n` +
      `The parts of the native comparison, each by itself:\n\n| table | part | time |\n| --- | --- | --- |\n${profile.join('\n')}\n`,
  )
}

const rest = (from: number) => process.argv.slice(from) as [string, string, string]
if (at('--one') !== -1) await compareOnce(...rest(at('--one') + 2), process.argv[at('--one') + 1] as 'native' | 'canonical')
else if (at('--parts') !== -1) await partsOnce(...rest(at('--parts') + 1))
else await main()
