import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { recordingRefusal } from '../../../functions/work/refusal.ts'
import type { WorkContext } from '../../../functions/work/working.ts'
import { FUNCTIONS, type LambdaFunction, WORKER_PERMISSIONS } from '../../../infra/permissions.ts'
import { keyOf } from '../../../layers/core/flow/storing.ts'
import { ENDPOINT_FUNCTIONS, STATE_MACHINES, stateName, TASK_FUNCTIONS, WORKERS, type Worker } from '../../../layers/core/names.ts'
import { ANY_TIME } from '../../../layers/core/nights/off-peak.ts'
import type { HttpRequest, HttpResponse, Mail, Ports } from '../../../layers/core/ports.ts'
import { defaultPolicy } from '../../../layers/core/rulebooks.ts'
import type { AuditEntry } from '../../../layers/core/schemas/governance.ts'
import { BEAT_SECONDS } from '../../../layers/core/schemas/progress.ts'
import type { ProjectRecord } from '../../../layers/core/schemas/project.ts'
import type { WorkerTask } from '../../../layers/core/schemas/work.ts'
import { sqliteApprovalStore } from '../../../layers/local/approval-store.ts'
import { load, type Machine } from '../../../layers/local/asl/load.ts'
import { createRunner } from '../../../layers/local/asl/runner.ts'
import { sqliteAuditLog } from '../../../layers/local/audit-log.ts'
import { openHome } from '../../../layers/local/home.ts'
import { randomIds } from '../../../layers/local/ids.ts'
import { fileMacs } from '../../../layers/local/keys.ts'
import { sqliteLeaseStore } from '../../../layers/local/lease-store.ts'
import { sqliteProgress } from '../../../layers/local/progress.ts'
import { sqliteProjectStore } from '../../../layers/local/project-store.ts'
import { aesTokenSeal } from '../../../layers/local/token-seal.ts'
import { keyPair } from '../../core/support/keys.ts'
import { formOf, getRequest, linkIn, PEOPLE, postRequest } from '../../functions/support/story.ts'
import { countedPorts } from './counted-ports.ts'
import { type History, historiesOf, measurePayloads } from './histories.ts'
import { memoryArtifacts } from './memory-artifacts.ts'
import { standIn } from './stand-in.ts'
import { add, count, countAll, counting, type Tally, uncounted } from './tally.ts'
import { type VirtualTable, virtualSystems } from './virtual-systems.ts'
import { noTime, virtualTime } from './virtual-time.ts'

export type Scenario = {
  tables: readonly VirtualTable[]
  parallelism: number
  /** Tasks of each worker and size that its real handler does; further ones are counted as these were. */
  real?: number
  /** `false` leaves the night after the migration out. */
  nightly?: boolean
}

/** One Lambda invocation or worker task. `ioMs` is what it waited for, `cpuMs` what this machine computed, for functions only. */
export type Invocation = {
  name: string
  function: boolean
  /** Behind the HTTP API: its answer is a page, not a state's output. */
  http: boolean
  /** Chunks or table pairs of a worker's task. */
  items?: number
  ioMs: number
  cpuMs: number
  payloadBytes: number
  tally: Tally
}

/** What a part of the simulation cost. */
export type Part = { tally: Tally; seconds: number; histories: History[]; invocations: Invocation[] }
export type Simulation = {
  migration: Part
  /** One more reconciliation, as the schedule starts it; null where it was left out. */
  nightly: Part | null
  payloads: { state: string; bytes: number }[]
  s3PerSecond: { reads: number; writes: number }
  artifacts: Map<string, number>
  projectRecordBytes: number
  auditEntryBytes: number
  pageBytes: number
  /** What a container is given in its environment. */
  workerTaskBytes: number
}

/** Assumed: a function's first call, and a container from RunTask to its first line. */
const COLD_START_MS = 1500
const CONTAINER_MS = 45_000
/** As in functions/work/lease.ts. */
const RENEW_SECONDS = 300

/** The workers of the two Maps: whatever else a worker does happens once. */
const STAND_INS: readonly string[] = ['copy-chunk', 'hash-segments']

const QUIET: WorkContext = { signal: new AbortController().signal, progress: () => {} }

/**
 * Runs a whole migration, and one nightly reconciliation after it: the state machines as they are deployed, in the interpreter; every function and worker
 * by its own handler; stores in memory that count what the AWS adapters would ask for; people who approve at once; and no data at all.
 */
