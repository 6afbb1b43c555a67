/** The worker image at work: a task stopped in the middle of a copy ends at once and keeps nothing; a second process of the image finishes, and the proof is the same. */
import pg from 'pg'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findJson } from '../../layers/core/flow/storing.ts'
import { type ReconReport, reconReport } from '../../layers/core/schemas/recon.ts'
import { openBrowser } from '../functions/support/browser.ts'
import { canContain } from '../infra/image/container.ts'
import { type Account, openAccount } from './harness/account.ts'
import { type Flights, openFlights } from './harness/flights.ts'
import { migrate, mustBe } from './harness/migrate.ts'

let account: Account
let flights: Flights
let browser: Browser

beforeAll(async () => {
  ;[account, flights, browser] = await Promise.all([openAccount([], canContain), openFlights(20_000), openBrowser()])
})
afterAll(async () => {
  await browser?.close()
  await flights?.stop()
  await account?.close()
})

/** What was proved of each table: rows, and the root over all its segments. */
async function proved(projectId: string): Promise<unknown[]> {
  const reports = (await account.artifacts.list(`projects/${projectId}/recon_report/`)).filter((key) => key.endsWith('.json'))
  const report = (await findJson(account.artifacts, reports[0]!, reconReport)) as ReconReport
  expect(report.verdict).toBe('pass')
  return report.tables.map(({ table_id, source_rows, target_rows, source_root, target_root }) => ({
    table_id,
    rows: [source_rows, target_rows],
    roots: [source_root, target_root],
  }))
}

it('is run contained here', () => {
  expect(canContain).toBe(process.getuid?.() === 0)
})

it('stops in the middle of a copy when it is told to, and a second process ends with the same proof', async () => {
  await flights.prepare(account, 'undisturbed')
  mustBe(account, await migrate(account, browser, 'undisturbed'), 'SUCCEEDED')

  const connectionString = await flights.prepare(account, 'interrupted')
  // Two of them: a transaction goes on seeing the activity that it saw first.
  const [holding, looking] = [new pg.Client({ connectionString }), new pg.Client({ connectionString })]
  await Promise.all([holding.connect(), looking.connect()])
  const stopped: { code: number | null; killedBy: string | null; said: string }[] = []
  let held = false
  account.workers.hooks.starting = async (worker) => {
    if (worker !== 'copy-chunk' || held) return
    held = true
    // Rows go as far as the target, and no further: the copy is under way and cannot end.
    const { rows } = await looking.query(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    )
    await holding.query(`BEGIN; ${rows.map(({ name }) => `LOCK TABLE ${name} IN SHARE MODE`).join('; ')}`)
  }
  account.workers.hooks.started = ({ worker, process: child }) => {
    if (worker !== 'copy-chunk' || stopped.length > 0) return
    const end = { code: null as number | null, killedBy: null as string | null, said: '' }
    stopped.push(end)
    child.stderr.on('data', (chunk) => {
      end.said += chunk
    })
    void (async () => {
      for (;;) {
        const { rows } = await looking.query(
          `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() AND query ~* '(copy|insert)'`,
        )
        if (rows.length > 0) break
        if (child.exitCode !== null) return
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      child.once('exit', (code, killedBy) => {
        Object.assign(end, { code, killedBy })
        void holding.query('ROLLBACK')
      })
      child.kill('SIGTERM')
    })()
  }
  const ended = await migrate(account, browser, 'interrupted')
  await Promise.all([holding.end(), looking.end()])
  mustBe(account, ended, 'SUCCEEDED')
  expect(stopped).toHaveLength(1)
  expect(stopped[0]).toMatchObject({ code: 1, killedBy: null })
  expect(JSON.parse(stopped[0]!.said.trim().split('\n').at(-1)!)).toMatchObject({ error: 'INTERRUPTED' })
  expect(await proved('interrupted')).toEqual(await proved('undisturbed'))
})
