import type { Json } from './definition.ts'
import type { ExecutionStore } from './execution-store.ts'
import type { Failure } from './failure.ts'
import type { Time } from './time.ts'

/** What the machine's tasks are made of on this platform. */
export type Platform = {
  /** Calls the function a Lambda task names; resolves to its return value. An error's `name` becomes the error name. */
  invoke(functionName: string, payload: Json, context: { signal: AbortSignal }): Promise<unknown>
  /** Runs a worker to its end. `environment` is what the container override says. */
  runWorker(task: { taskDefinition: string; environment: Record<string, string>; signal: AbortSignal }): Promise<void>
  /** Bytes of the JSONL file an ItemReader names, checked against what was stored. */
  readItems(location: { Bucket: string; Key: string; VersionId?: string | undefined }): Promise<Uint8Array>
  /** Stores one file of a ResultWriter; the same file again is no error. */
  writeResults(file: { Bucket: string; Key: string; bytes: Uint8Array; contentType: string }): Promise<void>
}

/**
 * A try that failed and is not the last: `attempt` of at most `of`. The next one begins in `waitMs` milliseconds. `frame`: which line of the
 * execution stands in the state, with what it was given as `input`.
 */
export type Retrying = {
  execution: string
  frame: string
  input: Json
  state: string
  attempt: number
  of: number
  waitMs: number
  failure: Failure
}

/** One execution being driven by this process. */
export type Run = {
  name: string
  machine: string
  input: Json
  started_at: string
  store: ExecutionStore
  platform: Platform
  time: Time
  random: () => number
  /** Told once a retry is recorded; decides nothing. */
  onRetry(retrying: Retrying): void
  /** Limits how many workers run at once on this machine, whatever the machine allows. */
  workerSlot<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>
  /** Resolves after `milliseconds` (null: no end), when something was completed, when it is time to look again, or on abort. */
  idle(milliseconds: number | null, signal: AbortSignal): Promise<void>
  /** Starts, or takes up, an execution nested in this one. @returns false when there is no such machine or the name is taken by another */
  nest(machine: string, name: string, input: Json, parent: string): boolean
  /** Starts an execution of its own. @returns false when there is no such machine or the name is taken otherwise, or by one that has ended */
  launch(machine: string, name: string, input: Json): boolean
}