export async function simulate(scenario: Scenario): Promise<Simulation> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-scale-'))
  const home = openHome(join(folder, 'home'))
  home.db.exec('PRAGMA synchronous = OFF')
  const payloads = measurePayloads(home.db)
  const time = virtualTime(new Date('2026-03-02T10:00:00.000Z'))
  const systems = virtualSystems(time, scenario.tables)
  const artifacts = memoryArtifacts(time)
  const stop = new AbortController()
  const machines = deployedMachines()
  const modules = await handlerModules()
  const handlerOf = (name: string) => modules.get(name)!.createHandler(ports)
  const background: Promise<unknown>[] = []
  const largest = { entry: 0, page: 0, task: 0 }
  let part: Part = emptyPart()

  const keys = { plan: keyPair(), approval: keyPair(), evidence: keyPair(), anchor: keyPair() }
  const audit = sqliteAuditLog({ db: home.db })
  const projects = sqliteProjectStore({ db: home.db })
  const noted = (entry: AuditEntry) => {
    largest.entry = Math.max(largest.entry, Buffer.byteLength(JSON.stringify(entry)))
  }
  const inner = {
    clock: { now: time.now },
    ids: randomIds,
    projects: {
      ...projects,
      create: (record: ProjectRecord, entry: AuditEntry) => {
        noted(entry)
        return projects.create(record, entry)
      },
      update: (record: ProjectRecord, entry: AuditEntry) => {
        noted(entry)
        return projects.update(record, entry)
      },
    },
    audit: {
      ...audit,
      append: (entry: AuditEntry) => {
        noted(entry)
        return audit.append(entry)
      },
    },
    artifacts,
    approvals: sqliteApprovalStore({ db: home.db, seal: aesTokenSeal(new Uint8Array(32)) }),
    signers: { plan: keys.plan.signer, approval: keys.approval.signer, evidence: keys.evidence.signer, anchor: keys.anchor.signer },
    trust: { plan: [keys.plan.pem], approval: [keys.approval.pem], evidence: [keys.evidence.pem], anchor: [keys.anchor.pem] },
    // Evidence is kept for years in an account, and the policy of the pack says one day.
    policy: defaultPolicy,
    notifier: {
      send: async (mail: Mail) => {
        // Some mails only tell.
        if (mail.text.includes('/approvals/')) background.push(decide(mail))
      },
    },
    signIn: null,
    model: null,
    secrets: { resolve: async (ref: string) => (ref.includes('target') ? 'postgresql://target' : 'postgresql://source') },
    keys: { mask: async () => new Uint8Array(32).fill(2) },
    ...fileMacs({ folder: home.keys }),
    git: {
      publish: async ({ branch }: { branch: string }) => ({
        branch,
        commit: 'c'.repeat(40),
        pull_request: 'https://git.example.com/pull/1',
      }),
    },
    leases: sqliteLeaseStore({ db: home.db }),
    nights: ANY_TIME,
    progress: sqliteProgress({ db: home.db }),
    workers: { running: async () => [], stop: async () => {} },
    connectors: systems,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    publicUrl: 'https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com',
  } as unknown as Ports
  const perSecond = new Map<string, number>()
  const ports = countedPorts(time, inner, perSecond)

  /** Time in which nothing works, while people decide or a night is awaited, is nobody's cost. */
  const active = { tasks: 0, since: 0 }
  const busy = async <T>(work: () => Promise<T>): Promise<T> => {
    if (active.tasks++ === 0) active.since = time.now().getTime()
    try {
      return await work()
    } finally {
      if (--active.tasks === 0) part.seconds += (time.now().getTime() - active.since) / 1000
    }
  }

  /** What went wrong on the way, for the error of a simulation that fails. */
  const troubles: string[] = []
  const troubled = <T>(name: string, work: () => Promise<T>): Promise<T> =>
    busy(work).catch((error: Error) => {
      troubles.push(`${name}: ${error.name} ${error.message}`)
      throw error
    })
  const invoke = (name: string, event: unknown): Promise<unknown> => troubled(name, () => invoked(name, event))
  const invoked = async (name: string, event: unknown): Promise<unknown> => {
    const tally: Tally = {}
    const started = time.now().getTime()
    const cpu = process.cpuUsage()
    const result = await counting(tally, async () => {
      count(`lambda.${name}`)
      if (FUNCTIONS[name as LambdaFunction].trusts === true) count('kms.get-public-key', 4)
      await time.pass(COLD_START_MS)
      return handlerOf(name)(event, QUIET)
    })
    const { user, system } = process.cpuUsage(cpu)
    const payloadBytes = Math.max(jsonBytes(event), jsonBytes(result))
    const http = name === 'approval-page' || name === 'decide'
    const ioMs = time.now().getTime() - started
    part.invocations.push({ name, function: true, http, ioMs, cpuMs: (user + system) / 1000, payloadBytes, tally })
    return result
  }
  ports.anchors = {
    async anchor(projectId) {
      const { tally } = part
      await uncounted(() => counting(tally, () => invoke('anchor-audit', { project_id: projectId, run_id: 'anchor' })))
    },
  }

  const http = async (name: 'approval-page' | 'decide', request: Partial<HttpRequest>): Promise<HttpResponse> => {
    count('api.requests')
    const response = (await invoke(name, { method: 'GET', path: '/', query: {}, headers: {}, body: '', ...request })) as HttpResponse
    largest.page = Math.max(largest.page, Buffer.byteLength(response.body))
    return response
  }
  const decide = (mail: Mail) =>
    uncounted(() =>
      counting(part.tally, async () => {
        await time.pass(1000)
        const link = linkIn(mail)
        const fields = formOf((await http('approval-page', getRequest(link))).body)
        fields.set('decision', 'approve')
        fields.set('reason', '')
        const answered = await http('decide', postRequest(link, fields))
        if (answered.status >= 400) throw new Error(`nobody could approve: ${answered.status} ${answered.body.slice(0, 2000)}`)
      }),
    )

  const leave = standIn(inner, virtualSystems(noTime(time), scenario.tables))
  const samples = new Map<string, Promise<Invocation>[]>()
  const perform = async (task: WorkerTask, started: number): Promise<Invocation> => {
    const tally: Tally = {}
    await counting(tally, async () => {
      count(`fargate.${task.worker}`)
      if (WORKER_PERMISSIONS[task.worker as Worker].trusts === true) count('kms.get-public-key', 4)
      await time.pass(CONTAINER_MS)
      const handler = handlerOf(task.worker)
      await recordingRefusal(ports, task, async () => void (await handler(task, QUIET)))
    })
    const ioMs = time.now().getTime() - started - (tally['data.ms'] ?? 0)
    return { name: task.worker, function: false, http: false, items: task.ids.length, ioMs, cpuMs: 0, payloadBytes: 0, tally }
  }
  /** Leaves what the task would, and takes and counts what one of its kind took; only its data is its own. */
  const asLike = async (task: WorkerTask, like: Invocation, started: number): Promise<Invocation> => {
    const own: Tally = {}
    await uncounted(() => counting(own, () => leave(task)))
    const data = own['data.ms'] ?? 0
    countAll({ ...like.tally, 'data.ms': data })
    await time.pass(started + like.ioMs + data - time.now().getTime())
    return { ...like, tally: { ...like.tally, 'data.ms': data } }
  }
  const work = async (task: WorkerTask): Promise<void> => {
    const started = time.now().getTime()
    const kind = `${task.worker} ${task.ids.length}`
    const known = samples.get(kind) ?? []
    const real = !STAND_INS.includes(task.worker) || known.length < (scenario.real ?? Number.POSITIVE_INFINITY)
    const working = real ? perform(task, started) : asLike(task, await known.at(-1)!, started)
    if (real) samples.set(kind, [...known, working])
    part.invocations.push(await working)
    // Fargate bills whole seconds, and a minute at least.
    const billed = Math.max(60, Math.ceil((time.now().getTime() - started) / 1000))
    // Signs of life by the clock of the process, which stands still here.
    const beats = 2 + Math.floor(billed / BEAT_SECONDS) + (task.fence === undefined ? 0 : Math.floor(billed / RENEW_SECONDS))
    add(part.tally, { 'fargate.seconds': billed, 'dynamodb.beats': beats })
  }

  const runner = createRunner({
    db: home.db,
    locks: home.locks,
    machines,
    workers: 1000,
    signal: stop.signal,
    time,
    platform: {
      invoke,
      runWorker: ({ environment }) => {
        largest.task = Math.max(largest.task, Buffer.byteLength(environment.WAYBILL_TASK!))
        const task = JSON.parse(environment.WAYBILL_TASK!) as WorkerTask
        return troubled(task.worker, () => work(task))
      },
      readItems: async ({ Key }) => inner.artifacts.get((await inner.artifacts.find(Key))!),
      writeResults: async () => {},
    },
  })
  ports.tasks = countedPorts(time, { ...inner, tasks: runner }).tasks
  inner.tasks = runner

  /** Runs one machine to its end and gives what it took. */
  const execute = async (machine: string, name: string, input: unknown): Promise<Part> => {
    part = emptyPart()
    const mine = part
    const known = new Set(historiesOf(home.db, machines).keys())
    const ended = await time.until(
      counting(mine.tally, async () => {
        await runner.start(machine, name, input)
        const end = await runner.wait(name)
        while (background.length > 0) await background.shift()
        return end
      }),
    )
    if (ended.status !== 'SUCCEEDED')
      throw new Error(`${name} ended ${ended.status}: ${ended.failure?.error}. ${troubles.slice(0, 3).join('; ').slice(0, 2000)}`)
    mine.histories = [...historiesOf(home.db, machines)].flatMap(([each, history]) => (known.has(each) ? [] : [history]))
    return mine
  }

  try {
    const project = 'warehouse-2026-orders-and-payments'
    await inner.artifacts.put(keyOf(project, 'spec', '1'), Buffer.from(specText(scenario)), {
      contentType: 'application/json',
      retainUntil: new Date(0),
    })
    const migration = await execute('migration', `${project}-1`, { project_id: project, run_id: 'initial' })
    const night = `recon-${project}-2026-03-05`
    const nightly =
      scenario.nightly === false
        ? null
        : await execute('reconcile', night, {
            project_id: project,
            run_id: night,
            purpose: 'night',
            scheduled: '2026-03-05T02:30:00Z',
            // The clock stands where the migration ended, in a night that its parallel run found clean.
            again: true,
          })
    const record = await inner.projects.get(project)
    if (record.state !== 'EVIDENCE_COMPLETE') throw new Error(`the project is ${record.state}`)
    return {
      migration,
      nightly,
      payloads: payloads(),
      s3PerSecond: { reads: highest(perSecond, 'reads'), writes: highest(perSecond, 'writes') },
      artifacts: artifacts.sizes(),
      projectRecordBytes: jsonBytes(record),
      auditEntryBytes: largest.entry,
      pageBytes: largest.page,
      workerTaskBytes: largest.task,
    }
  } finally {
    stop.abort()
    await runner.settled()
    home.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function highest(perSecond: ReadonlyMap<string, number>, kind: 'reads' | 'writes'): number {
  return [...perSecond].reduce((most, [second, n]) => (second.startsWith(kind) && n > most ? n : most), 0)
}

function emptyPart(): Part {
  return { tally: {}, seconds: 0, histories: [], invocations: [] }
}

function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? '')
}

