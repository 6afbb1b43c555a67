import { Stack } from 'aws-cdk-lib'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { CfnSchedule, CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'

/** Reminders count in hours; an outcome that could not be told waits for this at most. */
const EVERY = 'rate(15 minutes)'

/**
 * Posts to the decide function's outbox: outcomes that were not told are told again, people are reminded, waits that are over end. It carries
 * no decision and names no project, so that delivering it twice, or by somebody else, does nothing that would not happen anyway.
 */
export class Reminding extends Construct {
  constructor(scope: Construct, id: string, props: { config: StageConfig; decide: IFunction; undelivered: IQueue }) {
    super(scope, id)
    const { config, decide, undelivered } = props
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
      description: 'Empties the outbox of decisions and reminds people',
    })
    role.addToPolicy(new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [decide.functionArn] }))
    role.addToPolicy(new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [undelivered.queueArn] }))
    new CfnSchedule(this, 'Schedule', {
      groupName: new CfnScheduleGroup(this, 'Group', { name: `waybill-${config.stage}-reminding` }).ref,
      description: 'Tells outcomes again, reminds people, ends waits that are over',
      scheduleExpression: EVERY,
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: decide.functionArn,
        roleArn: role.roleArn,
        // As API Gateway sends it: the function has one way in.
        input: JSON.stringify({ rawPath: '/outbox', requestContext: { http: { method: 'POST' } } }),
        // The next one comes in a quarter of an hour.
        retryPolicy: { maximumEventAgeInSeconds: 600, maximumRetryAttempts: 2 },
        deadLetterConfig: { arn: undelivered.queueArn },
      },
    })
  }
}
