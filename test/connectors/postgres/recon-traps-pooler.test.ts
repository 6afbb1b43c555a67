import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openReconciler } from '../../../layers/connectors/postgres/reconciler.ts'
import type { TableResult } from '../../../layers/core/schemas/recon.ts'
import { freshDatabase, runSql, serverUrl, withClient } from '../../support/postgres.ts'
import { mappingOf, optionsOf, type Pair, reconOf } from './recon-fixture.ts'
import { openPooler, type Pooler } from './recon-pooler.ts'

/**
 * A pooler may give each transaction another connection of the server: whatever was set before it was set elsewhere. A role then sees fewer rows
 * by row security, or values in another form, and nothing says so.
 */
let pair: Pair
let role: string
let pooler: Pooler | null = null
const password = 'reads'
beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
  role = `pooled_${randomBytes(4).toString('hex')}`
  await runSql(pair.source.url, `CREATE ROLE ${role} LOGIN PASSWORD '${password}'`)
})
afterEach(async () => {
  await pooler?.close()
  pooler = null
})
afterAll(async () => {
  await pair.source.drop()
  await pair.target.drop()
  await runSql(serverUrl('postgres'), `DROP ROLE ${role}`)
})

const asRole = (url: string) => {
  const own = new URL(url)
  own.username = role
  own.password = password
  return own.href
}

async function compared(name: string, connections: number, moves: 'transactions' | 'statements'): Promise<TableResult> {
  pooler = await openPooler(asRole(pair.source.url), moves)
  const reconciler = await openReconciler(
    { systemType: 'POSTGRESQL', url: pooler.url },
    { systemType: 'POSTGRESQL', url: asRole(pair.target.url) },
    { connectTimeoutMs: 10_000, statementTimeoutMs: 60_000, signal: new AbortController().signal },
  )
  try {
    const mapping = mappingOf(name, { id: 'integer', at: 'timestamp with time zone' }, { key: ['id'] })
    const [result] = await reconciler.reconcile([{ mapping, recon: reconOf(mapping) }], optionsOf({ connections }))
    return result!
  } finally {
    await reconciler.close()
  }
}

const table = (name: string, rows: number) =>
  `CREATE TABLE ${name} (id int PRIMARY KEY, at timestamptz); INSERT INTO ${name} SELECT g, '2026-01-01 00:00:00+00' FROM generate_series(1, ${rows}) g; GRANT SELECT ON ${name} TO PUBLIC`

describe.each([1, 2])('behind a pooler of transactions, %i connections', (connections) => {
  it('rows hidden by a policy are an error, and no smaller table', async () => {
    const name = `hidden_${connections}`
    await runSql(
      pair.source.url,
      `${table(name, 5)}; ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON ${name} USING (id < 3)`,
    )
    await runSql(pair.target.url, table(name, 2))
    const result = await compared(name, connections, 'transactions')
    expect([result.verdict, result.reasons[0]]).toEqual(['inconclusive', expect.stringMatching(/row-level security/)])
  })
  it('what is alike is equal', async () => {
    const name = `alike_${connections}`
    for (const side of [pair.source, pair.target]) await runSql(side.url, table(name, 5))
    await withClient(pair.source.url, (client) => client.query(`ALTER ROLE ${role} SET TimeZone = 'Asia/Tokyo'`))
    const result = await compared(name, connections, 'transactions')
    expect([result.verdict, result.source_rows, result.target_rows]).toEqual(['pass', '5', '5'])
  })
})

it('behind a pooler that moves statements nothing is decided', async () => {
  for (const side of [pair.source, pair.target]) await runSql(side.url, table('torn', 5))
  await expect(compared('torn', 1, 'statements')).rejects.toMatchObject({
    code: 'SEGMENT_INCOMPLETE',
    message: expect.stringMatching(/transaction_isolation/),
  })
})
