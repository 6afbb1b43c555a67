import { Aws, Duration, RemovalPolicy } from 'aws-cdk-lib'
import {
  Capability,
  ContainerImage,
  CpuArchitecture,
  FargateTaskDefinition,
  LinuxParameters,
  LogDriver,
  OperatingSystemFamily,
} from 'aws-cdk-lib/aws-ecs'
import { Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import type { Worker } from '../../layers/core/names.ts'
import { IMAGE_CERTIFICATES } from '../build.ts'
import type { StageConfig } from '../config.ts'
import { WORKER_PERMISSIONS } from '../permissions.ts'
import { accept, acceptKnownWildcards } from './accepted.ts'
import { environmentFor, type Neighbours, statementsFor } from './grants.ts'
import { retainedLogGroup } from './log-group.ts'

/** The state machines address the container by this name. */
export const CONTAINER = 'worker'

/** One worker of `functions/`: the shared image with its own command, its own role, its own log. */
export class WorkerTask extends Construct {
  readonly definition: FargateTaskDefinition
  readonly taskRole: Role
  readonly executionRole: Role

  constructor(scope: Construct, id: string, props: { name: Worker; imageDigest: string; config: StageConfig; neighbours: Neighbours }) {
    super(scope, id)
    const { name, config } = props
    const permission = WORKER_PERMISSIONS[name]
    const repository = props.neighbours.state.images
    const logGroup = retainedLogGroup(this, 'Logs', config)
    const tasks = new ServicePrincipal('ecs-tasks.amazonaws.com', {
      // Threat: another account's task cannot make ECS assume this role for it.
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    })

    this.taskRole = new Role(this, 'TaskRole', { assumedBy: tasks, description: `Waybill worker ${name}` })
    const statements = statementsFor(this, permission, props.neighbours)
    const policy = new Policy(this, 'Policy', { roles: [this.taskRole], statements })
    acceptKnownWildcards(policy, statements)

    this.executionRole = new Role(this, 'ExecutionRole', { assumedBy: tasks, description: `Starts Waybill worker ${name}` })
    const starts = [
      new PolicyStatement({ actions: ['ecr:GetAuthorizationToken'], resources: ['*'] }),
      new PolicyStatement({
        actions: ['ecr:BatchCheckLayerAvailability', 'ecr:GetDownloadUrlForLayer', 'ecr:BatchGetImage'],
        resources: [repository.repositoryArn],
      }),
      new PolicyStatement({ actions: ['logs:CreateLogStream', 'logs:PutLogEvents'], resources: [logGroup.logGroupArn] }),
    ]
    const starting = new Policy(this, 'StartPolicy', { roles: [this.executionRole], statements: starts })
    acceptKnownWildcards(starting, starts)

    this.definition = new FargateTaskDefinition(this, 'Definition', {
      cpu: config.workers.cpu,
      memoryLimitMiB: config.workers.memoryMiB,
      taskRole: this.taskRole.withoutPolicyUpdates(),
      executionRole: this.executionRole.withoutPolicyUpdates(),
      runtimePlatform: { cpuArchitecture: CpuArchitecture.ARM64, operatingSystemFamily: OperatingSystemFamily.LINUX },
      volumes: [{ name: 'scratch' }],
    })
    // A waiting execution names its revision: an older one must still be there when it goes on.
    this.definition.applyRemovalPolicy(RemovalPolicy.RETAIN)
    this.definition.node.addDependency(policy, starting)
    // An init as the first process hands SIGTERM on also before the worker listens to it; and no worker needs any of root's rights.
    const linuxParameters = new LinuxParameters(this, 'Linux', { initProcessEnabled: true })
    linuxParameters.dropCapabilities(Capability.ALL)
    const container = this.definition.addContainer(CONTAINER, {
      // By digest: the evidence says which image did the work, and a moved tag cannot change it.
      image: ContainerImage.fromRegistry(`${repository.repositoryUri}@${props.imageDigest}`),
      command: [`${name}.mjs`],
      user: '1000:1000',
      readonlyRootFilesystem: true,
      linuxParameters,
      // After SIGTERM a worker rolls back and says why within 25 seconds; then it is killed.
      stopTimeout: Duration.seconds(30),
      // ECS does not read the image's own. It stops nothing by itself: DescribeTasks and the console show who hangs.
      healthCheck: {
        command: ['CMD', 'node', 'healthy.mjs'],
        interval: Duration.seconds(30),
        timeout: Duration.seconds(10),
        startPeriod: Duration.seconds(60),
        retries: 3,
      },
      logging: LogDriver.awsLogs({ logGroup, streamPrefix: name }),
      environment: {
        ...environmentFor(permission, props.neighbours),
        POWERTOOLS_SERVICE_NAME: name,
        WAYBILL_IMAGE_DIGEST: props.imageDigest,
        ...(config.certificates !== null && { NODE_EXTRA_CA_CERTS: IMAGE_CERTIFICATES }),
      },
    })
    container.addMountPoints({ sourceVolume: 'scratch', containerPath: '/tmp', readOnly: false })
    accept(
      this.definition,
      'AwsSolutions-ECS2',
      'The environment holds names of tables, keys and secrets, and no secret: a worker resolves its credentials itself, with its own role.',
    )
  }
}
