import type { Block, Json } from './definition.ts'
import type { Child, Frame } from './execution.ts'
import { Halted, StateFailed } from './failure.ts'
import type { Run } from './run.ts'

export type RunFrame = (run: Run, id: string, block: Block, signal: AbortSignal) => Promise<Frame>

/** What became of the items, in their order. Failed ones are there only as far as they were tolerated. */
export type FanOut = {
  /** Made once: a resumed run takes up the recorded ones. */
  children: () => Promise<Child[]>
  block: (index: number) => Block
  /** Lines at once; 0 is no limit. */
  concurrency: number
  /** Called with every failed line; throws StateFailed when that is one too many. */
  onFailed: (frame: Frame, all: () => readonly Frame[]) => void
}

/** Runs branches or items, each a line of execution of its own, and waits for all. One failure too many stops the others. */
export async function fanOut(run: Run, parent: Frame, plan: FanOut, signal: AbortSignal, runFrame: RunFrame): Promise<Frame[]> {
  if (parent.size === null) run.store.spread(run.name, parent, await plan.children())
  const size = run.store.frame(run.name, parent.frame).size ?? 0
  const idOf = (index: number) => `${parent.frame}/${parent.step}.${index}`
  const read = () => Array.from({ length: size }, (_, index) => run.store.frame(run.name, idOf(index)))

  const before = read()
  for (const frame of before) if (frame.status === 'FAILED') plan.onFailed(frame, read)
  const open = before.flatMap((frame, index) => (frame.status === 'RUNNING' ? [index] : []))

  const stop = new AbortController()
  const inner = AbortSignal.any([signal, stop.signal])
  let trouble: unknown
  const lane = async () => {
    for (let index = open.shift(); index !== undefined && !inner.aborted; index = open.shift()) {
      try {
        const frame = await runFrame(run, idOf(index), plan.block(index), inner)
        if (frame.status === 'FAILED') plan.onFailed(frame, read)
      } catch (error) {
        if (trouble === undefined || trouble instanceof Halted) trouble = error
        stop.abort()
      }
    }
  }
  const lanes = plan.concurrency === 0 ? open.length : Math.min(plan.concurrency, open.length)
  await Promise.all(Array.from({ length: lanes }, lane))
  if (signal.aborted) throw new Halted()
  if (trouble !== undefined) throw trouble
  return read()
}

/** A branch or inline item that fails takes its state with it. */
export function noneMayFail(frame: Frame): void {
  const { error, cause } = frame.failure ?? { error: 'States.TaskFailed', cause: '' }
  throw new StateFailed(error, cause)
}

export function outputsOf(frames: readonly Frame[]): Json[] {
  return frames.filter((frame) => frame.status === 'SUCCEEDED').map((frame) => frame.output)
}
