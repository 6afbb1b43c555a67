import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { startWaybill } from './command.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-unreachable-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const ROLES = ['tech_lead', 'data_owner', 'security', 'qa_lead', 'business_owner', 'release_manager']

it('a run says after the first try that the source cannot be reached, why, and that it tries again', { timeout: 60_000 }, async () => {
  const file = join(folder, 'migration.yaml')
  await writeFile(
    file,
    `migration_id: Nobody-1
title: Nobody
author: author@example.com
source: { system_type: POSTGRESQL, connection: { secret_ref: "env://NOBODY_SOURCE", tls_enabled: false } }
target: { system_type: POSTGRESQL, connection: { secret_ref: "env://NOBODY_TARGET", tls_enabled: false } }
tables:
  - { source: public.customer, target: { schema: moved, name: customer } }
approvers:
${ROLES.map((role) => `  - { role: ${role}, email: ${role.replaceAll('_', '-')}@example.com }`).join('\n')}
`,
  )
  const url = `postgresql://reader:s3cret-word@127.0.0.1:${await freePort()}/nobody`
  const running = startWaybill(['run', file, '--home', join(folder, 'home'), '--out', join(folder, 'out'), '--json'], {
    NOBODY_SOURCE: url,
    NOBODY_TARGET: url,
  })
  await running.saw(/Discover: try 1 of 6 failed and is repeated (now|in \d+ s)\. CONNECTION_FAILED: .*ECONNREFUSED/)
  await running.saw(/Discover: try 2 of 6 failed/)
  running.child.kill('SIGINT')
  const { code, out, err } = await running.done
  expect(code).toBe(130)
  expect(JSON.parse(out)).toMatchObject({ error: { code: 'INTERRUPTED' } })
  expect(out + err).not.toContain('s3cret-word')
})
