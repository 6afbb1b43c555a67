import { DescribeStackResourcesCommand } from '@aws-sdk/client-cloudformation'
import { DescribeTaskDefinitionCommand, ECSClient } from '@aws-sdk/client-ecs'
import { GetScheduleCommand, ListSchedulesCommand, SchedulerClient } from '@aws-sdk/client-scheduler'
import { type DoctorLine, fail, ok, warn } from '../../../core/doctor.ts'
import type { Patient } from './place.ts'

/** Every worker's task names the image by the digest that was deployed. That the registry still has it shows when a worker starts. */
export async function imageLines({ session, deployment, outputs: { WorkerImage, WorkerRepositoryName } }: Patient): Promise<DoctorLine[]> {
  const ecs = new ECSClient(session.config)
  const { StackResources = [] } = await session.cloudFormation.send(
    new DescribeStackResourcesCommand({ StackName: `${deployment.name}-Pipeline` }),
  )
  const definitions = StackResources.filter(({ ResourceType }) => ResourceType === 'AWS::ECS::TaskDefinition')
  const wrong: string[] = []
  for (const { PhysicalResourceId: taskDefinition = '' } of definitions) {
    const { taskDefinition: found } = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }))
    const image = found?.containerDefinitions?.[0]?.image ?? 'no image'
    if (!image.endsWith(`/${WorkerRepositoryName}@${WorkerImage}`)) wrong.push(`${found?.family ?? taskDefinition} runs ${image}`)
    else if (found?.status !== 'ACTIVE') wrong.push(`${found?.family ?? taskDefinition} was taken out of use`)
  }
  if (definitions.length === 0) return [fail('image', 'No worker is deployed.', 'Deploy the pipeline stack again.')]
  if (wrong.length > 0) return [fail('image', `Not what was deployed: ${wrong.join('; ')}.`, 'Deploy the pipeline stack again.')]
  return [ok('image', `All ${definitions.length} workers run the image ${WorkerImage.slice(0, 19)}…, named by its digest.`)]
}

/** Schedules are on, and at the hour people meant. */
export async function scheduleLines({ session, outputs: { ScheduleGroupName, ScheduleTimeZone: zone } }: Patient): Promise<DoctorLine[]> {
  const scheduler = new SchedulerClient(session.config)
  if (!isTimeZone(zone))
    return [fail('schedules', `${zone} is no time zone.`, 'Set nightly.timeZone in infra/settings.<stage>.json, then deploy.')]
  const { Schedules = [] } = await scheduler.send(new ListSchedulesCommand({ GroupName: ScheduleGroupName }))
  if (Schedules.length === 0)
    return [
      warn(
        'schedules',
        'No project is reconciled every night.',
        'Name some in nightly.projects of infra/settings.<stage>.json, if any should be.',
      ),
    ]
  const lines: DoctorLine[] = []
  for (const { Name } of Schedules) {
    const schedule = await scheduler.send(new GetScheduleCommand({ Name, GroupName: ScheduleGroupName }))
    const what = `${Name} (${schedule.ScheduleExpression})`
    if (schedule.State === 'DISABLED')
      lines.push(fail('schedules', `The schedule ${what} is switched off.`, 'Switch it on, or take the project out of nightly.projects.'))
    else if ((schedule.ScheduleExpressionTimezone ?? 'UTC') !== zone)
      lines.push(
        fail(
          'schedules',
          `The schedule ${what} counts its hours in ${schedule.ScheduleExpressionTimezone ?? 'UTC'}, not in ${zone}.`,
          'Deploy the pipeline stack again.',
        ),
      )
  }
  return lines.length > 0
    ? lines
    : [
        ok(
          'schedules',
          `${Schedules.length === 1 ? 'One project is' : `${Schedules.length} projects are`} reconciled every night, by the clocks of ${zone}.`,
        ),
      ]
}

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return true
  } catch {
    return false
  }
}
