import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type FreshDatabase, freshDatabase, runSql } from '../support/postgres.ts'
import { root } from './command.ts'

let folder: string
let source: FreshDatabase
let target: FreshDatabase
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-launcher-'))
  source = await freshDatabase()
  target = await freshDatabase()
  await runSql(source.url, 'CREATE TABLE town (id int PRIMARY KEY); INSERT INTO town VALUES (1)')
  await writeFile(
    join(folder, 'towns.yaml'),
    `migration_id: towns
title: Towns
author: author@example.com
source: { system_type: POSTGRESQL, connection: { secret_ref: "env://L_SOURCE", tls_enabled: false } }
target: { system_type: POSTGRESQL, connection: { secret_ref: "env://L_TARGET", tls_enabled: false } }
tables: [{ source: public.town, target: { schema: moved, name: town } }]
approvers:
${['tech_lead', 'data_owner', 'security', 'qa_lead', 'business_owner', 'release_manager'].map((role) => `  - { role: ${role}, email: ${role.replaceAll('_', '-')}@example.com }`).join('\n')}
`,
  )
})
afterAll(async () => {
  await source.drop()
  await target.drop()
  await rm(folder, { recursive: true, force: true })
})

it('a command whose launcher was killed stops as by Ctrl-C, and can be taken up again', async () => {
  const args = ['run', join(folder, 'towns.yaml'), '--home', join(folder, 'home'), '--out', join(folder, 'out')]
  const launcher = spawn(process.execPath, [join(root, 'bin/waybill.mjs'), ...args], {
    env: { ...process.env, L_SOURCE: source.url, L_TARGET: target.url, NO_COLOR: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  launcher.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  // The pipe is the command's as well: it closes when both are gone.
  const gone = once(launcher.stderr, 'close')
  const waits = () => /approval pages at/.test(said)
  while (!waits() && launcher.exitCode === null) await once(launcher.stderr, 'data')
  expect(waits(), said).toBe(true)
  launcher.kill('SIGKILL')
  await gone
  expect(said).toContain('The process that started this command is gone: stopping cleanly')
  expect(existsSync(join(folder, 'home/waybill.sqlite'))).toBe(true)
  // Nobody holds its port or its locks any more: another command drives the same home.
  const again = spawn(
    process.execPath,
    [join(root, 'bin/waybill.mjs'), 'resume', '--home', join(folder, 'home'), '--out', join(folder, 'out')],
    {
      env: { ...process.env, L_SOURCE: source.url, L_TARGET: target.url, NO_COLOR: '1' },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  let resumed = ''
  again.stderr.on('data', (chunk: Buffer) => {
    resumed += chunk.toString()
  })
  const ended = once(again, 'exit')
  while (!/approval pages at/.test(resumed) && again.exitCode === null) await once(again.stderr, 'data')
  again.kill('SIGTERM')
  expect([await ended, resumed]).toEqual([[130, null], expect.stringMatching(/approval pages at/)])
}, 120_000)
