import { Stack, Validations } from 'aws-cdk-lib'
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IConstruct } from 'constructs'

/** Accepts one cdk-nag rule, or one finding of it (`Rule[Finding]`), on a construct, with the reason why it is right here. */
export function accept(construct: IConstruct, rule: string, reason: string): void {
  Validations.of(construct).acknowledge({ id: `AwsSolutions::${rule}`, reason })
}

/** Every kind of wildcard resource there may be, and why. Another one is not accepted, and fails synthesis. */
const WILDCARDS: readonly { resource: RegExp; reason: string }[] = [
  {
    resource: /:s3:::waybill-[^/]+\/projects\/\*$/,
    reason: 'This function shows, checks or seals a whole project, whose id is unknown at deploy time.',
  },
  {
    resource: /:s3:::waybill-[^/]+\/projects\/\*\/[a-z_]+[/.]\*$/,
    reason: 'The wildcards stand for a project id and a file below one artifact name; both are unknown at deploy time.',
  },
  {
    resource: /:s3:::waybill-[^/]+\/projects\/\*\/work\/\*\/[a-z-]+\/\*$/,
    reason: 'The wildcards stand for a project id, a run id and a file; a worker stores its own results there and nobody else’s.',
  },
  {
    resource: /:secretsmanager:.*:secret:waybill\/(dev|prod)\/(source\/\*|target\/\*\/(reader|writer)-\?{6})$/,
    reason: 'Connections are named by projects that come later; one side and one kind of access is all this role gets.',
  },
  {
    resource: /^<[A-Za-z0-9]+\.Arn>:\*$|:ecs:.*:task-definition\/[A-Za-z0-9]+:\*$/,
    reason:
      'All versions of one function, all revisions of one worker: an execution that waits for people goes on with those it began with.',
  },
  {
    resource: /:ecs:.*:task\/(<[A-Za-z0-9]+>|waybill-(dev|prod))\/\*$/,
    reason: 'Ids of tasks are made when they start; they lie in the one cluster.',
  },
  {
    resource: /:ses:.*:(identity|configuration-set)\/\*$/,
    reason:
      'SES also asks about the recipient’s identity while its sandbox lasts, and about the configuration set of the sender’s; mail leaves from one address, which a condition names.',
  },
  {
    resource: /:states:.*:execution:waybill-(dev|prod)-[a-z]+[/:]\*$/,
    reason: 'Ids of executions and map runs are made when they start; they belong to one state machine.',
  },
]

/** Actions that IAM knows no resource for. Listing the tasks of a cluster has a condition, which names it, and no resource. */
const WITHOUT_RESOURCE =
  /^(xray:(PutTraceSegments|PutTelemetryRecords|GetSamplingRules|GetSamplingTargets)|ecr:GetAuthorizationToken|ecs:ListTasks|ec2:[A-Za-z]+)$/

/** Accepts the wildcards in these statements that are of a known kind, each by itself and for its own reason. */
export function acceptKnownWildcards(policy: IConstruct, statements: readonly PolicyStatement[]): void {
  const stack = Stack.of(policy)
  for (const statement of statements)
    for (const resource of statement.resources.map((each) => flat(stack.resolve(each))).filter((each) => each.includes('*'))) {
      const reason =
        resource === '*'
          ? statement.actions.every((action) => WITHOUT_RESOURCE.test(action)) && 'These actions have no resource level.'
          : WILDCARDS.find((kind) => kind.resource.test(resource))?.reason
      if (reason) accept(policy, `AwsSolutions-IAM5[Resource::${resource}]`, reason)
    }
}

/** A resolved ARN the way cdk-nag writes it: `arn:<AWS::Partition>:…`. */
function flat(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'object' && value !== null) {
    if ('Ref' in value) return `<${String(value.Ref)}>`
    if ('Fn::GetAtt' in value) return `<${(value['Fn::GetAtt'] as string[]).join('.')}>`
    if ('Fn::Join' in value) {
      const [delimiter, items] = value['Fn::Join'] as [string, unknown[]]
      return items.map(flat).join(delimiter)
    }
  }
  return JSON.stringify(value)
}
