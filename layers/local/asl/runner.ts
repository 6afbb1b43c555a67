import type { DatabaseSync } from 'node:sqlite'
import { canonicalJson } from '../../core/canonical-json.ts'
import { WaybillError } from '../../core/errors.ts'
import type { TaskTokens } from '../../core/ports.ts'
import type { Json } from './definition.ts'
import type { Execution, ExecutionEvent } from './execution.ts'
import { executionStore } from './execution-store.ts'
import { PAYLOAD_LIMIT } from './expression.ts'
import { Halted } from './failure.ts'
import { runFrame } from './frame.ts'
import { load, type Machine } from './load.ts'
import { tryLock } from './lock.ts'
import type { Platform, Retrying, Run } from './run.ts'
import { slots } from './slots.ts'
import { sqliteTaskTokens } from './task-tokens.ts'
import { systemTime, type Time } from './time.ts'

export type Description = Execution & {
  /** Where the execution stands now: one line for the root and each unfinished branch or item. */
  standing: { frame: string; state: string; entered_at: string; items: number | null }[]
}

export type Runner = {
  /**
   * Records a new execution and begins it. The same name, machine and input while it is running is the same execution.
   * @throws ALREADY_EXISTS for a name taken otherwise or ended, TOO_LARGE, BAD_INPUT, NOT_FOUND for no such machine
   */
  start(machine: string, name: string, input: unknown): Promise<Description>
  /** Takes up every running execution that no other process drives. @returns their names */
  resume(): Promise<string[]>
  /** The execution once it has ended. @throws INTERRUPTED when the runner was stopped before */
  wait(name: string): Promise<Description>
  /** @throws NOT_FOUND */
  describe(name: string): Description
  history(name: string): ExecutionEvent[]
  list(): string[]
  /** Ends a running execution as ABORTED, and what it started; also one driven by another process. @throws NOT_FOUND when none is running */
  stop(name: string, error: string, cause: string): Promise<void>
  /**
   * Begins an execution that ended badly again, at the state that did not succeed and with the same input. Its time limit starts anew.
   * @throws NOT_FOUND, CONFLICT for one that is running or succeeded
   */
  redrive(name: string): Promise<Description>
  /** Resolves when nothing of this runner is working any more; abort the signal first. */
  settled(): Promise<void>
} & TaskTokens & { heartbeat(token: string): Promise<void> }

export type RunnerOptions = {
  db: DatabaseSync
  /** Folder for the locks of executions. */
  locks: string
  /** By the name a nested execution calls them, which is what `StateMachineArn` becomes after substitution. */
  machines: Readonly<Record<string, Machine>>
  platform: Platform
  /** Stops the runner: workers get SIGTERM, everything recorded stays, `resume` goes on. */
  signal: AbortSignal
  /** Workers at once on this machine, whatever MaxConcurrency says. */
  workers: number
  time?: Time
  random?: () => number
  /** What is tried again, and why. */
  onRetry?: (retrying: Retrying) => void
  /** How often to look for what another process did, in real milliseconds. */
  pollMs?: number
}

/** Executions that have not ended, as recorded; no runner is needed to read them. */
export function runningExecutions(db: DatabaseSync): Description[] {
  const store = executionStore(db, systemTime.now)
  return store.running().flatMap((name) => {
    const execution = store.execution(name)
    if (execution === null) return []
    const { parent: _, ...shown } = execution
    return [{ ...shown, standing: store.live(name) }]
  })
}

