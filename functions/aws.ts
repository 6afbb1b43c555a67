/**
 * The composition root over `layers/aws`. A function's `index.ts` is one line over it:
 *
 *   export const handler = taskFunction(createHandler)      // a Task state's Lambda function
 *   export const handler = httpFunction(createHandler)      // approval-page, decide
 *   await workerMain(createHandler)                         // a Fargate worker
 *
 * `createHandler` names the ports it needs in the type of its `deps`; ports are made when first read, so a function never makes
 * a client for what it has no permission for.
 */
import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import { Tracer } from '@aws-lambda-powertools/tracer'
import { captureLambdaHandler } from '@aws-lambda-powertools/tracer/middleware'
import middy, { type MiddlewareObj } from '@middy/core'
import type { Context } from 'aws-lambda'
import { z } from 'zod'
import { keepSayingAlive } from '../layers/aws/alive.ts'
import { databaseToken, IAM_PASSWORD } from '../layers/aws/database-token.ts'
import { outwardError, placesOf } from '../layers/aws/failure.ts'
import { httpRequestOf, httpResultOf } from '../layers/aws/http-event.ts'
import { awsPolicyInForce, refusalUnder } from '../layers/aws/policy-in-force.ts'
import { awsPorts, awsTrust, variable } from '../layers/aws/ports.ts'
import { connectors } from '../layers/connectors/index.ts'
import { makePasswordsBy } from '../layers/connectors/postgres/passwords.ts'
import { isWaybillError, WaybillError } from '../layers/core/errors.ts'
import { METRIC_NAMESPACE } from '../layers/core/names.ts'
import type { HttpRequest, HttpResponse, Log, Ports } from '../layers/core/ports.ts'
import { defaultPolicy } from '../layers/core/rulebooks.ts'
import { slug } from '../layers/core/schemas/common.ts'
import { type WorkerTask, workerTask } from '../layers/core/schemas/work.ts'
import { openIdSignIn } from './work/open-id-sign-in.ts'

export type TaskEvent = { project_id: string; run_id: string }

/** What every Task state passes; a handler checks the fields it adds. Nothing of an event is ever logged beyond these two. */
const taskEvent = z.looseObject({ project_id: slug, run_id: slug })

makePasswordsBy(IAM_PASSWORD, databaseToken)

type LambdaHandler = (event: unknown, context: Context) => Promise<unknown>

/** A Lambda function behind a Task state. A failure's error name is its Waybill code. */
export function taskFunction<E extends TaskEvent>(createHandler: (deps: Ports) => (event: E) => Promise<unknown>): LambdaHandler {
  const logger = new Logger({ serviceName: 'waybill' })
  const handler = afterPorts(logOf(logger), createHandler)
  return wrapped(logger)
    .around.before(({ event }) => {
      const { project_id, run_id } = taskEvent.parse(event)
      logger.appendKeys({ project_id, run_id })
    })
    .handler(async (event: unknown) => (await handler())(event as E)) as unknown as LambdaHandler
}

/**
 * A Lambda function behind the HTTP API (payload format 2.0). An unexpected failure is an empty page with status 500. A page with status 500
 * or more is no error to Lambda, so it is counted here, whoever made it.
 * @param schedulePath what a schedule asks for: no person reads that page, and a failure there is one to Lambda too, which tries again and rings
 */
export function httpFunction(
  createHandler: (deps: Ports) => (request: HttpRequest) => Promise<HttpResponse>,
  schedulePath?: string,
): LambdaHandler {
  const logger = new Logger({ serviceName: 'waybill' })
  const handler = afterPorts(logOf(logger), createHandler)
  const { around, countFailure } = wrapped(logger)
  return around
    .after(({ response }) => {
      if ((response as ReturnType<typeof httpResultOf>).statusCode >= 500) countFailure()
    })
    .onError((request) => {
      if (schedulePath !== undefined && (request.event as { rawPath?: unknown } | null)?.rawPath === schedulePath) return
      request.response = httpResultOf({
        status: 500,
        headers: { 'content-type': 'text/plain; charset=utf-8' },
        body: 'Something went wrong. Nothing was changed.\n',
      })
    })
    .handler(async (event: unknown) => httpResultOf(await (await handler())(httpRequestOf(event)))) as unknown as LambdaHandler
}

/** What a worker's process gives it: when to stop, and where its progress goes. */
type Process = { signal: AbortSignal; progress(progress: Readonly<Record<string, string>>): void }

/** From SIGTERM until the process ends by itself; the task definition has the container killed after 30 seconds. */
const LAST_MS = 25_000

/**
 * A container's whole life: one task from WAYBILL_TASK, then exit 0, or exit 1 with `{"error","cause"}` as the last line of stderr.
 * SIGTERM (a stopped task, a Spot instance taken away) rolls back what is not committed; the next attempt does it again, and nothing else.
 */
