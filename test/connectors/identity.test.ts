import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectors } from '../../layers/connectors/index.ts'
import type { SystemIdentity } from '../../layers/core/schemas/identity.ts'
import { systemIdentity } from '../../layers/core/schemas/identity.ts'
import { identityInWords, sameDatabase, sameSystem } from '../../layers/core/system-identity.ts'
import { type FreshDatabase, freshDatabase, runSql, serverUrl } from '../support/postgres.ts'
import { OPTIONS } from './postgres/table-mapping.ts'

let database: FreshDatabase
let folder: string

beforeAll(async () => {
  database = await freshDatabase()
  folder = await mkdtemp(join(tmpdir(), 'waybill-identity-'))
})
afterAll(async () => {
  await database.drop()
  await rm(folder, { recursive: true, force: true })
})

const nameOf = (url: string) => new URL(url).pathname.slice(1)

async function identify(type: string, url: string, scope: string[] = []): Promise<SystemIdentity> {
  const source = await connectors.source(type, url, OPTIONS)
  try {
    return systemIdentity.parse(await source.identity(scope.map((name) => ({ schema: 'files', name }))))
  } finally {
    await source.close()
  }
}

it('is the same for the same database, whoever asks, and another for its copy', async () => {
  const name = nameOf(database.url)
  const planned = await identify('POSTGRESQL', database.url)
  expect(planned).toMatchObject({ database: name, system_identifier: expect.stringMatching(/^[1-9][0-9]+$/) })
  await runSql(database.url, `CREATE ROLE ${name}_reader LOGIN PASSWORD 'r'`)
  await runSql(serverUrl('postgres'), `CREATE DATABASE ${name}_copy TEMPLATE ${name}`)
  try {
    const asReader = await identify('POSTGRESQL', serverUrl(name, { name: `${name}_reader`, password: 'r' }))
    expect(asReader).toEqual(planned)
    const copy = await identify('POSTGRESQL', serverUrl(`${name}_copy`))
    expect(sameSystem(planned, copy)).toBe(false)
    // Dropped and made again under its own name: nothing but the oid tells.
    await runSql(serverUrl('postgres'), `DROP DATABASE ${name}_copy`)
    await runSql(serverUrl('postgres'), `CREATE DATABASE ${name}_copy TEMPLATE ${name}`)
    const again = await identify('POSTGRESQL', serverUrl(`${name}_copy`))
    expect({ ...again, database_oid: '' }).toEqual({ ...copy, database_oid: '' })
    expect(sameSystem(again, copy)).toBe(false)
  } finally {
    await runSql(serverUrl('postgres'), `DROP DATABASE IF EXISTS ${name}_copy`)
    await runSql(serverUrl('postgres'), `DROP ROLE ${name}_reader`)
  }
})

it('says in words which database it is, and which files', () => {
  const identity: SystemIdentity = { kind: 'postgresql', server: 'db:5432', system_identifier: null, database_oid: '5', database: 'new' }
  expect(identityInWords(identity)).toBe('database "new" (oid 5) at db:5432, system identifier not readable')
  const file = { path: 'a.csv', bytes: '3', sha256: 'ab'.repeat(32) }
  expect(identityInWords({ kind: 'files', files: Array(7).fill(file) })).toMatch(
    /^a\.csv \(3 bytes, SHA-256 abababababab…\).* and 2 more files$/,
  )
})

it('another server address, system or name is another system', () => {
  const one = { kind: 'postgresql' as const, server: 'db:5432', system_identifier: '1', database_oid: '5', database: 'new' }
  for (const change of [
    { server: 'db:5433' },
    { system_identifier: '2' },
    { system_identifier: null },
    { database_oid: '6' },
    { database: 'x' },
  ])
    expect(sameSystem(one, { ...one, ...change }), JSON.stringify(change)).toBe(false)
  expect(sameSystem(one, { ...one })).toBe(true)
})

it('one database is known by any address where its server says when it was started, and by its address alone where not', () => {
  const identity = { kind: 'postgresql' as const, server: 'db:5432', system_identifier: '1', database_oid: '5', database: 'new' }
  const one = { identity, running: '2026-03-01 10:00:00.000001 false' }
  const reached = (change: object, running: string | null = one.running) => ({ identity: { ...identity, ...change }, running })
  for (const other of [
    reached({ server: '10.0.0.1:6432' }),
    reached({ server: '/run/pg:5432', system_identifier: null }),
    reached({}, null),
  ])
    expect([sameDatabase(one, other), sameDatabase(other, one)]).toEqual([true, true])
  const elsewhere = { server: '10.0.0.1:6432' }
  for (const other of [
    reached(elsewhere, '2026-03-01 10:00:00.000002 false'),
    reached(elsewhere, '2026-03-01 10:00:00.000001 true'),
    reached(elsewhere, null),
    reached({ ...elsewhere, database_oid: '6' }),
    reached({ ...elsewhere, system_identifier: '2' }),
  ])
    expect([sameDatabase(one, other), sameDatabase(other, one)], JSON.stringify(other)).toEqual([false, false])
  const unknown = reached({}, null)
  expect(sameDatabase(unknown, { ...unknown, identity: { ...identity, ...elsewhere } })).toBe(false)
})

it('files are what is in them: a moved folder is the same source, one changed byte another', async () => {
  await writeFile(join(folder, 'one.csv'), 'id,word\n1,a\n')
  await writeFile(join(folder, 'two.csv'), 'id,word\n2,b\n')
  const planned = await identify('CSV', folder, ['*.csv', 'one.csv'])
  expect(planned).toMatchObject({
    kind: 'files',
    files: [
      { path: 'one.csv', bytes: '12' },
      { path: 'two.csv', bytes: '12' },
    ],
  })
  const elsewhere = await mkdtemp(join(tmpdir(), 'waybill-identity-'))
  await cp(folder, elsewhere, { recursive: true })
  expect(sameSystem(planned, await identify('CSV', elsewhere, ['one.csv', 'two.csv']))).toBe(true)
  await writeFile(join(elsewhere, 'two.csv'), 'id,word\n2,c\n')
  expect(sameSystem(planned, await identify('CSV', elsewhere, ['one.csv', 'two.csv']))).toBe(false)
  await cp(join(folder, 'two.csv'), join(elsewhere, 'two.csv'))
  await writeFile(join(elsewhere, 'three.csv'), 'id,word\n3,d\n')
  expect(sameSystem(planned, await identify('CSV', elsewhere, ['*.csv']))).toBe(false)
  await rm(elsewhere, { recursive: true })
})
