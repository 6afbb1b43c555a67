/** The composition root of the embedded platform: the same handlers and the same state machines as in AWS, on `layers/local`. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectors } from '../layers/connectors/index.ts'
import { WaybillError } from '../layers/core/errors.ts'
import { fullDisk } from '../layers/core/full-disk.ts'
import { ENDPOINT_FUNCTIONS, SIGNING_PURPOSES, STATE_MACHINES, stateName, TASK_FUNCTIONS, WORKERS } from '../layers/core/names.ts'
import { readNightSettings } from '../layers/core/nights/off-peak.ts'
import { readPolicy } from '../layers/core/policy-reader.ts'
import type { HttpRequest, HttpResponse, Log, Ports, Secrets, TaskTokens, TrustRoot, Workers } from '../layers/core/ports.ts'
import { defaultPolicy } from '../layers/core/rulebooks.ts'
import type { ApprovalPredicate } from '../layers/core/schemas/governance.ts'
import type { Policy } from '../layers/core/schemas/policy.ts'
import { workerTask } from '../layers/core/schemas/work.ts'
import { sqliteApprovalStore } from '../layers/local/approval-store.ts'
import { directoryArtifactStore } from '../layers/local/artifact-store.ts'
import { load, type Machine } from '../layers/local/asl/load.ts'
import { tryLock } from '../layers/local/asl/lock.ts'
import type { Retrying } from '../layers/local/asl/run.ts'
import { createRunner, type Description, type Runner, runningExecutions } from '../layers/local/asl/runner.ts'
import { sqliteTaskTokens } from '../layers/local/asl/task-tokens.ts'
import { sqliteAuditLog } from '../layers/local/audit-log.ts'
import { systemClock } from '../layers/local/clock.ts'
import { localGitHost } from '../layers/local/git-host.ts'
import { ANCHOR_KEY_REMEDY, anchorKeyIsMissing, type Home, openHome } from '../layers/local/home.ts'
import { type HttpServer, serveLoopback } from '../layers/local/http-server.ts'
import { randomIds } from '../layers/local/ids.ts'
import { fileKeys, fileMacs, sealKey } from '../layers/local/keys.ts'
import { sqliteLeaseStore } from '../layers/local/lease-store.ts'
import { jsonLog, redaction } from '../layers/local/log.ts'
import { outboxNotifier, smtpNotifier } from '../layers/local/notifier.ts'
import { sqliteProgress } from '../layers/local/progress.ts'
import { sqliteProjectStore } from '../layers/local/project-store.ts'
import { localSecrets } from '../layers/local/secrets.ts'
import { fileSigners } from '../layers/local/signer.ts'
import { aesTokenSeal } from '../layers/local/token-seal.ts'
import { runWorkerProcess } from '../layers/local/worker-process.ts'
import { localWorkers } from '../layers/local/workers.ts'
import { azureSecrets } from '../layers/secret-stores/azure.ts'
import { vaultSecrets } from '../layers/secret-stores/vault.ts'
import { chase } from './decide/chase.ts'
import { tellOutcomes } from './decide/outbox.ts'
import { withdrawPlan as withdraw } from './decide/withdrawal.ts'
import { openIdSignIn } from './work/open-id-sign-in.ts'

type Env = Readonly<Record<string, string | undefined>>
type Handler = (event: unknown) => Promise<unknown>

export type LocalOptions = {
  home: string
  env: Env
  /** Where people reach the approval pages, such as `http://127.0.0.1:8400`. */
  publicUrl: string
  /** One JSON line of the log, secrets hidden. */
  onLog(line: string): void
}

export type LocalPlatform = {
  ports: Ports
  home: Home
  runner: Runner
  /** Where the approval pages are served, on this machine only. */
  approvalsUrl: string
  /** Stops serving, waits for what still works, closes the home. Abort the signal first, or let the executions end. */
  close(): Promise<void>
}