export function createRunner(options: RunnerOptions): Runner {
  const {
    db,
    locks,
    machines,
    platform,
    signal,
    workers,
    time = systemTime,
    random = Math.random,
    pollMs = 250,
    onRetry = () => {},
  } = options
  const now = () => time.now()
  const store = executionStore(db, now)
  const workerSlot = slots(workers)
  const active = new Map<string, Promise<void>>()
  const faults = new Map<string, unknown>()
  const sleepers = new Set<() => void>()
  const wake = () => {
    for (const sleeper of [...sleepers]) sleeper()
  }
  const tokens = sqliteTaskTokens({ db, now, onCompleted: wake })

  const idle = async (milliseconds: number | null, until: AbortSignal): Promise<void> => {
    const over = new AbortController()
    const inner = AbortSignal.any([until, over.signal])
    const woken = new Promise<void>((resolve) => {
      const done = () => {
        sleepers.delete(done)
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(done, pollMs)
      sleepers.add(done)
      if (inner.aborted) done()
      else inner.addEventListener('abort', done, { once: true })
    })
    await Promise.race(milliseconds === null ? [woken] : [woken, time.sleep(milliseconds, inner)])
    over.abort()
  }

  const begin = (name: string): Promise<void> => {
    const known = active.get(name)
    if (known !== undefined) return known
    const release = signal.aborted ? null : tryLock(locks, name)
    if (release === null) return Promise.resolve()
    faults.delete(name)
    const driving = drive(name).finally(() => {
      release()
      active.delete(name)
      wake()
    })
    active.set(name, driving)
    // Whoever waits for this execution is told; a rejection nobody waits for yet must not end the process.
    driving.catch((error) => faults.set(name, error))
    return driving
  }

  const drive = async (name: string): Promise<void> => {
    const execution = store.execution(name)
    if (execution?.status !== 'RUNNING') return
    const { definition } = load(store.definition(name), {})
    const ended = new AbortController()
    const inner = AbortSignal.any([signal, ended.signal])
    const look = setInterval(() => {
      if (store.status(name) !== 'RUNNING') ended.abort()
    }, pollMs)
    if (definition.TimeoutSeconds !== undefined) {
      const left = Date.parse(execution.started_at) + definition.TimeoutSeconds * 1000 - time.now().getTime()
      const over = () => {
        if (inner.aborted) return
        store.finish(name, 'TIMED_OUT', {
          error: 'States.Timeout',
          cause: `The execution took longer than ${definition.TimeoutSeconds} s.`,
        })
        ended.abort()
      }
      if (left <= 0) over()
      else void time.sleep(left, inner).then(over)
    }
    const { machine, input, started_at } = execution
    const run: Run = { name, machine, input, started_at, store, platform, time, random, workerSlot, idle, nest, launch, onRetry }
    try {
      await runFrame(run, 'root', definition, inner)
    } catch (error) {
      if (!(error instanceof Halted)) throw error
    } finally {
      clearInterval(look)
      ended.abort()
    }
  }

  const nest: Run['nest'] = (machine, name, input, parent) => {
    const loaded = Object.hasOwn(machines, machine) ? machines[machine] : undefined
    const before = store.execution(name)
    if (before === null) {
      if (loaded === undefined || !store.create(name, machine, loaded, input, parent)) return false
    } else if (before.parent !== parent) {
      // As in the service: a name of one's own choosing is the same execution only while it runs, with the same input.
      if (before.status !== 'RUNNING' || before.machine !== machine || canonicalJson(before.input) !== canonicalJson(input)) return false
    }
    void begin(name).catch(() => undefined)
    return true
  }

  const launch: Run['launch'] = (machine, name, input) => {
    const loaded = Object.hasOwn(machines, machine) ? machines[machine] : undefined
    if (loaded === undefined) return false
    if (!store.create(name, machine, loaded, input, null)) {
      const before = store.execution(name)
      if (before?.status !== 'RUNNING' || before.machine !== machine || canonicalJson(before.input) !== canonicalJson(input)) return false
    }
    void begin(name).catch(() => undefined)
    return true
  }

  const describe = (name: string): Description => {
    const execution = store.execution(name)
    if (execution === null) throw new WaybillError('NOT_FOUND', `There is no execution ${name} in this home.`)
    const { parent: _, ...shown } = execution
    return { ...shown, standing: store.live(name) }
  }

  return {
    async start(machine, name, given) {
      const loaded = Object.hasOwn(machines, machine) ? machines[machine] : undefined
      if (loaded === undefined) throw new WaybillError('NOT_FOUND', `There is no state machine ${machine}.`)
      if (!/^[A-Za-z0-9_-]{1,80}$/.test(name))
        throw new WaybillError('BAD_INPUT', 'The name of an execution is made of at most 80 letters, digits, "-" and "_".')
      const text = JSON.stringify(given)
      if (text === undefined) throw new WaybillError('BAD_INPUT', 'The input of an execution is a JSON value.')
      if (Buffer.byteLength(text) > PAYLOAD_LIMIT)
        throw new WaybillError('TOO_LARGE', `The input of an execution has at most ${PAYLOAD_LIMIT} bytes.`)
      const input = JSON.parse(text) as Json
      if (!store.create(name, machine, loaded, input, null)) {
        const before = describe(name)
        if (before.status !== 'RUNNING' || before.machine !== machine || canonicalJson(before.input) !== canonicalJson(input))
          throw new WaybillError('ALREADY_EXISTS', `There is an execution ${name} already (${before.status}). Choose another name.`)
      }
      void begin(name).catch(() => undefined)
      return describe(name)
    },

    async resume() {
      const taken = store.running().filter((name) => {
        void begin(name).catch(() => undefined)
        return active.has(name)
      })
      return taken
    },

    async wait(name) {
      for (;;) {
        const found = describe(name)
        if (found.status !== 'RUNNING') return found
        if (faults.has(name)) throw faults.get(name)
        if (signal.aborted) {
          await active.get(name)?.catch(() => undefined)
          throw new WaybillError(
            'INTERRUPTED',
            `The run was stopped in ${found.standing.map((each) => each.state).join(', ')}; resume goes on from there.`,
          )
        }
        await idle(null, signal)
      }
    },

    describe,
    history: (name) => {
      describe(name)
      return store.history(name)
    },
    list: () => store.running(),

    async stop(name, error, cause) {
      describe(name)
      if (!store.finish(name, 'ABORTED', { error: error.slice(0, 256), cause: cause.slice(0, 32_768) }))
        throw new WaybillError('NOT_FOUND', `The execution ${name} has ended already.`)
      wake()
    },

    async redrive(name) {
      const { status } = describe(name)
      // Whoever drove it to its end must have let go.
      if (status !== 'RUNNING') await active.get(name)?.catch(() => undefined)
      if (!store.redrive(name))
        throw new WaybillError('CONFLICT', `The execution ${name} is ${status}; only what ended badly begins again.`)
      void begin(name).catch(() => undefined)
      return describe(name)
    },

    async settled() {
      while (active.size > 0) await Promise.allSettled([...active.values()])
    },

    ...tokens,
  }
}
