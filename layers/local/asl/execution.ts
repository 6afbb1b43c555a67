import type { Json } from './definition.ts'
import type { Failure } from './failure.ts'

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED'
export type Execution = {
  name: string
  machine: string
  status: ExecutionStatus
  input: Json
  output: Json | null
  failure: Failure | null
  started_at: string
  stopped_at: string | null
}

/** What a line of execution carries besides its state: variables of enclosing blocks, the Map item, and its own identity in a distributed Map. */
export type Scope = { variables: Record<string, Json>; item?: { Index: number; Value: Json }; execution?: { Name: string; Input: Json } }

/** One line of execution: `root`, or `<parent>/<step>.<index>` for a branch or an item. */
export type Frame = {
  frame: string
  step: number
  state: string
  input: Json
  variables: Record<string, Json>
  scope: Scope
  entered_at: string
  started_at: string
  retries: number[]
  pause_until: string | null
  size: number | null
  /** Items this line stands for, when a failure is counted. */
  weight: number
  status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED'
  output: Json | null
  failure: Failure | null
}
export type Child = { state: string; input: Json; scope: Scope; weight: number }

export type Token = {
  token: string | null
  status: 'WAITING' | 'SUCCEEDED' | 'FAILED' | 'EXPIRED'
  invoked: boolean
  beat_at: string
  output: Json
  failure: Failure
}
/** States and errors, never payloads: a history is shown to people and logged. */
export type ExecutionEvent = { at: string; type: string; frame: string; state: string | null; detail: string | null }
