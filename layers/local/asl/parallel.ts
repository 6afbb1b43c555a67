import type { Json, ParallelState } from './definition.ts'
import type { Frame } from './execution.ts'
import { limited } from './expression.ts'
import { fanOut, noneMayFail, outputsOf, type RunFrame } from './fan-out.ts'
import type { Run } from './run.ts'
import { evaluateIn } from './scope.ts'

/** @returns the branches' outputs, in their order */
export async function performParallel(
  run: Run,
  frame: Frame,
  state: ParallelState,
  signal: AbortSignal,
  runFrame: RunFrame,
): Promise<Json> {
  const children = async () => {
    const input =
      state.Arguments === undefined ? frame.input : limited(await evaluateIn(run, frame, state.Arguments), `arguments of ${frame.state}`)
    const variables = { ...frame.scope.variables, ...frame.variables }
    return state.Branches.map((branch) => ({ state: branch.StartAt, input, scope: { ...frame.scope, variables }, weight: 1 }))
  }
  const plan = { children, block: (index: number) => state.Branches[index]!, concurrency: 0, onFailed: noneMayFail }
  return limited(outputsOf(await fanOut(run, frame, plan, signal, runFrame)), `result of ${frame.state}`)
}
