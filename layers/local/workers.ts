import type { Workers } from '../core/ports.ts'
import type { WorkerTask } from '../core/schemas/work.ts'

export type LocalWorkers = Workers & {
  /** Runs a worker under a signal that aborts when `signal` does or `stop` asks for it; known as running until `work` ends. */
  run(task: Pick<WorkerTask, 'project_id' | 'run_id'>, signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void>
}

/** The worker processes that this process started. Those of a process that died have died with it. */
export function localWorkers(): LocalWorkers {
  const all = new Map<string, { project_id: string; run_id: string; stopping: AbortController }>()
  let started = 0
  return {
    async run({ project_id, run_id }, signal, work) {
      const stopping = new AbortController()
      const id = `worker-${++started}`
      all.set(id, { project_id, run_id, stopping })
      try {
        await work(AbortSignal.any([signal, stopping.signal]))
      } finally {
        all.delete(id)
      }
    },
    async running(projectId, runId) {
      return [...all].filter(([, { project_id, run_id }]) => project_id === projectId && run_id === runId).map(([id]) => id)
    },
    async stop(worker) {
      all.get(worker)?.stopping.abort()
    },
  }
}
