import { Effect, ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'
import { accept, acceptKnownWildcards } from './accepted.ts'
import { connectionSecretArns, databaseUserArns } from './grants.ts'

/** What a proposer must never do, whatever a later change grants it by mistake. */
export const NEVER = [
  'kms:Sign',
  'kms:GenerateMac',
  'kms:VerifyMac',
  'kms:CreateGrant',
  'states:SendTaskSuccess',
  'states:SendTaskFailure',
  'states:SendTaskHeartbeat',
  'states:StartExecution',
  'ecs:RunTask',
  'ecs:StartTask',
  'iam:PassRole',
  'sts:AssumeRole',
  'rds-db:connect',
  'rds-data:ExecuteStatement',
  'rds-data:BatchExecuteStatement',
  'redshift-data:ExecuteStatement',
  'redshift-data:BatchExecuteStatement',
  'ses:SendEmail',
  'dynamodb:UpdateItem',
  'dynamodb:DeleteItem',
  's3:DeleteObject',
  's3:DeleteObjectVersion',
  's3:PutObjectRetention',
  's3:BypassGovernanceRetention',
]

/**
 * Permissions boundary of the agents' functions. The agents are rules that run inside the function, so the function is the fence.
 * Discover and Profile read catalogs themselves: they may have read-only credentials, which leaves the other five with no secret and no network.
 */
export class AgentBoundary extends Construct {
  readonly policy: ManagedPolicy

  constructor(scope: Construct, id: string, props: { config: StageConfig; readsCatalog: boolean }) {
    super(scope, id)
    const readOnly = props.readsCatalog
      ? new PolicyStatement({
          sid: 'ReadOnlyCredentials',
          actions: ['secretsmanager:GetSecretValue'],
          resources: connectionSecretArns(this, props.config, ['source', 'target-reader']),
        })
      : null
    const readers = props.readsCatalog ? databaseUserArns(this, props.config, ['source', 'target-reader']) : []
    const connect = 'rds-db:connect'
    const signingIn =
      readers.length === 0
        ? []
        : [
            new PolicyStatement({ sid: 'ReadOnlyUsers', actions: [connect], resources: readers }),
            new PolicyStatement({ sid: 'NoOtherUsers', effect: Effect.DENY, actions: [connect], notResources: readers }),
          ]
    const never = readers.length === 0 ? NEVER : NEVER.filter((action) => action !== connect)
    this.policy = new ManagedPolicy(this, 'Boundary', {
      description: `Waybill: what agents${props.readsCatalog ? ' that read catalogs' : ''} may do at most`,
      statements: [
        new PolicyStatement({
          sid: 'AtMost',
          actions: [
            'dynamodb:GetItem',
            'dynamodb:Query',
            'dynamodb:PutItem',
            'dynamodb:ConditionCheckItem',
            's3:GetObject',
            's3:GetObjectVersion',
            's3:PutObject',
            's3:ListBucket',
            'kms:Decrypt',
            'kms:DescribeKey',
            'kms:Encrypt',
            'kms:GenerateDataKey',
            'kms:GenerateDataKeyWithoutPlaintext',
            'kms:ReEncryptFrom',
            'kms:ReEncryptTo',
            'lambda:InvokeFunction',
            'logs:CreateLogStream',
            'logs:PutLogEvents',
            'xray:PutTraceSegments',
            'xray:PutTelemetryRecords',
            ...(props.readsCatalog ? VPC_ACTIONS : []),
          ],
          resources: ['*'],
        }),
        ...(readOnly === null ? [] : [readOnly]),
        ...signingIn,
        new PolicyStatement({
          sid: 'Never',
          effect: Effect.DENY,
          actions: props.readsCatalog ? never : [...NEVER, 'secretsmanager:GetSecretValue', 'secretsmanager:BatchGetSecretValue'],
          resources: ['*'],
        }),
      ],
    })
    accept(
      this.policy,
      'AwsSolutions-IAM5[Resource::*]',
      'A boundary grants nothing; it cuts what the role policies grant, which name their resources.',
    )
    if (readOnly !== null) acceptKnownWildcards(this.policy, [readOnly])
  }
}

/** Lambda manages a network interface for a function in a VPC; these actions have no resource level. */
export const VPC_ACTIONS = [
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
]
