import type { Block, Catcher, ChoiceState, Json, Retrier, State, WaitState } from './definition.ts'
import type { Frame } from './execution.ts'
import { limited } from './expression.ts'
import { Halted, StateFailed, takes } from './failure.ts'
import { performMap } from './map.ts'
import { performParallel } from './parallel.ts'
import type { Run } from './run.ts'
import { type Extra, evaluateIn } from './scope.ts'
import { performTask } from './task.ts'

type Data = { Output?: Json | undefined; Assign?: Record<string, Json> | undefined }

/**
 * Drives one line of execution from where it stands to its end. Every transition is recorded before the next state begins, so calling this
 * again after a crash goes on from the last one.
 * @returns the ended frame, SUCCEEDED or FAILED
 * @throws Halted when `signal` aborts or the execution was stopped
 */
export async function runFrame(run: Run, id: string, block: Block, signal: AbortSignal): Promise<Frame> {
  for (;;) {
    const frame = run.store.frame(run.name, id)
    if (frame.status === 'SUCCEEDED' || frame.status === 'FAILED') return frame
    if (frame.status === 'CANCELLED' || signal.aborted) throw new Halted()
    const state = block.States[frame.state]!
    try {
      if (state.Type !== 'Wait') await pauseUntil(run, frame.pause_until, signal)
      await perform(run, frame, state, signal)
    } catch (error) {
      if (!(error instanceof StateFailed)) throw error
      if (signal.aborted) throw new Halted()
      await recover(run, run.store.frame(run.name, id), state, error)
    }
  }
}

async function perform(run: Run, frame: Frame, state: State, signal: AbortSignal): Promise<void> {
  limited(frame.input, `input of ${frame.state}`)
  switch (state.Type) {
    case 'Task': {
      const result = await performTask(run, frame, state, signal)
      return leave(run, frame, state, state.Next, { result: limited(result, `result of ${frame.state}`) }, result, signal)
    }
    case 'Parallel': {
      const result = await performParallel(run, frame, state, signal, runFrame)
      return leave(run, frame, state, state.Next, { result }, result, signal)
    }
    case 'Map': {
      const result = await performMap(run, frame, state, signal, runFrame)
      return leave(run, frame, state, state.Next, { result }, result, signal)
    }
    case 'Choice': {
      const rule = await chosen(run, frame, state)
      return leave(run, frame, rule, rule.Next, {}, frame.input, signal)
    }
    case 'Wait':
      await wait(run, frame, state, signal)
      return leave(run, run.store.frame(run.name, frame.frame), state, state.Next, {}, frame.input, signal)
    case 'Pass':
      return leave(run, frame, state, state.Next, {}, frame.input, signal)
    case 'Succeed':
      return leave(run, frame, state, undefined, {}, frame.input, signal)
    case 'Fail': {
      const [error, cause] = await Promise.all([state.Error, state.Cause ?? ''].map((text) => evaluateIn(run, frame, text)))
      if (typeof error !== 'string' || typeof cause !== 'string')
        throw new StateFailed('States.QueryEvaluationError', `Error and Cause of ${frame.state} are not text.`)
      throw new StateFailed(error, cause)
    }
  }
}

/** Output and Assign are evaluated on the same values, then both are recorded with the transition. */
async function leave(
  run: Run,
  frame: Frame,
  state: Data,
  next: string | undefined,
  extra: Extra,
  otherwise: Json,
  signal: AbortSignal,
): Promise<void> {
  const [output, assigned] = await Promise.all([
    state.Output === undefined ? otherwise : evaluateIn(run, frame, state.Output, extra),
    evaluateIn(run, frame, state.Assign ?? {}, extra),
  ])
  limited(output, `output of ${frame.state}`)
  limited(assigned, `variables of ${frame.state}`)
  if (signal.aborted) throw new Halted()
  if (next === undefined) run.store.end(run.name, frame, output)
  else run.store.move(run.name, frame, next, output, { ...frame.variables, ...(assigned as Record<string, Json>) })
}

