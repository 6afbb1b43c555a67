/**
 * `node bench/recon.ts [--rows N] [--rounds N]`: the reconciliation engine against raw COPY of both sides at once and against the method of
 * a peer, on tables it makes itself, interleaved, as medians, each thing in a process of its own. Writes bench/recon-results.md.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { startServer } from '../test/support/postgres-server.ts'
import { numbersOf } from './options.ts'
import { median } from './process-tree.ts'
import { runSql } from './recon-database.ts'
import type { Answer, Order } from './recon-measure.ts'
import { type BenchTable, benchTables } from './recon-tables.ts'

const { rows: ROWS, rounds: ROUNDS } = numbersOf(
  `node bench/recon.ts [--rows N] [--rounds N]

  --rows N     how large the tables are, as rows of flights; the others in proportion (3000000)
  --rounds N   how often each thing is measured; medians are shown (5)

Writes bench/recon-results.md.`,
  { rows: { fallback: 3_000_000, whole: true }, rounds: { fallback: 5, whole: true } },
)
const SCALE = ROWS / 3_000_000
/** The slow ones: enough to see that they are slow. */
const PEER_ROUNDS = Math.min(3, ROUNDS)
const MANY = Math.round(1_000_000 * SCALE)
const MOST_MIB = 250

const started = performance.now()
const say = (text: string) => process.stderr.write(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${text}\n`)

type Row = { what: string; milliseconds: number; peakMiB: number; found: string }
type Verdict = { what: string; target: string; measured: string; met: boolean }

/** One process that measures one thing. */
class Meter {
  readonly #child: ChildProcess = fork(new URL('recon-measure.ts', import.meta.url), {
    // As bin/waybill.mjs starts Waybill.
    execArgv: ['--max-semi-space-size=8'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  readonly #times: number[] = []
  peakMiB = 0
  found = ''

  async run(order: Order, expected: RegExp): Promise<void> {
    this.#child.send(order)
    const [answer] = (await Promise.race([
      once(this.#child, 'message'),
      once(this.#child, 'exit').then(() => [{ failed: 'its process ended' }]),
    ])) as [Answer]
    if ('failed' in answer) throw new Error(`${order.table}, ${order.kind}: ${answer.failed}`)
    if (!expected.test(answer.found)) throw new Error(`${order.table}, ${order.kind}: found ${answer.found}`)
    this.#times.push(answer.milliseconds)
    this.peakMiB = answer.peakMiB
    this.found = answer.found
  }

  row(what: string): Row {
    return { what, milliseconds: median(this.#times), peakMiB: this.peakMiB, found: this.found }
  }

  close(): void {
    this.#child.kill()
  }
}

const EQUAL = 'equal, 1 connection a side'
const RAW = 'raw COPY of both sides at once'
const PLAIN = 'peer: MD5 sums of plain casts, equal'
const NORMALISED = 'peer: MD5 sums of normalised values, equal'

type Kind = {
  what: string
  database: string
  rounds: number
  expected: RegExp
  order: { kind: 'count' | 'raw' } | { kind: 'proof'; connections: number } | { kind: 'peer'; form: 'plain' | 'normalised' }
}

function kinds(table: BenchTable): Kind[] {
  const proof = (what: string, database: string, expected: RegExp, connections = 1, rounds = ROUNDS): Kind => ({
    what,
    database,
    rounds,
    expected,
    order: { kind: 'proof', connections },
  })
  const peer = (what: string, database: string, form: 'plain' | 'normalised', expected: RegExp): Kind => ({
    what,
    database,
    rounds: PEER_ROUNDS,
    expected,
    order: { kind: 'peer', form },
  })
  return [
    { what: 'count(*) of both sides at once', database: 'b', rounds: ROUNDS, expected: /^(\d+) \1$/, order: { kind: 'count' } },
    { what: RAW, database: 'b', rounds: ROUNDS, expected: /read/, order: { kind: 'raw' } },
    proof(EQUAL, 'b', /equal/),
    proof('equal, 2 connections a side', 'b', /equal/, 2),
    proof('1 difference', 'b1', /^[12] named/),
    proof('1,000 differences', 'b1000', /named/),
    ...(table.peerTarget === null
      ? []
      : [
          peer(PLAIN, 'b', 'plain', /^0 /),
          peer(NORMALISED, 'b', 'normalised', /^0 /),
          peer('peer: the same, 1,000 differences, bisected', 'b1000', 'normalised', /^[1-9]/),
        ]),
    proof(`${MANY.toLocaleString('en')} differences`, 'bmany', /named/, 1, 1),
  ]
}

async function measure(url: (database: string) => string, table: BenchTable): Promise<Row[]> {
  const wanted = kinds(table)
  const meters = wanted.map(() => new Meter())
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, kind] of wanted.entries()) {
        if (round >= kind.rounds) continue
        await meters[i]!.run(
          { table: table.name, scale: SCALE, source: url('a'), target: url(kind.database), ...kind.order },
          kind.expected,
        )
      }
      say(`${table.name}: round ${round + 1} of ${ROUNDS}`)
    }
    return wanted.map(({ what }, i) => meters[i]!.row(what))
  } finally {
    for (const meter of meters) meter.close()
  }
}

function judge(table: BenchTable, rows: readonly Row[]): Verdict[] {
  const time = (what: string) => rows.find((row) => row.what === what)?.milliseconds ?? Number.NaN
  const atMost = (what: string, ratio: number, most: number): Verdict => ({
    what: `${table.name}: ${what}`,
    target: `≤ ${most} ×`,
    measured: `${ratio.toFixed(2)} ×`,
    met: ratio <= most,
  })
  const equal = time(EQUAL)
  const peak = Math.max(...rows.filter((row) => !/peer|raw|count/.test(row.what)).map((row) => row.peakMiB))
  return [
    ...(table.equalTarget === null ? [] : [atMost(`${EQUAL}, against raw COPY`, equal / time(RAW), table.equalTarget)]),
    ...(table.peerTarget === null
      ? []
      : [PLAIN, NORMALISED].map((peer) => {
          const ratio = time(peer) / equal
          return {
            what: `${table.name}: faster than ${peer}`,
            target: `≥ ${table.peerTarget} ×`,
            measured: `${ratio.toFixed(2)} ×`,
            met: ratio >= table.peerTarget!,
          }
        })),
    atMost('1 difference, against equal', time('1 difference') / equal, 1.15),
    atMost('1,000 scattered differences, against equal', time('1,000 differences') / equal, 1.25),
    {
      what: `${table.name}: peak memory of the process, whatever differs`,
      target: `≤ ${MOST_MIB} MiB`,
      measured: `${Math.round(peak)} MiB`,
      met: peak <= MOST_MIB,
    },
  ]
}

const server = await startServer()
const url = (database: string) => server.url.replace(/postgres$/, database)
const tables = benchTables(SCALE)
const measured: { table: BenchTable; rows: Row[] }[] = []
try {
  await runSql(server.url, 'CREATE DATABASE a')
  for (const table of tables) {
    await table.fill(url('a'))
    say(`${table.name}: ${table.rows.toLocaleString('en')} rows made`)
  }
  await runSql(url('a'), 'VACUUM ANALYZE')
  for (const [database, changes] of [
    ['b', 0],
    ['b1', 1],
    ['b1000', 1000],
    ['bmany', MANY],
  ] as const) {
    await runSql(server.url, `CREATE DATABASE ${database} TEMPLATE a STRATEGY file_copy`)
    for (const table of changes === 0 ? [] : tables) {
      await runSql(url(database), table.change(Math.min(changes, table.rows)))
      await runSql(url(database), `VACUUM ANALYZE public.${table.name}`)
    }
    say(`database ${database} made`)
  }
  for (const table of tables) measured.push({ table, rows: await measure(url, table) })
} finally {
  await server.stop()
}

const verdicts = measured.flatMap(({ table, rows }) => judge(table, rows))
const ratio = (rows: readonly Row[], row: Row) => (row.milliseconds / rows.find((one) => one.what === RAW)!.milliseconds).toFixed(2)
const text = `# The reconciliation engine, measured

${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.versions.node}, PostgreSQL 18 on the same machine, ${new Date().toISOString().slice(0, 10)}.
Medians of ${ROUNDS} (of ${PEER_ROUNDS} for the peer's method, 1 for the largest number of differences), interleaved. Both sides in full SHA-256. Each line is measured in a Node process of its own, whose
highest resident memory stands in the last column. \`npm run bench\` writes this file; ratios hold between machines, seconds do not. What is behind a missed target: [README](README.md).

| figure | target | measured | |
|---|---|---|---|
${verdicts.map((one) => `| ${one.what} | ${one.target} | ${one.measured} | ${one.met ? 'met' : '**missed**'} |`).join('\n')}

| table | what | seconds | × raw COPY | MiB |
|---|---|---|---|---|
${measured.flatMap(({ table, rows }) => rows.map((row) => `| ${table.name}, ${table.rows.toLocaleString('en')} rows | ${row.what} | ${(row.milliseconds / 1000).toFixed(2)} | ${ratio(rows, row)} | ${Math.round(row.peakMiB)} |`)).join('\n')}
`
await writeFile(new URL('recon-results.md', import.meta.url), text)
process.stdout.write(text)
