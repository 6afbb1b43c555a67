import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { WaybillError } from '../../../layers/core/errors.ts'
import { executionStore } from '../../../layers/local/asl/execution-store.ts'
import { openHome } from '../../../layers/local/home.ts'
import { bench, drive, lambda, machine, run, waiting, worker } from './bench.ts'

const fails = (code: string) => () => {
  throw new WaybillError(code as 'CONFLICT', 'said so')
}
const big = 'x'.repeat(262_144)

describe('Pass, Choice, Succeed, Fail', () => {
  it('pass input on, or what Output says, and carry variables', async () => {
    const { ended } = await run(
      {
        A: {
          Type: 'Pass',
          Assign: { n: '{% $states.input.n + 1 %}', kept: '{% $states.input %}' },
          Output: { a: ['{% $states.input.n %}', 'plain'] },
          Next: 'B',
        },
        B: { Type: 'Pass', Assign: { n: '{% $n + 1 %}', before: '{% $n %}' }, Next: 'C' },
        C: { Type: 'Succeed', Output: { n: '{% $n %}', before: '{% $before %}', kept: '{% $kept.n %}', input: '{% $states.input %}' } },
      },
      { n: 1 },
    )
    expect(ended).toMatchObject({ status: 'SUCCEEDED', output: { n: 3, before: 2, kept: 1, input: { a: [1, 'plain'] } } })
  })

  it('choose the first rule that is true', async () => {
    const states = {
      A: {
        Type: 'Choice',
        Choices: [
          { Condition: "{% $states.input.decision = 'PASS' %}", Next: 'Passed', Output: 'p', Assign: { v: 1 } },
          { Condition: "{% $states.input.decision in ['PASS', 'FAIL'] %}", Next: 'Failed', Output: 'f' },
        ],
        Default: 'Other',
        Output: 'o',
      },
      Passed: { Type: 'Pass', Output: ['{% $states.input %}', '{% $v %}'], End: true },
      Failed: { Type: 'Succeed' },
      Other: { Type: 'Succeed' },
    }
    expect((await run(states, { decision: 'PASS' })).ended.output).toEqual(['p', 1])
    expect((await run(states, { decision: 'FAIL' })).ended.output).toBe('f')
    expect((await run(states, {})).ended.output).toBe('o')
  })

  it('fail when no rule matches, or one is neither true nor false', async () => {
    const choice = (condition: string) => ({
      A: { Type: 'Choice', Choices: [{ Condition: condition, Next: 'B' }] },
      B: { Type: 'Succeed' },
    })
    expect((await run(choice('{% false %}'), {})).ended).toMatchObject({ status: 'FAILED', failure: { error: 'States.NoChoiceMatched' } })
    expect((await run(choice("{% 'yes' %}"), {})).ended).toMatchObject({
      status: 'FAILED',
      failure: { error: 'States.QueryEvaluationError' },
    })
    expect((await run(choice('{% $states.input.absent %}'), {})).ended).toMatchObject({
      status: 'FAILED',
      failure: { error: 'States.QueryEvaluationError' },
    })
  })

  it('end with the error a Fail state names', async () => {
    const { ended } = await run({ A: { Type: 'Fail', Error: '{% $states.input.code %}', Cause: 'because' } }, { code: 'CHUNK_INCOMPLETE' })
    expect(ended).toMatchObject({ status: 'FAILED', output: null, failure: { error: 'CHUNK_INCOMPLETE', cause: 'because' } })
  })

  it('fail on an expression without a JSON value', async () => {
    for (const expression of [
      '{% $states.input.absent %}',
      '{% $nothing %}',
      '{% function($x){$x} %}',
      '{% 1 / 0 %}',
      "{% $number('x') %}",
    ]) {
      const { ended } = await run({ A: { Type: 'Pass', Output: { deep: [expression] }, End: true } }, {})
      expect(ended).toMatchObject({ status: 'FAILED', failure: { error: 'States.QueryEvaluationError' } })
    }
  })

  it('give the context of execution and state', async () => {
    const { ended } = await run({ A: { Type: 'Pass', Output: '{% $states.context %}', End: true } }, { n: 1 })
    expect(ended.output).toMatchObject({
      Execution: { Id: 'x1', Name: 'x1', Input: { n: 1 }, StartTime: '2026-03-01T10:00:00.000Z' },
      State: { Name: 'A', RetryCount: 0, EnteredTime: '2026-03-01T10:00:00.000Z' },
      StateMachine: { Name: 'main' },
    })
  })
})