/** Retry first, then Catch; without either, the line of execution fails. */
async function recover(run: Run, frame: Frame, state: State, { failure }: StateFailed): Promise<void> {
  const retriers = 'Retry' in state ? state.Retry : []
  const index = retriers.findIndex((each) => takes(each.ErrorEquals, failure.error))
  const retrier = retriers[index]
  const used = frame.retries[index] ?? 0
  if (retrier !== undefined && used < retrier.MaxAttempts) {
    const retries = retriers.map((_, each) => (frame.retries[each] ?? 0) + (each === index ? 1 : 0))
    const waitMs = delay(retrier, used, run.random)
    run.store.retry(run.name, frame, failure, retries, new Date(run.time.now().getTime() + waitMs))
    const which = { execution: run.name, frame: frame.frame, input: frame.input, state: frame.state }
    return run.onRetry({ ...which, attempt: used + 1, of: retrier.MaxAttempts + 1, waitMs, failure })
  }
  const catcher = 'Catch' in state ? state.Catch.find((each) => takes(each.ErrorEquals, failure.error)) : undefined
  if (catcher === undefined) return run.store.fail(run.name, frame, failure)
  const caught = await handled(run, frame, catcher, { Error: failure.error, Cause: failure.cause })
  if (caught instanceof StateFailed) return run.store.fail(run.name, frame, caught.failure)
  run.store.caught(run.name, frame, failure)
  run.store.move(run.name, frame, catcher.Next, caught.output, { ...frame.variables, ...caught.assigned })
}

/** A Catch whose own expressions fail cannot be caught again. */
async function handled(run: Run, frame: Frame, catcher: Catcher, errorOutput: Json) {
  try {
    const output = catcher.Output === undefined ? errorOutput : await evaluateIn(run, frame, catcher.Output, { errorOutput })
    const assigned = await evaluateIn(run, frame, catcher.Assign ?? {}, { errorOutput })
    return { output: limited(output, `output of ${frame.state}`), assigned: assigned as Record<string, Json> }
  } catch (error) {
    if (error instanceof StateFailed) return error
    throw error
  }
}

/** Milliseconds before attempt `used + 2`. */
function delay(retrier: Retrier, used: number, random: () => number): number {
  const seconds = Math.min(retrier.IntervalSeconds * retrier.BackoffRate ** used, retrier.MaxDelaySeconds ?? Number.MAX_SAFE_INTEGER / 1e6)
  return Math.round(seconds * 1000 * (retrier.JitterStrategy === 'FULL' ? random() : 1))
}

async function chosen(run: Run, frame: Frame, state: ChoiceState): Promise<Data & { Next: string }> {
  for (const rule of state.Choices) {
    const condition = await evaluateIn(run, frame, rule.Condition)
    if (typeof condition !== 'boolean')
      throw new StateFailed('States.QueryEvaluationError', `A Condition of ${frame.state} is neither true nor false.`)
    if (condition) return rule
  }
  if (state.Default === undefined)
    throw new StateFailed('States.NoChoiceMatched', `No rule of ${frame.state} matched, and it has no Default.`)
  return { Next: state.Default, Output: state.Output, Assign: state.Assign }
}

/** The end of the wait is recorded when it begins: a resumed run does not wait anew. */
async function wait(run: Run, frame: Frame, state: WaitState, signal: AbortSignal): Promise<void> {
  let until = frame.pause_until
  if (until === null) {
    const end = await endOf(run, frame, state)
    run.store.pause(run.name, frame, end)
    until = end.toISOString()
  }
  await pauseUntil(run, until, signal)
}

async function endOf(run: Run, frame: Frame, state: WaitState): Promise<Date> {
  if (state.Timestamp !== undefined) {
    const text = await evaluateIn(run, frame, state.Timestamp)
    const end =
      typeof text === 'string' && /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.test(text) ? new Date(text) : null
    if (end === null || Number.isNaN(end.getTime()))
      throw new StateFailed('States.QueryEvaluationError', `Timestamp of ${frame.state} is not an RFC 3339 instant.`)
    return end
  }
  const seconds = await evaluateIn(run, frame, state.Seconds!)
  if (typeof seconds !== 'number' || !Number.isInteger(seconds) || seconds < 0 || seconds > 99_999_999)
    throw new StateFailed('States.QueryEvaluationError', `Seconds of ${frame.state} is not a whole number from 0 to 99999999.`)
  return new Date(run.time.now().getTime() + seconds * 1000)
}

async function pauseUntil(run: Run, until: string | null, signal: AbortSignal): Promise<void> {
  const left = until === null ? 0 : Date.parse(until) - run.time.now().getTime()
  if (left > 0) await run.time.sleep(left, signal)
  if (signal.aborted) throw new Halted()
}
