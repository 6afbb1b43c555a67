import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabases, type DemoDatabases } from '../../cli/demo/legacy.ts'
import { createServerIn, type PostgresServer } from '../../cli/demo/postgres-server.ts'
import { keyOf } from '../../layers/core/flow/storing.ts'
import { memoryReader, verifyPack } from '../../layers/core/verifier/index.ts'
import { openBrowser } from '../functions/support/browser.ts'
import { type Account, openAccount } from './harness/account.ts'
import { approveByMail } from './harness/people.ts'

const ROWS = 50_000
let folder: string
let account: Account
let server: PostgresServer
let databases: DemoDatabases
let browser: Browser

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-aws-data-'))
  account = await openAccount()
  server = await createServerIn(join(folder, 'server'))
  databases = await createDatabases(server, ROWS)
  await account.storeSecret('waybill/dev/source/flights', databases.sourceUrl)
  await account.storeSecret('waybill/dev/target/flights/reader', databases.targetUrl)
  await account.storeSecret('waybill/dev/target/flights/writer', databases.targetUrl)
  browser = await openBrowser()
})
afterAll(async () => {
  await browser?.close()
  await server?.stop()
  await account?.close()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

/** The demo's spec, with connections as an account names them. */
function spec(migrationId: string): string {
  return readFileSync(new URL('../../examples/flights/migration.yaml', import.meta.url), 'utf8')
    .replace('env://WAYBILL_SOURCE_URL', 'aws-secretsmanager://waybill/dev/source/flights')
    .replace('env://WAYBILL_TARGET_URL', 'aws-secretsmanager://waybill/dev/target/flights')
    .replace(/^migration_id: .*$/m, `migration_id: ${migrationId}`)
}

/** Stores the spec, starts the machine, and lets people decide until it ends. */
async function migrate(projectId: string) {
  await account.artifacts.put(keyOf(projectId, 'spec', '1'), Buffer.from(spec(projectId)), {
    contentType: 'application/yaml',
    retainUntil: new Date(),
  })
  const over = new AbortController()
  const people = approveByMail(account.emulator, browser, over.signal)
  people.catch((error) => console.error(error))
  await account.runner.start(account.machine('migration'), projectId, { project_id: projectId, run_id: 'initial' })
  const ended = await account.runner.wait(projectId)
  over.abort()
  if (ended.status !== 'SUCCEEDED') {
    console.error(
      account.runner
        .history(projectId)
        .filter((event) => /fail/i.test(JSON.stringify(event)))
        .slice(0, 4),
    )
    console.error(account.emulator.log().slice(-6000))
  }
  return { ended, decisions: await people }
}

async function packOf(projectId: string) {
  const prefix = `projects/${projectId}/evidence_pack/`
  const keys = await account.artifacts.list(prefix)
  return Promise.all(
    keys.map(async (key) => {
      const pointer = await account.artifacts.find(key)
      return { path: key.slice(prefix.length), bytes: await account.artifacts.get(pointer!), pointer: pointer! }
    }),
  )
}

describe('a migration in a deployed account', () => {
  it('is approved by mail, copied and proved by workers, and leaves a pack that verifies', async () => {
    const { ended, decisions } = await migrate('flights-aws')
    expect([ended.status, ended.failure, decisions]).toEqual(['SUCCEEDED', null, expect.anything()])
    const pack = await packOf('flights-aws')
    expect((await verifyPack(memoryReader(pack))).faults).toEqual([])
  })
})