describe('Wait', () => {
  it('waits seconds, or until an instant', async () => {
    const seconds = await run({ A: { Type: 'Wait', Seconds: '{% $states.input.s %}', End: true } }, { s: 90 })
    expect(seconds.ended).toMatchObject({ status: 'SUCCEEDED', output: { s: 90 }, stopped_at: '2026-03-01T10:01:30.000Z' })
    const instant = await run({ A: { Type: 'Wait', Timestamp: '2026-03-01T12:00:00Z', Output: 'o', End: true } }, {})
    expect(instant.ended).toMatchObject({ output: 'o', stopped_at: '2026-03-01T12:00:00.000Z' })
    const past = await run({ A: { Type: 'Wait', Timestamp: '2020-03-01T12:00:00Z', End: true } }, {})
    expect(past.ended.stopped_at).toBe('2026-03-01T10:00:00.000Z')
  })

  it('fails on what is no time', async () => {
    for (const wait of [
      { Seconds: '{% -1 %}' },
      { Seconds: '{% 1.5 %}' },
      { Seconds: "{% '5' %}" },
      { Timestamp: 'tomorrow' },
      { Timestamp: '{% 5 %}' },
    ]) {
      const { ended } = await run({ A: { Type: 'Wait', ...wait, End: true } }, {})
      expect(ended).toMatchObject({ status: 'FAILED', failure: { error: 'States.QueryEvaluationError' } })
    }
  })
})

describe('Task: Lambda', () => {
  it('passes arguments and takes the payload', async () => {
    const { ended, calls } = await run(
      {
        A: lambda('f', { Assign: { seen: '{% $states.result.StatusCode %}' }, Next: 'B' }),
        B: { Type: 'Succeed', Output: ['{% $states.input %}', '{% $seen %}'] },
      },
      { n: 1 },
      { functions: { f: () => ({ ok: true }) } },
    )
    expect(calls).toEqual([{ name: 'f', payload: { n: 1 } }])
    expect(ended.output).toEqual([{ ok: true }, 200])
  })

  it('fails with the name of the error, and its message as cause', async () => {
    const { ended } = await run({ A: lambda('f', { End: true }) }, {}, { functions: { f: fails('PLAN_INVALID') } })
    expect(ended).toMatchObject({
      status: 'FAILED',
      failure: { error: 'PLAN_INVALID', cause: '{"errorType":"PLAN_INVALID","errorMessage":"said so"}' },
    })
  })

  it('times out, and whatever it does later counts for nothing', async () => {
    let late: ((value: unknown) => void) | undefined
    let aborted = false
    const { ended } = await run(
      { A: lambda('f', { TimeoutSeconds: 5, Catch: [{ ErrorEquals: ['States.Timeout'], Next: 'B' }], End: true }), B: { Type: 'Succeed' } },
      {},
      {
        functions: {
          f: (_: unknown, signal: AbortSignal) =>
            new Promise((resolve) => {
              late = resolve
              signal.addEventListener('abort', () => {
                aborted = true
                late?.({ late: true })
              })
            }),
        },
      },
    )
    expect(aborted).toBe(true)
    expect(ended).toMatchObject({ status: 'SUCCEEDED', output: { Error: 'States.Timeout' }, stopped_at: '2026-03-01T10:00:05.000Z' })
  })

  it('is not started with wrong arguments, and no Retry or Catch takes that', async () => {
    const { ended, calls } = await run(
      {
        A: lambda('f', {
          Arguments: { FunctionName: 5 },
          Retry: [{ ErrorEquals: ['States.TaskFailed'] }],
          Catch: [{ ErrorEquals: ['States.Timeout'], Next: 'B' }],
          Next: 'B',
        }),
        B: { Type: 'Succeed' },
      },
      {},
    )
    expect(ended).toMatchObject({ status: 'FAILED', failure: { error: 'States.Runtime' } })
    expect(calls).toEqual([])
  })
})

