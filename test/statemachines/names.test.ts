import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ERROR_CODES } from '../../layers/core/errors.ts'
import { ENDPOINT_FUNCTIONS, folderName, STATE_MACHINES, stateName, TASK_FUNCTIONS, WORKERS } from '../../layers/core/names.ts'

const root = new URL('../../', import.meta.url)
const text = (machine: string) => readFileSync(new URL(`statemachines/${machine}.asl.json`, root), 'utf8')

type State = {
  Type: string
  Comment?: string
  Resource?: string
  TimeoutSeconds?: number
  Retry?: Retrier[]
  Catch?: { ErrorEquals: string[]; Next: string }[]
} & Record<string, unknown>
type Retrier = { ErrorEquals: string[]; BackoffRate?: number; JitterStrategy?: string; MaxAttempts?: number }
type Block = { States: Record<string, State> }

/** Every state, also inside Maps. */
function states(block: Block): [string, State][] {
  return Object.entries(block.States).flatMap(([name, state]) => [
    [name, state] as [string, State],
    ...(state.ItemProcessor ? states(state.ItemProcessor as Block) : []),
  ])
}
const all = STATE_MACHINES.flatMap((machine) =>
  states(JSON.parse(text(machine)) as Block).map(([name, state]) => ({ machine, name, state })),
)
const tasks = all.filter(({ state }) => state.Type === 'Task')
const calls = (part: string) => tasks.filter(({ state }) => state.Resource?.includes(part))
const sorted = (names: Iterable<string>) => [...new Set(names)].sort()
const placeholders = (suffix: string) =>
  sorted(
    STATE_MACHINES.flatMap((machine) => [...text(machine).matchAll(new RegExp(`\\$\\{(\\w+)${suffix}\\}`, 'g'))].map((match) => match[1]!)),
  )

