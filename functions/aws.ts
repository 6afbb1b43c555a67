/**
 * The composition root over `layers/aws`. A function's `index.ts` is one line over it:
 *
 *   export const handler = taskFunction(createHandler)      // a Task state's Lambda function
 *   export const handler = httpFunction(createHandler)      // approval-page, decide
 *   await workerMain(createHandler)                         // a Fargate worker
 */
import type { HttpRequest, HttpResponse, Ports } from '../layers/core/ports.ts'
import type { WorkerTask } from '../layers/core/schemas/work.ts'

export type TaskEvent = { project_id: string; run_id: string }
export type TaskHandler<E extends TaskEvent> = (event: E) => Promise<unknown>

export declare function taskFunction<D extends Partial<Ports>, E extends TaskEvent>(
  createHandler: (deps: D) => TaskHandler<E>,
): (event: unknown, context: unknown) => Promise<unknown>

export declare function httpFunction<D extends Partial<Ports>>(
  createHandler: (deps: D) => (request: HttpRequest) => Promise<HttpResponse>,
): (event: unknown, context: unknown) => Promise<unknown>

export declare function workerMain<D extends Partial<Ports>>(createHandler: (deps: D) => (task: WorkerTask) => Promise<void>): Promise<void>