describe('the payload limit', () => {
  it('holds for input, arguments, result and output', async () => {
    const limit = { status: 'FAILED', failure: { error: 'States.DataLimitExceeded' } }
    const one = (state: Record<string, unknown>) => ({ A: { ...state, End: true } })
    expect((await run(one(lambda('f')), {}, { functions: { f: () => big } })).ended).toMatchObject(limit)
    expect(
      (await run(one({ Type: 'Pass', Output: { a: '{% $states.input %}', b: '{% $states.input %}' } }), 'x'.repeat(140_000))).ended,
    ).toMatchObject(limit)
    const args = await run(
      one(lambda('f', { Arguments: { FunctionName: 'f', Payload: ['{% $states.input %}', '{% $states.input %}'] } })),
      'x'.repeat(140_000),
      { functions: { f: () => 1 } },
    )
    expect(args.ended).toMatchObject(limit)
    expect(args.calls).toEqual([])
    const on = bench({ machines: { main: machine(one({ Type: 'Pass' })) } })
    await expect(on.runner.start('main', 'x', big)).rejects.toMatchObject({ code: 'TOO_LARGE' })
    await on.done()
  })

  it('is bytes, not characters, and 256 KiB exactly pass', async () => {
    const pass = { A: { Type: 'Pass', End: true } }
    expect((await run(pass, 'x'.repeat(262_142))).ended.status).toBe('SUCCEEDED')
    const on = bench({ machines: { main: machine(pass) } })
    await expect(on.runner.start('main', 'x', 'x'.repeat(262_143))).rejects.toMatchObject({ code: 'TOO_LARGE' })
    await expect(on.runner.start('main', 'y', 'ж'.repeat(131_072))).rejects.toMatchObject({ code: 'TOO_LARGE' })
    await on.done()
  })

  it('is taken by no States.ALL, only by its name', async () => {
    const states = (names: string[]) => ({
      A: lambda('f', { Retry: [{ ErrorEquals: ['States.TaskFailed'] }], Catch: [{ ErrorEquals: names, Next: 'B' }], End: true }),
      B: { Type: 'Succeed', Output: 'caught' },
    })
    const functions = { f: () => big }
    const all = await run(states(['States.ALL']), {}, { functions })
    expect(all.ended).toMatchObject({ status: 'FAILED', failure: { error: 'States.DataLimitExceeded' } })
    expect(all.calls).toHaveLength(1)
    expect((await run(states(['States.DataLimitExceeded']), {}, { functions })).ended.output).toBe('caught')
  })
})

