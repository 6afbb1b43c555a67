import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { approveByMail } from '../../cli/demo/approvers.ts'
import { type FreshDatabase, freshDatabase, runSql } from '../support/postgres.ts'
import { startWaybill, waybill } from './command.ts'

const MINUTES = 60_000
const ROLES = ['tech_lead', 'data_owner', 'security', 'qa_lead', 'business_owner', 'release_manager']
let folder: string
let home: string
let source: FreshDatabase
let target: FreshDatabase

const spec = `migration_id: towns
title: Towns
author: author@example.com
source: { system_type: POSTGRESQL, connection: { secret_ref: "env://RECON_SOURCE", tls_enabled: false } }
target: { system_type: POSTGRESQL, connection: { secret_ref: "env://RECON_TARGET", tls_enabled: false } }
tables: [{ source: public.town, target: { schema: moved, name: town } }]
checks: [{ kind: completeness, table: town, column: name, min_share: 1, severity: ERROR }]
approvers:
${ROLES.map((role) => `  - { role: ${role}, email: ${role.replaceAll('_', '-')}@example.com }`).join('\n')}
`
const here = (...args: string[]) => waybill([...args, '--home', home], env())
const env = () => ({ RECON_SOURCE: source.url, RECON_TARGET: target.url, WAYBILL_TIME_ZONE: 'UTC', WAYBILL_OFF_PEAK: '' })

/** A window that is closed now and for hours, and that opens in another night than today's, whenever this runs. */
function closedWindow(): string {
  return new Date().getUTCHours() < 18 ? '23:00-00:00' : '06:00-07:00'
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-reconcile-'))
  home = join(folder, 'home')
  source = await freshDatabase()
  target = await freshDatabase()
  await runSql(
    source.url,
    `CREATE TABLE town (id int PRIMARY KEY, name text); INSERT INTO town SELECT i, 'town ' || i FROM generate_series(1, 50) i`,
  )
  await writeFile(join(folder, 'towns.yaml'), spec)
  const running = startWaybill(['run', join(folder, 'towns.yaml'), '--home', home, '--out', join(folder, 'out')], env())
  await running.saw(/approval pages at/)
  const stop = new AbortController()
  const approving = approveByMail(join(home, 'outbox'), stop.signal, () => {})
  const { code, err, out } = await running.done
  stop.abort()
  await approving
  expect(code, err + out).toBe(0)
}, 4 * MINUTES)
afterAll(async () => {
  await source.drop()
  await target.drop()
  await rm(folder, { recursive: true, force: true })
})