describe('one name everywhere', () => {
  it('states that call functions are the task functions', () => {
    expect(sorted(calls('lambda:invoke').map(({ name }) => folderName(name)))).toEqual(sorted(TASK_FUNCTIONS))
  })

  it('states that run workers are the workers', () => {
    expect(sorted(calls('ecs:runTask').map(({ name }) => folderName(name)))).toEqual(sorted(WORKERS))
  })

  it('a state calls the function it is named after', () => {
    for (const { name, state } of calls('lambda:invoke')) {
      expect((state.Arguments as { FunctionName: string }).FunctionName).toBe(`\${${stateName(folderName(name))}FunctionArn}`)
    }
    for (const { name, state } of calls('ecs:runTask')) {
      expect((state.Arguments as { TaskDefinition: string }).TaskDefinition).toBe(`\${${stateName(folderName(name))}TaskDefinitionArn}`)
      expect(JSON.stringify(state)).toContain(`'worker': '${folderName(name)}'`)
    }
  })

  it('placeholders are exactly those of the names', () => {
    expect(placeholders('FunctionArn')).toEqual(sorted(TASK_FUNCTIONS.map(stateName)))
    expect(placeholders('TaskDefinitionArn')).toEqual(sorted(WORKERS.map(stateName)))
    expect(placeholders('StateMachineArn')).toEqual(['Reconcile'])
    const others = sorted(STATE_MACHINES.flatMap((machine) => [...text(machine).matchAll(/\$\{(\w+)\}/g)].map((match) => match[1]!)))
    expect(others.filter((name) => !/(Function|TaskDefinition|StateMachine)Arn$/.test(name))).toEqual([
      'ClusterArn',
      'SecurityGroupIds',
      'SubnetIds',
    ])
  })

  it('folders with a handler are exactly the functions, each with its entry', () => {
    const folders = readdirSync(new URL('functions/', root), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
    const withHandler = folders.filter((name) => existsSync(new URL(`functions/${name}/handler.ts`, root)))
    expect(sorted(withHandler)).toEqual(sorted([...TASK_FUNCTIONS, ...ENDPOINT_FUNCTIONS, ...WORKERS]))
    for (const name of [...TASK_FUNCTIONS, ...ENDPOINT_FUNCTIONS])
      expect(existsSync(new URL(`functions/${name}/index.ts`, root)), name).toBe(true)
    for (const name of WORKERS) expect(existsSync(new URL(`functions/${name}/worker.ts`, root)), name).toBe(true)
  })
})

/** Names that Step Functions gives failures of its own, and of a container that was not started. */
const OF_LAMBDA = ['Lambda.TooManyRequestsException', 'Lambda.ServiceException', 'Lambda.AWSLambdaException', 'Lambda.SdkClientException']
const SERVICE_ERRORS = ['States.ALL', 'States.TaskFailed', 'States.Timeout', 'ECS.AmazonECSException', 'AmazonECS.Unknown', ...OF_LAMBDA]

describe('patience', () => {
  it('every task has a timeout, retries with back-off and jitter, and a way to a recorded failure', () => {
    for (const { name, state } of tasks) {
      expect(state.TimeoutSeconds, name).toBeGreaterThan(0)
      expect(state.Retry?.length, name).toBeGreaterThan(0)
      for (const retrier of state.Retry ?? []) {
        expect(retrier.JitterStrategy, name).toBe('FULL')
        expect(retrier.BackoffRate, name).toBeGreaterThan(1)
        // Whoever did not decide in time is asked again when the project is started again, not by a retry; a wrong spec stays wrong.
        if (retrier.ErrorEquals.includes('APPROVAL_EXPIRED') || retrier.ErrorEquals.includes('SPEC_INVALID'))
          expect(retrier, name).toMatchObject({ MaxAttempts: 0 })
        else expect(retrier.MaxAttempts, name).toBeGreaterThan(0)
      }
    }
    const needCatch = all.filter(
      ({ name, state }) =>
        (state.Type === 'Task' && !['CopyChunk', 'HashSegments', 'RecordFailure', 'CloseReconciliationForFailure'].includes(name)) ||
        state.Type === 'Map',
    )
    // Whatever can leave workers behind stops them before the failure is recorded.
    const startsWorkers = ({ Resource, Type }: State) => Type === 'Map' || Resource?.includes('ecs:runTask') === true
    for (const { name, state } of needCatch)
      expect(state.Catch, name).toMatchObject([
        { ErrorEquals: ['States.ALL'], Next: startsWorkers(state) ? 'StopWorkers' : 'RecordFailure' },
      ])
    // What failed is recorded by then; that it could not be closed must not record it again and again.
    const closing = all.find(({ name }) => name === 'CloseReconciliationForFailure')
    expect(closing?.state.Catch).toMatchObject([{ ErrorEquals: ['States.ALL'], Next: 'Failed' }])
  })

  it('a worker that cannot be started is waited for, one that fails is tried again, and one that takes too long is not raced by a second', () => {
    for (const { name, state } of calls('ecs:runTask')) {
      expect(
        state.Retry?.map(({ ErrorEquals }) => ErrorEquals),
        name,
      ).toEqual([['ECS.AmazonECSException', 'AmazonECS.Unknown'], ['States.TaskFailed']])
      const [starting, failing] = state.Retry!
      // Room for a container comes back within minutes: eight more tries wait 14 minutes at most, and half of that on average.
      expect(starting, name).toMatchObject({ IntervalSeconds: 10, BackoffRate: 2, MaxAttempts: 8, MaxDelaySeconds: 180 })
      expect(failing, name).toMatchObject({ MaxAttempts: 3 })
    }
  })

  it('what the service itself could not do is tried again: too many requests, its own faults', () => {
    for (const { name, state } of tasks.filter(({ state }) => /lambda:invoke/.test(state.Resource ?? '')))
      expect(
        state.Retry?.flatMap(({ ErrorEquals }) => ErrorEquals),
        name,
      ).toEqual(expect.arrayContaining(OF_LAMBDA))
  })

  it('every ErrorEquals is a Waybill code or one of the service', () => {
    const names = all.flatMap(({ state }) => [...(state.Retry ?? []), ...(state.Catch ?? [])].flatMap((each) => each.ErrorEquals))
    const known = new Set<string>([...ERROR_CODES, ...SERVICE_ERRORS])
    expect(names.filter((name) => !known.has(name))).toEqual([])
    // Which codes are matched: each is thrown by real code in the tests of the part that throws it.
    expect(sorted(names.filter((name) => !SERVICE_ERRORS.includes(name)))).toEqual([
      'APPROVAL_EXPIRED',
      'BAD_INPUT',
      'CONFLICT',
      'CONNECTION_FAILED',
      'NOT_FOUND',
      'SPEC_INVALID',
      'STATEMENT_TIMEOUT',
      'STREAM_TRUNCATED',
      'TARGET_NOT_EMPTY',
    ])
  })

  it('what the spec got wrong is not tried again by any step that plans, before anything else is asked', () => {
    const once = tasks.filter(({ state }) => state.Retry?.[0]?.ErrorEquals.includes('SPEC_INVALID'))
    expect(sorted(once.map(({ name }) => name))).toEqual([
      'CompilePlan',
      'CreateProject',
      'Discover',
      'Profile',
      'ProposeMapping',
      'ProposeRecon',
      'ProposeRewrite',
      'RequestDecisions',
      'ValidatePlan',
    ])
    for (const { name, state } of once) {
      expect(state.Retry![0], name).toMatchObject({ MaxAttempts: 0 })
      expect(state.Retry![0]!.ErrorEquals, name).toEqual(
        expect.arrayContaining(['SPEC_INVALID', 'BAD_INPUT', 'NOT_FOUND', 'TARGET_NOT_EMPTY']),
      )
    }
  })

  it('people get longer than the longest request lives', () => {
    const waiting = calls('waitForTaskToken')
    expect(sorted(waiting.map(({ name }) => name))).toEqual([
      'RequestApprovalForCutover',
      'RequestApprovalForCutoverReadiness',
      'RequestApprovalForExecution',
      'RequestApprovalForParallelRun',
      'RequestApprovalForPlan',
      'RequestDecisions',
    ])
    for (const { name, state } of waiting) {
      expect(state.TimeoutSeconds, name).toBeGreaterThan(30 * 86_400)
      // Once the time is over, the same people must not be asked again by a retry.
      expect(
        state.Retry?.flatMap((retrier) => retrier.ErrorEquals),
        name,
      ).not.toContain('States.Timeout')
    }
  })

  it('no failed item of a Map is tolerated', () => {
    const maps = all.filter(({ state }) => state.Type === 'Map')
    expect(maps.map(({ name }) => name)).toEqual(['CopyChunks', 'HashBatches'])
    for (const { state } of maps) expect(state).toMatchObject({ ToleratedFailureCount: 0, ToleratedFailurePercentage: 0 })
  })
})

it('every state tells its part of the story', () => {
  for (const { name, state } of all) expect(state.Comment?.length ?? 0, name).toBeGreaterThan(15)
})