describe('Retry and Catch', () => {
  it('retries with back-off up to a maximum, then catches', async () => {
    const { ended, calls, time, history, retried } = await run(
      {
        A: lambda('f', {
          Retry: [{ ErrorEquals: ['CONFLICT'], IntervalSeconds: 2, BackoffRate: 3, MaxDelaySeconds: 10, MaxAttempts: 4 }],
          Catch: [
            {
              ErrorEquals: ['CONFLICT'],
              Next: 'B',
              Output: { error: '{% $states.errorOutput.Error %}', input: '{% $states.input.n %}' },
              Assign: { cause: '{% $states.errorOutput.Cause %}' },
            },
          ],
          End: true,
        }),
        B: { Type: 'Succeed', Output: ['{% $states.input %}', '{% $parse($cause).errorMessage %}'] },
      },
      { n: 1 },
      { functions: { f: fails('CONFLICT') } },
    )
    expect(calls).toHaveLength(5)
    expect(time.slept).toEqual([2000, 6000, 10_000, 10_000])
    expect(retried).toEqual(
      [2000, 6000, 10_000, 10_000].map((waitMs, at) => ({ frame: 'root', state: 'A', attempt: at + 1, of: 5, waitMs, error: 'CONFLICT' })),
    )
    expect(ended.output).toEqual([{ error: 'CONFLICT', input: 1 }, 'said so'])
    expect(history.map((event) => event.type).filter((type) => /Retried|Caught/.test(type))).toEqual([
      ...Array(4).fill('StateRetried'),
      'StateCaught',
    ])
  })

  it('spreads delays when told so', async () => {
    const { time } = await run(
      {
        A: lambda('f', { Retry: [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 8, MaxAttempts: 1, JitterStrategy: 'FULL' }], End: true }),
      },
      {},
      { functions: { f: fails('CONFLICT') }, random: () => 0.25 },
    )
    expect(time.slept).toEqual([2000])
  })

  it('counts each retrier by itself, tells the count, and starts anew in the next visit', async () => {
    let n = 0
    const counts: unknown[] = []
    const f = (payload: { count: number }) => {
      counts.push(payload.count)
      const code = ['CONFLICT', 'CONNECTION_FAILED', 'CONFLICT', null, 'CONFLICT', null][n++]
      if (code !== null) throw new WaybillError(code as 'CONFLICT', 'x')
      return n
    }
    const Arguments = { FunctionName: 'f', Payload: { count: '{% $states.context.State.RetryCount %}' } }
    const Retry = [
      { ErrorEquals: ['CONFLICT'], MaxAttempts: 2 },
      { ErrorEquals: ['CONNECTION_FAILED'], MaxAttempts: 1 },
    ]
    const { ended } = await run(
      {
        A: lambda('f', { Arguments, Retry, Next: 'Again' }),
        Again: { Type: 'Choice', Choices: [{ Condition: '{% $states.input < 6 %}', Next: 'A' }], Default: 'B' },
        B: { Type: 'Succeed' },
      },
      {},
      { functions: { f } },
    )
    expect(ended).toMatchObject({ status: 'SUCCEEDED', output: 6 })
    expect(counts).toEqual([0, 1, 2, 3, 0, 1])
  })

  it('match as the service does', async () => {
    const outcome = async (f: () => unknown, names: string[], more: Record<string, unknown> = {}) =>
      (
        await run(
          { A: lambda('f', { ...more, Catch: [{ ErrorEquals: names, Next: 'B' }], End: true }), B: { Type: 'Succeed' } },
          {},
          { functions: { f } },
        )
      ).ended.status
    const abortable = (_: unknown, signal: AbortSignal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))))
    expect(await outcome(fails('CONFLICT'), ['States.TaskFailed'])).toBe('SUCCEEDED')
    expect(await outcome(fails('CONFLICT'), ['States.ALL'])).toBe('SUCCEEDED')
    expect(await outcome(fails('CONFLICT'), ['States.Timeout'])).toBe('FAILED')
    expect(await outcome(fails('CONFLICT'), ['PLAN_INVALID', 'CONFLICT'])).toBe('SUCCEEDED')
    expect(await outcome(abortable as () => unknown, ['States.TaskFailed'], { TimeoutSeconds: 1 })).toBe('FAILED')
    expect(await outcome(abortable as () => unknown, ['States.Timeout'], { TimeoutSeconds: 1 })).toBe('SUCCEEDED')
    expect(await outcome(abortable as () => unknown, ['States.ALL'], { TimeoutSeconds: 1 })).toBe('SUCCEEDED')
  })

  it('take an Output that fails after the task succeeded', async () => {
    const { ended } = await run(
      {
        A: lambda('f', {
          Output: '{% $states.result.absent %}',
          Catch: [{ ErrorEquals: ['States.QueryEvaluationError'], Next: 'B', Output: 'caught' }],
          End: true,
        }),
        B: { Type: 'Succeed' },
      },
      {},
      { functions: { f: () => 1 } },
    )
    expect(ended.output).toBe('caught')
  })

  it('fail when a Catch itself cannot be evaluated', async () => {
    const { ended } = await run(
      {
        A: lambda('f', { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'B', Output: '{% $absent %}' }], End: true }),
        B: { Type: 'Succeed' },
      },
      {},
      { functions: { f: fails('CONFLICT') } },
    )
    expect(ended).toMatchObject({ status: 'FAILED', failure: { error: 'States.QueryEvaluationError' } })
  })
})