describe('a migrated project', () => {
  it(
    'is reported as it was recorded',
    async () => {
      const report = await here('report', '--out', join(folder, 'again'))
      expect([report.code, report.out]).toEqual([0, expect.stringContaining('PROOF VALID')])
      expect(await readFile(join(folder, 'again/report.html'))).toEqual(await readFile(join(folder, 'out/report.html')))
      const markdown = await here('report', 'towns', '--markdown')
      expect(markdown.out.trimEnd()).toBe((await readFile(join(folder, 'out/report.md'), 'utf8')).trimEnd())
      const missing = await here('report', 'nothing')
      expect([missing.code, missing.err]).toEqual([2, expect.stringContaining('There is no project nothing in this home')])
    },
    3 * MINUTES,
  )

  it(
    'is compared again, and what was changed since is named',
    async () => {
      const equal = await here('reconcile', 'towns', '--json')
      expect([equal.code, JSON.parse(equal.out)]).toMatchObject([
        0,
        { verdict: 'pass', tables: [{ source_rows: '50', target_rows: '50' }] },
      ])
      await runSql(target.url, "UPDATE moved.town SET name = 'elsewhere' WHERE id = 31")
      const differs = await here('reconcile', 'towns')
      expect([differs.code, differs.out]).toEqual([
        1,
        expect.stringMatching(/changed id=hmac:[0-9a-f]+ {2}name: hmac:[0-9a-f]+ → hmac:[0-9a-f]+ /),
      ])
      expect(differs.out).not.toContain('PROOF')
      // The newest comparison decides what is said of the project, wherever it is asked.
      const report = await here('report', '--out', join(folder, 'since'))
      expect([report.code, report.out]).toEqual([1, expect.stringContaining('SOURCE AND TARGET DIFFER NOW')])
      expect(report.out).toMatch(
        /The newest comparison \(r\d{14}-r\d+, [-\d]+ [:\d]+ UTC\) found that they differ: 0 rows missing, 0 extra, 1 changed, in 1 of 1 table\. The proof of .* was valid for its moment/,
      )
      expect(report.out).not.toContain('PROOF VALID')
      for (const file of ['report.html', 'report.md'])
        expect(await readFile(join(folder, 'since', file), 'utf8')).toContain('Since then: source and target differ')
      const json = await here('report', '--json')
      expect([json.code, JSON.parse(json.out)]).toMatchObject([
        1,
        { proof_valid: false, proof: { valid_when_made: true }, newest_comparison: { found: 'differs' } },
      ])
      expect((await here('report', '--markdown')).out).toMatch(/^> \*\*❌ Since then: source and target differ/)
      expect((await here('status')).out).toMatch(/towns: The newest comparison .* found that they differ/)
      await runSql(target.url, "UPDATE moved.town SET name = 'town 31' WHERE id = 31")
      // As the runbook of a cutover asks: while another command of this home waits for people, and serves their pages.
      await writeFile(
        join(folder, 'more.yaml'),
        spec.replace('migration_id: towns', 'migration_id: more').replace('schema: moved', 'schema: more'),
      )
      const waiting = startWaybill(['run', join(folder, 'more.yaml'), '--home', home, '--out', join(folder, 'more')], env())
      await waiting.saw(/approval pages at/)
      const meanwhile = await here('reconcile', 'towns')
      expect([meanwhile.code, meanwhile.out, meanwhile.err]).toEqual([0, expect.stringContaining('equal'), expect.anything()])
      waiting.child.kill('SIGINT')
      expect((await waiting.done).code).toBe(130)
      const mended = await here('report', 'towns')
      expect([mended.code, mended.out]).toEqual([
        0,
        expect.stringMatching(/PROOF VALID, made [-\d]+ [:\d]+ UTC: .*\nThe newest comparison .* found source and target equal/),
      ])
    },
    5 * MINUTES,
  )

  it(
    'that lost its key since is equal, and every command says what it lost, in one line',
    async () => {
      const key = (sql: string) =>
        `DO $$ DECLARE n name := (SELECT conname FROM pg_constraint WHERE conrelid = 'moved.town'::regclass AND contype = 'p'); BEGIN ${sql} END $$`
      expect((await here('report', 'towns')).out).not.toContain('schema warning')
      await runSql(target.url, key("EXECUTE format('ALTER TABLE moved.town DROP CONSTRAINT %I', n);"))
      const again = await here('reconcile', 'towns')
      expect([again.code, again.out]).toEqual([
        0,
        expect.stringMatching(/^schema warning: moved\.town: only the source has this constraint: .*key \(id\)\.$/m),
      ])
      const lines = again.out.split('\n').filter((line) => line.startsWith('schema '))
      const report = await here('report', 'towns')
      expect([report.code, report.out.split('\n').filter((line) => line.startsWith('schema '))]).toEqual([0, lines])
      const status = await here('status')
      expect([status.code, status.out]).toEqual([0, expect.stringContaining(`  towns: ${lines[0]}\n`)])
      expect(JSON.parse((await here('report', 'towns', '--json')).out)).toMatchObject({ schema_warnings: lines })
      await runSql(target.url, 'ALTER TABLE moved.town ADD PRIMARY KEY (id)')
      const mended = await here('reconcile', 'towns', '--json')
      expect([mended.code, JSON.parse(mended.out)]).toMatchObject([0, { schema_warnings: [] }])
    },
    5 * MINUTES,
  )

  it(
    'differs for every command alike where a check that held at the proof holds no longer, though every row is in both',
    async () => {
      for (const [url, table] of [
        [source.url, 'town'],
        [target.url, 'moved.town'],
      ] as const)
        await runSql(url, `UPDATE ${table} SET name = NULL WHERE id = 31`)
      const again = await here('reconcile', 'towns')
      const report = await here('report', 'towns')
      expect([again.code, report.code]).toEqual([1, 1])
      const sentence = /The newest comparison .* found every row in both, but a check no longer holds: .*/
      expect(again.out).toMatch(/SOURCE AND TARGET DIFFER NOW\./)
      expect(sentence.exec(again.out)?.[0]).toBe(sentence.exec(report.out)?.[0])
      const json = await here('reconcile', 'towns', '--json')
      expect([json.code, JSON.parse(json.out)]).toMatchObject([1, { verdict: 'pass', newest_comparison: { found: 'differs' } }])
      for (const [url, table] of [
        [source.url, 'town'],
        [target.url, 'moved.town'],
      ] as const)
        await runSql(url, `UPDATE ${table} SET name = 'town 31' WHERE id = 31`)
      expect((await here('reconcile', 'towns')).code).toBe(0)
    },
    5 * MINUTES,
  )

  it(
    'by night only within the window, and then counts',
    async () => {
      const early = await waybill(['reconcile', 'towns', '--night', '--home', home], { ...env(), WAYBILL_OFF_PEAK: closedWindow() })
      expect([early.code, early.err]).toEqual([2, expect.stringContaining('Outside the window')])
      const unknown = await here('reconcile', 'nothing')
      expect([unknown.code, unknown.err]).toEqual([2, expect.stringContaining('There is no project nothing')])
      const report = JSON.parse((await here('report', 'towns', '--json')).out) as { trend: { nights: { result: string }[]; clean: number } }
      expect(report.trend.nights.at(-1)).toMatchObject({ result: 'skipped' })
      // The migration's own parallel run found the first night clean; a skipped one takes nothing away.
      expect(report.trend.clean).toBe(1)
      expect((await here('report', 'towns')).out).toMatch(/1 clean night; the newest, .* not compared: Outside the window/)
    },
    3 * MINUTES,
  )
})