export async function workerMain(createHandler: (deps: Ports) => (task: WorkerTask, process: Process) => Promise<void>): Promise<void> {
  const logger = new Logger({ serviceName: 'waybill' })
  const log = logOf(logger)
  const stop = new AbortController()
  const stopped = new WaybillError('INTERRUPTED', 'The task was stopped before it was done. It is safe to run it again.')
  process.on('SIGTERM', () => {
    stop.abort(stopped)
    setTimeout(() => lastWords(stopped), LAST_MS).unref()
  })
  keepSayingAlive()
  try {
    const task = workerTask.parse(JSON.parse(variable(process.env, 'WAYBILL_TASK')))
    logger.appendKeys({ project_id: task.project_id, run_id: task.run_id, worker: task.worker })
    const handler = await afterPorts(log, createHandler)()
    // The worker looks at its signal before anything else, and records why it did nothing.
    const refusal = await awsPolicyInForce(process.env).then((inForce) => refusalUnder(inForce, defaultPolicy), asError)
    if (refusal !== null) stop.abort(refusal)
    await handler(task, { signal: stop.signal, progress: (progress) => log.info('progress', { progress }) })
    process.exit(0)
  } catch (error) {
    const outward = outwardError(error)
    if (!isWaybillError(error)) log.error('Unexpected failure', { name: outward.name, places: placesOf(error) })
    lastWords(outward)
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))

/** Ends the process with why, as its last line on stderr. */
function lastWords({ name, message }: Error): void {
  process.stderr.write(`${JSON.stringify({ error: name, cause: message })}\n`, () => process.exit(1))
}

/** Logger, tracer and metrics around a handler. The tracer comes first so that its onError runs last, after the message was made safe. */
function wrapped(logger: Logger) {
  const tracer = new Tracer({ serviceName: 'waybill' })
  // Under the function's own name: what an HTTP function turns into a page with status 500 is no error to Lambda, and its alarm must ring.
  const metrics = new Metrics({
    namespace: METRIC_NAMESPACE,
    serviceName: process.env.POWERTOOLS_SERVICE_NAME ?? 'waybill',
    defaultDimensions: { stage: process.env.WAYBILL_STAGE ?? 'none' },
  })
  const countFailure = () => metrics.addMetric('Failures', MetricUnit.Count, 1)
  const around = middy()
    .use(captureLambdaHandler(tracer, { captureResponse: false }))
    .use(published(metrics))
    .use({
      before: ({ context }) => logger.addContext(context),
      after: () => logger.resetKeys(),
      onError: (request) => {
        const outward = outwardError(request.error)
        countFailure()
        logger.error(outward.message, {
          code: outward.name,
          ...(isWaybillError(outward) ? { details: outward.details } : { places: placesOf(request.error) }),
        })
        logger.resetKeys()
        request.error = outward
      },
    })
  return { around, countFailure }
}

/** A container’s first start, and what one invocation measured; one that measured nothing writes nothing. */
function published(metrics: Metrics): MiddlewareObj<unknown, unknown, Error, Context> {
  const publish = () => {
    if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics()
  }
  return { before: ({ context }) => metrics.captureColdStartMetric(context.functionName), after: publish, onError: publish }
}

/** Makes the handler at the first call, not at import, and again after a failure to make it. */
function afterPorts<H>(log: Log, createHandler: (deps: Ports) => H): () => Promise<H> {
  let made: Promise<H> | undefined
  return () => {
    made ??= awsTrust(process.env)
      .then((trust) => createHandler(awsPorts(process.env, { connectors, policy: defaultPolicy, signIn: signInOf(), log, trust })))
      .catch((error) => {
        made = undefined
        throw error
      })
    return made
  }
}

/** A public client: PKCE stands in for a secret, so there is none to keep. */
function signInOf(): Ports['signIn'] {
  return openIdSignIn({ issuer: process.env.WAYBILL_OIDC_ISSUER, clientId: process.env.WAYBILL_OIDC_CLIENT_ID, clientSecret: undefined })
}

/** Metrics leave as lines of the log, which CloudWatch reads (embedded metric format): no call that could fail, and no permission. */
function logOf(logger: Logger): Log {
  const metrics = new Metrics({
    namespace: METRIC_NAMESPACE,
    serviceName: 'waybill',
    defaultDimensions: { stage: process.env.WAYBILL_STAGE ?? 'none' },
  })
  return {
    info(message, { metrics: measured, ...fields } = {}) {
      logger.info(message, fields)
      if (typeof measured !== 'object' || measured === null) return
      for (const [name, value] of Object.entries(measured)) metrics.addMetric(name, MetricUnit.NoUnit, Number(value))
      metrics.publishStoredMetrics()
    },
    warn: (message, fields = {}) => logger.warn(message, fields),
    error: (message, fields = {}) => logger.error(message, fields),
  }
}