export type PlatformOptions = Omit<LocalOptions, 'publicUrl'> & {
  /** Workers at once. */
  workers: number
  /** Left out: yes. Without, nobody can decide anything here, another process of this home may serve them meanwhile, and it tells and reminds. */
  pages?: boolean | undefined
  signal: AbortSignal
  /** What a worker says of its progress. */
  onProgress(progress: Readonly<Record<string, string>>): void
  /** A step that failed and is tried again. */
  onRetry?: (retrying: Retrying) => void
  /** Called before a worker starts; the worker waits for it. */
  beforeWorker(worker: string, runId: string): Promise<void>
}

/** `policy.json` in the home, where somebody put one; Waybill's own otherwise. @throws BAD_INPUT with every fault */
function policyOf(folder: string): Policy {
  const path = join(folder, 'policy.json')
  return existsSync(path) ? readPolicy(readFileSync(path), path) : defaultPolicy
}

/** @throws CONFLICT for a home with projects and without the key that signed their anchors */
function openedHome(folder: string): Home {
  const home = openHome(folder)
  if (!anchorKeyIsMissing(home.keys, home.db)) return home
  home.close()
  throw new WaybillError('CONFLICT', `The key that signs anchors is missing in ${home.folder}, which holds projects. ${ANCHOR_KEY_REMEDY}`)
}

async function trustOf(signers: Ports['signers']): Promise<TrustRoot> {
  const pems = await Promise.all(SIGNING_PURPOSES.map(async (purpose) => [purpose, [await signers[purpose].publicKeyPem()]]))
  return Object.fromEntries(pems) as TrustRoot
}

async function handlerOf(folder: string, ports: Ports): Promise<Handler> {
  const module = (await import(`./${folder}/handler.ts`)) as { createHandler(deps: Ports): Handler }
  return module.createHandler(ports)
}

/** What this process proves itself with. Never in a log either. */
const CREDENTIALS = [
  'VAULT_TOKEN',
  'VAULT_SECRET_ID',
  'AZURE_CLIENT_SECRET',
  'IDENTITY_HEADER',
  'WAYBILL_SMTP_URL',
  'WAYBILL_OIDC_CLIENT_SECRET',
]

export function secretStores(env: Env): Record<string, Secrets> {
  const azure = azureSecrets({ env })
  return { vault: vaultSecrets({ env }), 'azure-kv': azure, 'azure-keyvault': azure }
}

/** Every port over one home. `tasks` completes tokens of whatever process drives the execution. */
async function portsOver(home: Home, options: LocalOptions, tasks: TaskTokens, workers: Workers = localWorkers()): Promise<Ports> {
  const hidden = redaction()
  for (const name of CREDENTIALS) hidden.add(options.env[name] ?? '')
  const log: Log = jsonLog({ clock: systemClock, redaction: hidden, write: options.onLog })
  const signers = fileSigners({ folder: home.keys })
  const smtp = options.env.WAYBILL_SMTP_URL
  const ports: Ports = {
    clock: systemClock,
    ids: randomIds,
    projects: sqliteProjectStore({ db: home.db }),
    audit: sqliteAuditLog({ db: home.db }),
    artifacts: directoryArtifactStore({ folder: home.artifacts, db: home.db, clock: systemClock }),
    approvals: sqliteApprovalStore({ db: home.db, seal: aesTokenSeal(sealKey(home.keys)) }),
    leases: sqliteLeaseStore({ db: home.db }),
    nights: readNightSettings(options.env.WAYBILL_TIME_ZONE, options.env.WAYBILL_OFF_PEAK),
    signers,
    trust: await trustOf(signers),
    policy: policyOf(home.folder),
    tasks,
    notifier: smtp
      ? smtpNotifier({ url: smtp, from: options.env.WAYBILL_MAIL_FROM ?? 'waybill@localhost' })
      : outboxNotifier({ folder: home.outbox, clock: systemClock, ids: randomIds }),
    signIn: openIdSignIn({
      issuer: options.env.WAYBILL_OIDC_ISSUER,
      clientId: options.env.WAYBILL_OIDC_CLIENT_ID,
      clientSecret: options.env.WAYBILL_OIDC_CLIENT_SECRET,
    }),
    secrets: localSecrets({ env: options.env, stores: secretStores(options.env), onResolved: (secret) => hidden.add(secret) }),
    model: null,
    git: localGitHost({ folder: home.repository, clock: systemClock }),
    keys: fileKeys({ folder: home.keys }),
    ...fileMacs({ folder: home.keys }),
    anchors: { anchor: async () => {} },
    progress: sqliteProgress({ db: home.db }),
    workers,
    connectors,
    log,
    publicUrl: options.publicUrl,
  }
  const anchor = await handlerOf('anchor-audit', ports)
  ports.anchors = {
    anchor: async (projectId) => {
      await anchor({ project_id: projectId })
    },
  }
  return ports
}

