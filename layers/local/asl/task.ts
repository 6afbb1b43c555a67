import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Json, TaskState } from './definition.ts'
import type { Frame } from './execution.ts'
import { limited } from './expression.ts'
import { Halted, StateFailed } from './failure.ts'
import type { Run } from './run.ts'
import { evaluateIn } from './scope.ts'

const lambdaArguments = z.strictObject({
  FunctionName: z.string().min(1),
  Payload: z.json().default({}),
  InvocationType: z.literal('RequestResponse').optional(),
})
const environment = z.array(z.strictObject({ Name: z.string(), Value: z.string() })).default([])
const ecsArguments = z.looseObject({
  TaskDefinition: z.string().min(1),
  Overrides: z
    .looseObject({ ContainerOverrides: z.array(z.looseObject({ Name: z.string(), Environment: environment })).length(1) })
    .default({ ContainerOverrides: [{ Name: 'worker', Environment: [] }] }),
})
const nestedArguments = z.strictObject({
  StateMachineArn: z.string().min(1),
  Input: z.json().default({}),
  Name: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,80}$/)
    .optional(),
})

/** The service refuses larger container overrides. */
const OVERRIDES_LIMIT = 8192

/** @returns what `$states.result` is. @throws StateFailed, Halted */
export async function performTask(run: Run, frame: Frame, state: TaskState, signal: AbortSignal): Promise<Json> {
  switch (state.Resource) {
    case 'lambda:invoke':
      return invoke(run, frame, state, signal)
    case 'lambda:invoke.waitForTaskToken':
      return invokeAndWait(run, frame, state, signal)
    case 'ecs:runTask.sync':
      return runWorker(run, frame, state, signal)
    case 'states:startExecution':
      return startExecution(run, frame, state)
    case 'states:startExecution.sync:2':
      return nestExecution(run, frame, state, signal)
  }
}

async function invoke(run: Run, frame: Frame, state: TaskState, signal: AbortSignal): Promise<Json> {
  const { FunctionName, Payload } = await argumentsOf(run, frame, state, lambdaArguments)
  const seconds = await secondsOf(run, frame, state.TimeoutSeconds)
  run.store.begin(run.name, frame)
  const returned = await within(run, seconds, signal, (inner) => call(run, FunctionName, Payload, inner))
  return { ExecutedVersion: '$LATEST', Payload: returned, StatusCode: 200 }
}

/** The function's return value as JSON; nothing returned is null, as in Lambda. */
async function call(run: Run, functionName: string, payload: Json, signal: AbortSignal): Promise<Json> {
  try {
    const returned = await run.platform.invoke(functionName, payload, { signal })
    return JSON.parse(JSON.stringify(returned) ?? 'null')
  } catch (error) {
    const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) }
    throw new StateFailed(name, JSON.stringify({ errorType: name, errorMessage: message }))
  }
}

