import { copyFile, readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type LocalPlatform, lockFolder } from '../../functions/local.ts'
import { grouped } from '../../layers/core/count-words.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { verifyPack } from '../../layers/core/verifier/index.ts'
import { openPackFolder } from '../../layers/local/pack-folder.ts'
import { ensureFolder } from '../folder.ts'
import { exitCodeOf, withPlatform } from '../run/drive.ts'
import { finished, startProject, takeUp } from '../run/project.ts'
import { writeResults } from '../run/results.ts'
import { type Measured, measured, printSummary, proofStatus, proofValid } from '../run/summary.ts'
import { EXIT, seconds, type Terminal } from '../terminal.ts'
import { approveByMail } from './approvers.ts'
import { claimFolder, type DemoState, removeDemo, writeDemo } from './folder.ts'
import { createDatabases } from './legacy.ts'
import { createServerIn, discardServer, type PostgresServer, startServer } from './postgres-server.ts'
import { tamper } from './tamper.ts'
import { checkTampering } from './tampering-check.ts'

export type DemoOptions = {
  out: string
  rows: number | null
  corrupt: number
  interactive: boolean
  fresh: boolean
  keepRunning: boolean
  json: boolean
}

const example = (name: string) => fileURLToPath(new URL(`../../examples/flights/${name}`, import.meta.url))

/** A new demo: server, legacy data, migration, evidence. @returns the exit code */
export async function newDemo(terminal: Terminal, options: DemoOptions, signal: AbortSignal): Promise<number> {
  // Asked before the lock, which is a file: a folder that is not a demo's gets not even that.
  await claimFolder(options.out, options.fresh)
  const unlock = lockFolder(resolve(options.out))
  try {
    const old = await claimFolder(options.out, options.fresh)
    if (old !== null) await discardServer(old.server)
    await removeDemo(options.out)
    const server = await createServerIn(join(resolve(options.out), 'postgres'))
    try {
      return await drive(terminal, options, await prepared(terminal, options, server), signal)
    } finally {
      await leave(terminal, options, server)
    }
  } finally {
    unlock()
  }
}

/** Loads the legacy database. What is written first lets a demo that dies while loading be found and started over. */
async function prepared(terminal: Terminal, options: DemoOptions, server: PostgresServer): Promise<DemoState> {
  const started = performance.now()
  terminal.err('loading the legacy database …')
  const state: DemoState = {
    schema: 'waybill/demo/v1',
    server: { dataDir: server.dataDir, port: server.port, password: server.password },
    sourceUrl: '',
    targetUrl: '',
    administratorUrl: '',
    rows: options.rows,
    corrupt: options.corrupt,
    interactive: options.interactive,
    projectId: null,
    tampered: null,
    loaded: false,
    finished: false,
  }
  await writeDemo(options.out, state)
  const databases = await createDatabases(server, options.rows)
  await ensureFolder(join(options.out, 'home'), 0o700)
  await copyFile(example('policy.json'), join(options.out, 'home', 'policy.json'))
  const loaded = { ...state, ...databases, loaded: true }
  await writeDemo(options.out, loaded)
  terminal.err(`legacy database loaded in ${seconds(performance.now() - started)}`)
  return loaded
}

/** Goes on with a demo that was interrupted or killed. @returns the exit code */
export async function resumeDemo(terminal: Terminal, out: string, state: DemoState, json: boolean, signal: AbortSignal): Promise<number> {
  if (!state.loaded)
    throw new WaybillError(
      'CONFLICT',
      `The demo in ${out} was stopped while it loaded its data. Start over: npm run demo -- --fresh --out ${out}`,
    )
  const { rows, corrupt, interactive } = state
  const options: DemoOptions = { out, rows, corrupt, interactive, fresh: false, keepRunning: false, json }
  // Before the server is touched: a second resume must not stop the server of the first.
  const unlock = lockFolder(resolve(out))
  try {
    const server = await startServer(state.server)
    try {
      return await drive(terminal, options, state, signal)
    } finally {
      await leave(terminal, options, server)
    }
  } finally {
    unlock()
  }
}

