/** What issue-sized evidence costs: mutations of a pack, a pack of 100,000 segments, eight writers of one audit log. Writes evidence-results.md. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chainFaults } from '../layers/core/audit-chain.ts'
import { sqliteAuditLog } from '../layers/local/audit-log.ts'
import { openHome } from '../layers/local/home.ts'
import { survivors } from '../test/core/verifier/mutation.ts'
import { writtenPack } from '../test/functions/support/written-pack.ts'
import { fixturePack, fixtureTable } from '../test/support/pack-fixture.ts'
import { inFolder } from '../test/support/pack-folder.ts'
import { median } from './process-tree.ts'

const MUTATIONS = 10_000
const SEGMENTS = 100_000
const ENTRIES = 1000
const WRITERS = 8

type Row = { what: string; measured: string; target: string }

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

async function mutations(): Promise<Row> {
  const pack = await writtenPack()
  const started = performance.now()
  const accepted = await survivors(pack, Number(process.env.WAYBILL_SEED ?? 20_260_302), MUTATIONS)
  for (const what of accepted) process.stderr.write(`accepted: ${what}\n`)
  const seconds = (performance.now() - started) / 1000
  return {
    what: `${MUTATIONS} mutations of a pack of ${pack.length} files that the handlers sealed: bit flips, insertions, deletions, swaps, files removed and added`,
    measured: `${accepted.length} accepted (${seconds.toFixed(0)} s)`,
    target: '0 accepted',
  }
}

/** The command as a person runs it, in a process of its own; the peak is the operating system's. */
async function verified(folder: string): Promise<{ seconds: number; processor: number; mebibytes: number; code: number | null }> {
  const probe = `process.on('exit', () => { const r = process.resourceUsage(); process.stderr.write(JSON.stringify([r.maxRSS, r.userCPUTime + r.systemCPUTime])) })`
  const started = performance.now()
  const child = spawn(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(probe)}`, here('../cli/main.ts'), 'verify', folder],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  let said = ''
  child.stderr.on('data', (text: Buffer) => {
    said += text.toString()
  })
  const [code] = (await once(child, 'close')) as [number | null]
  const [kibibytes = 0, microseconds = 0] = JSON.parse(said) as number[]
  return { seconds: (performance.now() - started) / 1000, processor: microseconds / 1e6, mebibytes: kibibytes / 1024, code }
}

async function largePack(): Promise<Row> {
  const tables = [
    fixtureTable('airports', [5]),
    fixtureTable(
      'flights',
      Array.from({ length: SEGMENTS }, () => 600),
    ),
  ]
  return inFolder(await fixturePack({ tables }), async (folder) => {
    const runs = [await verified(folder), await verified(folder), await verified(folder)]
    if (runs.some(({ code }) => code !== 0)) throw new Error('the large pack does not verify')
    const of = (field: 'seconds' | 'processor' | 'mebibytes') => median(runs.map((run) => run[field]))
    return {
      what: `\`waybill verify\` of a pack of ${SEGMENTS} segments, median of 3`,
      measured: `${of('seconds').toFixed(1)} s (${of('processor').toFixed(1)} s of processor), ${of('mebibytes').toFixed(0)} MiB`,
      target: '< 5 s, < 300 MiB',
    }
  })
}

/** Seconds for `ENTRIES` entries by so many processes, from the moment all of them stand ready. */
async function appended(writers: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-bench-audit-'))
  try {
    const children = Array.from({ length: writers }, (_, n) =>
      spawn(process.execPath, [here('append-entries.ts'), folder, `writer${n}`, String(ENTRIES / writers)], {
        stdio: ['pipe', 'pipe', 'inherit'],
      }),
    )
    await Promise.all(children.map((child) => once(child.stdout, 'data')))
    const started = performance.now()
    for (const child of children) child.stdin.write('go\n')
    const codes = await Promise.all(children.map((child) => once(child, 'exit')))
    const seconds = (performance.now() - started) / 1000
    const home = openHome(folder)
    const entries = await sqliteAuditLog(home).read('measured')
    home.close()
    const faults = chainFaults(entries)
    if (codes.some(([code]) => code !== 0) || entries.length !== ENTRIES || faults.length > 0)
      throw new Error(`not intact: ${entries.length} entries, ${faults[0]}`)
    return seconds
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function writers(): Promise<Row> {
  const [one, eight]: [number[], number[]] = [[], []]
  for (let round = 0; round < 5; round++) {
    one.push(await appended(1))
    eight.push(await appended(WRITERS))
  }
  const [alone, together] = [median(one), median(eight)]
  return {
    what: `${ENTRIES} audit entries by ${WRITERS} processes, against one process, median of 5; every chain intact`,
    measured: `${(together / alone).toFixed(2)} × (${together.toFixed(2)} s against ${alone.toFixed(2)} s)`,
    target: '≤ 2 ×',
  }
}

const rows = [await writers(), await largePack(), await mutations()]
const text = `# Evidence and audit, measured

${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}. \`node bench/evidence.ts\` writes this file.

| what | measured | wanted |
|---|---|---|
${rows.map((row) => `| ${row.what} | ${row.measured} | ${row.target} |`).join('\n')}
`
await writeFile(new URL('evidence-results.md', import.meta.url), text)
process.stdout.write(text)
