import { setTimeout as sleep } from 'node:timers/promises'
import type { Account } from '../../functions/aws-account.ts'
import type { DoctorLine } from '../../layers/core/doctor.ts'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import type { MigrationSpec } from '../../layers/core/schemas/spec.ts'
import { readSpec } from '../../layers/core/spec-reader.ts'
import { beginning } from '../run/beginning.ts'
import { executionName } from '../run/drive.ts'
import { isEnd, projectIdOf } from '../run/project.ts'
import { ASKING, questionTeller } from '../run/questions.ts'
import { workingNow, workingWords } from '../run/working.ts'
import type { Terminal } from '../terminal.ts'
import { accountOf, type PlaceOptions } from './options.ts'
import { type Place, type Platform, type Records, reconciliationOf, type Standing, type Started, type StoredAnchors } from './platform.ts'

/** Step Functions answers some twenty looks a second an account; one every two seconds leaves it to others. */
const LOOK_EVERY_MS = 2000

type Watching = { account: Account; terminal: Terminal; signal: AbortSignal }

/** Opens the account that the options name. The AWS SDK is loaded for this and nothing else. */
export async function openAccount(options: Omit<PlaceOptions, 'home'>): Promise<Account> {
  const root = await import('../../functions/aws-account.ts')
  return root.openAccount(accountOf(options))
}

export async function withAccount<T>(
  options: Omit<PlaceOptions, 'home'>,
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
  work: (platform: Platform) => Promise<T>,
): Promise<T> {
  const account = await openAccount(options)
  try {
    return await work(platformOver({ account, terminal, signal }))
  } finally {
    terminal.endProgress()
  }
}

export async function withAccountRecords<T>(options: Omit<PlaceOptions, 'home'>, work: (records: Records) => Promise<T>): Promise<T> {
  const account = await openAccount(options)
  return work({
    ...placeOf(account),
    running: () => running(account),
    trust: account.trust,
    anchors: (projectId) => anchors(account, projectId),
  })
}

/** Looks at the account that the options name, also where it is half deployed; at a spec's secrets by their names alone. */
export async function examineAccountOf(
  options: Omit<PlaceOptions, 'home'>,
  spec: MigrationSpec | null,
): Promise<{ name: string; lines: DoctorLine[] }> {
  const root = await import('../../functions/aws-account.ts')
  const references = spec && { source: spec.source.connection?.secret_ref ?? '', target: spec.target.connection.secret_ref }
  return root.examineAccount(accountOf(options), references)
}

function placeOf({ deployment, ports }: Account): Place {
  return { ports, name: `${deployment.name} in ${deployment.region}`, flags: ' --aws' }
}

function platformOver(watching: Watching): Platform {
  const { account } = watching
  const { ports, executions, outputs } = account
  return {
    ...placeOf(account),
    people: `approval pages at ${outputs.ApprovalsUrl}; links leave by mail from ${outputs.MailFrom}`,
    start: (specText) => start(account, specText),
    takeUp: (projectId) => takeUp(account, projectId),
    finished: (started) => finished(watching, started),
    async reconcile(projectId, night) {
      await ports.projects.get(projectId)
      const { started, input } = reconciliationOf(projectId, ports.clock.now(), night)
      await executions.start('reconcile', started.execution, input)
      return started
    },
    async reconciled({ projectId, execution }) {
      await follow(watching, projectId, { machine: 'reconcile', name: execution })
    },
  }
}

async function find({ ports }: Account, projectId: string): Promise<ProjectRecord | null> {
  return ports.projects.get(projectId).catch((error: unknown) => {
    if (isWaybillError(error) && error.code === 'NOT_FOUND') return null
    throw error
  })
}

/** Two people who start the same spec at once start one execution: its name and its input are made from the spec alone. */
async function start(account: Account, specText: string): Promise<Started> {
  const { executions, ports, deployment } = account
  const projectId = projectIdOf(readSpec(specText).migration_id)
  const [project, { attempt: attempts, newest }] = await Promise.all([find(account, projectId), attemptsOf(account, projectId)])
  const { attempt, runId } = await beginning(ports, specText, {
    place: deployment.name,
    flags: ' --aws',
    projectId,
    project,
    attempts,
    running: newest?.status === 'RUNNING' || newest?.status === 'PENDING_REDRIVE',
  })
  const execution = executionName(projectId, attempt)
  await executions.start('migration', execution, { project_id: projectId, run_id: runId })
  return { projectId, execution }
}

/** How often it was begun, and the newest execution. */
async function attemptsOf({ executions }: Account, projectId: string) {
  let attempt = 0
  let newest: Awaited<ReturnType<typeof executions.describe>> = null
  for (;;) {
    const next = await executions.describe('migration', executionName(projectId, attempt + 1))
    if (next === null) return { attempt, newest }
    newest = next
    attempt += 1
  }
}

/**
 * What runs is followed. A project that recorded its failure begins again as the next attempt: its machine ended in a Fail state, and a
 * redrive would only enter that again. What ended without telling the project is redriven, with the same input; workers ask the barrier
 * again either way.
 */
