import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { approveByMail } from '../../cli/demo/approvers.ts'
import { type FreshDatabase, freshDatabase, runSql, withClient } from '../support/postgres.ts'
import { startWaybill, waybill } from './command.ts'

const MINUTES = 60_000
let folder: string
let source: FreshDatabase
let target: FreshDatabase

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-run-'))
  source = await freshDatabase()
  target = await freshDatabase()
  await runSql(
    source.url,
    `CREATE TABLE customer (id bigint PRIMARY KEY, city text NOT NULL, since date);
     INSERT INTO customer SELECT i, 'city ' || i % 50, '2020-01-01'::date + i FROM generate_series(1, 2000) i`,
  )
})
afterAll(async () => {
  await source.drop()
  await target.drop()
  await rm(folder, { recursive: true, force: true })
})

const ROLES = ['tech_lead', 'data_owner', 'security', 'qa_lead', 'business_owner', 'release_manager']

function spec(migrationId: string, targetTable: string): string {
  return `migration_id: ${migrationId}
title: Customers
author: author@example.com
source: { system_type: POSTGRESQL, connection: { secret_ref: "env://RUN_SOURCE", tls_enabled: false } }
target: { system_type: POSTGRESQL, connection: { secret_ref: "env://RUN_TARGET", tls_enabled: false } }
tables:
  - { source: public.customer, target: { schema: moved, name: ${targetTable} } }
approvers:
${ROLES.map((role) => `  - { role: ${role}, email: ${role.replaceAll('_', '-')}@example.com }`).join('\n')}
`
}

function place(name: string) {
  return { home: join(folder, `${name}-home`), out: join(folder, `${name}-out`), file: join(folder, `${name}.yaml`) }
}

/** True once the person was asked: a task interrupted before that is run again, and asks then. */
function submitted(home: string): boolean {
  const db = new DatabaseSync(join(home, 'waybill.sqlite'), { readOnly: true })
  try {
    return db.prepare("SELECT 1 FROM events WHERE type = 'TaskSubmitted' AND state = 'RequestApprovalForPlan'").get() !== undefined
  } finally {
    db.close()
  }
}

const env = () => ({ RUN_SOURCE: source.url, RUN_TARGET: target.url })

describe('run', () => {
  it(
    'takes a spec from the request to the evidence, and tells in between who is being waited for',
    async () => {
      const { home, out, file } = place('whole')
      await writeFile(file, spec('Customers-1', 'customer'))
      const running = startWaybill(['run', file, '--home', home, '--out', out], env())
      await running.saw(/RequestApprovalForPlan/)
      await expect
        .poll(async () => (await waybill(['status', '--home', home])).out, { timeout: MINUTES, interval: 300 })
        .toMatch(/customers-1 waits for tech-lead@example\.com/)
      const asked = await waybill(['approve', 'tech-lead@example.com', '--home', home, '--json'])
      expect(JSON.parse(asked.out)).toMatchObject([
        { project_id: 'customers-1', role: 'tech_lead', link: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/approvals\//) },
      ])

      const stop = new AbortController()
      const decisions: string[] = []
      const approving = approveByMail(join(home, 'outbox'), stop.signal, ({ approver, what }) => decisions.push(`${approver} ${what}`))
      const result = await running.done
      stop.abort()
      await approving
      expect(result.code, result.err + result.out).toBe(0)
      expect(result.out).toContain('PROOF VALID')
      expect(decisions).toContain('security@example.com approved')
      expect(JSON.parse(await readFile(join(out, 'recon_report.json'), 'utf8'))).toMatchObject({
        verdict: 'pass',
        tables: [{ target_rows: '2000', mode: 'ordered' }],
      })
      const moved = await withClient(target.url, (client) => client.query('SELECT count(*)::int AS n FROM moved.customer'))
      expect(moved.rows).toEqual([{ n: 2000 }])
      expect((await waybill(['verify', join(out, 'evidence_pack')])).code).toBe(0)

      const again = await waybill(['run', file, '--home', home, '--out', out], env())
      expect(again.code).toBe(2)
      expect(again.err).toContain('has a project customers-1 already')
    },
    3 * MINUTES,
  )

  it('keeps passwords out of everything it writes and prints', async () => {
    const { home } = place('whole')
    const password = new URL(source.url).password
    const database = await readFile(join(home, 'waybill.sqlite'))
    // The password of the test server is a plain word; the whole connection string is what must never be found.
    expect(database.includes(Buffer.from(`:${password}@`))).toBe(false)
  })

  it('refuses a wrong spec in one clear error, before it makes anything', async () => {
    const { home, out, file } = place('wrong')
    await writeFile(file, spec('wrong', 'customer').replace('title: Customers', 'titel: Customers'))
    const result = await waybill(['run', file, '--home', home, '--out', out], env())
    expect(result.code).toBe(2)
    expect(result.err).toMatch(/SPEC_INVALID/)
    expect(result.err).toMatch(/titel.*title/s)
    expect(existsSync(home)).toBe(false)
    expect(existsSync(out)).toBe(false)
  })

  it('says what to do about a variable that is not set', async () => {
    const { home, out, file } = place('unset')
    await writeFile(file, spec('unset', 'customer'))
    const result = await waybill(['run', file, '--home', home, '--out', out])
    expect(result.code).toBe(2)
    expect(result.out).toContain('The environment variable RUN_SOURCE is not set')
  })

  it('asks for the people an input document does not name', async () => {
    const file = join(folder, 'input.json')
    await writeFile(file, JSON.stringify({ validation_config: {}, rollback_config: {} }))
    const result = await waybill(['run', file])
    expect(result.code).toBe(2)
    expect(result.err).toContain('--approver ROLE=ADDRESS')
  })

  it(
    'goes on after Ctrl-C without asking anybody twice',
    async () => {
      const { home, out, file } = place('stopped')
      await writeFile(file, spec('stopped', 'customer_2'))
      const running = startWaybill(['run', file, '--home', home, '--out', out], env())
      await running.saw(/RequestApprovalForPlan/)
      await expect.poll(() => submitted(home), { timeout: MINUTES, interval: 50 }).toBe(true)
      running.child.kill('SIGINT')
      expect((await running.done).code).toBe(130)
      const stop = new AbortController()
      const people: string[] = []
      const approving = approveByMail(join(home, 'outbox'), stop.signal, ({ approver }) => people.push(approver))
      const resumed = await waybill(['resume', '--home', home, '--out', out], env())
      stop.abort()
      await approving
      expect(resumed.code, resumed.err + resumed.out).toBe(0)
      expect(people.filter((person) => person === 'tech-lead@example.com')).toHaveLength(1)
    },
    3 * MINUTES,
  )
})
