import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import aslValidator from 'asl-validator'
import { describe, expect, it } from 'vitest'
import { isWaybillError } from '../../../layers/core/errors.ts'
import { load } from '../../../layers/local/asl/load.ts'
import { lambda, waiting, worker } from './bench.ts'

const top = (states: Record<string, unknown>, rest: Record<string, unknown> = {}) => ({
  QueryLanguage: 'JSONata',
  StartAt: 'A',
  States: states,
  ...rest,
})
/** `${name}` */
const filled = (name: string) => `\${${name}}`
const pass = { Type: 'Pass', End: true }
const processor = (mode: Record<string, unknown> = { Mode: 'INLINE' }) => ({ ProcessorConfig: mode, StartAt: 'X', States: { X: pass } })
const distributed = { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' }
const reader = {
  Resource: 'arn:aws:states:::s3:getObject',
  ReaderConfig: { InputType: 'JSONL' },
  Arguments: { Bucket: 'b', Key: 'k', VersionId: 'v' },
}

function refusalOf(source: unknown, substitutions: Record<string, unknown> = {}): string {
  try {
    load(source, substitutions)
    return 'accepted'
  } catch (error) {
    if (!isWaybillError(error) || error.code !== 'ASL_UNSUPPORTED') throw error
    return `${error.message} | ${error.details.join(' | ')}`
  }
}

const refused: [string, unknown, RegExp][] = [
  ['no query language', { StartAt: 'A', States: { A: pass } }, /field QueryLanguage/],
  ['JSONPath', top({ A: pass }, { QueryLanguage: 'JSONPath' }), /field QueryLanguage/],
  ['JSONPath in a state', top({ A: { ...pass, QueryLanguage: 'JSONPath' } }), /state A, field QueryLanguage/],
  ['InputPath', top({ A: { ...pass, InputPath: '$.a' } }), /state A, field InputPath: not in the subset/],
  ['Parameters', top({ A: { ...lambda('f', { End: true }), Parameters: {} } }), /state A, field Parameters/],
  ['ResultPath', top({ A: { ...lambda('f', { End: true }), ResultPath: '$.x' } }), /state A, field ResultPath/],
  ['Result', top({ A: { ...pass, Result: 1 } }), /state A, field Result/],
  ['an unknown state type', top({ A: { Type: 'Loop', End: true } }), /state A, field Type/],
  [
    'an unknown resource',
    top({ A: { ...lambda('f', { End: true }), Resource: 'arn:aws:states:::dynamodb:putItem' } }),
    /state A, field Resource/,
  ],
  [
    'a bare function as resource',
    top({ A: { Type: 'Task', Resource: 'arn:aws:lambda:us-east-1:1:function:f', End: true } }),
    /state A, field Resource/,
  ],
  ['an activity', top({ A: { Type: 'Task', Resource: 'arn:aws:states:us-east-1:1:activity:a', End: true } }), /state A, field Resource/],
  [
    'ecs waiting for a token',
    top({ A: { ...worker('w', '{}', { End: true }), Resource: 'arn:aws:states:::ecs:runTask.waitForTaskToken' } }),
    /state A, field Resource/,
  ],
  ['Credentials', top({ A: { ...lambda('f', { End: true }), Credentials: {} } }), /state A, field Credentials/],
  [
    'a retry field',
    top({ A: { ...lambda('f', { End: true }), Retry: [{ ErrorEquals: ['X'], Delay: 1 }] } }),
    /state A, field Retry\/0\/Delay/,
  ],
  [
    'a nested unknown field',
    top({ A: { Type: 'Map', ItemProcessor: { StartAt: 'X', States: { X: { ...pass, Foo: 1 } } }, End: true } }),
    /state X, field Foo/,
  ],
  ['neither Next nor End', top({ A: { Type: 'Pass' } }), /state A, field Next: exactly one/],
  ['both Next and End', top({ A: { Type: 'Pass', Next: 'B', End: true }, B: pass }), /state A, field Next: exactly one/],
  ['a dangling StartAt', top({ A: pass }, { StartAt: 'Z' }), /field StartAt: there is no state Z/],
  ['a dangling Next', top({ A: { Type: 'Pass', Next: 'Z' } }), /state A, field Next: there is no state Z/],
  [
    'a dangling Catch',
    top({ A: lambda('f', { End: true, Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Z' }] }) }),
    /state A, field Catch\/0\/Next/,
  ],
  [
    'a dangling Choice',
    top({ A: { Type: 'Choice', Choices: [{ Condition: '{% true %}', Next: 'Z' }] } }),
    /state A, field Choices\/0\/Next/,
  ],
  [
    'a dangling Default',
    top({ A: { Type: 'Choice', Choices: [{ Condition: '{% true %}', Next: 'A' }], Default: 'Z' } }),
    /state A, field Default/,
  ],
  ['a name of Object as Next', top({ A: { Type: 'Pass', Next: 'constructor' } }), /there is no state constructor/],
  ['a state nothing leads to', top({ A: pass, B: pass }), /state B: nothing leads to it/],
  [
    'a jump out of a Map',
    top({ A: { Type: 'Map', ItemProcessor: { StartAt: 'X', States: { X: { Type: 'Pass', Next: 'B' } } }, Next: 'B' }, B: pass }),
    /there is no state B/,
  ],
  [
    'a name used twice',
    top({ A: { Type: 'Map', ItemProcessor: { StartAt: 'A', States: { A: pass } }, End: true } }),
    /another state has this name/,
  ],
  [
    'a shadowed variable',
    top({
      A: { Type: 'Pass', Assign: { v: 1 }, Next: 'B' },
      B: { Type: 'Map', ItemProcessor: { StartAt: 'X', States: { X: { ...pass, Assign: { v: 2 } } } }, End: true },
    }),
    /state X, field Assign\/v/,
  ],
  [
    'an unfilled placeholder',
    top({ A: lambda(filled('FFunctionArn'), { End: true }) }),
    /state A, field Arguments\/FunctionName: the placeholder \$\{FFunctionArn\}/,
  ],
  ['a placeholder of CloudFormation', top({ A: lambda(filled('AWS::Region'), { End: true }) }), /placeholder/],
  ['a broken expression', top({ A: { ...pass, Output: '{% $states.input. %}' } }), /state A, field Output: not JSONata/],
  ['an expression without end', top({ A: { ...pass, Output: { x: '{% 1' } } }), /state A, field Output\/x: an expression ends with/],
  ['a clock', top({ A: { ...pass, Output: '{% $now() %}' } }), /\$now is not available/],
  ['randomness', top({ A: { ...pass, Output: '{% [1..3].($random()) %}' } }), /\$random is not available/],
  ['code out of data', top({ A: { ...pass, Output: '{% $eval($states.input) %}' } }), /\$eval is not available/],
  [
    'the token after its task',
    top({ A: waiting('f', { Output: '{% $states.context.Task.Token %}', End: true }) }),
    /state A, field Output: the task token/,
  ],
  ['a heartbeat of a task that sends none', top({ A: lambda('f', { HeartbeatSeconds: 5, End: true }) }), /state A, field HeartbeatSeconds/],
  [
    'a heartbeat longer than the timeout',
    top({ A: waiting('f', { HeartbeatSeconds: 5, TimeoutSeconds: 5, End: true }) }),
    /state A, field HeartbeatSeconds: smaller/,
  ],
  [
    'States.ALL with others',
    top({ A: lambda('f', { Catch: [{ ErrorEquals: ['X', 'States.ALL'], Next: 'B' }], Next: 'B' }), B: pass }),
    /States\.ALL stands alone and last/,
  ],
  [
    'States.ALL before others',
    top({ A: lambda('f', { Retry: [{ ErrorEquals: ['States.ALL'] }, { ErrorEquals: ['X'] }], End: true }) }),
    /States\.ALL stands alone and last/,
  ],
  [
    'an error that never is',
    top({ A: lambda('f', { Retry: [{ ErrorEquals: ['States.TaskFail'] }], End: true }) }),
    /no error States\.TaskFail/,
  ],
  [
    'a reader in an inline Map',
    top({ A: { Type: 'Map', ItemReader: reader, ItemProcessor: processor(), End: true } }),
    /state A, field ItemReader: only a distributed Map/,
  ],
  [
    'tolerance in an inline Map',
    top({ A: { Type: 'Map', ToleratedFailureCount: 1, ItemProcessor: processor(), End: true } }),
    /field ToleratedFailureCount/,
  ],
  [
    'reader and items',
    top({ A: { Type: 'Map', ItemReader: reader, Items: [1], ItemProcessor: processor(distributed), End: true } }),
    /field Items/,
  ],
  [
    'a batcher without a size',
    top({ A: { Type: 'Map', ItemBatcher: {}, ItemProcessor: processor(distributed), End: true } }),
    /field ItemBatcher/,
  ],
  [
    'CSV items',
    top({
      A: { Type: 'Map', ItemReader: { ...reader, ReaderConfig: { InputType: 'CSV' } }, ItemProcessor: processor(distributed), End: true },
    }),
    /field ItemReader\/ReaderConfig\/InputType/,
  ],
  [
    'listed objects',
    top({
      A: {
        Type: 'Map',
        ItemReader: { ...reader, Resource: 'arn:aws:states:::s3:listObjectsV2' },
        ItemProcessor: processor(distributed),
        End: true,
      },
    }),
    /field ItemReader\/Resource/,
  ],
  ['a wait without a time', top({ A: { Type: 'Wait', End: true } }), /field Seconds: exactly one/],
  ['a wait with two', top({ A: { Type: 'Wait', Seconds: 1, Timestamp: '2026-01-01T00:00:00Z', End: true } }), /field Seconds: exactly one/],
  ['a Fail that goes on', top({ A: { Type: 'Fail', Error: 'X', Next: 'A' } }), /state A, field Next/],
  ['no object', 'text', /the whole/],
]

describe('load', () => {
  for (const [what, source, expected] of refused) it(`refuses ${what}`, () => expect(refusalOf(source)).toMatch(expected))

  it('fills placeholders: text within text, any value for a whole string', () => {
    const source = top({
      A: lambda(filled('FFunctionArn'), {
        Arguments: {
          FunctionName: filled('FFunctionArn'),
          Payload: { subnets: filled('SubnetIds'), one: `{% ${filled('SubnetIds')}[0] %}` },
        },
        End: true,
      }),
    })
    const { definition } = load(source, { FFunctionArn: 'f', SubnetIds: ['s1', 's2'] })
    expect(definition.States.A).toMatchObject({
      Arguments: { FunctionName: 'f', Payload: { subnets: ['s1', 's2'], one: '{% ["s1","s2"][0] %}' } },
    })
    expect(refusalOf(source, { FFunctionArn: 'f' })).toMatch(/placeholder \$\{SubnetIds\}/)
    expect(refusalOf(top({ A: lambda(filled('toString'), { End: true }) }))).toMatch(/placeholder/)
  })

  it('gives the same digest for the same machine, however it is written', () => {
    const { StartAt, States, QueryLanguage } = top({ A: pass })
    expect(load({ States, StartAt, QueryLanguage }, {}).sha256).toBe(load(top({ A: pass }), {}).sha256)
    expect(load(top({ A: { ...pass, Comment: 'x' } }), {}).sha256).not.toBe(load(top({ A: pass }), {}).sha256)
  })
})

const accepted: [string, Record<string, unknown>][] = [
  [
    'pass and succeed',
    top({ A: { Type: 'Pass', Output: { x: '{% $states.input %}' }, Assign: { v: 1 }, Next: 'B' }, B: { Type: 'Succeed' } }),
  ],
  [
    'choice and fail',
    top({
      A: { Type: 'Choice', Choices: [{ Condition: '{% $states.input = 1 %}', Next: 'B' }], Default: 'C' },
      B: { Type: 'Succeed' },
      C: { Type: 'Fail', Error: 'X', Cause: 'y' },
    }),
  ],
  ['waits', top({ A: { Type: 'Wait', Seconds: 5, Next: 'B' }, B: { Type: 'Wait', Timestamp: '2026-01-01T00:00:00Z', End: true } })],
  [
    'lambda with patience',
    top(
      {
        A: lambda('arn:aws:lambda:us-east-1:111111111111:function:f', {
          TimeoutSeconds: 5,
          Retry: [
            { ErrorEquals: ['CONFLICT'], IntervalSeconds: 1, MaxAttempts: 2, BackoffRate: 1.5, MaxDelaySeconds: 9, JitterStrategy: 'FULL' },
          ],
          Catch: [{ ErrorEquals: ['States.ALL'], Next: 'B' }],
          Next: 'B',
        }),
        B: { Type: 'Succeed' },
      },
      { TimeoutSeconds: 60 },
    ),
  ],
  [
    'waiting',
    top({ A: waiting('arn:aws:lambda:us-east-1:111111111111:function:f', { TimeoutSeconds: 50, HeartbeatSeconds: 5, End: true }) }),
  ],
  ['worker', top({ A: worker('w', '{}', { End: true }) })],
  [
    'starting',
    top({
      A: {
        Type: 'Task',
        Resource: 'arn:aws:states:::states:startExecution',
        Arguments: { StateMachineArn: 'arn:aws:states:us-east-1:111111111111:stateMachine:m' },
        End: true,
      },
    }),
  ],
  [
    'nested',
    top({
      A: {
        Type: 'Task',
        Resource: 'arn:aws:states:::states:startExecution.sync:2',
        Arguments: { StateMachineArn: 'arn:aws:states:us-east-1:111111111111:stateMachine:m' },
        End: true,
      },
    }),
  ],
  [
    'parallel',
    top({
      A: {
        Type: 'Parallel',
        Branches: [
          { StartAt: 'X', States: { X: pass } },
          { StartAt: 'Y', States: { Y: pass } },
        ],
        End: true,
      },
    }),
  ],
  ['inline map', top({ A: { Type: 'Map', Items: '{% $states.input.x %}', MaxConcurrency: 2, ItemProcessor: processor(), End: true } })],
  [
    'distributed map',
    top({
      A: {
        Type: 'Map',
        ItemReader: reader,
        ItemBatcher: { MaxItemsPerBatch: 5 },
        MaxConcurrency: 2,
        ToleratedFailureCount: 0,
        ResultWriter: { Resource: 'arn:aws:states:::s3:putObject', Arguments: { Bucket: 'b', Prefix: 'p' } },
        ItemProcessor: processor(distributed),
        End: true,
      },
    }),
  ],
]

describe('what load accepts', () => {
  // The linter writes into what it is given.
  const linted = (source: unknown) => {
    const { isValid, errorsText } = aslValidator(structuredClone(source) as object, { checkPaths: true, checkArn: false })
    return isValid ? 'valid' : errorsText()
  }

  for (const [what, source] of accepted)
    it(`is valid for asl-validator: ${what}`, () => {
      expect(refusalOf(source)).toBe('accepted')
      expect(linted(source)).toBe('valid')
    })

  it('takes the machine that schedules start', () => {
    const nightly = readFileSync(new URL('../../../infra/constructs/nightly.asl.json', import.meta.url), 'utf8')
    expect(refusalOf(JSON.parse(nightly), { ReconcileStateMachineArn: 'reconcile' })).toBe('accepted')
  })

  const folder = fileURLToPath(new URL('../../../statemachines/', import.meta.url))
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.asl.json')))
    it(`takes statemachines/${file}`, () => {
      const text = readFileSync(`${folder}/${file}`, 'utf8')
      const names = [...text.matchAll(/\$\{(\w+)\}/g)].map((match) => match[1]!)
      const substitutions = Object.fromEntries(names.map((name) => [name, /Ids$/.test(name) ? ['x'] : name]))
      expect(refusalOf(JSON.parse(text), substitutions)).toBe('accepted')
    })
})
