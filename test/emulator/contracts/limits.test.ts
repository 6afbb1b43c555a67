import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nextEntry } from '../../../layers/core/audit-chain.ts'
import type { Ports } from '../../../layers/core/ports.ts'
import type { AuditEntry } from '../../../layers/core/schemas/governance.ts'
import { AT, approvalGroup, approvalRequest, created, projectRecord, refusal } from '../../contracts/samples.ts'
import { openEmptyAccount } from './support/account.ts'
import { type FaultProxy, faultProxy } from './support/fault-proxy.ts'

const account = await openEmptyAccount()
let proxy: FaultProxy
beforeAll(async () => {
  proxy = await faultProxy(account.emulator.url)
  process.env.AWS_ENDPOINT_URL = proxy.url
})
afterAll(async () => {
  await proxy.close()
  await account.close()
})

const pages = async (operation: string, work: () => Promise<void>) => {
  const before = proxy.seen.length
  await work()
  return proxy.seen.slice(before).filter((each) => each.operation === operation).length
}

describe('more than one page', () => {
  it('of an audit chain is read whole', async () => {
    const { audit }: Ports = await account.ports({ WAYBILL_AUDIT_TABLE: await account.table('Audit') })
    // An entry holds up to fifty details of a thousand characters: some twenty entries are a megabyte, which is where DynamoDB ends a page.
    const details = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`d${n}`, 'x'.repeat(1000)]))
    const chain: AuditEntry[] = []
    for (let n = 0; n < 30; n++) {
      const entry = nextEntry(chain.at(-1) ?? null, { project_id: 'p1', at: AT, actor: 'ada@example.org', action: 'PLAN_SIGNED', details })
      await audit.append(entry)
      chain.push(entry)
    }
    const asked = await pages('Query', async () => expect(await audit.read('p1')).toEqual(chain))
    expect(asked).toBeGreaterThan(1)
    expect(await audit.head('p1')).toEqual(chain.at(-1))
  })

  it('of projects is listed whole', async () => {
    const env = { WAYBILL_PROJECTS_TABLE: await account.table('Projects'), WAYBILL_AUDIT_TABLE: await account.table('Audit') }
    const ports = await account.ports(env)
    const artifacts = Object.fromEntries(
      Array.from({ length: 150 }, (_, n) => [`a${n}`, { uri: `s3://b/${'k'.repeat(600)}`, version_id: 'v', sha256: 'a'.repeat(64) }]),
    )
    const ids = Array.from({ length: 16 }, (_, n) => `p${String(n).padStart(2, '0')}`)
    await Promise.all(ids.map((id) => created(ports, { ...projectRecord(id), artifacts })))
    const asked = await pages('Scan', async () =>
      expect((await ports.projects.list()).records.map(({ project_id }) => project_id)).toEqual(ids),
    )
    expect(asked).toBeGreaterThan(1)
  })

  it('of artifacts is listed whole, and only what begins so', async () => {
    const { artifacts } = await account.ports({ WAYBILL_EVIDENCE_BUCKET: await account.bucket() })
    const kept = { contentType: 'text/plain', retainUntil: new Date('2027-01-01') }
    const keys = Array.from({ length: 1005 }, (_, n) => `k/${String(n).padStart(4, '0')}`)
    for (let at = 0; at < keys.length; at += 50)
      await Promise.all(keys.slice(at, at + 50).map((key) => artifacts.put(key, Buffer.from(key), kept)))
    await artifacts.put('l/1', Buffer.from('x'), kept)
    const asked = await pages('GET object', async () => expect(await artifacts.list('k/')).toEqual(keys))
    expect(asked).toBe(2)
  })

  it('of requests: as many as may be asked at once, and not one more', async () => {
    const env = { WAYBILL_APPROVALS_TABLE: await account.table('Approvals'), WAYBILL_TOKEN_KEY: await account.key('TokenKey') }
    const { approvals } = await account.ports(env)
    const asked = (n: number, group: string) =>
      Array.from({ length: n }, (_, i) => approvalRequest(`${group}-${String(i).padStart(2, '0')}`, group))
    await approvals.open(approvalGroup('g1'), asked(49, 'g1'))
    expect(await approvals.requests('g1')).toEqual(asked(49, 'g1'))
    expect(await approvals.byProject('p1')).toEqual(asked(49, 'g1'))
    expect(await refusal(approvals.open(approvalGroup('g2'), asked(50, 'g2')))).toBe('TOO_LARGE')
    expect(await refusal(approvals.group('g2'))).toBe('NOT_FOUND')
  })
})
