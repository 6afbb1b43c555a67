/** A machine with every kind of state, whose tasks write down each call. */
import { appendFileSync, readFileSync } from 'node:fs'
import { load } from '../../../layers/local/asl/load.ts'
import { createRunner, type Description } from '../../../layers/local/asl/runner.ts'
import { openHome } from '../../../layers/local/home.ts'

const lambda = (name: string, more: Record<string, unknown> = {}) => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke',
  Arguments: { FunctionName: name, Payload: '{% $states.input %}' },
  Output: '{% $states.result.Payload %}',
  ...more,
})
const worker = (name: string, value: string, more: Record<string, unknown>) => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::ecs:runTask.sync',
  Arguments: {
    TaskDefinition: name,
    Overrides: { ContainerOverrides: [{ Name: 'worker', Environment: [{ Name: 'WAYBILL_TASK', Value: value }] }] },
  },
  ...more,
})
const story = {
  QueryLanguage: 'JSONata',
  StartAt: 'Begin',
  States: {
    Begin: { Type: 'Pass', Assign: { kept: '{% $states.input.n %}' }, Next: 'First' },
    First: lambda('First', { Next: 'Decide' }),
    Decide: { Type: 'Choice', Choices: [{ Condition: "{% $states.input = 'First' %}", Next: 'Flaky' }] },
    Flaky: lambda('Flaky', { Retry: [{ ErrorEquals: ['CONFLICT'], IntervalSeconds: 1, MaxAttempts: 1 }], Next: 'Broken' }),
    Broken: lambda('Broken', {
      Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Rest', Assign: { caught: '{% $states.errorOutput.Error %}' } }],
      End: true,
    }),
    Rest: { Type: 'Wait', Seconds: 1, Next: 'Both' },
    Both: {
      Type: 'Parallel',
      Branches: [
        { StartAt: 'Left', States: { Left: lambda('Left', { End: true }) } },
        { StartAt: 'Right', States: { Right: worker('Right', '{}', { Output: 'Right', End: true }) } },
      ],
      Next: 'Items',
    },
    Items: {
      Type: 'Map',
      MaxConcurrency: 1,
      ItemReader: {
        Resource: 'arn:aws:states:::s3:getObject',
        ReaderConfig: { InputType: 'JSONL' },
        Arguments: { Bucket: '', Key: 'items' },
      },
      ItemBatcher: { MaxItemsPerBatch: 1 },
      ItemProcessor: {
        ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
        StartAt: 'Item',
        States: { Item: worker('Item', '{% $states.input.Items[0].id %}', { Output: '{% $states.input.Items[0].id %}', End: true }) },
      },
      Next: 'Ask',
    },
    Ask: {
      Type: 'Task',
      Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
      Arguments: { FunctionName: 'Ask', Payload: { token: '{% $states.context.Task.Token %}' } },
      Assign: { answer: '{% $states.result %}' },
      Next: 'Inner',
    },
    Inner: {
      Type: 'Task',
      Resource: 'arn:aws:states:::states:startExecution.sync:2',
      Arguments: { StateMachineArn: 'inner', Input: {} },
      Output: '{% $states.result.Output %}',
      Next: 'End',
    },
    End: { Type: 'Succeed', Output: ['{% $kept %}', '{% $caught %}', '{% $answer %}', '{% $states.input %}'] },
  },
}
const inner = { QueryLanguage: 'JSONata', StartAt: 'Deep', States: { Deep: lambda('Deep', { End: true }) } }

export const OUTPUT = [1, 'PLAN_INVALID', 'yes', 'Deep']
export const ITEMS = ['i0', 'i1']

/** Starts the story in a home, or takes up what stopped there, and resolves when it has ended. Waits pass at once. */
export async function tell(folder: string, calls: string, how: 'start' | 'resume'): Promise<Description> {
  const home = openHome(folder)
  const stop = new AbortController()
  const write = (call: string) => appendFileSync(calls, `${call}\n`)
  const failure = (name: string) => Object.assign(new Error(name), { name })
  const runner = createRunner({
    db: home.db,
    locks: home.locks,
    machines: { story: load(story, {}), inner: load(inner, {}) },
    platform: {
      async invoke(name, payload) {
        write(name === 'Ask' ? `Ask ${(payload as { token: string }).token}` : name)
        if (name === 'Flaky' && readFileSync(calls, 'utf8').match(/^Flaky$/gm)?.length === 1) throw failure('CONFLICT')
        if (name === 'Broken') throw failure('PLAN_INVALID')
        return name
      },
      async runWorker({ taskDefinition, environment }) {
        write(`${taskDefinition} ${environment.WAYBILL_TASK}`)
      },
      readItems: async () => new TextEncoder().encode(ITEMS.map((id) => `${JSON.stringify({ id })}\n`).join('')),
      writeResults: async () => undefined,
    },
    signal: stop.signal,
    workers: 2,
    // Every sleep is over at once: the test is about what is recorded, not about time.
    time: { now: () => new Date(), sleep: () => new Promise((resolve) => setImmediate(resolve)) },
    pollMs: 5,
  })
  const answering = setInterval(() => {
    const token = /^Ask (\S+)$/m.exec(readFileSync(calls, 'utf8'))?.[1]
    if (token !== undefined) void runner.succeed(token, 'yes').catch(() => undefined)
  }, 10)
  try {
    if (how === 'start') await runner.start('story', 'x1', { n: 1 })
    else await runner.resume()
    return await runner.wait('x1')
  } finally {
    clearInterval(answering)
    stop.abort()
    await runner.settled()
    home.close()
  }
}