describe('Task: worker', () => {
  it('gets its environment and its result is the stopped task', async () => {
    const { ended, calls } = await run(
      {
        A: worker('copy-chunk', "{% $string({'ids': $states.input.ids}) %}", {
          Output: '{% $states.result.Containers[0].ExitCode %}',
          End: true,
        }),
      },
      { ids: ['a'] },
    )
    expect(calls).toEqual([{ name: 'copy-chunk', payload: { WAYBILL_TASK: '{"ids":["a"]}' } }])
    expect(ended).toMatchObject({ status: 'SUCCEEDED', output: 0 })
  })

  it('that fails is States.TaskFailed with its code in the cause, as on ECS', async () => {
    const { ended } = await run({ A: worker('w', '{}', { End: true }) }, {}, { workers: async () => fails('CHUNK_INCOMPLETE')() })
    expect(ended.failure).toEqual({ error: 'States.TaskFailed', cause: '{"error":"CHUNK_INCOMPLETE","cause":"said so"}' })
  })

  it('is not started with overrides larger than ECS takes', async () => {
    const { ended, calls } = await run({ A: worker('w', '{% $states.input %}', { End: true }) }, 'x'.repeat(8200))
    expect(ended).toMatchObject({ status: 'FAILED', failure: { error: 'ECS.InvalidParameterException' } })
    expect(calls).toEqual([])
  })

  it('is stopped when its time is over, and its end awaited', async () => {
    let ended = false
    const { ended: execution } = await run(
      { A: worker('w', '{}', { TimeoutSeconds: 3, End: true }) },
      {},
      {
        workers: ({ signal }) =>
          new Promise((_, reject) =>
            signal.addEventListener('abort', () =>
              setTimeout(() => {
                ended = true
                reject(new Error('stopped'))
              }, 30),
            ),
          ),
      },
    )
    expect(execution.failure?.error).toBe('States.Timeout')
    expect(ended).toBe(true)
  })
})

