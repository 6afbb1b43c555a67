import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ArnFormat, Stack } from 'aws-cdk-lib'
import type { ICluster } from 'aws-cdk-lib/aws-ecs'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { stateName, type Worker } from '../../layers/core/names.ts'
import { ROOT } from '../build.ts'
import type { LambdaFunction } from '../permissions.ts'
import type { StateStack } from '../state-stack.ts'
import type { WaybillFunction } from './waybill-function.ts'
import type { WorkerTask } from './worker-task.ts'

/** What a state machine may do: call the functions and start the workers that its own file names, and wait for them. */
export function flowStatements(
  scope: Construct,
  props: {
    file: string
    name: string
    starts: readonly string[]
    functions: ReadonlyMap<LambdaFunction, WaybillFunction>
    workers: ReadonlyMap<Worker, WorkerTask>
    cluster: ICluster
    state: StateStack
  },
): PolicyStatement[] {
  const stack = Stack.of(scope)
  const text = readFileSync(join(ROOT, props.file), 'utf8')
  const states = (resource: string, resourceName: string) =>
    stack.formatArn({ service: 'states', resource, resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME })
  const managedRule = (name: string) => stack.formatArn({ service: 'events', resource: 'rule', resourceName: name })

  const called = [...props.functions]
    .filter(([name]) => text.includes(`\${${stateName(name)}FunctionArn}`))
    .map(([, each]) => each.function)
  const run = [...props.workers].filter(([name]) => text.includes(`\${${stateName(name)}TaskDefinitionArn}`)).map(([, worker]) => worker)

  return [
    // Every version and revision: an execution that waits for people goes on, after a deployment, with those that its own definition names.
    new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: called.map((each) => `${each.functionArn}:*`) }),
    new PolicyStatement({
      actions: ['ecs:RunTask'],
      resources: run.map(({ definition }) =>
        stack.formatArn({ service: 'ecs', resource: 'task-definition', resourceName: `${definition.family}:*` }),
      ),
      conditions: { ArnEquals: { 'ecs:cluster': props.cluster.clusterArn } },
    }),
    new PolicyStatement({
      actions: ['ecs:StopTask', 'ecs:DescribeTasks'],
      resources: [stack.formatArn({ service: 'ecs', resource: 'task', resourceName: `${props.cluster.clusterName}/*` })],
      conditions: { ArnEquals: { 'ecs:cluster': props.cluster.clusterArn } },
    }),
    new PolicyStatement({
      actions: ['iam:PassRole'],
      resources: run.flatMap(({ taskRole, executionRole }) => [taskRole.roleArn, executionRole.roleArn]),
      conditions: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
    }),
    // `.sync` waits through rules that Step Functions manages under these names.
    new PolicyStatement({
      actions: ['events:PutTargets', 'events:PutRule', 'events:DescribeRule'],
      resources: [
        managedRule('StepFunctionsGetEventsForECSTaskRule'),
        ...(props.starts.length > 0 ? [managedRule('StepFunctionsGetEventsForStepFunctionsExecutionRule')] : []),
      ],
    }),
    // A distributed Map starts executions of its own state machine.
    new PolicyStatement({
      actions: ['states:StartExecution'],
      resources: [props.name, ...props.starts].map((name) => states('stateMachine', name)),
    }),
    new PolicyStatement({
      actions: ['states:DescribeExecution', 'states:StopExecution', 'states:RedriveExecution'],
      resources: [
        states('execution', `${props.name}:*`),
        states('execution', `${props.name}/*`),
        ...props.starts.map((name) => states('execution', `${name}:*`)),
      ],
    }),
    // Its item reader reads the list of work, and nothing else in the bucket.
    new PolicyStatement({
      actions: ['s3:GetObject', 's3:GetObjectVersion'],
      resources: ['chunks', 'segments'].map((name) => props.state.evidence.objects(`projects/*/${name}/*`)),
    }),
    new PolicyStatement({
      actions: ['kms:Decrypt'],
      resources: [props.state.dataKey.key.keyArn],
      conditions: { StringEquals: { 'kms:ViaService': `s3.${stack.region}.amazonaws.com` } },
    }),
  ]
}
