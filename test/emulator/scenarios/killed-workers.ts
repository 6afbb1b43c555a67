import { beforeAll, describe, expect, it } from 'vitest'
import { withClient } from '../../support/postgres.ts'
import { type HeldTable, holdTable } from '../harness/held-table.ts'
import { migrateUntil } from '../harness/migrate.ts'
import { reconciliationOf, type Stage } from '../harness/stage.ts'

const PROJECT = 'flights-killed'
/** A migration that nobody disturbed, of the same rows. */
const UNDISTURBED = 'flights-aws'
const TABLE = 'aviation.flight'

/** One worker is killed while it copies, one is told to stop while it compares: both stand in the middle of their work. */
export function killedWorkers(on: () => Stage): void {
  describe('workers that are killed', () => {
    let stage: Stage
    let targetUrl: string
    let from: number

    beforeAll(async () => {
      stage = on()
      const { account, flights, browser } = stage
      targetUrl = await flights.prepare(account, PROJECT)
      from = account.workers.ran.length
      const held = new Map<string, HeldTable>()
      const endings: Promise<void>[] = []
      account.workers.hooks.starting = async (worker) => {
        if ((worker === 'copy-chunk' || worker === 'hash-segments') && !held.has(worker))
          held.set(worker, await holdTable(targetUrl, TABLE))
      }
      account.workers.hooks.started = ({ worker, process, stop }) => {
        const table = held.get(worker)
        if (table === undefined || endings.length >= held.size) return
        const gone = new Promise<unknown>((resolve) => process.once('close', resolve))
        const end = async () => {
          await Promise.race([table.awaited(), gone])
          // A machine that is lost says nothing; a Spot machine that is taken back sends SIGTERM first, as StopTask does.
          if (worker === 'copy-chunk') process.kill('SIGKILL')
          else await stop()
          await gone
          await table.release()
        }
        endings.push(end())
      }
      const qaLead = ({ to }: { to: string }) => to === 'qa.lead@example.com'
      await migrateUntil(account, browser, PROJECT, 'RequestApprovalForParallelRun', qaLead)
      await Promise.all(endings)
      account.workers.hooks.starting = async () => {}
      account.workers.hooks.started = () => {}
      await account.runner.stop(PROJECT, 'Seen enough', 'The scenario ends here.')
    })

    it('are run again, the killed one and the one that was told to stop and went by itself', () => {
      const ran = stage.account.workers.ran.slice(from).map(({ worker, ended }) => `${worker} ${ended}`)
      expect(ran).toEqual([
        'prepare-target 0',
        'copy-chunk SIGKILL',
        'copy-chunk 0',
        'finish-target 0',
        'hash-segments 1',
        'hash-segments 0',
        'run-checks 0',
      ])
    })

    it('leave no row twice and none out, and the same roots as a run that nobody disturbed', async () => {
      const [killed, undisturbed] = await Promise.all([PROJECT, UNDISTURBED].map((project) => rootsOf(stage, project)))
      expect(killed).toEqual(undisturbed)
      expect(killed!.map(({ verdict }) => verdict)).toEqual(['pass', 'pass'])
      const count = (table: string) => `SELECT count(*)::text AS rows FROM ${table}`
      const { rows } = await withClient(targetUrl, (client) => client.query(count(TABLE)))
      expect(rows).toEqual([{ rows: killed!.find(({ table_id }) => /flight/.test(table_id))!.rows }])
    })
  })
}

async function rootsOf(stage: Stage, project: string) {
  const { tables } = await reconciliationOf(stage, project)
  return tables.map(({ table_id, verdict, source_root, target_root, source_rows }) => ({
    table_id,
    verdict,
    source_root,
    target_root,
    rows: source_rows,
  }))
}