async function invokeAndWait(run: Run, frame: Frame, state: TaskState, signal: AbortSignal): Promise<Json> {
  const first = run.store.token(run.name, frame)
  // A token's plain text is gone once the invocation returned: then there is nothing to repeat, only to wait for.
  if (!first.invoked && first.token !== null && first.status === 'WAITING') {
    const { FunctionName, Payload } = await argumentsOf(run, frame, state, lambdaArguments, first.token)
    run.store.begin(run.name, frame)
    try {
      await within(run, await secondsOf(run, frame, state.TimeoutSeconds), signal, (inner) => call(run, FunctionName, Payload, inner))
    } catch (error) {
      if (!(error instanceof StateFailed) || run.store.token(run.name, frame).status === 'WAITING') throw error
    }
    if (signal.aborted) throw new Halted()
    run.store.invoked(run.name, frame)
  }
  const timeout = await secondsOf(run, frame, state.TimeoutSeconds)
  const heartbeat = await secondsOf(run, frame, state.HeartbeatSeconds)
  const started = Date.parse(run.store.frame(run.name, frame.frame).started_at)
  for (;;) {
    const token = run.store.token(run.name, frame)
    if (token.status === 'SUCCEEDED') return token.output
    if (token.status === 'FAILED') throw new StateFailed(token.failure.error, token.failure.cause)
    const now = run.time.now().getTime()
    const ends = timeout === null ? Number.POSITIVE_INFINITY : started + timeout * 1000 - now
    const beats = heartbeat === null ? Number.POSITIVE_INFINITY : Date.parse(token.beat_at) + heartbeat * 1000 - now
    const left = Math.min(ends, beats)
    // Commit point of the timeout: whoever completes the task after this finds no token. It may have come in a run that was then interrupted.
    if (token.status === 'EXPIRED' || (left <= 0 && run.store.expire(run.name, frame))) {
      const error = ends <= beats ? 'States.Timeout' : 'States.HeartbeatTimeout'
      throw new StateFailed(error, `${frame.state} waited ${ends <= beats ? timeout : heartbeat} s.`)
    }
    await run.idle(left === Number.POSITIVE_INFINITY ? null : Math.max(left, 0), signal)
    if (signal.aborted) throw new Halted()
  }
}

async function runWorker(run: Run, frame: Frame, state: TaskState, signal: AbortSignal): Promise<Json> {
  const { TaskDefinition, Overrides } = await argumentsOf(run, frame, state, ecsArguments)
  const [container] = Overrides.ContainerOverrides
  const size = Buffer.byteLength(JSON.stringify(Overrides))
  if (size > OVERRIDES_LIMIT)
    throw new StateFailed(
      'ECS.InvalidParameterException',
      `Overrides of ${frame.state} have ${size} bytes; at most ${OVERRIDES_LIMIT} are allowed.`,
    )
  const seconds = await secondsOf(run, frame, state.TimeoutSeconds)
  const env = Object.fromEntries((container?.Environment ?? []).map(({ Name, Value }) => [Name, Value]))
  return run.workerSlot(signal, async () => {
    run.store.begin(run.name, frame)
    await within(run, seconds, signal, async (inner) => {
      try {
        await run.platform.runWorker({ taskDefinition: TaskDefinition, environment: env, signal: inner })
      } catch (error) {
        const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) }
        // As in the service: a task that could not be started has an error of its own, one that failed does not.
        const refused = /^(ECS|AmazonECS)\./.test(name)
        throw new StateFailed(refused ? name : 'States.TaskFailed', JSON.stringify({ error: name, cause: message }))
      }
    })
    return { TaskDefinitionArn: TaskDefinition, LastStatus: 'STOPPED', Containers: [{ Name: container?.Name ?? 'worker', ExitCode: 0 }] }
  })
}

/** Starts an execution and goes on: what becomes of it is its own affair, also when this one is stopped. */
async function startExecution(run: Run, frame: Frame, state: TaskState): Promise<Json> {
  const { StateMachineArn, Input, Name } = await argumentsOf(run, frame, state, nestedArguments)
  // A name of this visit's own: after a crash the same execution is meant.
  const name = Name ?? createHash('sha256').update(`${run.name} ${frame.frame}@${frame.step} `).digest('hex').slice(0, 40)
  run.store.begin(run.name, frame)
  if (!run.launch(StateMachineArn, name, Input))
    throw new StateFailed(
      'StepFunctions.ExecutionAlreadyExistsException',
      `There is another execution named ${name}, or no machine ${StateMachineArn}.`,
    )
  return { ExecutionArn: name, StartDate: Date.parse(run.store.execution(name)!.started_at) }
}

