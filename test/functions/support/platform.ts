import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { recordingRefusal } from '../../../functions/work/refusal.ts'
import type { WorkContext } from '../../../functions/work/working.ts'
import { ENDPOINT_FUNCTIONS, STATE_MACHINES, stateName, TASK_FUNCTIONS, WORKERS, type Worker } from '../../../layers/core/names.ts'
import { ANY_TIME } from '../../../layers/core/nights/off-peak.ts'
import type { HttpRequest, HttpResponse, Mail, Ports } from '../../../layers/core/ports.ts'
import { defaultPolicy } from '../../../layers/core/rulebooks.ts'
import type { NightSettings } from '../../../layers/core/schemas/night.ts'
import type { Policy } from '../../../layers/core/schemas/policy.ts'
import type { WorkerTask } from '../../../layers/core/schemas/work.ts'
import { sqliteApprovalStore } from '../../../layers/local/approval-store.ts'
import { directoryArtifactStore } from '../../../layers/local/artifact-store.ts'
import { load, type Machine } from '../../../layers/local/asl/load.ts'
import { createRunner, type Runner } from '../../../layers/local/asl/runner.ts'
import { sqliteAuditLog } from '../../../layers/local/audit-log.ts'
import { localGitHost } from '../../../layers/local/git-host.ts'
import { openHome } from '../../../layers/local/home.ts'
import { randomIds } from '../../../layers/local/ids.ts'
import { fileKeys, sealKey } from '../../../layers/local/keys.ts'
import { sqliteLeaseStore } from '../../../layers/local/lease-store.ts'
import { sqliteProgress } from '../../../layers/local/progress.ts'
import { sqliteProjectStore } from '../../../layers/local/project-store.ts'
import { localSecrets } from '../../../layers/local/secrets.ts'
import { fileSigners } from '../../../layers/local/signer.ts'
import { aesTokenSeal } from '../../../layers/local/token-seal.ts'
import { localWorkers } from '../../../layers/local/workers.ts'
import { temporaryFolder } from '../../local/temporary.ts'
import { macsApart, withRightsOf } from './rights.ts'
import { type Systems, systems } from './systems.ts'

export const PUBLIC_URL = 'http://127.0.0.1:8400'

const QUIET: WorkContext = { signal: new AbortController().signal, progress: () => {} }

/** A function or worker that shall fail, and what it throws. */
export type Fault = { name: string; error: Error; when: (event: unknown) => boolean }

export type TestPlatform = {
  ports: Ports
  /** The home's folder, for other processes. */
  home: string
  systems: Systems
  runner: Runner
  mails: Mail[]
  /** Faults fire once per call of their function, in order of being set; `times` calls each. */
  failNext(name: string, error: Error, times?: number, when?: Fault['when']): void
  call(name: string, event: unknown): Promise<unknown>
  work(task: WorkerTask): Promise<void>
  http(request: Partial<HttpRequest>): Promise<HttpResponse>
  /** Names of all executions, nested ones too. */
  executions(): string[]
  /** Shifts what the clock says. */
  later(milliseconds: number): void
  close(): Promise<void>
}

type Patch = (machine: string, definition: { States: Record<string, Record<string, unknown>> }) => void

/**
 * The real handlers, each with the rights over links, forms and sessions that its function has in an account; the real state machines, interpreter and local adapters in a home of its own; only the two systems are small fakes, and
 * workers run in this process. Retries and waits take no time.
 */
