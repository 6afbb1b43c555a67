import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { OUTBOX_PATH } from '../../functions/decide/handler.ts'
import { ROOT } from '../../infra/build.ts'
import { FUNCTIONS, WORKER_PERMISSIONS } from '../../infra/permissions.ts'
import { httpRequestOf } from '../../layers/aws/http-event.ts'
import { ERROR_CODES } from '../../layers/core/errors.ts'
import { ENDPOINT_FUNCTIONS, STATE_MACHINES, stateName, TASK_FUNCTIONS, WORKERS } from '../../layers/core/names.ts'
import { flat, resourcesOf, type Synthesis } from './synth.ts'

type State = {
  Type: string
  Resource?: string
  Arguments?: Record<string, unknown>
  TimeoutSeconds?: unknown
  Retry?: { ErrorEquals: string[] }[]
  Catch?: { ErrorEquals: string[] }[]
  ItemProcessor?: { States: Record<string, State> }
  Branches?: { States: Record<string, State> }[]
}

/** State machines, functions and workers carry one set of names, and every placeholder has a value. */
export function flowTests(prod: Synthesis): void {
  const machines = new Map(
    resourcesOf(prod.pipeline, 'AWS::StepFunctions::StateMachine').map(([, machine]) => [
      String(machine.Properties.StateMachineName),
      machine.Properties,
    ]),
  )
  /** The definition as CloudFormation will have it. */
  const deployed = (properties: Record<string, unknown>) =>
    Object.entries(properties.DefinitionSubstitutions as Record<string, unknown>).reduce(
      (text, [name, value]) => text.replaceAll(`\${${name}}`, flat(value)),
      flat(properties.DefinitionString),
    )
  const statesOf = (states: Record<string, State>): [string, State][] =>
    Object.entries(states).flatMap(([name, state]) => [
      [name, state],
      ...statesOf(state.ItemProcessor?.States ?? {}),
      ...(state.Branches ?? []).flatMap((branch) => statesOf(branch.States)),
    ])
  const files = STATE_MACHINES.map((name) => [name, readFileSync(join(ROOT, `statemachines/${name}.asl.json`), 'utf8')] as const)
  const states = files.flatMap(([, text]) => statesOf((JSON.parse(text) as { States: Record<string, State> }).States))

  describe('state machines', () => {
    it('are the two of names.ts and the nightly start', () => {
      expect([...machines.keys()].sort()).toEqual(['waybill-prod-migration', 'waybill-prod-nightly', 'waybill-prod-reconcile'])
    })

    it('have a value for every placeholder, and are JSON with lists as lists', () => {
      for (const properties of machines.values()) {
        const text = deployed(properties)
        expect(text).not.toMatch(/\$\{/)
        const all = statesOf((JSON.parse(text) as { States: Record<string, State> }).States)
        for (const [, state] of all.filter(([, each]) => each.Resource?.includes('ecs:runTask'))) {
          const network = state.Arguments?.NetworkConfiguration as { AwsvpcConfiguration: { Subnets: string[]; SecurityGroups: string[] } }
          expect(network.AwsvpcConfiguration.Subnets.length).toBeGreaterThan(1)
          expect(network.AwsvpcConfiguration.SecurityGroups).toHaveLength(1)
        }
      }
    })

    it('never log execution data, and log and trace everything else', () => {
      for (const properties of machines.values()) {
        expect(properties.LoggingConfiguration).toMatchObject({ IncludeExecutionData: false, Level: 'ALL' })
        expect(properties.TracingConfiguration).toEqual({ Enabled: true })
      }
    })

    it('call published versions, and task definitions with their revision', () => {
      for (const properties of machines.values())
        for (const [name, value] of Object.entries(properties.DefinitionSubstitutions as Record<string, unknown>)) {
          if (name.endsWith('FunctionArn')) expect(flat(value)).toMatch(/^<.+FunctionCurrentVersion/)
          if (name.endsWith('TaskDefinitionArn')) expect(flat(value)).toMatch(/^<.+Definition[0-9A-F]{8}>$/)
        }
    })

    it('wait for their token wherever they give one out', () => {
      const given = states.filter(([, state]) => JSON.stringify(state.Arguments ?? {}).includes('Task.Token'))
      expect(given.length).toBeGreaterThan(0)
      for (const [name, state] of given) expect(state.Resource, name).toMatch(/\.waitForTaskToken$/)
    })

    it('retry and catch only codes that code can throw', () => {
      const names = states.flatMap(([, state]) =>
        [...(state.Retry ?? []), ...(state.Catch ?? [])].flatMap(({ ErrorEquals }) => ErrorEquals),
      )
      const known = new Set<string>([
        ...ERROR_CODES,
        'States.ALL',
        'States.TaskFailed',
        'States.Timeout',
        'States.HeartbeatTimeout',
        'ECS.AmazonECSException',
        'AmazonECS.Unknown',
        'Lambda.TooManyRequestsException',
        'Lambda.ServiceException',
        'Lambda.AWSLambdaException',
        'Lambda.SdkClientException',
      ])
      expect(names.length).toBeGreaterThan(0)
      expect([...new Set(names)].filter((name) => !known.has(name))).toEqual([])
    })

    it('give every task a time limit', () => {
      expect(
        states.filter(([, { Type, TimeoutSeconds }]) => Type === 'Task' && TimeoutSeconds === undefined).map(([name]) => name),
      ).toEqual([])
    })
  })

  describe('names', () => {
    const lambda = resourcesOf(prod.pipeline, 'AWS::Lambda::Function').map(([id]) => id.replace(/Function[0-9A-F]{8}$/, ''))
    const workers = resourcesOf(prod.pipeline, 'AWS::ECS::TaskDefinition').map(([id]) => id.replace(/WorkerDefinition[0-9A-F]{8}$/, ''))

    it('every function and worker of names.ts exists, and no other', () => {
      expect(lambda.sort()).toEqual([...TASK_FUNCTIONS, ...ENDPOINT_FUNCTIONS].map(stateName).sort())
      expect(workers.sort()).toEqual(WORKERS.map(stateName).sort())
      expect(Object.keys(FUNCTIONS).sort()).toEqual([...TASK_FUNCTIONS, ...ENDPOINT_FUNCTIONS].sort())
      expect(Object.keys(WORKER_PERMISSIONS).sort()).toEqual([...WORKERS].sort())
    })

    it('every task function and worker is called by a state machine', () => {
      const text = files.map(([, each]) => each).join('\n')
      for (const name of TASK_FUNCTIONS) expect(text, name).toContain(`\${${stateName(name)}FunctionArn}`)
      for (const name of WORKERS) expect(text, name).toContain(`\${${stateName(name)}TaskDefinitionArn}`)
    })

    it('the container that states address is the container that is defined', () => {
      const addressed = states
        .filter(([, { Resource }]) => Resource?.includes('ecs:runTask'))
        .flatMap(([, { Arguments }]) =>
          (Arguments!.Overrides as { ContainerOverrides: { Name: string }[] }).ContainerOverrides.map(({ Name }) => Name),
        )
      const defined = resourcesOf(prod.pipeline, 'AWS::ECS::TaskDefinition').flatMap(([, { Properties }]) =>
        (Properties.ContainerDefinitions as { Name: string }[]).map(({ Name }) => Name),
      )
      expect(new Set(addressed)).toEqual(new Set(['worker']))
      expect(new Set(defined)).toEqual(new Set(['worker']))
    })
  })

  describe('nightly schedule', () => {
    const schedules = resourcesOf(prod.pipeline, 'AWS::Scheduler::Schedule').map(([, schedule]) => schedule)
    const schedule = schedules.find(({ Properties }) => String(Properties.Description).startsWith('Nightly'))

    it('has a time zone, a window, an end to its retries and a dead-letter queue', () => {
      expect(schedule?.Properties).toMatchObject({
        ScheduleExpression: 'cron(30 2 * * ? *)',
        ScheduleExpressionTimezone: 'Europe/Berlin',
        FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 30 },
        Target: { RetryPolicy: { MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 5 }, DeadLetterConfig: {} },
      })
    })

    it('gives the scheduled time and never the present', () => {
      const { Input } = schedule!.Properties.Target as { Input: string }
      expect(JSON.parse(Input)).toEqual({ project_id: 'orders', scheduled: '<aws.scheduler.scheduled-time>' })
    })

    it('another one empties the outbox and reminds people, by the way in that the decide function has', () => {
      expect(schedules).toHaveLength(2)
      const reminding = schedules.find((each) => each !== schedule)!
      expect(reminding.Properties).toMatchObject({ ScheduleExpression: 'rate(15 minutes)', Target: { DeadLetterConfig: {} } })
      const { Input } = reminding.Properties.Target as { Input: string }
      expect(httpRequestOf(JSON.parse(Input))).toMatchObject({ method: 'POST', path: OUTBOX_PATH, body: '' })
    })

    it('names the execution after project and scheduled time, as the run too, and lets the run find out which night it is', () => {
      const definition = JSON.parse(readFileSync(join(ROOT, 'infra/constructs/nightly.asl.json'), 'utf8')) as {
        States: Record<string, State>
      }
      const { Name, Input } = definition.States.StartReconcile!.Arguments as { Name: string; Input: Record<string, string> }
      expect(Name).toBe(
        "{% 'recon-' & $states.input.project_id & '-' & $replace($substring($states.input.scheduled, 0, 10), '-', '') & '-' & $replace($substring($states.input.scheduled, 11, 5), ':', '') %}",
      )
      expect(Input).toEqual({
        project_id: '{% $states.input.project_id %}',
        purpose: 'night',
        scheduled: '{% $states.input.scheduled %}',
        run_id: Name,
      })
      expect(JSON.stringify(definition)).not.toMatch(/\$now|\$millis|\$random|\$uuid/)
    })
  })
}