async function leave(terminal: Terminal, options: DemoOptions, server: PostgresServer): Promise<void> {
  if (options.keepRunning)
    terminal.err(
      `The databases keep running on port ${server.port}; their connection strings are in ${join(options.out, 'demo.json')}.\nStop them: npm run demo -- --stop --out ${options.out}`,
    )
  else await server.stop()
}

async function drive(terminal: Terminal, options: DemoOptions, state: DemoState, signal: AbortSignal): Promise<number> {
  const started = performance.now()
  let current = state
  const save = async (change: Partial<DemoState>) => {
    current = { ...current, ...change }
    await writeDemo(options.out, current)
  }
  const beforeWorker = async (worker: string) => {
    if (worker !== 'hash-segments' || options.corrupt === 0 || current.tampered !== null) return
    const tampered = await tamper(current.administratorUrl, options.corrupt)
    await save({ tampered })
    terminal.err(`${tampered.length} rows of the target were tampered with behind Waybill's back`)
  }
  const env = { ...process.env, WAYBILL_SOURCE_URL: state.sourceUrl, WAYBILL_TARGET_URL: state.targetUrl }
  const home = join(options.out, 'home')
  return withPlatform({ home, env, terminal, workers: availableParallelism(), signal, beforeWorker }, async (platform, stop) => {
    const approving = options.interactive ? announce(terminal, platform) : approve(terminal, platform, stop.signal)
    const begun = await begin(platform)
    await save({ projectId: begun.projectId })
    const project = await finished(platform, begun)
    stop.abort()
    await approving
    const figures = await measured(platform.ports, project)
    const results = await writeResults(platform.ports, project, options.out, figures)
    const verified = results.written.includes('evidence_pack')
      ? await verifyPack(await openPackFolder(join(options.out, 'evidence_pack')), {})
      : null
    await save({ finished: project.state !== 'FAILED' })
    const code = verified?.verified === false ? EXIT.undecided : exitCodeOf(project, proofStatus(figures))
    const tampering = current.tampered && figures.recon ? checkTampering(current.tampered, figures.recon) : null
    if (options.json) {
      terminal.out(
        JSON.stringify(
          { project, proof_valid: proofValid(figures), tampering, evidence_verified: verified?.verified ?? null, ...results },
          null,
          2,
        ),
      )
      return code
    }
    printSummary(terminal, project, figures)
    printOrphans(terminal, figures)
    if (tampering) {
      const others = tampering.others === 0 ? 'and no other' : `and ${tampering.others} differences nobody made`
      terminal.out(`${tampering.named} of ${tampering.of} tampered rows named, ${others}.`)
    }
    terminal.out(`\n${results.written.map((name) => join(options.out, name)).join('\n')}`)
    if (verified)
      terminal.out(
        verified.verified
          ? `Evidence pack whole and consistent: ${verified.checks.length} checks, no fault.`
          : `EVIDENCE PACK NOT VERIFIED: ${verified.faults[0]}`,
      )
    terminal.out(seconds(performance.now() - started))
    return code
  })
}

/** Starts the migration, or takes up the one that is there. */
async function begin(platform: LocalPlatform): Promise<{ projectId: string; execution: string }> {
  const [taken] = await takeUp(platform)
  if (taken !== undefined) return taken
  return startProject(platform, await readFile(example('migration.yaml'), 'utf8'))
}

async function approve(terminal: Terminal, platform: LocalPlatform, signal: AbortSignal): Promise<void> {
  await approveByMail(platform.home.outbox, signal, ({ approver, what, status }) =>
    terminal.err(`  ${approver} ${what}${status >= 400 ? ` (HTTP ${status})` : ''}`),
  )
}

async function announce(terminal: Terminal, platform: LocalPlatform): Promise<void> {
  terminal.err(
    `Approvers' mail arrives in ${platform.home.outbox}. List the links with:\n  npm run waybill -- approve --home ${platform.home.folder}`,
  )
}

/** Rows whose reference leads nowhere are a finding with a figure, also where a person decided to keep them. */
function printOrphans(terminal: Terminal, { checks }: Measured): void {
  for (const check of checks?.checks ?? []) {
    const orphans = check.figures.orphan_rows
    if (check.kind !== 'foreign_key' || orphans === null || orphans === undefined) continue
    terminal.out(`orphans  ${check.where}: ${grouped(orphans)} rows`)
  }
}
