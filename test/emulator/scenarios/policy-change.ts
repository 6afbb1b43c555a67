import { setTimeout as sleep } from 'node:timers/promises'
import { RedriveExecutionCommand, SFNClient, StopExecutionCommand } from '@aws-sdk/client-sfn'
import { beforeAll, describe, expect, it } from 'vitest'
import { defaultPolicy } from '../../../layers/core/rulebooks.ts'
import type { Description } from '../../../layers/local/asl/runner.ts'
import { withClient } from '../../support/postgres.ts'
import { type Ended, migrate } from '../harness/migrate.ts'
import type { Stage } from '../harness/stage.ts'

/** Its newest plan was made under the second policy, and a validator found one thing wrong with it. */
export const REFUSED_PROJECT = 'flights-policy'
export const MANAGER = { role: 'engineering_manager', email: 'mara.manager@example.com' }
const ROLLS_BACK_AT = 0.3
export const STRICTER = {
  ...defaultPolicy,
  version: 'stricter',
  bps: { ...defaultPolicy.bps, critical: 0.25 },
  waivers: { role: MANAGER.role, rules: ['tolerance-validator'], severities: ['ERROR'], max_days: 30 },
}

/**
 * An operator stops a migration before it copies; the app is deployed again with another policy; somebody redrives the execution, which goes on with the code it
 * began with; and then the migration is started again, with the code of the new deployment.
 */
export function policyChange(on: () => Stage): void {
  describe('an execution that is redriven after the policy changed', () => {
    let stage: Stage
    let targetUrl: string
    let stopped: Description
    let redriven: Description
    let refused: string[]
    let again: Ended

    beforeAll(async () => {
      stage = on()
      const { account, flights, browser } = stage
      targetUrl = await flights.prepare(account, REFUSED_PROJECT, (spec) =>
        spec
          .replace(/^approvers:$/m, `approvers:\n  - { role: ${MANAGER.role}, email: ${MANAGER.email} }`)
          .concat(`\nrollback_config: { auto_rollback_enabled: true, bps_rollback_threshold: ${ROLLS_BACK_AT} }\n`),
      )
      const sfn = new SFNClient({})
      const executionArn = `${account.machine('migration').replace(':stateMachine:', ':execution:')}:${REFUSED_PROJECT}`
      account.workers.hooks.starting = async (worker, signal) => {
        if (worker !== 'copy-chunk') return
        await sfn.send(new StopExecutionCommand({ executionArn, error: 'Stopped', cause: 'By an operator.' }))
        while (!signal.aborted) await sleep(20)
      }
      stopped = (await migrate(account, browser, REFUSED_PROJECT)).execution
      account.workers.hooks.starting = async () => {}
      const from = account.workers.ran.length

      await account.deployPolicy(STRICTER)
      await sfn.send(new RedriveExecutionCommand({ executionArn }))
      redriven = await account.runner.wait(REFUSED_PROJECT)
      refused = account.workers.ran.slice(from).map(({ worker, ended }) => `${worker} ${ended}`)
      again = await migrate(account, browser, REFUSED_PROJECT, 2)
    })

    it('was stopped before a row was copied', () => {
      expect([stopped.status, stopped.failure?.error]).toEqual(['ABORTED', 'Stopped'])
    })

    it('is refused by the worker itself, each time it is tried', async () => {
      expect(refused).toEqual(Array(4).fill('copy-chunk 1'))
      const { rows } = await withClient(targetUrl, (client) => client.query('SELECT count(*)::int AS rows FROM aviation.flight'))
      expect(rows).toEqual([{ rows: 0 }])
    })

    it('ends with the error that says so, and the audit log has it', async () => {
      expect([redriven.status, redriven.failure?.error]).toEqual(['FAILED', 'PLAN_NOT_AUTHORISED'])
      const failed = (await stage.account.audit.read(REFUSED_PROJECT)).find(({ action }) => action === 'RUN_FAILED')
      expect(failed?.details).toMatchObject({ code: 'PLAN_NOT_AUTHORISED', reason: expect.stringMatching(/stricter .* is in force now/) })
    })

    it('started again, is planned anew under the new policy, which finds what the old one let pass', async () => {
      expect([again.execution.status, again.execution.failure?.error]).toEqual(['FAILED', 'FAIL'])
      const log = await stage.account.audit.read(REFUSED_PROJECT)
      const versions = log.filter(({ action }) => action === 'PLAN_COMPILED').map(({ details }) => details.policy_version)
      expect([versions, log.some(({ action }) => action === 'PLAN_STALE')]).toEqual([[defaultPolicy.version, STRICTER.version], true])
      const validated = log.findLast(({ action }) => action === 'PLAN_VALIDATED')
      expect([validated?.details.verdict, log.findLast(({ action }) => action === 'PLAN_SIGNED')!.seq < validated!.seq]).toEqual([
        'fail',
        true,
      ])
    })
  })
}