async function takeUp(account: Account, only?: string): Promise<Started[]> {
  const { ports, executions } = account
  const projects = only === undefined ? (await ports.projects.list()).records : [await ports.projects.get(only)]
  const unfinished = projects.filter((project) => !isEnd(project.state))
  const live = unfinished.length === 0 ? [] : await executions.running()
  const taken: Started[] = []
  for (const { project_id: projectId, state } of unfinished) {
    const runs = live.find((one) => one.machine === 'migration' && one.project_id === projectId)
    if (runs !== undefined) {
      taken.push({ projectId, execution: runs.name, how: 'still running' })
      continue
    }
    const { attempt, newest } = await attemptsOf(account, projectId)
    const again = async (how: string) => {
      const execution = executionName(projectId, attempt + 1)
      await executions.start('migration', execution, { project_id: projectId, run_id: `retry-${attempt}` })
      taken.push({ projectId, execution, how })
    }
    if (state === 'FAILED') await again('begun again where it failed')
    else if (newest !== null && newest.status !== 'RUNNING' && newest.status !== 'SUCCEEDED') {
      if (newest.not_redrivable !== null) await again(`begun again: it cannot be redriven (${newest.not_redrivable})`)
      else {
        await executions.redrive('migration', newest.name)
        taken.push({ projectId, execution: newest.name, how: 'redriven at the state that did not succeed' })
      }
    }
  }
  return taken
}

async function finished(watching: Watching, { projectId, execution }: Started): Promise<ProjectRecord> {
  const ended = await follow(watching, projectId, { machine: 'migration', name: execution })
  const project = await find(watching.account, projectId)
  if (project === null)
    throw new WaybillError(
      'SPEC_INVALID',
      `The project was not created: ${ended.cause ?? ended.error ?? 'see the log'}. Correct the spec and run it again.`,
    )
  if (ended.status === 'ABORTED' || ended.status === 'TIMED_OUT')
    throw new WaybillError(
      'INTERRUPTED',
      `The execution ${execution} ended as ${ended.status} without telling the project, which is ${project.state}. Go on with: waybill resume --aws ${projectId}`,
    )
  return project
}

/** Prints each state as it is entered, also those of executions that this one started, until it ends. Stopping changes nothing in the account. */
async function follow(
  { account: { executions, ports }, terminal, signal }: Watching,
  projectId: string,
  { machine, name }: { machine: 'migration' | 'reconcile'; name: string },
) {
  const seen = new Map<string, number>()
  const asked = questionTeller(ports)
  /** Whether it stands where people are asked, and has not said what: an earlier round, which the history begins with, is over. */
  let asking = false
  const show = async (arn: string) => {
    const { states, last } = await executions.entered(arn, seen.get(arn) ?? 0)
    seen.set(arn, last)
    for (const state of states) terminal.err(`${terminal.paint('cyan', '▸')} ${state}`)
    if (arn === mine && states.length > 0) asking = states.at(-1) === ASKING
  }
  const tellQuestions = async () => {
    // What is asked stands on the page as well: not being able to say it here stops nothing.
    const lines = await asked(projectId).catch(() => [])
    asking = lines === null
    for (const line of lines ?? []) terminal.err(line)
  }
  const mine = executions.arnOf(machine, name)
  let nested = new Set<string>()
  for (;;) {
    const facts = await executions.describe(machine, name)
    if (facts === null) throw new WaybillError('NOT_FOUND', `There is no execution ${name} in this account any more.`)
    await show(mine)
    if (asking) await tellQuestions()
    if (facts.status !== 'RUNNING' && facts.status !== 'PENDING_REDRIVE') return facts
    if (machine === 'migration') {
      const live = (await executions.running()).filter((each) => each.machine === 'reconcile' && each.project_id === projectId)
      // One that ended since is shown once more, with its last states.
      for (const arn of nested.union(new Set(live.map((each) => each.arn)))) await show(arn)
      nested = new Set(live.map((each) => each.arn))
    }
    const working = workingNow(await ports.progress.read(projectId), ports.clock.now())
    if (working.length > 0) terminal.progress(`  ${working.map(workingWords).join(' · ')}`)
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined)
    if (signal.aborted)
      throw new WaybillError(
        'INTERRUPTED',
        `Stopped watching; ${name} goes on in the account. Look again with "waybill status --aws", watch again with "waybill resume --aws ${projectId}".`,
      )
  }
}

/** In the version that was written first: a marker or another version over one hides nothing, and is a fault. What lies deeper is not the log's: see `keysIn`. */
async function anchors(account: Account, projectId: string): Promise<StoredAnchors> {
  const { files, covered } = await account.anchors(projectId)
  const own = <T extends { path: string }>(all: readonly T[]) => all.filter(({ path }) => path !== '' && !path.includes('/'))
  return {
    anchors: own(files).map(({ path, bytes }) => ({ name: path, bytes })),
    faults: own(covered).map(
      ({ path, version_id, what }) => `a ${what} lies over the anchor ${path} (version ${version_id}); nothing of Waybill writes one`,
    ),
  }
}

async function running({ executions }: Account): Promise<Map<string, Standing[]>> {
  const found = new Map<string, Standing[]>()
  for (const { arn, machine, name, project_id, started_at } of await executions.running()) {
    const { states } = await executions.entered(arn, 0)
    const standing = { execution: name, machine, states: states.slice(-1), since: started_at }
    found.set(project_id, [...(found.get(project_id) ?? []), standing])
  }
  return found
}