type Handler = (event: unknown, context: WorkContext) => Promise<unknown>
type HandlerModule = { createHandler(deps: Ports): Handler }

/** Loaded before the clock runs: a module comes from a disk, and the clock would overtake it. */
async function handlerModules(): Promise<Map<string, HandlerModule>> {
  const names = [...TASK_FUNCTIONS, ...ENDPOINT_FUNCTIONS, ...WORKERS]
  return new Map(
    await Promise.all(names.map(async (name) => [name, (await import(`../../../functions/${name}/handler.ts`)) as HandlerModule] as const)),
  )
}

/** Placeholders filled as in an account: with ARNs of their full length, which count in payloads. */
function deployedMachines(): Record<string, Machine> {
  const names = [
    ...[...TASK_FUNCTIONS, ...ENDPOINT_FUNCTIONS].map((name) => [`${stateName(name)}FunctionArn`, name]),
    ...WORKERS.map((name) => [`${stateName(name)}TaskDefinitionArn`, name]),
    ...STATE_MACHINES.map((name) => [`${stateName(name)}StateMachineArn`, name]),
  ]
  const substitutions = {
    ...Object.fromEntries(names),
    ClusterArn: 'arn:aws:ecs:us-east-1:111111111111:cluster/waybill-prod-pipeline-Cluster',
    SubnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
    SecurityGroupIds: ['sg-0123456789abcdef0'],
  }
  return Object.fromEntries(
    STATE_MACHINES.map((machine) => [
      machine,
      load(JSON.parse(readFileSync(new URL(`../../../statemachines/${machine}.asl.json`, import.meta.url), 'utf8')), substitutions),
    ]),
  )
}

function specText({ tables, parallelism }: Scenario): string {
  return JSON.stringify({
    schema: 'waybill/migration-spec/v1',
    migration_id: 'warehouse-2026-orders-and-payments',
    title: 'Orders and payments from the old warehouse to the new one',
    author: 'author@example.com',
    source: { system_type: 'POSTGRESQL', connection: { secret_ref: 'aws-secretsmanager://waybill/source' } },
    target: { system_type: 'POSTGRESQL', connection: { secret_ref: 'aws-secretsmanager://waybill/target' } },
    tables: tables.map(({ name }) => ({ source: `public.${name}`, target: { schema: 'public', name } })),
    execution_config: { parallelism },
    approvers: Object.entries(PEOPLE).map(([role, email]) => ({ role, email })),
  })
}
