import { startTlsServer } from '../../connectors/postgres/tls-server.ts'
import { PEOPLE } from '../../functions/support/story.ts'
import { withClient } from '../../support/postgres.ts'

/** A small shop to migrate: one table of 400 rows, from a server that admits nobody without TLS, as databases of an account do. */
export type Shop = {
  /** For the secrets `waybill/dev/source/<name>` and `…/target/<name>/{reader,writer}`. */
  sourceUrl: string
  targetUrl: string
  spec(migrationId: string): string
  /** Runs SQL in the target, past Waybill. */
  tamper(sql: string): Promise<void>
  stop(): Promise<void>
}

export async function openShop(name: string): Promise<Shop> {
  const server = await startTlsServer(async (url) => {
    await withClient(url('postgres'), async (client) => {
      await client.query('CREATE DATABASE source')
      await client.query('CREATE DATABASE target')
    })
    await withClient(url('source'), (client) =>
      client.query(`CREATE TABLE item (id bigint PRIMARY KEY, label text);
        INSERT INTO item SELECT i, 'item ' || i FROM generate_series(1, 400) i`),
    )
  })
  const url = (database: string) => server.url(database, `sslmode=verify-full&sslrootcert=${server.ca}`)
  return {
    sourceUrl: url('source'),
    targetUrl: url('target'),
    spec: (migrationId) => `migration_id: ${migrationId}
title: The shop's items
author: author@example.com
source: { system_type: POSTGRESQL, connection: { secret_ref: "aws-secretsmanager://waybill/dev/source/${name}" } }
target: { system_type: POSTGRESQL, connection: { secret_ref: "aws-secretsmanager://waybill/dev/target/${name}" } }
tables:
  - { source: public.item, target: { schema: ${migrationId.replaceAll('-', '_')}, name: item } }
rollback_config: { auto_rollback_enabled: true }
approvers:
${Object.entries(PEOPLE)
  .map(([role, email]) => `  - { role: ${role}, email: ${email} }`)
  .join('\n')}
`,
    tamper: async (sql) => {
      await withClient(url('target'), (client) => client.query(sql))
    },
    stop: server.stop,
  }
}
