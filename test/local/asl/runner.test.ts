import { describe, expect, it } from 'vitest'
import { refusal } from '../../contracts/samples.ts'
import { taskTokensContract } from '../../contracts/small-ports.ts'
import { bench, drive, lambda, machine, waiting, worker } from './bench.ts'

const pause = (milliseconds = 5) => new Promise((resolve) => setTimeout(resolve, milliseconds))

taskTokensContract('interpreter', async () => {
  const tokens: string[] = []
  const on = bench({
    machines: { main: machine({ A: waiting('ask', { End: true }) }) },
    functions: { ask: ({ token }: { token: string }) => void tokens.push(token) },
  })
  let n = 0
  return {
    tokens: on.runner,
    async waiting() {
      const before = tokens.length
      await on.runner.start('main', `x${n++}`, {})
      while (tokens.length === before) await pause()
      return tokens.at(-1)!
    },
    ended: async () => {},
    refusesAtOnce: true,
    done: on.done,
  }
})

describe('start', () => {
  const waits = { main: machine({ A: { Type: 'Wait', Seconds: 100, End: true } }), other: machine({ A: { Type: 'Succeed' } }) }

  it('is idempotent by name while the execution runs, with the same machine and input', async () => {
    const on = bench({ machines: waits })
    const first = await on.runner.start('main', 'x1', { a: 1, b: 2 })
    expect(await on.runner.start('main', 'x1', { b: 2, a: 1 })).toEqual(first)
    expect(await refusal(on.runner.start('main', 'x1', { a: 2 }))).toBe('ALREADY_EXISTS')
    expect(await refusal(on.runner.start('other', 'x1', { a: 1, b: 2 }))).toBe('ALREADY_EXISTS')
    await drive(on, 'x1')
    expect(await refusal(on.runner.start('main', 'x1', { a: 1, b: 2 }))).toBe('ALREADY_EXISTS')
    await on.done()
  })

  it('refuses unknown machines and names that are none', async () => {
    const on = bench({ machines: waits })
    expect(await refusal(on.runner.start('toString', 'x1', {}))).toBe('NOT_FOUND')
    for (const name of ['', '../x', 'a b', 'x'.repeat(81)]) expect(await refusal(on.runner.start('main', name, {}))).toBe('BAD_INPUT')
    expect(() => on.runner.describe('x1')).toThrow(/no execution x1/)
    expect(() => on.runner.history('x1')).toThrow(/no execution x1/)
    await on.done()
  })
})

describe('stop', () => {
  it('ends an execution, its tokens, and what it started', async () => {
    const tokens: string[] = []
    const nested = {
      Type: 'Task',
      Resource: 'arn:aws:states:::states:startExecution.sync:2',
      Arguments: { StateMachineArn: 'inner', Name: 'child' },
      End: true,
    }
    const on = bench({
      machines: { main: machine({ A: nested }), inner: machine({ X: waiting('ask', { End: true }) }) },
      functions: { ask: ({ token }: { token: string }) => void tokens.push(token) },
    })
    await on.runner.start('main', 'x1', {})
    while (tokens.length === 0) await pause()
    await on.runner.stop('x1', 'Withdrawn', 'by its author')
    expect(await on.runner.wait('x1')).toMatchObject({
      status: 'ABORTED',
      failure: { error: 'Withdrawn', cause: 'by its author' },
      standing: [],
    })
    expect(on.runner.describe('child').status).toBe('ABORTED')
    expect(await refusal(on.runner.succeed(tokens[0]!, {}))).toBe('NOT_FOUND')
    expect(await refusal(on.runner.stop('x1', 'again', ''))).toBe('NOT_FOUND')
    await on.done()
  })

  it('from another process stops the worker, whose result then counts for nothing', async () => {
    let stopped = false
    const on = bench({
      machines: { main: machine({ A: worker('w', '{}', { Next: 'B' }), B: lambda('f', { End: true }) }) },
      workers: ({ signal }) =>
        new Promise((resolve) =>
          signal.addEventListener('abort', () => {
            stopped = true
            resolve()
          }),
        ),
    })
    await on.runner.start('main', 'x1', {})
    while (on.calls.length === 0) await pause()
    await on.again().runner.stop('x1', 'Withdrawn', '')
    while (!stopped) await pause()
    await on.runner.settled()
    expect(on.runner.describe('x1')).toMatchObject({ status: 'ABORTED' })
    expect(on.calls.map((call) => call.name)).toEqual(['w'])
    await on.done()
  })
})

