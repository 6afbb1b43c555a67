import { Duration, Stack } from 'aws-cdk-lib'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { CfnSchedule, CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'
import { Flow } from './flow.ts'

/** Execution names have at most 80 characters: `recon-` and `-20260131-0130` take 20. */
const MAX_PROJECT = 60

/**
 * Reconciles each project of `config.nightly` once a night. The scheduler delivers at least once, so it starts a one-state machine that names the execution
 * after project and scheduled time: a second delivery finds the name taken and ends. The run's id is that name; the input holds no "now".
 *
 * The scheduler gives that time in UTC, and by UTC's date alone one night a year would be lost: 01:00 in Berlin is 00:00 UTC on the last Sunday of
 * March and 23:00 UTC of the same day on the Monday after. So the name holds hour and minute, and which night it is the run finds out itself.
 */
export class Nightly extends Construct {
  readonly start: Flow

  constructor(scope: Construct, id: string, props: { config: StageConfig; reconcile: Flow; undelivered: IQueue }) {
    super(scope, id)
    const { nightly, stage } = props.config
    const stack = Stack.of(this)
    const long = nightly.projects.filter((project) => project.length > MAX_PROJECT)
    if (long.length > 0) throw new Error(`Nightly projects have ids of at most ${MAX_PROJECT} characters: ${long.join(', ')}`)

    this.start = new Flow(this, 'Start', {
      file: 'infra/constructs/nightly.asl.json',
      name: `waybill-${stage}-nightly`,
      values: { ReconcileStateMachineArn: props.reconcile.arn },
      statements: [new PolicyStatement({ actions: ['states:StartExecution'], resources: [props.reconcile.arn] })],
      config: props.config,
    })

    const group = new CfnScheduleGroup(this, 'Group', { name: `waybill-${stage}` })
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', { conditions: { StringEquals: { 'aws:SourceAccount': stack.account } } }),
      description: 'Starts nightly reconciliation',
    })
    role.addToPolicy(new PolicyStatement({ actions: ['states:StartExecution'], resources: [this.start.arn] }))
    role.addToPolicy(new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [props.undelivered.queueArn] }))

    for (const project of nightly.projects)
      new CfnSchedule(this, `Schedule-${project}`, {
        groupName: group.ref,
        description: `Nightly reconciliation of ${project}`,
        scheduleExpression: `cron(${nightly.minute} ${nightly.hour} * * ? *)`,
        scheduleExpressionTimezone: nightly.timeZone,
        flexibleTimeWindow: { mode: 'FLEXIBLE', maximumWindowInMinutes: nightly.windowMinutes },
        target: {
          arn: this.start.arn,
          roleArn: role.roleArn,
          input: JSON.stringify({ project_id: project, scheduled: '<aws.scheduler.scheduled-time>' }),
          // A retry hours later would fall into the day's load: better a missed night, which the alarm tells.
          retryPolicy: { maximumEventAgeInSeconds: Duration.hours(1).toSeconds(), maximumRetryAttempts: 5 },
          deadLetterConfig: { arn: props.undelivered.queueArn },
        },
      })
  }
}