async function nestExecution(run: Run, frame: Frame, state: TaskState, signal: AbortSignal): Promise<Json> {
  const { StateMachineArn, Input, Name } = await argumentsOf(run, frame, state, nestedArguments)
  const timeout = await secondsOf(run, frame, state.TimeoutSeconds)
  const parent = `${run.name} ${frame.frame}@${frame.step} `
  // A name of this visit's own: after a crash the same execution is taken up, and a retry starts another.
  const name = Name ?? createHash('sha256').update(parent).digest('hex').slice(0, 40)
  const known = run.store.execution(name)?.parent === parent
  if (!known) run.store.begin(run.name, frame)
  if (!run.nest(StateMachineArn, name, Input, parent))
    throw new StateFailed(
      'StepFunctions.ExecutionAlreadyExistsException',
      `There is another execution named ${name}, or no machine ${StateMachineArn}.`,
    )
  const started = Date.parse(run.store.frame(run.name, frame.frame).started_at)
  for (;;) {
    const nested = run.store.execution(name)!
    if (nested.status !== 'RUNNING') {
      const shown = {
        ExecutionArn: name,
        Name: name,
        StateMachineArn,
        Status: nested.status,
        Input: nested.input,
        StartDate: Date.parse(nested.started_at),
        StopDate: Date.parse(nested.stopped_at ?? nested.started_at),
      }
      if (nested.status === 'SUCCEEDED') return { ...shown, Output: nested.output }
      const { Input: _, ...facts } = shown
      throw new StateFailed(
        'States.TaskFailed',
        JSON.stringify({ ...facts, Error: nested.failure?.error, Cause: nested.failure?.cause.slice(0, 8000) }),
      )
    }
    const left = timeout === null ? null : started + timeout * 1000 - run.time.now().getTime()
    if (left !== null && left <= 0) throw new StateFailed('States.Timeout', `${frame.state} took longer than ${timeout} s.`)
    await run.idle(left, signal)
    if (signal.aborted) throw new Halted()
  }
}

async function argumentsOf<S extends z.ZodType>(run: Run, frame: Frame, state: TaskState, shape: S, token?: string): Promise<z.infer<S>> {
  const given = await evaluateIn(run, frame, state.Arguments ?? {}, token === undefined ? {} : { token })
  limited(given, `arguments of ${frame.state}`)
  const parsed = shape.safeParse(given)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new StateFailed('States.Runtime', `Arguments of ${frame.state}: ${issue?.path.join('/')}: ${issue?.message}`)
}

async function secondsOf(run: Run, frame: Frame, given: number | string | undefined): Promise<number | null> {
  if (given === undefined) return null
  const seconds = await evaluateIn(run, frame, given)
  if (typeof seconds === 'number' && Number.isInteger(seconds) && seconds > 0) return seconds
  throw new StateFailed('States.QueryEvaluationError', `A timeout of ${frame.state} is not a positive whole number of seconds.`)
}

/**
 * Runs `work` with a signal that aborts when `signal` does or the time is over. After an abort it waits for `work` to end, so that nothing started
 * here goes on unseen, but not longer than `GRACE_MS`.
 */
async function within<T>(run: Run, seconds: number | null, signal: AbortSignal, work: (inner: AbortSignal) => Promise<T>): Promise<T> {
  const over = new AbortController()
  const done = new AbortController()
  const inner = AbortSignal.any([signal, over.signal])
  const working = work(inner)
  const ended = working.then(
    () => undefined,
    () => undefined,
  )
  const timer = seconds === null ? null : run.time.sleep(seconds * 1000, AbortSignal.any([signal, done.signal]))
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true, signal: done.signal })
  })
  try {
    const first = await Promise.race([
      ended.then(() => 'ended'),
      aborted.then(() => 'aborted'),
      ...(timer === null ? [] : [timer.then(() => 'timer')]),
    ])
    if (first === 'ended' && !signal.aborted) return await working
    over.abort()
    await Promise.race([ended, grace()])
    if (signal.aborted) throw new Halted()
    throw new StateFailed('States.Timeout', `The task took longer than ${seconds} s.`)
  } finally {
    done.abort()
    // Lets go of `signal`, which lives as long as the execution.
    over.abort()
  }
}

const GRACE_MS = 15_000

function grace(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, GRACE_MS).unref()
  })
}
