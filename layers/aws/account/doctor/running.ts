import { paginateListStackResources } from '@aws-sdk/client-cloudformation'
import { DescribeTaskDefinitionCommand, ECSClient } from '@aws-sdk/client-ecs'
import { GetScheduleCommand, paginateListSchedules, SchedulerClient } from '@aws-sdk/client-scheduler'
import { type DoctorLine, fail, ok, warn } from '../../../core/doctor.ts'
import { WORKERS } from '../../../core/names.ts'
import type { Session } from '../session.ts'
import type { Patient } from './place.ts'

/**
 * Every worker there is has one task definition, in use, that names the image by the digest that was deployed. That the registry still has it
 * shows when a worker starts.
 */
export async function imageLines({ session, deployment, outputs: { WorkerImage, WorkerRepositoryName } }: Patient): Promise<DoctorLine[]> {
  const ecs = new ECSClient(session.config)
  const wrong: string[] = []
  const found: string[] = []
  for (const taskDefinition of await definitionsOf(session, `${deployment.name}-Pipeline`)) {
    const { taskDefinition: each } = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }))
    const container = each?.containerDefinitions?.[0]
    const image = container?.image ?? 'no image'
    found.push(container?.command?.[0]?.replace(/\.mjs$/, '') ?? '')
    if (!image.endsWith(`/${WorkerRepositoryName}@${WorkerImage}`)) wrong.push(`${each?.family ?? taskDefinition} runs ${image}`)
    else if (each?.status !== 'ACTIVE') wrong.push(`${each?.family ?? taskDefinition} was taken out of use`)
  }
  if (found.length === 0) return [fail('image', 'No worker is deployed.', 'Deploy the pipeline stack again.')]
  for (const worker of WORKERS) {
    const times = found.filter((each) => each === worker).length
    if (times !== 1) wrong.push(`the worker ${worker} is there ${times === 0 ? 'not at all' : `${times} times`}`)
  }
  if (wrong.length > 0) return [fail('image', `Not what was deployed: ${wrong.join('; ')}.`, 'Deploy the pipeline stack again.')]
  return [ok('image', `All ${WORKERS.length} workers run the image ${WorkerImage.slice(0, 19)}…, named by its digest.`)]
}

/** Every task definition of a stack, of however many resources: a page holds a hundred. */
async function definitionsOf({ cloudFormation }: Session, StackName: string): Promise<string[]> {
  const found: string[] = []
  for await (const { StackResourceSummaries = [] } of paginateListStackResources({ client: cloudFormation }, { StackName }))
    for (const { ResourceType, ResourceStatus, PhysicalResourceId } of StackResourceSummaries)
      if (ResourceType === 'AWS::ECS::TaskDefinition' && ResourceStatus !== 'DELETE_COMPLETE' && PhysicalResourceId !== undefined)
        found.push(PhysicalResourceId)
  return found
}

/** Schedules are on, and at the hour people meant. */
export async function scheduleLines({ session, outputs: { ScheduleGroupName, ScheduleTimeZone: zone } }: Patient): Promise<DoctorLine[]> {
  const scheduler = new SchedulerClient(session.config)
  if (!isTimeZone(zone))
    return [fail('schedules', `${zone} is no time zone.`, 'Set nightly.timeZone in infra/settings.<stage>.json, then deploy.')]
  const names: (string | undefined)[] = []
  for await (const { Schedules = [] } of paginateListSchedules({ client: scheduler }, { GroupName: ScheduleGroupName }))
    names.push(...Schedules.map(({ Name }) => Name))
  if (names.length === 0)
    return [
      warn(
        'schedules',
        'No project is reconciled every night.',
        'Name some in nightly.projects of infra/settings.<stage>.json, if any should be.',
      ),
    ]
  const lines: DoctorLine[] = []
  for (const Name of names) {
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
          `${names.length === 1 ? 'One project is' : `${names.length} projects are`} reconciled every night, by the clocks of ${zone}.`,
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