describe('Task: waiting for its token', () => {
  const states = (more: Record<string, unknown> = {}) => ({
    A: waiting('ask', { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'B' }], ...more, Next: 'B' }),
    B: { Type: 'Succeed' },
  })
  const asking = () => {
    const tokens: string[] = []
    return { tokens, functions: { ask: ({ token }: { token: string }) => void tokens.push(token) } }
  }
  const begin = async (more: Record<string, unknown> = {}) => {
    const { tokens, functions } = asking()
    const on = bench({ machines: { main: machine(states(more)) }, functions })
    await on.runner.start('main', 'x1', {})
    while (on.runner.history('x1').every((event) => event.type !== 'TaskSubmitted')) await new Promise((resolve) => setTimeout(resolve, 2))
    return { on, tokens }
  }

  it('goes on with what it is completed with', async () => {
    const { on, tokens } = await begin()
    await on.runner.succeed(tokens[0]!, { decision: 'APPROVED' })
    expect(await on.runner.wait('x1')).toMatchObject({ status: 'SUCCEEDED', output: { decision: 'APPROVED' } })
    await expect(on.runner.succeed(tokens[0]!, {})).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await on.done()
  })

  it('fails with what it is failed with', async () => {
    const { on, tokens } = await begin()
    await on.runner.fail(tokens[0]!, 'APPROVAL_REFUSED', 'no')
    expect(await on.runner.wait('x1')).toMatchObject({ output: { Error: 'APPROVAL_REFUSED', Cause: 'no' } })
    await on.done()
  })

  it('is completed by another process just as well', async () => {
    const { on, tokens } = await begin()
    await on.again().runner.succeed(tokens[0]!, 1)
    expect(await on.runner.wait('x1')).toMatchObject({ status: 'SUCCEEDED', output: 1 })
    await on.done()
  })

  it('takes no output beyond the payload limit, and stays', async () => {
    const { on, tokens } = await begin()
    await expect(on.runner.succeed(tokens[0]!, big)).rejects.toMatchObject({ code: 'TOO_LARGE' })
    await expect(on.runner.succeed(tokens[0]!, undefined)).rejects.toMatchObject({ code: 'BAD_INPUT' })
    await on.runner.succeed(tokens[0]!, 'small')
    expect((await on.runner.wait('x1')).output).toBe('small')
    await on.done()
  })

  it('times out, and then its token opens nothing', async () => {
    const { on, tokens } = await begin({ TimeoutSeconds: 60 })
    expect(await drive(on, 'x1')).toMatchObject({ output: { Error: 'States.Timeout' }, stopped_at: '2026-03-01T10:01:00.000Z' })
    await expect(on.runner.succeed(tokens[0]!, {})).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await on.done()
  })

  it('needs its heartbeats', async () => {
    const { on, tokens } = await begin({ TimeoutSeconds: 600, HeartbeatSeconds: 50 })
    on.time.advance(40_000)
    await on.runner.heartbeat(tokens[0]!)
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(await drive(on, 'x1')).toMatchObject({ output: { Error: 'States.HeartbeatTimeout' }, stopped_at: '2026-03-01T10:01:30.000Z' })
    await on.done()
  })

  it('gets a new token with a retry, and the old one opens nothing', async () => {
    const { on, tokens } = await begin({ Retry: [{ ErrorEquals: ['AGAIN'], IntervalSeconds: 1, MaxAttempts: 1 }] })
    await on.runner.fail(tokens[0]!, 'AGAIN', '')
    while (tokens.length < 2) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      on.time.next()
    }
    expect(tokens[1]).not.toBe(tokens[0])
    await expect(on.runner.succeed(tokens[0]!, {})).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await on.runner.succeed(tokens[1]!, 'second')
    expect((await on.runner.wait('x1')).output).toBe('second')
    await on.done()
  })

  it('whose invocation failed leaves a token that opens nothing', async () => {
    const tokens: string[] = []
    const ask = ({ token }: { token: string }) => {
      tokens.push(token)
      if (tokens.length === 1) throw new WaybillError('CONFLICT', 'x')
    }
    const on = bench({
      machines: { main: machine(states({ Retry: [{ ErrorEquals: ['CONFLICT'], MaxAttempts: 1 }] })) },
      functions: { ask },
    })
    await on.runner.start('main', 'x1', {})
    while (tokens.length < 2) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      on.time.next()
    }
    await expect(on.runner.succeed(tokens[0]!, 'first')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await on.runner.succeed(tokens[1]!, 'second')
    expect((await on.runner.wait('x1')).output).toBe('second')
    await on.done()
  })

  it('whose timeout was the last thing recorded before an interruption times out when it is taken up', async () => {
    const { on } = await begin({ TimeoutSeconds: 60 })
    on.stop.abort()
    await on.runner.settled()
    const home = openHome(on.folder)
    const store = executionStore(home.db, () => on.time.now())
    expect(store.expire('x1', store.frame('x1', 'root'))).toBe(true)
    home.close()
    on.time.advance(60_000)
    const next = on.again()
    await next.runner.resume()
    expect(await next.runner.wait('x1')).toMatchObject({ output: { Error: 'States.Timeout' } })
    await on.done()
  })

  it('may be completed before its invocation returned', async () => {
    const holder: { complete?: (token: string) => Promise<void> } = {}
    const on = bench({
      machines: { main: machine(states()) },
      functions: { ask: ({ token }: { token: string }) => holder.complete?.(token) },
    })
    holder.complete = (token) => on.runner.succeed(token, 'early')
    await on.runner.start('main', 'x1', {})
    expect((await on.runner.wait('x1')).output).toBe('early')
    await on.done()
  })

  it('leaves no token in the files of the home', async () => {
    const { on, tokens } = await begin()
    const home = openHome(on.folder)
    home.db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    home.close()
    const files = readdirSync(on.folder).filter((name) => name.startsWith('waybill.sqlite'))
    expect(files.length).toBeGreaterThan(0)
    for (const file of files) expect(readFileSync(`${on.folder}/${file}`).includes(tokens[0]!)).toBe(false)
    await on.done()
  })
})

