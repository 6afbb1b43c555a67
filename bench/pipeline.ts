/** The main job on real data, and what it is measured against, in one run on one machine. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median, watchMemory } from './process-tree.ts'
import { copyOutBoth, copyThrough } from './raw-copy.ts'

const command = fileURLToPath(new URL('../cli/main.ts', import.meta.url))
const FLIGHTS = 'date timestamp, delay bigint, distance bigint, origin text, destination text'
const AIRPORTS = 'iata text, name text, city text, state text, country text, latitude double precision, longitude double precision'
const BASELINE_RUNS = 5

export type Row = { what: string; measured: string; target: string }

function demo(args: string[]): Promise<{ seconds: number; peakMiB: number | null }> {
  return new Promise((resolve, reject) => {
    const started = performance.now()
    const child = spawn(process.execPath, [command, 'demo', ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
    const memory = watchMemory(child.pid!)
    child.on('error', reject)
    child.on('exit', (code) => {
      const peakMiB = memory.stop()
      if (code === 0) resolve({ seconds: (performance.now() - started) / 1000, peakMiB })
      else reject(new Error(`the demo ended with ${code}`))
    })
  })
}

async function repeated(work: () => Promise<number>): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < BASELINE_RUNS; i++) times.push(await work())
  return median(times)
}

type Report = { started_at: string; finished_at: string }

export async function pipelineRows(rows: number): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-bench-'))
  const out = join(folder, 'out')
  try {
    const full = await demo(['--out', out, '--keep-running', '--rows', String(rows)])
    const state = JSON.parse(await readFile(join(out, 'demo.json'), 'utf8')) as { administratorUrl: string }
    const legacy = state.administratorUrl.replace(/\/target$/, '/legacy')
    const recon = JSON.parse(await readFile(join(out, 'recon_report.json'), 'utf8')) as { tables: Report[] }
    const execution = JSON.parse(await readFile(join(out, 'evidence_pack/recon/execution_report.json'), 'utf8')) as { chunks: Report[] }
    const earliest = (reports: Report[]) => Math.min(...reports.map((report) => Date.parse(report.started_at)))
    const latest = (reports: Report[]) => Math.max(...reports.map((report) => Date.parse(report.finished_at)))
    const reconMs = latest(recon.tables) - earliest(recon.tables)
    const copyMs = latest(execution.chunks) - earliest(execution.chunks)
    const raw = await repeated(() =>
      copyOutBoth(
        { url: legacy, tables: ['public.flights', 'public.airports'] },
        { url: state.administratorUrl, tables: ['aviation.flight', 'aviation.airport'] },
      ),
    )
    const through = await repeated(() =>
      copyThrough(legacy, state.administratorUrl, [
        { name: 'public.flights', columns: FLIGHTS },
        { name: 'public.airports', columns: AIRPORTS },
      ]),
    )
    await demo(['--stop', '--out', out])
    const empty = await demo(['--out', join(folder, 'empty'), '--rows', '0'])
    const ratio = (a: number, b: number) => `${(a / b).toFixed(2)} × (${(a / 1000).toFixed(2)} s against ${(b / 1000).toFixed(2)} s)`
    return [
      { what: `demo, ${rows} flights, all nine steps`, measured: `${full.seconds.toFixed(1)} s`, target: '≤ 90 s' },
      {
        what: 'its Node processes together, peak',
        measured: full.peakMiB === null ? 'not measured: no /proc here' : `${full.peakMiB.toFixed(0)} MiB`,
        target: '< 1,536 MiB',
      },
      { what: 'reconciliation, against COPY TO STDOUT of both sides at once', measured: ratio(reconMs, raw), target: '≤ 5 ×' },
      {
        what: 'copy with transforms and checkpoints, against COPY out piped into COPY in',
        measured: ratio(copyMs, through),
        target: '≤ 2 ×',
      },
      { what: 'the same pipeline with no flights', measured: `${empty.seconds.toFixed(1)} s`, target: '< 10 s' },
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
