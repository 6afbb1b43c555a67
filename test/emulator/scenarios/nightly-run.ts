import { setTimeout as sleep } from 'node:timers/promises'
import { CreateScheduleCommand, GetScheduleCommand, ListSchedulesCommand, SchedulerClient } from '@aws-sdk/client-scheduler'
import { DescribeExecutionCommand, ListExecutionsCommand, SFNClient } from '@aws-sdk/client-sfn'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Description } from '../../../layers/local/asl/runner.ts'
import type { Account } from '../harness/account.ts'
import type { Stage } from '../harness/stage.ts'

/** Migrated, and standing before its parallel run. */
export const NIGHTLY_PROJECT = 'flights-killed'

/** The Scheduler fires what the stack deployed, at a moment of its own and twice. */
export function nightlyRun(on: () => Stage): void {
  describe('a night that the Scheduler begins', () => {
    let stage: Stage
    let delivered: Description[]
    let night: Description
    let scheduled: string
    let from: number

    beforeAll(async () => {
      stage = on()
      const { account } = stage
      from = account.workers.ran.length
      scheduled = `${new Date(Date.now() + 1000).toISOString().slice(0, 19)}Z`
      for (const name of ['once', 'once-more']) await fire(account, name, scheduled)
      delivered = await deliveries(account, 2, scheduled)
      night = await account.runner.wait(nameOf(scheduled))
    })

    it('is one execution, named after project and time, however often it is delivered', () => {
      expect(delivered.map(({ status, failure }) => [status, failure])).toEqual(Array(2).fill(['SUCCEEDED', null]))
      expect(night).toMatchObject({ status: 'SUCCEEDED', input: { project_id: NIGHTLY_PROJECT, purpose: 'night', scheduled } })
      expect(stage.account.workers.ran.slice(from).map(({ worker, ended }) => `${worker} ${ended}`)).toEqual([
        'hash-segments 0',
        'run-checks 0',
      ])
    })

    it('compares again and enters the night in the audit log', async () => {
      const nights = (await stage.account.audit.read(NIGHTLY_PROJECT)).filter(({ action }) =>
        /^NIGHT_(CLEAN|MISMATCHED|UNDECIDED|SKIPPED)$/.test(action),
      )
      // The run's name tells that it is the project's second.
      expect(nights.map(({ action, details }) => [action, details.run_id])).toEqual([['NIGHT_CLEAN', `${nameOf(scheduled)}-r2`]])
    })
  })
}

function nameOf(scheduled: string): string {
  return `recon-${NIGHTLY_PROJECT}-${scheduled.slice(0, 10).replaceAll('-', '')}-${scheduled.slice(11, 16).replace(':', '')}`
}

/** A schedule with the target of the deployed one, for once. */
async function fire({ deployment }: Account, name: string, scheduled: string): Promise<void> {
  const scheduler = new SchedulerClient({})
  const GroupName = deployment.outputs.ScheduleGroupName!
  const { Schedules = [] } = await scheduler.send(new ListSchedulesCommand({ GroupName }))
  const schedules = await Promise.all(Schedules.map(({ Name }) => scheduler.send(new GetScheduleCommand({ GroupName, Name }))))
  const deployed = schedules.find(({ Target }) => JSON.parse(Target?.Input ?? '{}').project_id === NIGHTLY_PROJECT)
  expect(deployed).toMatchObject({ ScheduleExpression: 'cron(30 2 * * ? *)', State: 'ENABLED' })
  await scheduler.send(
    new CreateScheduleCommand({
      Name: name,
      GroupName,
      ScheduleExpression: `at(${scheduled.slice(0, 19)})`,
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: deployed!.Target,
    }),
  )
}

/** What the Scheduler started in the emulator, run to its end where Step Functions is. The emulator does not say the scheduled time; the service does. */
async function deliveries(account: Account, count: number, scheduled: string): Promise<Description[]> {
  const machine = account.machine('nightly')
  const sfn = new SFNClient({ endpoint: account.emulator.url })
  for (;;) {
    const { executions = [] } = await sfn.send(new ListExecutionsCommand({ stateMachineArn: machine }))
    if (executions.length < count) {
      await sleep(500)
      continue
    }
    const ended: Description[] = []
    for (const { executionArn, name } of executions) {
      const { input } = await sfn.send(new DescribeExecutionCommand({ executionArn }))
      expect(input).toContain('<aws.scheduler.scheduled-time>')
      await account.runner.start(machine, name!, JSON.parse(input!.replace('<aws.scheduler.scheduled-time>', scheduled)))
      ended.push(await account.runner.wait(name!))
    }
    return ended
  }
}
