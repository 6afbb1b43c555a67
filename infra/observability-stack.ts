import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import { Dashboard, GraphWidget, type IMetric, MathExpression, Metric, Stats, TextWidget } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import type { Construct } from 'constructs'
import { METRIC_NAMESPACE, type Metric as Metrics } from '../layers/core/names.ts'
import type { StageConfig } from './config.ts'
import { RunbookAlarm } from './constructs/runbook-alarm.ts'
import type { PipelineStack } from './pipeline-stack.ts'

/** US dollars an hour. List prices of another region differ; neither starting a container nor anything but workers is in it. */
const PRICE = { vcpuHour: 0.032_38, gibHour: 0.003_56, basis: 'list price of Fargate on ARM in us-east-1' }

/** What people look at, and what wakes them. Every alarm names the section of docs/runbook.md that says what to do. */
export class ObservabilityStack extends Stack {
  constructor(scope: Construct, id: string, props: StackProps & { config: StageConfig; pipeline: PipelineStack }) {
    super(scope, id, props)
    const { config, pipeline } = props

    const key = new Key(this, 'AlarmKey', {
      description: 'Waybill: encrypts alarm messages',
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    // Threat: another account's alarm makes CloudWatch publish here for it.
    const cloudwatch = new ServicePrincipal('cloudwatch.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
    })
    key.grantEncryptDecrypt(cloudwatch)
    const topic = new Topic(this, 'Alarms', { displayName: `Waybill ${config.stage}`, masterKey: key, enforceSSL: true })
    topic.grantPublish(cloudwatch)
    if (config.alarms.email !== null) topic.addSubscription(new EmailSubscription(config.alarms.email))
    const action = new SnsAction(topic)

    const minutes = Duration.minutes(5)
    const alarm = (id: string, section: string, what: string, metric: IMetric) =>
      new RunbookAlarm(this, id, { section, what, metric, runbookUrl: config.runbookUrl, action })
    const functionErrors = (name: Parameters<PipelineStack['functions']['get']>[0]) =>
      pipeline.functions.get(name)!.function.metricErrors({ period: minutes, statistic: 'Sum' })
    // A page with status 500 is no error to Lambda: the function says itself that it failed.
    const failures = (name: Parameters<PipelineStack['functions']['get']>[0]) =>
      new Metric({
        namespace: METRIC_NAMESPACE,
        metricName: 'Failures',
        dimensionsMap: { service: name, stage: config.stage },
        statistic: Stats.SUM,
        period: minutes,
      })
    const queued = (queue: keyof PipelineStack['deadLetters']) =>
      pipeline.deadLetters[queue].metricApproximateNumberOfMessagesVisible({ period: minutes, statistic: 'Maximum' })

    const { migration, reconcile } = pipeline
    alarm('MigrationFailed', 'migration-failed', 'A migration ended in failure.', migration.machine.metricFailed({ period: minutes }))
    alarm(
      'MigrationTimedOut',
      'migration-timed-out',
      'A migration waited for a year and was ended.',
      migration.machine.metricTimedOut({ period: minutes }),
    )
    alarm('ReconcileFailed', 'reconcile-failed', 'A reconciliation could not be done.', reconcile.machine.metricFailed({ period: minutes }))
    alarm(
      'ReconcileTimedOut',
      'reconcile-failed',
      'A reconciliation did not end in time.',
      reconcile.machine.metricTimedOut({ period: minutes }),
    )
    alarm('AnchorFailed', 'anchor-failed', 'The audit chain could not be anchored.', functionErrors('anchor-audit'))
    const starter = pipeline.nightly.start.machine
    alarm(
      'NightlyFailed',
      'nightly-not-started',
      'A nightly reconciliation could not be started.',
      starter.metricFailed({ period: minutes }),
    )
    alarm(
      'NightlyTimedOut',
      'nightly-not-started',
      'Starting a nightly reconciliation did not end in time.',
      starter.metricTimedOut({ period: minutes }),
    )
    alarm('NightlyNotStarted', 'nightly-not-started', 'A nightly reconciliation was not started.', queued('nightly'))
    alarm('RemindingNotDone', 'reminding-not-done', 'People were not reminded, outcomes not told again.', queued('reminding'))
    alarm('DecideFailed', 'decide-failed', 'A decision could not be taken.', failures('decide'))
    alarm('DecideStopped', 'decide-failed', 'A decision ran out of time, or crashed.', functionErrors('decide'))
    alarm('ApprovalPageFailed', 'approval-page-failed', 'The approval page failed.', failures('approval-page'))
    alarm('ApprovalPageStopped', 'approval-page-failed', 'The approval page ran out of time, or crashed.', functionErrors('approval-page'))
    alarm('SignPlanFailed', 'sign-plan-failed', 'A plan could not be signed.', functionErrors('sign-plan'))
    alarm('SealEvidenceFailed', 'seal-evidence-failed', 'Evidence could not be sealed.', functionErrors('seal-evidence'))
    alarm('RollbackStarted', 'rollback-started', 'A target is being rolled back.', functionRuns('record-rollback', pipeline, minutes))
    alarm(
      'ApprovalApiErrors',
      'approval-page-failed',
      'The approval API answers with errors.',
      new Metric({
        namespace: 'AWS/ApiGateway',
        metricName: '5xx',
        dimensionsMap: { ApiId: pipeline.approvals.api.apiId },
        statistic: 'Sum',
        period: minutes,
      }),
    )

    const measured = (metricName: Metrics, statistic: string, period = minutes) =>
      new Metric({
        namespace: METRIC_NAMESPACE,
        metricName,
        dimensionsMap: { service: 'waybill', stage: config.stage },
        statistic,
        period,
      })
    const perSecond = (name: Metrics, label: string) =>
      new MathExpression({
        expression: `${label} / PERIOD(${label})`,
        usingMetrics: { [label]: measured(name, Stats.SUM) },
        label,
        period: minutes,
      })
    const graph = (title: string, left: IMetric[]) => new GraphWidget({ title, left, width: 12, height: 6 })
    new Dashboard(this, 'Dashboard', {
      dashboardName: `waybill-${config.stage}`,
      widgets: [
        [
          new TextWidget({
            markdown: `# Waybill ${config.stage}\nWhat to do when something rings: ${config.runbookUrl}`,
            width: 24,
            height: 2,
          }),
        ],
        [
          graph('Migrations', [migration.machine.metricStarted(), migration.machine.metricSucceeded(), migration.machine.metricFailed()]),
          graph('Reconciliations', [
            reconcile.machine.metricStarted(),
            reconcile.machine.metricSucceeded(),
            reconcile.machine.metricFailed(),
          ]),
        ],
        [
          graph('Rows a second', [perSecond('RowsCopied', 'copied'), perSecond('RowsCompared', 'compared')]),
          graph('Rows that differ', [measured('Mismatches', Stats.SUM)]),
        ],
        [
          graph('Approvals waited for', [measured('ApprovalsWaiting', Stats.MAXIMUM)]),
          graph(`Cost of workers an hour, estimated: ${PRICE.basis}`, [
            new MathExpression({
              expression: `seconds / 3600 * (${config.workers.cpu / 1024} * ${PRICE.vcpuHour} + ${config.workers.memoryMiB / 1024} * ${PRICE.gibHour})`,
              usingMetrics: { seconds: measured('WorkerSeconds', Stats.SUM, Duration.hours(1)) },
              label: 'US dollars',
              period: Duration.hours(1),
            }),
          ]),
        ],
        [
          graph(
            'Function errors',
            [...pipeline.functions.values()].map((each) => each.function.metricErrors({ period: minutes, statistic: 'Sum' })),
          ),
          graph('Dead letters', [queued('nightly'), queued('reminding')]),
        ],
      ],
    })
  }
}

function functionRuns(name: 'record-rollback', pipeline: PipelineStack, period: Duration): IMetric {
  return pipeline.functions.get(name)!.function.metricInvocations({ period, statistic: 'Sum' })
}