/** Withdraws a project's plan in the name of its author, and tells the state machine. @throws ILLEGAL_TRANSITION, NOT_FOUND */
export async function withdrawPlan(ports: Ports, projectId: string, reason: string): Promise<ApprovalPredicate> {
  const withdrawn = await withdraw(ports, await ports.projects.get(projectId), reason)
  await tellOutcomes(ports, projectId)
  return withdrawn
}

/** What a worker process needs, and whoever only reads; it drives no execution. `running`: what has not ended, also what no process drives. */
export async function openLocalPorts(options: LocalOptions): Promise<{ ports: Ports; running(): Description[]; close(): void }> {
  const home = openedHome(options.home)
  const tasks = sqliteTaskTokens({ db: home.db, now: systemClock.now, onCompleted: () => {} })
  return { ports: await portsOver(home, options, tasks), running: () => runningExecutions(home.db), close: home.close }
}

/** What `${ValidatePlanFunctionArn}` and its like stand for here: the function's, worker's or state machine's own name. */
function substitutions(): Record<string, unknown> {
  const functions = [...TASK_FUNCTIONS, ...ENDPOINT_FUNCTIONS].map((name) => [`${stateName(name)}FunctionArn`, name])
  const workers = WORKERS.map((name) => [`${stateName(name)}TaskDefinitionArn`, name])
  const machines = STATE_MACHINES.map((name) => [`${stateName(name)}StateMachineArn`, name])
  return {
    ...Object.fromEntries([...functions, ...workers, ...machines]),
    ClusterArn: 'local',
    SubnetIds: ['local'],
    SecurityGroupIds: ['local'],
  }
}

export function localMachines(): Record<string, Machine> {
  return Object.fromEntries(
    STATE_MACHINES.map((name) => {
      const text = readFileSync(new URL(`../statemachines/${name}.asl.json`, import.meta.url), 'utf8')
      return [name, load(JSON.parse(text), substitutions())]
    }),
  )
}

