import { CreateScheduleCommand, GetScheduleCommand, ListSchedulesCommand, SchedulerClient } from '@aws-sdk/client-scheduler'
import { beforeAll, describe, expect, it } from 'vitest'
import type { DownloadedPack } from '../../../layers/aws/account/pack-versions.ts'
import { memoryReader, verifyPack } from '../../../layers/core/verifier/index.ts'
import { type Outcome, waybill } from '../../end-to-end/command.ts'
import { withClient } from '../../support/postgres.ts'
import { type Ended, migrate, mustBe } from '../harness/migrate.ts'
import { look, waive, waiverLink } from '../harness/people.ts'
import { jsonIn, packOf, pinnedKeys, type Stage } from '../harness/stage.ts'
import { MANAGER, REFUSED_PROJECT, STRICTER } from './policy-change.ts'

const HOOK = new URL('../harness/terminal-hook.mjs', import.meta.url).pathname
const REASON = 'The old system stays for a week.'

/** The plan that the new policy stopped: the person whom it lets do so takes responsibility by a mailed link, and the migration is started again. */
export function waiver(on: () => Stage): void {
  describe('a finding that is waived by a mailed link', () => {
    let stage: Stage
    let forged: Awaited<ReturnType<typeof look>>
    let before: Outcome
    let after: Outcome
    let waived: { read: string; said: string }
    let ended: Ended
    let pack: DownloadedPack

    beforeAll(async () => {
      stage = on()
      const { account, browser, flights } = stage
      const terminal = () => waybill(['waive', '--aws', REFUSED_PROJECT], { ...account.emulator.env, NODE_OPTIONS: `--import=${HOOK}` })
      await fireOutbox()
      const link = await waiverLink(account.emulator, MANAGER.email)
      forged = await look(
        browser,
        link.replace(/(?<=\?t=)./, (first) => (first === 'A' ? 'B' : 'A')),
      )
      before = await terminal()
      waived = await waive(browser, link, REASON)
      after = await terminal()

      // What the new plan would be refused for: the tables that the old one made are not its own.
      await withClient(flights.administrator(REFUSED_PROJECT), (client) => client.query('DROP SCHEMA aviation CASCADE'))
      ended = await migrate(account, browser, REFUSED_PROJECT, 3)
      mustBe(account, ended, 'SUCCEEDED')
      pack = await packOf(stage, REFUSED_PROJECT)
    })

    it('is shown to whoever has the link that was mailed, and to nobody else', () => {
      expect(waived.read).toContain(`policy ${STRICTER.version} calls ${STRICTER.bps.critical} critical already`)
      expect([forged.status, forged.text.includes('critical already')]).toEqual([403, false])
    })

    it('is listed by the command line: whom the link was mailed to, and that it was waived', () => {
      const { version, bps } = STRICTER
      for (const { code, out } of [before, after])
        expect([code, out]).toEqual([0, expect.stringContaining(`policy ${version} calls ${bps.critical} critical already`)])
      expect(before.out).toMatch(new RegExp(`It may be waived\\.\nMailed to ${MANAGER.email} as ${MANAGER.role} at \\S+Z\\. `))
      expect(after.out).toMatch(
        new RegExp(`Waived by ${MANAGER.email} until \\S+Z\\.\nGo on with: waybill resume --aws ${REFUSED_PROJECT}\n$`),
      )
      expect(before.out + after.out).not.toMatch(/https?:|\?t=/)
    })

    it('lets the same plan be signed, approved by others, and carried out', async () => {
      expect(waived.said).toBe('Waived')
      const log = await stage.account.audit.read(REFUSED_PROJECT)
      const signed = log.findLast(({ action }) => action === 'WAIVER_SIGNED')!
      const after = log.filter(({ seq }) => seq > signed.seq).map(({ action }) => action)
      expect([signed.actor, signed.details.role]).toEqual([MANAGER.email, MANAGER.role])
      expect([after.includes('PLAN_COMPILED'), after.includes('PLAN_SIGNED'), ended.execution.status]).toEqual([false, true, 'SUCCEEDED'])
      expect(ended.decisions.map(({ to }) => to)).not.toContain(MANAGER.email)
    })

    it('lies in the pack, under the policy that allowed it, and the pack verifies', async () => {
      expect(jsonIn(pack, 'plan/policy.json')).toEqual(STRICTER)
      expect(pack.files.filter(({ path }) => /^waivers\/.*\.dsse\.json$/.test(path))).toHaveLength(1)
      const { verified, faults, trust } = await verifyPack(memoryReader(pack.files), { trust: await pinnedKeys(stage) })
      expect([faults, verified, trust]).toEqual([[], true, 'pinned'])
    })

    it('without its waiver, the pack does not', async () => {
      const files = pack.files.filter(({ path }) => !path.startsWith('waivers/'))
      expect((await verifyPack(memoryReader(files), { trust: await pinnedKeys(stage) })).verified).toBe(false)
    })
  })
}

/** What the Scheduler does every quarter of an hour, with the target of the deployed schedule, for once and now. */
async function fireOutbox(): Promise<void> {
  const scheduler = new SchedulerClient({})
  const GroupName = 'waybill-dev-reminding'
  const { Schedules = [] } = await scheduler.send(new ListSchedulesCommand({ GroupName }))
  const { Target, ScheduleExpression } = await scheduler.send(new GetScheduleCommand({ GroupName, Name: Schedules[0]!.Name }))
  expect([Schedules.length, ScheduleExpression]).toEqual([1, 'rate(15 minutes)'])
  const at = new Date(Date.now() + 1000).toISOString().slice(0, 19)
  await scheduler.send(
    new CreateScheduleCommand({
      Name: 'once',
      GroupName,
      ScheduleExpression: `at(${at})`,
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target,
    }),
  )
}