describe('Task: nested execution', () => {
  const nested = (more: Record<string, unknown> = {}) => ({
    A: {
      Type: 'Task',
      Resource: 'arn:aws:states:::states:startExecution.sync:2',
      Arguments: { StateMachineArn: 'inner', Input: { n: '{% $states.input.n %}' } },
      Output: '{% $states.result.Output %}',
      ...more,
      Next: 'B',
    },
    B: { Type: 'Succeed' },
  })

  it('gives the output of the other machine, parsed', async () => {
    const inner = machine({ X: { Type: 'Pass', Output: { got: '{% $states.input.n %}' }, End: true } })
    expect((await run(nested(), { n: 7 }, { machines: { inner } })).ended).toMatchObject({ status: 'SUCCEEDED', output: { got: 7 } })
  })

  it('fails as States.TaskFailed with what went wrong inside', async () => {
    const inner = machine({ X: { Type: 'Fail', Error: 'SEGMENT_INCOMPLETE', Cause: 'one lost' } })
    const { ended } = await run(nested(), { n: 7 }, { machines: { inner } })
    expect(ended.failure?.error).toBe('States.TaskFailed')
    expect(JSON.parse(ended.failure!.cause)).toMatchObject({ Status: 'FAILED', Error: 'SEGMENT_INCOMPLETE', Cause: 'one lost' })
  })

  it('is another one for each retry', async () => {
    let n = 0
    const inner = machine({ X: lambda('f', { End: true }) })
    const f = () => {
      if (n++ === 0) throw new WaybillError('CONFLICT', 'x')
      return 'second'
    }
    const { ended } = await run(
      nested({ Retry: [{ ErrorEquals: ['States.TaskFailed'], MaxAttempts: 1 }] }),
      { n: 1 },
      { machines: { inner }, functions: { f } },
    )
    expect(ended.output).toBe('second')
  })

  it('that takes too long is stopped, also when the failure is caught', async () => {
    const inner = machine({ X: { Type: 'Wait', Seconds: 1000, End: true } })
    const Catch = [{ ErrorEquals: ['States.Timeout'], Next: 'Later' }]
    const states = {
      ...nested({ TimeoutSeconds: 10, Catch, Output: 'no', Arguments: { StateMachineArn: 'inner', Name: 'child' } }),
      Later: waiting('ask', { End: true }),
    }
    const on = bench({ machines: { main: machine(states), inner }, functions: { ask: () => undefined } })
    await on.runner.start('main', 'x1', {})
    while (on.calls.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      if (on.runner.describe('x1').standing[0]?.state === 'A' && on.time.slept.includes(10_000)) on.time.advance(1000)
    }
    expect(on.runner.describe('x1').status).toBe('RUNNING')
    expect(on.runner.describe('child').status).toBe('ABORTED')
    await on.done()
  })

  it('of no machine, or a name that is taken, fails', async () => {
    expect((await run(nested(), { n: 1 })).ended.failure?.error).toBe('StepFunctions.ExecutionAlreadyExistsException')
  })
})

describe('Task: starting an execution without waiting for it', () => {
  const Catch = [{ ErrorEquals: ['StepFunctions.ExecutionAlreadyExistsException'], Next: 'Already' }]
  const starting = {
    A: {
      Type: 'Task',
      Resource: 'arn:aws:states:::states:startExecution',
      Arguments: { StateMachineArn: 'other', Name: 'night', Input: { n: '{% $states.input.n %}' } },
      Output: '{% $states.result.ExecutionArn %}',
      Catch,
      End: true,
    },
    Already: { Type: 'Pass', Output: 'already', End: true },
  }
  const open = () => {
    const other = machine({ X: waiting('ask', { End: true, Output: '{% $states.result %}' }) })
    return bench({ machines: { main: machine(starting), other }, functions: { ask: () => undefined } })
  }

  it('goes on at once, and the other one goes on by itself', async () => {
    const on = open()
    await on.runner.start('main', 'one', { n: 7 })
    expect(await on.runner.wait('one')).toMatchObject({ status: 'SUCCEEDED', output: 'night' })
    expect(on.runner.describe('night')).toMatchObject({ status: 'RUNNING', machine: 'other', input: { n: 7 } })
    await on.done()
  })

  it('starts one however often it is delivered, and tells another input from the same', async () => {
    const on = open()
    for (const [name, n, output] of [
      ['one', 7, 'night'],
      ['two', 7, 'night'],
      ['three', 8, 'already'],
    ] as const) {
      await on.runner.start('main', name, { n })
      expect((await on.runner.wait(name)).output).toBe(output)
    }
    await on.runner.stop('night', 'Over', '')
    await on.runner.start('main', 'four', { n: 7 })
    expect((await on.runner.wait('four')).output).toBe('already')
    await on.done()
  })

  it('of no machine fails', async () => {
    const { ended } = await run({ A: { ...starting.A, Catch: [] } }, { n: 1 })
    expect(ended.failure?.error).toBe('StepFunctions.ExecutionAlreadyExistsException')
  })
})