function workerEnvironment(options: LocalOptions, home: Home, environment: Readonly<Record<string, string>>): Record<string, string> {
  const given = Object.entries(options.env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return { ...Object.fromEntries(given), ...environment, WAYBILL_HOME: home.folder, WAYBILL_PUBLIC_URL: options.publicUrl }
}

const PORT_FILE = 'approvals-port'

/** Links that were mailed hold the port; a home keeps its own, so that they lead somewhere after a restart. */
function rememberedPort(home: Home): number {
  const path = join(home.folder, PORT_FILE)
  return existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0
}

function rememberPort(home: Home, port: number): void {
  writeFileSync(join(home.folder, PORT_FILE), String(port), { mode: 0o600 })
}

/** Between two looks for outcomes that the state machine was not told. */
const OUTBOX_MS = 5000
/** Between two looks for people who have not decided: reminders count in hours. */
const CHASE_MS = 60_000

/**
 * Tells what was decided and not told, also what a process that died had half decided: once at the start, and again every few seconds, since a
 * decision that was stored must never be lost to a machine that did not listen at that moment.
 */
async function openOutbox(ports: Ports): Promise<{ close(): Promise<void> }> {
  const quietly = (telling: Promise<unknown>) => telling.catch(() => ports.log.warn('the outbox could not be emptied; it is tried again'))
  for (const { project_id } of (await ports.projects.list()).records) await quietly(tellOutcomes(ports, project_id))
  let current: Promise<unknown> = Promise.resolve()
  let chased = 0
  const timer = setInterval(() => {
    current = current.then(() => quietly(tellOutcomes(ports)))
    chased += OUTBOX_MS
    if (chased < CHASE_MS) return
    chased = 0
    current = current.then(() => quietly(chase(ports)))
  }, OUTBOX_MS)
  timer.unref()
  return {
    async close() {
      clearInterval(timer)
      await current
    },
  }
}

/** Where mailed links of this home lead, whoever serves them now. */
function pagesElsewhere(home: Home): HttpServer {
  const port = rememberedPort(home)
  return { url: `http://127.0.0.1:${port}`, port, close: async () => {} }
}

export async function openLocal(options: PlatformOptions): Promise<LocalPlatform> {
  const home = openedHome(options.home)
  let serve: (request: HttpRequest) => Promise<HttpResponse> = () => Promise.reject(new Error('not open yet'))
  const server = options.pages === false ? pagesElsewhere(home) : await serveLoopback(rememberedPort(home), (request) => serve(request))
  if (options.pages !== false) rememberPort(home, server.port)
  // Passkeys are bound to a name; a browser uses none for a bare address.
  const named = (policyOf(home.folder).asking?.passkey_roles ?? []).length > 0
  const publicUrl = named ? server.url.replace('127.0.0.1', 'localhost') : server.url
  const local: LocalOptions = { ...options, publicUrl }
  const handlers = new Map<string, Promise<Handler>>()
  const workers = localWorkers()
  let ports: Ports
  const call = (name: string): Promise<Handler> => {
    let handler = handlers.get(name)
    if (handler === undefined) {
      handler = handlerOf(name, ports)
      handlers.set(name, handler)
    }
    return handler
  }
  const runner = createRunner({
    db: home.db,
    locks: home.locks,
    machines: localMachines(),
    workers: options.workers,
    signal: options.signal,
    ...(options.onRetry === undefined ? {} : { onRetry: options.onRetry }),
    platform: {
      async invoke(name, payload) {
        try {
          return await (await call(name))(payload)
        } catch (error) {
          throw fullDisk(error)
        }
      },
      async runWorker({ taskDefinition, environment, signal }) {
        const task = workerTask.parse(JSON.parse(environment.WAYBILL_TASK ?? '{}'))
        await options.beforeWorker(taskDefinition, task.run_id)
        await workers.run(task, signal, (inner) =>
          runWorkerProcess({
            entry: new URL('./local-worker.ts', import.meta.url).pathname,
            env: workerEnvironment(local, home, environment),
            signal: inner,
            onProgress: (line) => options.onProgress((line as { progress?: Record<string, string> }).progress ?? {}),
            onLine: options.onLog,
          }),
        )
      },
      async readItems({ Key, VersionId }) {
        const pointer = await ports.artifacts.find(Key)
        if (pointer === null || (VersionId !== undefined && pointer.version_id !== VersionId)) {
          throw new WaybillError('NOT_FOUND', `There is no artifact ${Key} in the version named.`)
        }
        return ports.artifacts.get(pointer)
      },
      async writeResults({ Key, bytes, contentType }) {
        await ports.artifacts.put(Key, bytes, { contentType, retainUntil: systemClock.now() })
      },
    },
  })
  ports = await portsOver(home, local, runner, workers)
  serve = async (request) => (await (await call(request.method === 'POST' ? 'decide' : 'approval-page'))(request)) as HttpResponse
  const outbox = options.pages === false ? null : await openOutbox(ports)
  return {
    ports,
    home,
    runner,
    approvalsUrl: server.url,
    async close() {
      await server.close()
      await outbox?.close()
      await runner.settled()
      home.close()
    },
  }
}

/**
 * Makes sure that one process at a time works in a folder; the lock dies with its holder. Returns the release.
 * @throws CONFLICT when another process works there
 */
export function lockFolder(folder: string): () => void {
  const release = tryLock(folder, 'waybill')
  if (release === null)
    throw new WaybillError('CONFLICT', `Another waybill is working in ${folder}. Wait for it, or stop it, then try again.`)
  return release
}
