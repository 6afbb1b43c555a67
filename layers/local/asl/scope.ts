import type { Json } from './definition.ts'
import type { Frame } from './execution.ts'
import { evaluate } from './expression.ts'
import type { Run } from './run.ts'

export type Extra = { result?: Json; errorOutput?: Json; token?: string; item?: { Index: number; Value: Json } }

/** Evaluates a template of the frame's state: variables in scope, and `$states` with input, context and what `extra` adds. */
export function evaluateIn(run: Run, frame: Frame, template: Json, extra: Extra = {}): Promise<Json> {
  return evaluate(template, bindings(run, frame, extra))
}

function bindings(run: Run, frame: Frame, { result, errorOutput, token, item = frame.scope.item }: Extra): Record<string, unknown> {
  const own = frame.scope.execution
  const context = {
    Execution: {
      Id: own === undefined ? run.name : `${run.name}/${own.Name}`,
      Name: own?.Name ?? run.name,
      Input: own === undefined ? run.input : own.Input,
      StartTime: run.started_at,
      RedriveCount: 0,
    },
    StateMachine: { Id: run.machine, Name: run.machine },
    State: { Name: frame.state, EnteredTime: frame.entered_at, RetryCount: frame.retries.reduce((sum, count) => sum + count, 0) },
    ...(item === undefined ? {} : { Map: { Item: item } }),
    ...(token === undefined ? {} : { Task: { Token: token } }),
  }
  const states = {
    input: frame.input,
    context,
    ...(result === undefined ? {} : { result }),
    ...(errorOutput === undefined ? {} : { errorOutput }),
  }
  return { ...frame.scope.variables, ...frame.variables, states }
}
