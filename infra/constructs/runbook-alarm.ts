import { Alarm, ComparisonOperator, type IAlarmAction, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { Construct } from 'constructs'

/** An alarm that rings at the first occurrence, and says where to read what to do. */
export class RunbookAlarm extends Construct {
  constructor(
    scope: Construct,
    id: string,
    props: { section: string; what: string; metric: IMetric; runbookUrl: string; action: IAlarmAction },
  ) {
    super(scope, id)
    new Alarm(this, 'Alarm', {
      alarmDescription: `${props.what} What to do: ${props.runbookUrl}#${props.section}`,
      metric: props.metric,
      threshold: 1,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    }).addAlarmAction(props.action)
  }
}
