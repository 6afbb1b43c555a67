import { join } from 'node:path'
import { ArnFormat, CfnParameter, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import type { IVpc } from 'aws-cdk-lib/aws-ec2'
import { Cluster, ContainerInsights, type ICluster } from 'aws-cdk-lib/aws-ecs'
import { Architecture, Code, type IFunction, LayerVersion, Runtime } from 'aws-cdk-lib/aws-lambda'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import { stateName, WORKERS, type Worker } from '../layers/core/names.ts'
import type { StageConfig } from './config.ts'
import { accept } from './constructs/accepted.ts'
import { AgentBoundary } from './constructs/agent-boundary.ts'
import { ApprovalApi } from './constructs/approval-api.ts'
import { directoryClient, type SignInProvider } from './constructs/approver-directory.ts'
import { Flow } from './constructs/flow.ts'
import { flowStatements } from './constructs/flow-statements.ts'
import { functionRole } from './constructs/function-role.ts'
import type { Neighbours } from './constructs/grants.ts'
import { Nightly } from './constructs/nightly.ts'
import { publish } from './constructs/outputs.ts'
import { Reminding } from './constructs/reminding.ts'
import { WaybillFunction } from './constructs/waybill-function.ts'
import { WorkerTask } from './constructs/worker-task.ts'
import type { NetworkStack } from './network-stack.ts'
import { FUNCTIONS, type LambdaFunction } from './permissions.ts'
import type { StateStack } from './state-stack.ts'

/** Everything that can be thrown away and deployed again: functions, workers, state machines, the approval API, schedules. */
export class PipelineStack extends Stack {
  readonly functions: ReadonlyMap<LambdaFunction, WaybillFunction>
  readonly workers: ReadonlyMap<Worker, WorkerTask>
  readonly migration: Flow
  readonly reconcile: Flow
  readonly nightly: Nightly
  readonly approvals: ApprovalApi
  readonly deadLetters: Readonly<Record<'nightly' | 'reminding', Queue>>

  constructor(
    scope: Construct,
    id: string,
    props: StackProps & { config: StageConfig; state: StateStack; network: NetworkStack; staging: string },
  ) {
    super(scope, id, props)
    const { config, state, network, staging } = props
    // CDK's classes and interfaces differ in how they declare absent properties; under exactOptionalPropertyTypes that takes a cast.
    const vpc = network.vpc as IVpc

    const imageDigest = new CfnParameter(this, 'WorkerImageDigest', {
      description: 'Digest of the worker image in the repository waybill-worker-<stage>; docs/deploy.md says how to build and push it',
      allowedPattern: '^sha256:[0-9a-f]{64}$',
    }).valueAsString

    this.deadLetters = {
      nightly: this.deadLetterQueue('NightlyDeadLetters'),
      reminding: this.deadLetterQueue('RemindingDeadLetters'),
    }
    this.approvals = new ApprovalApi(this, 'Approvals', { config })

    // Known by name, so that functions, keys and state machines need not wait for each other.
    const anchorName = `waybill-${config.stage}-anchor-audit`
    const machineNames = { migration: `waybill-${config.stage}-migration`, reconcile: `waybill-${config.stage}-reconcile` }
    const machineArn = (name: string) =>
      this.formatArn({ service: 'states', resource: 'stateMachine', resourceName: name, arnFormat: ArnFormat.COLON_RESOURCE_NAME })
    const clusterName = `waybill-${config.stage}`
    const neighbours: Neighbours = {
      state,
      config,
      anchorFunctionArn: this.formatArn({
        service: 'lambda',
        resource: 'function',
        resourceName: anchorName,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      }),
      stateMachineArns: [machineArn(machineNames.migration)],
      cluster: { name: clusterName, arn: this.formatArn({ service: 'ecs', resource: 'cluster', resourceName: clusterName }) },
      publicUrl: this.approvals.url,
      signIn: this.signInOf(config, state),
    }

    const layer = new LayerVersion(this, 'RuntimeLayer', {
      description: 'Waybill: core, agents, connectors, AWS adapters and the composition root',
      code: Code.fromAsset(join(staging, 'layer')),
      compatibleRuntimes: [Runtime.NODEJS_24_X],
      compatibleArchitectures: [Architecture.ARM_64],
      // Function versions that still wait for a person go on using the layer they were published with.
      removalPolicy: RemovalPolicy.RETAIN,
    })
    const boundaries = {
      blind: new AgentBoundary(this, 'AgentBoundary', { config, readsCatalog: false }).policy,
      reading: new AgentBoundary(this, 'CatalogAgentBoundary', { config, readsCatalog: true }).policy,
    }
    const boundaryOf = (name: LambdaFunction) =>
      FUNCTIONS[name].agent !== true ? undefined : FUNCTIONS[name].secrets === undefined ? boundaries.blind : boundaries.reading

    this.functions = new Map(
      (Object.keys(FUNCTIONS) as LambdaFunction[]).map((name) => [
        name,
        new WaybillFunction(this, stateName(name), {
          name,
          role: state.keyRoles.get(name) ?? functionRole(this, name, boundaryOf(name)),
          layer,
          staging,
          config,
          neighbours,
          network: { vpc, securityGroup: network.workers },
          ...(name === 'anchor-audit' ? { functionName: anchorName } : {}),
        }),
      ]),
    )
    this.approvals.addRoutes(this.functions.get('approval-page')!.version as IFunction, this.functions.get('decide')!.version as IFunction)

    const cluster = new Cluster(this, 'Cluster', { clusterName, vpc, containerInsightsV2: ContainerInsights.ENABLED })
    this.workers = new Map(
      WORKERS.map((name) => [name, new WorkerTask(this, `${stateName(name)}Worker`, { name, imageDigest, config, neighbours })]),
    )

    const values: Record<string, string> = { ClusterArn: cluster.clusterArn, ReconcileStateMachineArn: machineArn(machineNames.reconcile) }
    for (const [name, { version }] of this.functions) values[`${stateName(name)}FunctionArn`] = version.functionArn
    for (const [name, { definition }] of this.workers) values[`${stateName(name)}TaskDefinitionArn`] = definition.taskDefinitionArn
    const lists = {
      SubnetIds: network.vpc.isolatedSubnets.map((subnet) => subnet.subnetId),
      SecurityGroupIds: [network.workers.securityGroupId],
    }
    const flow = (name: keyof typeof machineNames) =>
      new Flow(this, stateName(name), {
        file: `statemachines/${name}.asl.json`,
        name: machineNames[name],
        values,
        lists,
        statements: flowStatements(this, {
          file: `statemachines/${name}.asl.json`,
          name: machineNames[name],
          starts: name === 'migration' ? [machineNames.reconcile] : [],
          functions: this.functions,
          workers: this.workers,
          cluster: cluster as ICluster,
          state,
        }),
        config,
      })
    this.reconcile = flow('reconcile')
    this.migration = flow('migration')
    this.migration.node.addDependency(this.reconcile)

    const decide = this.functions.get('decide')!.version as IFunction
    new Reminding(this, 'Reminding', { config, decide, undelivered: this.deadLetters.reminding })
    this.nightly = new Nightly(this, 'Nightly', { config, reconcile: this.reconcile, undelivered: this.deadLetters.nightly })

    publish(this, {
      MigrationMachineArn: this.migration.arn,
      ReconcileMachineArn: this.reconcile.arn,
      ApprovalsUrl: this.approvals.url,
      ClusterName: cluster.clusterName,
      WorkerImage: imageDigest,
      MailFrom: config.mailFrom,
      MailIdentity: config.mailIdentity.name,
      GitRepository: config.git.repository,
      ScheduleGroupName: `waybill-${config.stage}`,
      ScheduleTimeZone: config.nightly.timeZone,
    })
  }

  private signInOf(config: StageConfig, state: StateStack): SignInProvider | null {
    if (config.signIn === null || !('directory' in config.signIn)) return config.signIn
    return directoryClient(this, state.directory!, this.approvals.url)
  }

  private deadLetterQueue(id: string): Queue {
    const queue = new Queue(this, id, { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true })
    accept(queue, 'AwsSolutions-SQS3', 'This is a dead-letter queue itself; an alarm rings when anything lies in it.')
    return queue
  }
}
