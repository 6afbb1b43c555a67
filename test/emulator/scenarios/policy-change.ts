import { setTimeout as sleep } from 'node:timers/promises'
import { RedriveExecutionCommand, SFNClient, StopExecutionCommand } from '@aws-sdk/client-sfn'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Description } from '../../../layers/local/asl/runner.ts'
import { withClient } from '../../support/postgres.ts'
import { migrate } from '../harness/migrate.ts'
import type { Stage } from '../harness/stage.ts'

const PROJECT = 'flights-policy'

/** An operator stops a migration before it copies; the policy changes; somebody redrives the execution, which goes on with the code it began with. */
export function policyChange(on: () => Stage): void {
  describe('an execution that is redriven after the policy changed', () => {
    let stage: Stage
    let targetUrl: string
    let stopped: Description
    let redriven: Description
    let from: number

    beforeAll(async () => {
      stage = on()
      const { account, flights, browser } = stage
      targetUrl = await flights.prepare(account, PROJECT)
      const sfn = new SFNClient({})
      const executionArn = `${account.machine('migration').replace(':stateMachine:', ':execution:')}:${PROJECT}`
      account.workers.hooks.starting = async (worker, signal) => {
        if (worker !== 'copy-chunk') return
        await sfn.send(new StopExecutionCommand({ executionArn, error: 'Stopped', cause: 'By an operator.' }))
        while (!signal.aborted) await sleep(20)
      }
      stopped = (await migrate(account, browser, PROJECT)).execution
      account.workers.hooks.starting = async () => {}
      from = account.workers.ran.length

      // What the next deployment of the state stack writes there, with another policy beside it.
      const carried = await account.replaceSecret(/PolicyInForce/, '{}')
      const policy = JSON.parse(carried) as { version: string; plan_ttl_hours: number }
      await account.replaceSecret(/PolicyInForce/, JSON.stringify({ ...policy, version: 'stricter', plan_ttl_hours: 1 }))
      try {
        await sfn.send(new RedriveExecutionCommand({ executionArn }))
        redriven = await account.runner.wait(PROJECT)
      } finally {
        await account.replaceSecret(/PolicyInForce/, carried)
      }
    })

    it('was stopped before a row was copied', () => {
      expect([stopped.status, stopped.failure?.error]).toEqual(['ABORTED', 'Stopped'])
    })

    it('is refused by the worker itself, each time it is tried', async () => {
      const { account } = stage
      expect(account.workers.ran.slice(from).map(({ worker, ended }) => `${worker} ${ended}`)).toEqual(Array(4).fill('copy-chunk 1'))
      const { rows } = await withClient(targetUrl, (client) => client.query('SELECT count(*)::int AS rows FROM aviation.flight'))
      expect(rows).toEqual([{ rows: 0 }])
    })

    it('ends with the error that says so, and the audit log has it', async () => {
      expect([redriven.status, redriven.failure?.error]).toEqual(['FAILED', 'PLAN_NOT_AUTHORISED'])
      const failed = (await stage.account.audit.read(PROJECT)).findLast(({ action }) => action === 'RUN_FAILED')
      expect(failed?.details).toMatchObject({ code: 'PLAN_NOT_AUTHORISED', reason: expect.stringMatching(/stricter .* is in force now/) })
    })
  })
}
