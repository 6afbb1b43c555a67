/** What the dashboard draws: emitted by the composition root as CloudWatch reads it, from what a handler logs; and from the progress of workers. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { plotted } from '../../layers/aws/plotted.ts'
import type { WorkProgress } from '../../layers/core/schemas/progress.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

it('a number that a handler logs leaves as a metric of its stage, and not as text of the line', async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { taskFunction } = await import(${JSON.stringify(join(ROOT, 'functions/aws.ts'))})
       const handler = taskFunction((deps) => async () => { deps.log.info('reconciled', { metrics: { Mismatches: 3 }, tables: 2 }); return {} })
       await handler({ project_id: 'orders', run_id: 'r1' }, { awsRequestId: 'r', functionName: 'f', functionVersion: '1', memoryLimitInMB: '512', invokedFunctionArn: 'arn', getRemainingTimeInMillis: () => 1000 })`,
    ],
    { env: { PATH: process.env.PATH ?? '', WAYBILL_STAGE: 'prod', POWERTOOLS_TRACE_ENABLED: 'false', AWS_REGION: 'eu-central-1' } },
  )
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  const metrics = lines.filter((line) => line.Mismatches !== undefined)
  expect(metrics).toEqual([
    expect.objectContaining({
      stage: 'prod',
      service: 'waybill',
      Mismatches: 3,
      _aws: expect.objectContaining({
        CloudWatchMetrics: [{ Namespace: 'Waybill', Dimensions: [['service', 'stage']], Metrics: [{ Name: 'Mismatches', Unit: 'None' }] }],
      }),
    }),
  ])
  const [said] = lines.filter((line) => line.message === 'reconciled')
  expect(said).toMatchObject({ tables: 2, project_id: 'orders' })
  expect(said).not.toHaveProperty('metrics')
})

/** What a real function writes and answers when it is deployed without its tables: reading any of them fails. */
async function askBroken(name: 'decide' | 'approval-page', event: unknown): Promise<Record<string, unknown>[]> {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { handler } = await import(${JSON.stringify(join(ROOT, 'functions', name, 'index.ts'))})
       const context = { awsRequestId: 'r', functionName: 'f', functionVersion: '1', memoryLimitInMB: '512', invokedFunctionArn: 'arn', getRemainingTimeInMillis: () => 1000 }
       const answer = await handler(${JSON.stringify(event)}, context).catch(({ name }) => ({ thrown: name }))
       console.log(JSON.stringify({ answer }))`,
    ],
    {
      env: {
        PATH: process.env.PATH ?? '',
        POWERTOOLS_SERVICE_NAME: name,
        WAYBILL_STAGE: 'prod',
        POWERTOOLS_TRACE_ENABLED: 'false',
        AWS_REGION: 'eu-central-1',
      },
    },
  )
  // An invocation that measured nothing says nothing of it.
  expect(stderr).not.toMatch(/metrics/i)
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

it.each([
  [
    'decide',
    { rawPath: '/approvals/a-1', headers: FORM, body: 't=x&csrf=y&decision=approve', requestContext: { http: { method: 'POST' } } },
  ],
  ['approval-page', { rawPath: '/approvals/a-1', rawQueryString: 't=x', requestContext: { http: { method: 'GET' } } }],
] as const)('%s says under its own name and stage that its page failed, though it is answered', async (service, event) => {
  const lines = await askBroken(service, event)
  expect(lines.at(-1)).toMatchObject({ answer: { statusCode: 500, body: expect.stringContaining('Something went wrong on our side') } })
  expect(lines.filter((line) => line.Failures !== undefined)).toEqual([
    expect.objectContaining({
      service,
      stage: 'prod',
      Failures: 1,
      _aws: expect.objectContaining({
        CloudWatchMetrics: [{ Namespace: 'Waybill', Dimensions: [['service', 'stage']], Metrics: [{ Name: 'Failures', Unit: 'Count' }] }],
      }),
    }),
  ])
})

it.each(['decide', 'approval-page'] as const)('%s counts no failure for a page that refuses somebody', async (name) => {
  const lines = await askBroken(name, { rawPath: '/nothing', requestContext: { http: { method: name === 'decide' ? 'POST' : 'GET' } } })
  expect(lines.at(-1)).toMatchObject({ answer: { statusCode: 404 } })
  expect(lines).toHaveLength(1)
  expect(lines.filter((line) => line.Failures !== undefined)).toEqual([])
})

it('what the schedule asks for and cannot be done fails for Lambda too, which tries again; the page of an API would count as done', async () => {
  const lines = await askBroken('decide', { rawPath: '/outbox', requestContext: { http: { method: 'POST' } } })
  expect(lines.at(-1)).toEqual({ answer: { thrown: 'PERMISSION_DENIED' } })
  expect(lines.filter((line) => line.Failures !== undefined)).toEqual([
    expect.objectContaining({ service: 'decide', stage: 'prod', Failures: 1 }),
  ])
})

it('a worker that ended is drawn: its seconds always, its rows when they are done; one at work is not', async () => {
  const row: WorkProgress = {
    project_id: 'orders',
    run_id: 'r1',
    worker: 'copy-chunk',
    part: 'c000001',
    items: '4',
    table_id: null,
    rows: '50000',
    state: 'working',
    started_at: '2026-01-31T02:30:00.000Z',
    beat_at: '2026-01-31T02:30:12.500Z',
  }
  const [stored, drawn]: [WorkProgress[], unknown[]] = [[], []]
  const progress = plotted(
    { report: async (each) => void stored.push(each), read: async () => stored },
    { info: (_, fields) => void drawn.push(fields?.metrics), warn: () => {}, error: () => {} },
  )
  const rows: WorkProgress[] = [
    row,
    { ...row, state: 'done' },
    { ...row, state: 'failed' },
    { ...row, worker: 'hash-segments', state: 'done' },
    { ...row, worker: 'run-checks', state: 'done' },
  ]
  for (const each of rows) await progress.report(each)
  expect(drawn).toEqual([
    { WorkerSeconds: 12.5, RowsCopied: 50_000 },
    { WorkerSeconds: 12.5 },
    { WorkerSeconds: 12.5, RowsCompared: 50_000 },
    { WorkerSeconds: 12.5 },
  ])
  expect(await progress.read('orders')).toEqual(rows)
})