describe('redrive', () => {
  it('begins at the state that did not succeed, with its input and without repeating what did', async () => {
    const called: unknown[] = []
    let broken = true
    const on = bench({
      machines: {
        main: machine({
          A: lambda('first', { Output: { n: '{% $states.input.n %}' }, Next: 'B' }),
          B: lambda('second', { Arguments: { FunctionName: 'second', Payload: '{% $states.input %}' }, End: true }),
        }),
      },
      functions: {
        first: () => void called.push('first'),
        second: (input: unknown) => {
          called.push(input)
          if (broken) throw new Error('broken')
          return 'mended'
        },
      },
    })
    await on.runner.start('main', 'x1', { n: '7' })
    await drive(on, 'x1')
    expect(on.runner.describe('x1').status).toBe('FAILED')
    broken = false
    await on.runner.redrive('x1')
    await drive(on, 'x1')
    expect(on.runner.describe('x1')).toMatchObject({ status: 'SUCCEEDED', failure: null })
    expect(called).toEqual(['first', { n: '7' }, { n: '7' }])
    expect(await refusal(on.runner.redrive('x1'))).toBe('CONFLICT')
    expect(await refusal(on.runner.redrive('x2'))).toBe('NOT_FOUND')
    await on.done()
  })

  it('asks again where an execution was stopped while it waited: the old token is dead', async () => {
    const tokens: string[] = []
    const on = bench({
      machines: { main: machine({ A: waiting('ask', { End: true }) }) },
      functions: { ask: ({ token }: { token: string }) => void tokens.push(token) },
    })
    await on.runner.start('main', 'x1', {})
    while (tokens.length < 1) await pause()
    expect(await refusal(on.runner.redrive('x1'))).toBe('CONFLICT')
    await on.runner.stop('x1', 'Stopped', 'by hand')
    await on.runner.redrive('x1')
    while (tokens.length < 2) await pause()
    expect(await refusal(on.runner.succeed(tokens[0]!, 'old'))).toBe('NOT_FOUND')
    await on.runner.succeed(tokens[1]!, 'new')
    expect(await on.runner.wait('x1')).toMatchObject({ status: 'SUCCEEDED', output: 'new' })
    await on.done()
  })
})

describe('the time of a whole execution', () => {
  it('ends it as TIMED_OUT, uncaught', async () => {
    const states = { A: waiting('ask', { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'B' }], Next: 'B' }), B: { Type: 'Succeed' } }
    const on = bench({ machines: { main: machine(states, { TimeoutSeconds: 60 }) }, functions: { ask: () => undefined } })
    await on.runner.start('main', 'x1', {})
    expect(await drive(on, 'x1')).toMatchObject({
      status: 'TIMED_OUT',
      failure: { error: 'States.Timeout' },
      stopped_at: '2026-03-01T10:01:00.000Z',
    })
    await on.done()
  })

  it('goes on while nobody drives it', async () => {
    const states = { A: { Type: 'Wait', Seconds: 50, End: true } }
    const on = bench({ machines: { main: machine(states, { TimeoutSeconds: 60 }) } })
    await on.runner.start('main', 'x1', {})
    on.stop.abort()
    await on.runner.settled()
    on.time.advance(61_000)
    const next = on.again()
    await next.runner.resume()
    expect(await next.runner.wait('x1')).toMatchObject({ status: 'TIMED_OUT' })
    await on.done()
  })
})

