import { join } from 'node:path'
import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import type { ISecurityGroup, IVpc } from 'aws-cdk-lib/aws-ec2'
import { Policy, PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam'
import {
  Architecture,
  Code,
  type ILayerVersion,
  Function as LambdaFunctionResource,
  Runtime,
  Tracing,
  type Version,
} from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { LAYER_CERTIFICATES } from '../build.ts'
import type { StageConfig } from '../config.ts'
import { FUNCTIONS, type LambdaFunction, memoryMiB, timeoutSeconds } from '../permissions.ts'
import { acceptKnownWildcards } from './accepted.ts'
import { VPC_ACTIONS } from './agent-boundary.ts'
import { environmentFor, type Neighbours, statementsFor } from './grants.ts'
import { retainedLogGroup } from './log-group.ts'

export type WaybillFunctionProps = {
  name: LambdaFunction
  role: Role
  layer: ILayerVersion
  staging: string
  config: StageConfig
  neighbours: Neighbours
  network: { vpc: IVpc; securityGroup: ISecurityGroup }
  /** Only for a function that others call by name. */
  functionName?: string
}

/** One folder of `functions/`, with the permissions of its line in the table and no others. */
export class WaybillFunction extends Construct {
  readonly function: LambdaFunctionResource
  /** What others call. Kept when a newer one is published: an execution that waits for weeks goes on with the code it began with. */
  readonly version: Version

  constructor(scope: Construct, id: string, props: WaybillFunctionProps) {
    super(scope, id)
    const { name, role, config } = props
    const permission = FUNCTIONS[name]
    const logGroup = retainedLogGroup(this, 'Logs', config)

    const statements = [
      ...statementsFor(this, permission, props.neighbours),
      new PolicyStatement({ actions: ['logs:CreateLogStream', 'logs:PutLogEvents'], resources: [logGroup.logGroupArn] }),
      new PolicyStatement({
        actions: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords', ...(permission.network === true ? VPC_ACTIONS : [])],
        resources: ['*'],
      }),
    ]
    const policy = new Policy(this, 'Policy', { roles: [role], statements })
    acceptKnownWildcards(policy, statements)

    this.function = new LambdaFunctionResource(this, 'Function', {
      description: `Waybill ${name}`,
      ...(props.functionName === undefined ? {} : { functionName: props.functionName }),
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(join(props.staging, 'functions', name)),
      handler: 'index.handler',
      layers: [props.layer],
      // The role's policy is complete above; CDK is not to widen it.
      role: role.withoutPolicyUpdates(),
      timeout: Duration.seconds(timeoutSeconds(name)),
      memorySize: memoryMiB(name, permission),
      ...reserved(name, config),
      tracing: Tracing.ACTIVE,
      logGroup,
      environment: {
        ...environmentFor(permission, props.neighbours),
        ...(permission.network === true && config.certificates !== null && { NODE_EXTRA_CA_CERTS: LAYER_CERTIFICATES }),
        POWERTOOLS_SERVICE_NAME: name,
        // An event may hold a task token: neither the event nor the response is ever logged or traced.
        POWERTOOLS_LOGGER_LOG_EVENT: 'false',
        POWERTOOLS_TRACER_CAPTURE_RESPONSE: 'false',
      },
      ...(permission.network === true
        ? {
            vpc: props.network.vpc,
            vpcSubnets: { subnets: props.network.vpc.isolatedSubnets },
            securityGroups: [props.network.securityGroup],
          }
        : {}),
      // Not one of an update that failed: Lambda publishes no version like its newest, so the next attempt would find its own in the way.
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE },
    })
    this.function.node.addDependency(policy)
    this.version = this.function.currentVersion
  }
}

/** People and the audit chain do not wait because other functions took all that the account has; and a flood of requests takes no more than this. */
function reserved(name: LambdaFunction, { concurrency }: StageConfig): { reservedConcurrentExecutions?: number } {
  if (concurrency === null) return {}
  if (name === 'approval-page' || name === 'decide') return { reservedConcurrentExecutions: concurrency.approvals }
  return name === 'anchor-audit' ? { reservedConcurrentExecutions: concurrency.anchors } : {}
}