export async function testPlatform(
  options: { policy?: Partial<Policy>; patch?: Patch; publicUrl?: string; nights?: NightSettings } = {},
): Promise<TestPlatform> {
  const { folder, remove } = temporaryFolder()
  const home = openHome(join(folder, 'home'))
  let shift = 0
  const clock = { now: () => new Date(Date.now() + shift) }
  const two = systems()
  const mails: Mail[] = []
  const signers = fileSigners({ folder: home.keys })
  const pem = async (purpose: keyof typeof signers) => [await signers[purpose].publicKeyPem()]
  const stop = new AbortController()
  const faults: Fault[] = []
  const ports = {
    clock,
    ids: randomIds,
    projects: sqliteProjectStore({ db: home.db }),
    audit: sqliteAuditLog({ db: home.db }),
    artifacts: directoryArtifactStore({ folder: home.artifacts, db: home.db, clock }),
    approvals: sqliteApprovalStore({ db: home.db, seal: aesTokenSeal(sealKey(home.keys)) }),
    leases: sqliteLeaseStore({ db: home.db }),
    nights: options.nights ?? ANY_TIME,
    signers,
    trust: { plan: await pem('plan'), approval: await pem('approval'), evidence: await pem('evidence'), anchor: await pem('anchor') },
    policy: { ...defaultPolicy, ...options.policy },
    notifier: { send: async (mail: Mail) => void mails.push(mail) },
    secrets: localSecrets({ env: { SOURCE: 'postgres://source', TARGET: 'postgres://target' } }),
    signIn: null,
    model: null,
    git: localGitHost({ folder: home.repository, clock }),
    keys: fileKeys({ folder: home.keys }),
    ...macsApart(home.keys),
    connectors: two.connectors,
    progress: sqliteProgress({ db: home.db }),
    workers: localWorkers(),
    log: { info: () => {}, warn: () => {}, error: () => {} },
    publicUrl: options.publicUrl ?? PUBLIC_URL,
  } as unknown as Ports
  const handler = async (name: string) =>
    (
      (await import(`../../../functions/${name}/handler.ts`)) as {
        createHandler(deps: Ports): (event: unknown, context: WorkContext) => Promise<unknown>
      }
    ).createHandler(withRightsOf(name, ports))
  const call = async (name: string, event: unknown) => {
    const at = faults.findIndex((fault) => fault.name === name && fault.when(event))
    if (at !== -1) throw faults.splice(at, 1)[0]!.error
    return (await handler(name))(event, QUIET)
  }
  ports.anchors = { anchor: async (projectId) => void (await call('anchor-audit', { project_id: projectId, run_id: 'anchor' })) }
  const runner = createRunner({
    db: home.db,
    locks: home.locks,
    machines: testMachines(options.patch ?? (() => {})),
    workers: 2,
    signal: stop.signal,
    pollMs: 10,
    time: { now: clock.now, sleep },
    platform: {
      invoke: async (name, event) => {
        const result = await call(name, event)
        // Whoever waits for a time of day waits for this clock, which then shows that time.
        const until = Date.parse((result as { until?: string; next_at?: string }).until ?? (result as { next_at?: string }).next_at ?? '')
        if (until > clock.now().getTime()) shift += until - clock.now().getTime()
        return result
      },
      runWorker: async ({ taskDefinition, environment }) => {
        const task = JSON.parse(environment.WAYBILL_TASK!) as WorkerTask
        await recordingRefusal(ports, task, async () => void (await call(taskDefinition, task)))
      },
      readItems: async ({ Key }) => ports.artifacts.get((await ports.artifacts.find(Key))!),
      writeResults: async () => {},
    },
  })
  ports.tasks = runner
  return {
    ports,
    home: home.folder,
    systems: two,
    runner,
    mails,
    failNext: (name, error, times = 1, when = () => true) =>
      void faults.push(...Array.from({ length: times }, () => ({ name, error, when }))),
    call,
    work: async (task) => recordingRefusal(ports, task, async () => void (await (await handler(task.worker as Worker))(task, QUIET))),
    http: async (request) => {
      const full = { method: 'GET', path: '/', query: {}, headers: {}, body: '', ...request }
      return (await (
        await handler(full.method === 'POST' ? 'decide' : 'approval-page')
      )(full, QUIET)) as HttpResponse
    },
    executions: () =>
      home.db
        .prepare('SELECT name FROM executions ORDER BY started_at')
        .all()
        .map((row) => String(row.name)),
    later: (milliseconds) => {
      shift += milliseconds
    },
    async close() {
      stop.abort()
      await runner.settled()
      home.close()
      remove()
    },
  }
}

/** Retry pauses and short waits pass at once; timeouts of minutes and more never come. */
async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => {
    const timer = milliseconds < 200_000 ? setTimeout(resolve, Math.min(milliseconds, 2)) : undefined
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        resolve()
      },
      { once: true },
    )
  })
}

export function definitionOf(machine: string): { StartAt: string; States: Record<string, Record<string, unknown>> } {
  return JSON.parse(readFileSync(new URL(`../../../statemachines/${machine}.asl.json`, import.meta.url), 'utf8'))
}

function testMachines(patch: Patch): Record<string, Machine> {
  const names = [
    ...[...TASK_FUNCTIONS, ...ENDPOINT_FUNCTIONS].map((name) => [`${stateName(name)}FunctionArn`, name]),
    ...WORKERS.map((name) => [`${stateName(name)}TaskDefinitionArn`, name]),
    ...STATE_MACHINES.map((name) => [`${stateName(name)}StateMachineArn`, name]),
  ]
  const substitutions = { ...Object.fromEntries(names), ClusterArn: 'c', SubnetIds: ['s'], SecurityGroupIds: ['g'] }
  return Object.fromEntries(
    STATE_MACHINES.map((machine) => {
      const definition = definitionOf(machine)
      patch(machine, definition)
      return [machine, load(definition, substitutions)]
    }),
  )
}
