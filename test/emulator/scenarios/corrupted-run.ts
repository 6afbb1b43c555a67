import { beforeAll, describe, expect, it } from 'vitest'
import { type Tampering, tamper } from '../../../cli/demo/tamper.ts'
import { checkTampering } from '../../../cli/demo/tampering-check.ts'
import { maskFor } from '../../../functions/hash-segments/masking.ts'
import type { DownloadedPack } from '../../../layers/aws/account/pack-versions.ts'
import { defaultPolicy } from '../../../layers/core/rulebooks.ts'
import { memoryReader, verifyPack } from '../../../layers/core/verifier/index.ts'
import { withClient } from '../../support/postgres.ts'
import { type Ended, migrate, mustBe } from '../harness/migrate.ts'
import { jsonIn, packOf, pinnedKeys, reconciliationOf, type Stage } from '../harness/stage.ts'

const PROJECT = 'flights-corrupt'
const ROWS = 7

/** Somebody alters rows of the target between copying and comparing. */
export function corruptedRun(on: () => Stage): void {
  describe('a target that somebody tampers with', () => {
    let stage: Stage
    let ended: Ended
    let pack: DownloadedPack
    let targetUrl: string
    let tampered: readonly Tampering[] = []

    beforeAll(async () => {
      stage = on()
      const { account, flights, browser } = stage
      targetUrl = await flights.prepare(account, PROJECT)
      account.workers.hooks.starting = async (worker) => {
        if (worker === 'hash-segments' && tampered.length === 0) tampered = await tamper(targetUrl, ROWS)
      }
      ended = await migrate(account, browser, PROJECT)
      account.workers.hooks.starting = async () => {}
      mustBe(account, ended, 'SUCCEEDED')
      pack = await packOf(stage, PROJECT)
    })

    it('is found out: exactly the altered rows are named, and no other', async () => {
      const report = await reconciliationOf(stage, PROJECT)
      expect(tampered).toHaveLength(ROWS)
      // The report shows no values, but what the account's own key makes of them.
      const shown = await maskFor({ keys: stage.account.keys }, defaultPolicy)
      expect(checkTampering(tampered, report, shown)).toEqual({ named: ROWS, of: ROWS, others: 0 })
    })

    it('is rolled back, and asked nobody to approve a proof', async () => {
      const { account } = stage
      expect(
        account.runner
          .history(PROJECT)
          .filter(({ type }) => type === 'StateEntered')
          .at(-1)?.state,
      ).toBe('RolledBack')
      expect(ended.decisions.map(({ to }) => to)).not.toContain('qa.lead@example.com')
      await withClient(targetUrl, async (client) => {
        const { rows: relations } = await client.query(
          "SELECT relnamespace::regnamespace::text AS schema, count(*)::int FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'pg_toast', 'information_schema') GROUP BY 1",
        )
        // What stays is Waybill's own account of it: no checkpoint, and what was taken back.
        expect(relations.map(({ schema }) => schema)).toEqual(['waybill'])
        expect((await client.query('SELECT * FROM waybill.checkpoint')).rows).toEqual([])
        const { rows: undone } = await client.query('SELECT row_count::text AS rows FROM waybill.rollback ORDER BY row_count DESC')
        expect(undone).toHaveLength(2)
      })
    })

    it('leaves a pack that verifies and says that the proof does not hold', async () => {
      const verification = await verifyPack(memoryReader(pack.files), { trust: await pinnedKeys(stage) })
      expect([verification.faults, verification.verified]).toEqual([[], true])
      const outcome = jsonIn(pack, 'outcome.json') as { proof_certificate: { proof_formula_evaluation: { PROOF_VALID: boolean } } }
      expect(outcome.proof_certificate.proof_formula_evaluation.PROOF_VALID).toBe(false)
    })
  })
}
