import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryReader, verifyPack } from '../../layers/core/verifier/index.ts'
import { openBrowser } from '../functions/support/browser.ts'
import { type Account, openAccount } from './harness/account.ts'
import { type Flights, openFlights } from './harness/flights.ts'
import { migrate, mustBe, packOf } from './harness/migrate.ts'

const ROWS = 50_000
let account: Account
let flights: Flights
let browser: Browser

beforeAll(async () => {
  ;[account, flights, browser] = await Promise.all([openAccount(), openFlights(ROWS), openBrowser()])
})
afterAll(async () => {
  await browser?.close()
  await flights?.stop()
  await account?.close()
})

describe('a migration in a deployed account', () => {
  it('is approved by mail, copied and proved by workers, and leaves a pack that verifies', async () => {
    await flights.prepare(account, 'flights-aws')
    const ended = await migrate(account, browser, 'flights-aws')
    mustBe(account, ended, 'SUCCEEDED')
    console.log(ended.decisions)
    const pack = await packOf(account, 'flights-aws')
    expect((await verifyPack(memoryReader(pack))).faults).toEqual([])
    console.log(account.workers.ran)
  })
})
