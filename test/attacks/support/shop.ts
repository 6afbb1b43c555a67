import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { linkIn, recipientOf } from '../../../cli/mail.ts'
import { finished, startProject, takeUp } from '../../../cli/run/project.ts'
import { type LocalPlatform, openLocal } from '../../../functions/local.ts'
import type { AuditEntry } from '../../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../../layers/core/schemas/project.ts'
import { filled, post } from '../../functions/support/decisions.ts'
import { PEOPLE } from '../../functions/support/story.ts'
import { type FreshDatabase, freshDatabase, runSql, withClient } from '../../support/postgres.ts'

export const PROJECT = 'shop'

/** One migration of a real table between two real databases, on the embedded platform as `waybill run` opens it. */
export type Shop = {
  platform: LocalPlatform
  source: FreshDatabase
  target: FreshDatabase
  env: Record<string, string>
  /** Called before a worker process starts, with the worker's name; it waits. */
  before: (worker: string) => Promise<void>
  /** Whose mail stays unanswered. */
  held: Set<string>
  linkFor(person: string): Promise<URL | null>
  start(): Promise<void>
  /** Waits for the end of the newest execution. */
  end(): Promise<ProjectRecord>
  /** Starts the failed project again and waits for its end. */
  again(): Promise<ProjectRecord>
  chain(action: string): Promise<AuditEntry[]>
  close(): Promise<void>
}

export const shopSpec = `migration_id: ${PROJECT}
title: The shop's items
author: author@example.com
source: { system_type: POSTGRESQL, connection: { secret_ref: "env://SHOP_SOURCE", tls_enabled: false } }
target: { system_type: POSTGRESQL, connection: { secret_ref: "env://SHOP_TARGET", tls_enabled: false } }
tables:
  - { source: public.item, target: { schema: moved, name: item } }
rollback_config: { auto_rollback_enabled: true }
approvers:
${Object.entries(PEOPLE)
  .map(([role, email]) => `  - { role: ${role}, email: ${email} }`)
  .join('\n')}
`

export async function openShop(): Promise<Shop> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-shop-'))
  const source = await freshDatabase()
  const target = await freshDatabase()
  await runSql(
    source.url,
    `CREATE TABLE item (id bigint PRIMARY KEY, label text);
     INSERT INTO item SELECT i, 'item ' || i FROM generate_series(1, 400) i;
     CREATE TABLE salary (person text PRIMARY KEY, euros int);
     INSERT INTO salary VALUES ('somebody', 1)`,
  )
  await runSql(target.url, `CREATE TABLE resident (id int PRIMARY KEY, note text); INSERT INTO resident VALUES (1, 'was here before')`)
  const env = { SHOP_SOURCE: source.url, SHOP_TARGET: target.url }
  const stop = new AbortController()
  const home = join(folder, 'home')
  let newest: { projectId: string; execution: string } | null = null
  const shop: Shop = {
    platform: await openLocal({
      home,
      env,
      onLog: () => {},
      workers: 1,
      signal: stop.signal,
      onProgress: () => {},
      beforeWorker: (worker) => shop.before(worker),
    }),
    source,
    target,
    env,
    before: async () => {},
    held: new Set(),
    linkFor: async (person) => (await mails(join(home, 'outbox'))).findLast((mail) => mail.to === person)?.link ?? null,
    async start() {
      newest = await startProject(shop.platform, shopSpec)
    },
    end: () => finished(shop.platform, newest!),
    async again() {
      newest = (await takeUp(shop.platform))[0]!
      return shop.end()
    },
    chain: async (action) => (await shop.platform.ports.audit.read(PROJECT)).filter((entry) => entry.action === action),
    async close() {
      stop.abort()
      await answering
      await shop.platform.close()
      await source.drop()
      await target.drop()
      await rm(folder, { recursive: true, force: true })
    },
  }
  const answering = answerMail(shop, join(home, 'outbox'), stop.signal)
  return shop
}

async function mails(outbox: string): Promise<{ name: string; to: string; link: URL | null }[]> {
  const names = (await readdir(outbox)).filter((name) => name.endsWith('.eml')).sort()
  return Promise.all(
    names.map(async (name) => {
      const message = await readFile(join(outbox, name), 'utf8')
      const link = linkIn(message)
      return { name, to: recipientOf(message) ?? '', link: link === null ? null : new URL(link) }
    }),
  )
}

/** Everybody who is not held approves what they are mailed. */
async function answerMail(shop: Shop, outbox: string, signal: AbortSignal): Promise<void> {
  const answered = new Set<string>()
  while (!signal.aborted) {
    for (const { name, to, link } of await mails(outbox)) {
      if (link === null || answered.has(name) || shop.held.has(to)) continue
      answered.add(name)
      await post(link, await filled(link, 'approve'))
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

/** Every table of a database with its rows and a digest of all of them. */
export async function fingerprint(url: string): Promise<Record<string, string>> {
  return withClient(url, async (client) => {
    const tables = await client.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
        WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
    )
    const found: Record<string, string> = {}
    for (const { name } of tables.rows) {
      const { rows } = await client.query<{ all: string }>(
        `SELECT count(*) || ' rows ' || encode(sha256(convert_to(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), ''), 'UTF8')), 'hex') AS all FROM ${name} t`,
      )
      found[name] = rows[0]!.all
    }
    return found
  })
}
