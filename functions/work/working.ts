import { z } from 'zod'
import { canonicalBytes } from '../../layers/core/canonical-json.ts'
import { isWaybillError, WaybillError, wholeMessage } from '../../layers/core/errors.ts'
import { JSON_TYPE, keysIn, retainUntil, type StoringDeps } from '../../layers/core/flow/storing.ts'
import type { Worker } from '../../layers/core/names.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { instant, slug } from '../../layers/core/schemas/common.ts'
import { type WorkerTask, workerTask } from '../../layers/core/schemas/work.ts'
import type { BarrierDeps } from './authorisation.ts'
import { reporting } from './reporting.ts'

export type WorkerDeps = BarrierDeps & StoringDeps & Pick<Ports, 'connectors' | 'secrets' | 'keys' | 'log' | 'progress'>

/** What the process around a worker gives it: when to stop, and where progress goes. */
export type WorkContext = { signal: AbortSignal; progress(progress: Readonly<Record<string, string>>): void }

const DEFAULT_CONTEXT: WorkContext = {
  signal: new AbortController().signal,
  progress: (progress) => process.stdout.write(`${JSON.stringify({ progress })}\n`),
}

/** One attempt of a worker that failed: how RecordExecution counts retries, and how RecordFailure learns the reason. */
export const workFailure = z.strictObject({
  schema: z.literal('waybill/work-failure/v1'),
  worker: slug,
  ids: z.array(slug),
  error: z.string().max(64),
  reason: z.string().max(2000),
  at: instant,
})
export type WorkFailure = z.infer<typeof workFailure>

/** `projects/<id>/work/run.<run>/<worker>/<part>.json` */
export function workKey(projectId: string, runId: string, worker: Worker, part: string, extension = 'json'): string {
  return `${runFolder(projectId, runId)}/${worker}/${part}.${extension}`
}

export function failuresPrefix(projectId: string, runId: string): string {
  return `${runFolder(projectId, runId)}/failures/`
}

/**
 * Threat: a right to write is a pattern such as `projects/*` and the name of a document between slashes, and its star spans slashes. A run that is called like a document
 * would lay its results where that pattern reaches.
 */
function runFolder(projectId: string, runId: string): string {
  return `projects/${projectId}/work/run.${runId}`
}

type Act<D> = (deps: D, task: WorkerTask, context: WorkContext) => Promise<void>

/**
 * The frame of every worker: reads the task, does the work, says how far it is, records a failed attempt.
 * The handler's second argument is the process's signal and progress line; without it, progress goes to stdout.
 */
export function worker<D extends WorkerDeps>(name: Worker, act: Act<D>) {
  return (deps: D) =>
    async (input: WorkerTask, context: WorkContext = DEFAULT_CONTEXT): Promise<void> => {
      const parsed = workerTask.safeParse(input)
      if (!parsed.success || parsed.data.worker !== name) throw new WaybillError('BAD_INPUT', `This is no task for the worker ${name}.`)
      const task = parsed.data
      const { note: heard, end } = reporting(deps, task)
      const progress = (said: Readonly<Record<string, string>>) => {
        heard(said)
        context.progress(said)
      }
      try {
        context.signal.throwIfAborted()
        await act(deps, task, { ...context, progress })
        await end('done')
      } catch (error) {
        await end('failed')
        const failure =
          context.signal.aborted && !isWaybillError(error)
            ? new WaybillError('INTERRUPTED', 'The worker was asked to stop.', { cause: error })
            : error
        await note(deps, task, failure).catch(() => deps.log.warn('a failed attempt could not be recorded', { worker: name }))
        throw failure
      }
    }
}

async function note(deps: StoringDeps, task: WorkerTask, error: unknown): Promise<void> {
  const failure: WorkFailure = {
    schema: 'waybill/work-failure/v1',
    worker: task.worker,
    ids: task.ids,
    error: isWaybillError(error) ? error.code : 'UNEXPECTED',
    // Only our own sentences: another library's message may quote a row or an address.
    reason: isWaybillError(error) ? wholeMessage(error).slice(0, 2000) : 'A fault in Waybill or one of its parts; the log has the rest.',
    at: deps.clock.now().toISOString(),
  }
  const prefix = failuresPrefix(task.project_id, task.run_id)
  const seen = (await keysIn(deps.artifacts, prefix)).length
  const key = `${prefix}${String(seen + 1).padStart(6, '0')}-${task.worker}-${(task.ids[0] ?? 'plan').slice(0, 60)}.json`
  await deps.artifacts.put(key, canonicalBytes(failure), { contentType: JSON_TYPE, retainUntil: retainUntil(deps) })
}

/** Ids of a task must be in the list the project holds, and the list must be the project's own. @throws PLAN_NOT_AUTHORISED */
export async function itemsOf<S extends z.ZodType<{ table_id: string }>>(
  deps: Pick<Ports, 'artifacts' | 'projects'>,
  task: WorkerTask,
  listName: string,
  schema: S,
  idOf: (item: z.infer<S>) => string,
): Promise<z.infer<S>[]> {
  const project = await deps.projects.get(task.project_id)
  const own = Object.hasOwn(project.artifacts, listName) ? project.artifacts[listName] : undefined
  if (own === undefined || task.items === null || own.sha256 !== task.items.sha256 || own.uri !== task.items.uri) {
    throw new WaybillError('PLAN_NOT_AUTHORISED', `nothing was done, because the work list given is not the project's own (${listName})`)
  }
  const items = readLines(await deps.artifacts.get(own), schema)
  const byId = new Map(items.map((item) => [idOf(item), item]))
  return task.ids.map((id) => {
    const item = byId.get(id)
    if (item === undefined)
      throw new WaybillError('PLAN_NOT_AUTHORISED', `nothing was done, because ${id} is not in the project's work list`)
    return item
  })
}

/** @throws EVIDENCE_INVALID */
export function readLines<S extends z.ZodType>(bytes: Uint8Array, schema: S): z.infer<S>[] {
  const lines = Buffer.from(bytes)
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
  return lines.map((line, at) => {
    const parsed = schema.safeParse(JSON.parse(line))
    if (!parsed.success) throw new WaybillError('EVIDENCE_INVALID', `Line ${at + 1} of the work list is not what it must be.`)
    return parsed.data
  })
}
