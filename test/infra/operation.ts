import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT } from '../../infra/build.ts'
import { METRICS } from '../../layers/core/names.ts'
import { configOf, stagesOf } from './image/dockerfile.ts'
import { DOCKERFILE } from './image/image-tree.ts'
import { flat, resourcesOf, type Synthesis, statementsOf } from './synth.ts'

/** What operating it relies on. */
export function operationTests(prod: Synthesis): void {
  const functions = resourcesOf(prod.pipeline, 'AWS::Lambda::Function')
  const variables = (properties: Record<string, unknown>) => (properties.Environment as { Variables: Record<string, unknown> }).Variables

  describe('functions', () => {
    it('have a timeout, the runtime the project is built for, a trace, a log group and the layer', () => {
      for (const [id, { Properties }] of functions) {
        expect(Properties.Timeout, id).toBeGreaterThan(0)
        expect(Properties).toMatchObject({
          Runtime: 'nodejs24.x',
          Architectures: ['arm64'],
          TracingConfig: { Mode: 'Active' },
          LoggingConfig: { LogGroup: {} },
        })
        expect(flat((Properties.Layers as unknown[])[0])).toMatch(/^<RuntimeLayer/)
      }
      const http = functions.filter(([id]) => /^(ApprovalPage|Decide)/.test(id))
      // API Gateway gives up after 30 seconds: the function must have said what happened by then.
      for (const [, { Properties }] of http) expect(Properties.Timeout).toBeLessThan(30)
    })

    it('log no event, and look for no source map, since none is bundled', () => {
      for (const [id, { Properties }] of functions) expect([id, variables(Properties).NODE_OPTIONS]).toEqual([id, undefined])
      for (const [, { Properties }] of functions)
        expect(variables(Properties)).toMatchObject({ POWERTOOLS_LOGGER_LOG_EVENT: 'false', POWERTOOLS_TRACER_CAPTURE_RESPONSE: 'false' })
    })

    it('hold no secret in their environment, only where one lies', () => {
      const containers = resourcesOf(prod.pipeline, 'AWS::ECS::TaskDefinition').flatMap(
        ([, { Properties }]) => Properties.ContainerDefinitions as { Environment: { Name: string; Value: unknown }[] }[],
      )
      const values = [
        ...functions.flatMap(([, { Properties }]) => Object.entries(variables(Properties))),
        ...containers.flatMap(({ Environment }) => Environment.map(({ Name, Value }) => [Name, Value] as const)),
      ]
      expect(JSON.stringify(values)).not.toMatch(/resolve:secretsmanager/)
      for (const [name, value] of values.filter(([each]) => /SECRET$/.test(each))) expect(flat(value), name).toMatch(/ExportsOutputRef/)
    })
  })

  describe('a first deployment that fails', () => {
    const NAMES = /^(BucketName|RepositoryName|TableName|LogGroupName|Name|FunctionName|UserPoolName|AliasName|QueueName|ClusterName)$/
    /** Deletion is refused for these, by their own settings or by their key policy; and a revision or a layer's version is never in the way of the next. */
    const GUARDED: Readonly<Record<string, (properties: Record<string, unknown>) => boolean>> = {
      'AWS::KMS::Key': ({ KeyPolicy }) => !JSON.stringify(KeyPolicy).includes('kms:ScheduleKeyDeletion'),
      'AWS::DynamoDB::Table': ({ DeletionProtectionEnabled }) => DeletionProtectionEnabled === true,
      'AWS::Cognito::UserPool': ({ DeletionProtection }) => DeletionProtection === 'ACTIVE',
      'AWS::ECS::TaskDefinition': () => true,
      'AWS::Lambda::LayerVersion': () => true,
    }

    it('can be repeated: what it keeps has no fixed name and could not be deleted, everything else goes', () => {
      let kept = 0
      for (const template of [prod.state, prod.network, prod.pipeline, prod.observability])
        for (const [id, { Type, Properties, DeletionPolicy }] of Object.entries(
          template.toJSON().Resources as Record<string, { Type: string; Properties: Record<string, unknown>; DeletionPolicy?: string }>,
        )) {
          if (DeletionPolicy !== 'Retain') continue
          kept++
          expect([id, GUARDED[Type]?.(Properties)]).toEqual([id, true])
          expect([id, Object.keys(Properties).filter((name) => NAMES.test(name))]).toEqual([id, []])
        }
      expect(kept).toBeGreaterThan(15)
      const named = [
        'AWS::S3::Bucket',
        'AWS::ECR::Repository',
        'AWS::SecretsManager::Secret',
        'AWS::Logs::LogGroup',
        'AWS::Lambda::Version',
      ]
      for (const type of named)
        for (const template of [prod.state, prod.network, prod.pipeline])
          for (const [id, { DeletionPolicy, UpdateReplacePolicy }] of resourcesOf(template, type))
            expect([id, DeletionPolicy, UpdateReplacePolicy]).toEqual([id, 'RetainExceptOnCreate', 'Retain'])
    })
  })

  describe('workers', () => {
    it('run one image by digest, without root, on a read-only disk, each with its own command and role', () => {
      const definitions = resourcesOf(prod.pipeline, 'AWS::ECS::TaskDefinition')
      const roles = new Set(definitions.map(([, { Properties }]) => flat(Properties.TaskRoleArn)))
      expect(roles.size).toBe(definitions.length)
      for (const [, { Properties }] of definitions) {
        const [container] = Properties.ContainerDefinitions as Record<string, unknown>[]
        expect(flat(container?.Image)).toMatch(/@<WorkerImageDigest>$/)
        expect(container).toMatchObject({ User: '1000:1000', ReadonlyRootFilesystem: true, LogConfiguration: { LogDriver: 'awslogs' } })
        expect(container?.Command).toHaveLength(1)
        expect(container).toMatchObject({
          StopTimeout: 30,
          LinuxParameters: { InitProcessEnabled: true, Capabilities: { Drop: ['ALL'] } },
          MountPoints: [{ ContainerPath: '/tmp', ReadOnly: false }],
        })
        const { healthCheck, user, entrypoint } = configOf(stagesOf(readFileSync(DOCKERFILE, 'utf8')).at(-1)!)
        expect(container?.HealthCheck).toMatchObject({
          Command: ['CMD', ...healthCheck],
          Interval: 30,
          Timeout: 10,
          StartPeriod: 60,
          Retries: 3,
        })
        expect(container?.User).toBe(user)
        expect([entrypoint, container?.EntryPoint]).toEqual([['node'], undefined])
      }
      expect(prod.pipeline.toJSON().Parameters.WorkerImageDigest).toMatchObject({ AllowedPattern: '^sha256:[0-9a-f]{64}$' })
      expect(prod.pipeline.toJSON().Parameters.WorkerImageDigest.Default).toBeUndefined()
    })
  })

  describe('logs', () => {
    it('all end', () => {
      for (const template of [prod.state, prod.network, prod.pipeline, prod.observability])
        for (const [id, { Properties }] of resourcesOf(template, 'AWS::Logs::LogGroup')) expect(Properties.RetentionInDays, id).toBe(365)
    })

    // The account's resource policy for log delivery holds 5,120 characters, and each group outside this prefix takes some of them.
    it('that a service delivers to have the prefix that needs no line in a policy of the account, and a name that no kept group is in the way of', () => {
      const nameOf = (reference: unknown) => {
        const id = /"Fn::GetAtt":\["([A-Za-z0-9]+)"/.exec(JSON.stringify(reference))?.[1]
        return flat(resourcesOf(prod.pipeline, 'AWS::Logs::LogGroup').find(([name]) => name === id)?.[1].Properties.LogGroupName)
      }
      const machines = resourcesOf(prod.pipeline, 'AWS::StepFunctions::StateMachine').map(([, { Properties }]) =>
        nameOf((Properties.LoggingConfiguration as { Destinations: unknown }).Destinations),
      )
      const apis = resourcesOf(prod.pipeline, 'AWS::ApiGatewayV2::Stage').map(([, { Properties }]) =>
        nameOf((Properties.AccessLogSettings as { DestinationArn: unknown }).DestinationArn),
      )
      expect([machines.length, apis.length]).toEqual([3, 1])
      expect(new Set([...machines, ...apis]).size).toBe(4)
      for (const name of [...machines, ...apis]) {
        expect(name).toMatch(/^\/aws\/vendedlogs\/(states|apigateway)\/waybill-prod/)
        expect(name).toContain('AWS::StackId')
      }
    })

    it('of the approval API hold no path, query or header', () => {
      const [[, stage] = []] = resourcesOf(prod.pipeline, 'AWS::ApiGatewayV2::Stage')
      const format = String((stage!.Properties.AccessLogSettings as { Format: string }).Format)
      expect(format).toContain('$context.requestId')
      expect(format).not.toMatch(/path|query|header|requestOverride|authorizer/i)
    })
  })

  describe('approval API', () => {
    it('shows by GET, HEAD and OPTIONS, and decides by POST', () => {
      const routes = resourcesOf(prod.pipeline, 'AWS::ApiGatewayV2::Route').map(([, { Properties }]) => [
        String(Properties.RouteKey),
        flat(Properties.Target).replace(/.*Integrations?\/?/, ''),
      ])
      // Nobody on the internet empties the outbox: that goes through every project.
      const posts = ['POST /approvals/{id}', 'POST /passkeys/{id}', 'POST /plans/{id}', 'POST /waivers/{id}']
      expect(routes.map(([key]) => key).sort()).toEqual(['GET /{proxy+}', 'HEAD /{proxy+}', 'OPTIONS /{proxy+}', ...posts])
      const targets = Object.fromEntries(routes)
      expect(targets['GET /{proxy+}']).toBe(targets['HEAD /{proxy+}'])
      for (const post of posts) expect(targets[post]).not.toBe(targets['GET /{proxy+}'])
    })
  })

  describe('network', () => {
    it('lies in as many zones as the settings say, with its endpoints in each', () => {
      const zones = resourcesOf(prod.network, 'AWS::EC2::Subnet').map(([, { Properties }]) => JSON.stringify(Properties.AvailabilityZone))
      expect(zones).toHaveLength(3)
      expect(new Set(zones).size).toBe(3)
      for (const [id, { Properties }] of resourcesOf(prod.network, 'AWS::EC2::VPCEndpoint'))
        if (Properties.VpcEndpointType === 'Interface') expect(Properties.SubnetIds, id).toHaveLength(3)
    })

    it('has no way out', () => {
      for (const type of ['AWS::EC2::NatGateway', 'AWS::EC2::InternetGateway', 'AWS::EC2::EgressOnlyInternetGateway'])
        expect(resourcesOf(prod.network, type)).toEqual([])
      const endpoints = resourcesOf(prod.network, 'AWS::EC2::VPCEndpoint').map(([, { Properties }]) => String(Properties.VpcEndpointType))
      expect(endpoints.filter((type) => type === 'Gateway')).toHaveLength(2)
    })
  })

  describe('dashboard', () => {
    const [[, dashboard] = []] = resourcesOf(prod.observability, 'AWS::CloudWatch::Dashboard')
    const body = flat(dashboard!.Properties.DashboardBody)
    const shown = [...body.matchAll(/\["Waybill","(\w+)","service","waybill","stage","(\w+)"/g)]

    it('draws what the code measures, all of it, of its own stage', () => {
      expect(shown.map(([, name]) => name!).sort()).toEqual([...METRICS].sort())
      expect(new Set(shown.map(([, , stage]) => stage))).toEqual(new Set(['prod']))
    })

    it('draws nothing that no code measures', () => {
      const code = ['functions', 'layers/aws'].flatMap((folder) =>
        readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
          .filter((name) => name.endsWith('.ts'))
          .map((name) => readFileSync(join(ROOT, folder, name), 'utf8')),
      )
      const logged = code.filter((text) => text.includes('metrics: ')).join('\n')
      for (const name of METRICS) expect(logged, name).toMatch(new RegExp(`\\b${name}:`))
    })
  })

  describe('alarms', () => {
    const alarms = resourcesOf(prod.observability, 'AWS::CloudWatch::Alarm')
    const runbook = readFileSync(join(ROOT, 'docs/runbook.md'), 'utf8')
    const sections = new Set(
      [...runbook.matchAll(/^## (.+)$/gm)].map(([, title]) =>
        title!
          .toLowerCase()
          .replace(/[^a-z0-9 -]/g, '')
          .replaceAll(' ', '-'),
      ),
    )

    it('of a page that failed rings by what the function says itself: status 500 is no error to Lambda', () => {
      for (const service of ['decide', 'approval-page']) {
        const said = alarms.filter(([, { Properties }]) =>
          ((Properties.Dimensions ?? []) as { Name: string; Value: unknown }[]).some(
            ({ Name, Value }) => Name === 'service' && Value === service,
          ),
        )
        expect(
          said.map(([, { Properties }]) => Properties.MetricName),
          service,
        ).toEqual(['Failures'])
      }
    })

    it('of a night ring when it was not started: by the queue, and by the machine that starts it', () => {
      const [[starter] = []] = resourcesOf(prod.pipeline, 'AWS::StepFunctions::StateMachine').filter(
        ([, { Properties }]) => Properties.StateMachineName === 'waybill-prod-nightly',
      )
      const ringing = alarms.filter(([, { Properties }]) => flat(Properties.Dimensions).includes(`${starter}`) && starter !== undefined)
      expect(ringing.map(([, { Properties }]) => Properties.MetricName).sort()).toEqual(['ExecutionsFailed', 'ExecutionsTimedOut'])
    })

    it('are let through to people for this account only: another account’s alarm rings nothing here', () => {
      const policies = [
        ...resourcesOf(prod.observability, 'AWS::KMS::Key').map(([, { Properties }]) => Properties.KeyPolicy),
        ...resourcesOf(prod.observability, 'AWS::SNS::TopicPolicy').map(([, { Properties }]) => Properties.PolicyDocument),
      ]
      const services = policies
        .flatMap(statementsOf)
        .filter(({ Principal }) => JSON.stringify(Principal ?? '').includes('cloudwatch.amazonaws.com'))
      expect(services.length).toBeGreaterThanOrEqual(2)
      for (const { Condition } of services) expect(Condition).toEqual({ StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } })
    })

    it('each link a section of the runbook that exists, and ring somewhere', () => {
      expect(alarms.length).toBeGreaterThan(5)
      for (const [id, { Properties }] of alarms) {
        const section = /runbook\.md#([a-z-]+)$/.exec(String(Properties.AlarmDescription))?.[1]
        expect(sections, id).toContain(section)
        expect(Properties.AlarmActions, id).toHaveLength(1)
      }
    })
  })
}