describe('an interruption', () => {
  it('stops workers, keeps everything, and resume goes on', async () => {
    const seen: string[] = []
    const hang = ({ signal }: { signal: AbortSignal }) =>
      new Promise<void>((_, reject) =>
        signal.addEventListener('abort', () => {
          seen.push('SIGTERM')
          reject(new Error('stopped'))
        }),
      )
    const machines = {
      main: machine({
        A: lambda('f', { Next: 'B' }),
        B: worker('w', '{}', {
          Retry: [{ ErrorEquals: ['States.ALL'], MaxAttempts: 5 }],
          Catch: [{ ErrorEquals: ['States.ALL'], Next: 'C' }],
          Output: 'worked',
          Next: 'C',
        }),
        C: { Type: 'Succeed' },
      }),
    }
    const functions = { f: () => 'once' }
    const on = bench({ machines, functions, workers: hang })
    await on.runner.start('main', 'x1', {})
    while (on.calls.length < 2) await pause()
    on.stop.abort()
    await expect(on.runner.wait('x1')).rejects.toMatchObject({ code: 'INTERRUPTED', message: expect.stringContaining('stopped in B') })
    await on.runner.settled()
    expect(seen).toEqual(['SIGTERM'])
    // An interruption is no failure: no attempt was used up, nothing was caught.
    expect(on.runner.history('x1').map((event) => event.type)).not.toContain('StateRetried')
    const next = on.again({ machines, functions })
    expect(await next.runner.resume()).toEqual(['x1'])
    expect(await next.runner.wait('x1')).toMatchObject({ status: 'SUCCEEDED', output: 'worked' })
    expect(next.calls.map((call) => call.name)).toEqual(['w'])
    await on.done()
  })

  it('of one runner leaves another with nothing to take: an execution is driven once', async () => {
    const on = bench({ machines: { main: machine({ A: waiting('ask', { End: true }) }) }, functions: { ask: () => undefined } })
    await on.runner.start('main', 'x1', {})
    while (on.calls.length === 0) await pause()
    const next = on.again()
    expect(await next.runner.resume()).toEqual([])
    expect(next.calls).toEqual([])
    on.stop.abort()
    await on.runner.settled()
    expect(await next.runner.resume()).toEqual(['x1'])
    await on.done()
  })

  it('does not lengthen a wait or a pause before a retry', async () => {
    const machines = {
      main: machine({
        A: { Type: 'Wait', Seconds: 100, Next: 'B' },
        B: lambda('f', { Retry: [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 50, MaxAttempts: 1 }], End: true }),
      }),
    }
    let n = 0
    const functions = {
      f: () => {
        if (n++ === 0) throw new Error('first')
        return 'ok'
      },
    }
    const on = bench({ machines, functions })
    const has = (type: string, times = 1) => on.runner.history('x1').filter((event) => event.type === type).length >= times
    await on.runner.start('main', 'x1', {})
    while (on.time.slept.length === 0) await pause()
    on.time.advance(60_000)
    on.stop.abort()
    await on.runner.settled()
    const second = on.again()
    await second.runner.resume()
    while (on.time.slept.at(-1) !== 40_000) await pause()
    on.time.advance(40_000)
    while (!has('StateRetried')) await pause()
    second.stop.abort()
    await second.runner.settled()
    on.time.advance(20_000)
    const third = second.again()
    await third.runner.resume()
    while (on.time.slept.at(-1) !== 30_000) await pause()
    on.time.advance(30_000)
    expect(await third.runner.wait('x1')).toMatchObject({ output: 'ok', stopped_at: '2026-03-01T10:02:30.000Z' })
    await on.done()
  })
})

describe('a history', () => {
  it('tells states and errors, never payloads', async () => {
    const secret = 'A very personal value'
    const on = bench({
      machines: {
        main: machine({
          A: lambda('f', { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'B' }], End: true }),
          B: { Type: 'Pass', Output: secret, End: true },
        }),
      },
      functions: { f: () => Promise.reject(new Error(secret)) },
    })
    await on.runner.start('main', 'x1', secret)
    await on.runner.wait('x1')
    const history = on.runner.history('x1')
    expect(history.map((event) => event.type)).toEqual([
      'ExecutionStarted',
      'StateEntered',
      'TaskStarted',
      'StateCaught',
      'StateExited',
      'StateEntered',
      'StateExited',
      'ExecutionSucceeded',
    ])
    expect(JSON.stringify(history)).not.toContain(secret)
    await on.done()
  })
})

describe('a fault of the interpreter itself', () => {
  it('is told to whoever waits, and the execution can be resumed', async () => {
    const machines = { main: machine({ A: { Type: 'Wait', Seconds: 1, End: true } }) }
    const on = bench({ machines })
    on.time.sleep = () => Promise.reject(new Error('the clock broke'))
    await on.runner.start('main', 'x1', {})
    await expect(on.runner.wait('x1')).rejects.toThrow('the clock broke')
    expect(on.runner.describe('x1').status).toBe('RUNNING')
    await on.done()
  })
})
