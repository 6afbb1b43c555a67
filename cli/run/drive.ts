import { type LocalPlatform, openLocal } from '../../functions/local.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { EXIT, type Terminal } from '../terminal.ts'
import { showProgress } from './progress.ts'
import { questionTeller } from './questions.ts'
import type { ProofStatus } from './summary.ts'

export type DriveOptions = {
  home: string
  env: Readonly<Record<string, string | undefined>>
  terminal: Terminal
  workers: number
  /** False where nothing waits for people: then another process may serve the approval pages of this home. */
  pages?: boolean
  signal: AbortSignal
  /** Called before a worker starts; the worker waits for it. */
  beforeWorker?: (worker: string, runId: string) => Promise<void>
}

/** Opens the home, lets `work` use it, and closes it whatever happens. Interrupting keeps every state for `resume`. */
export async function withPlatform<T>(
  options: DriveOptions,
  work: (platform: LocalPlatform, stop: AbortController) => Promise<T>,
): Promise<T> {
  const stop = new AbortController()
  let platform: LocalPlatform | null = null
  let asked: ReturnType<typeof questionTeller> = async () => null
  const progress = showProgress(
    options.terminal,
    () => platform,
    (projectId) => asked(projectId),
  )
  try {
    platform = await openLocal({
      home: options.home,
      env: options.env,
      workers: options.workers,
      pages: options.pages,
      signal: AbortSignal.any([options.signal, stop.signal]),
      beforeWorker: options.beforeWorker ?? (async () => {}),
      onProgress: progress.worker,
      onRetry: progress.retry,
      onLog: (line) => {
        if (options.env.WAYBILL_TRACE === '1') options.terminal.err(line)
      },
    })
    asked = questionTeller(platform.ports)
    return await work(platform, stop)
  } finally {
    progress.stop()
    stop.abort()
    await platform?.close()
  }
}

/** Name of the newest execution of a project; a project that failed is taken up again under the next number. */
export const executionName = (projectId: string, attempt: number) => `${projectId}-${attempt}`

/** Waits for an execution to end; a waiting state is announced once, so that a person knows who is being waited for. */
export async function waitForEnd(platform: LocalPlatform, execution: string): Promise<void> {
  const ended = await platform.runner.wait(execution)
  if (ended.status === 'ABORTED') throw new WaybillError('INTERRUPTED', `The execution ${execution} was stopped.`)
}

/**
 * Proven is 0; differing, rejected or rolled back is 1, also where something else failed behind a proof that fails; anything that could not be
 * decided is 2. `proof`: whether it stands now.
 */
export function exitCodeOf(project: ProjectRecord, proof: ProofStatus | null): number {
  if (project.state === 'EVIDENCE_COMPLETE') return proof === 'VALID' ? EXIT.pass : proof === 'INCONCLUSIVE' ? EXIT.undecided : EXIT.fail
  if (project.state === 'REJECTED' || project.state === 'ROLLED_BACK') return EXIT.fail
  return project.state === 'FAILED' && proof === 'INVALID' ? EXIT.fail : EXIT.undecided
}
