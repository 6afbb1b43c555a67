import { readFileSync } from 'node:fs'
import { createDatabases } from '../../../cli/demo/legacy.ts'
import { keyOf } from '../../../layers/core/flow/storing.ts'
import { startTlsServer } from '../../connectors/postgres/tls-server.ts'
import { withClient } from '../../support/postgres.ts'
import type { Account } from './account.ts'

const EXAMPLE = new URL('../../../examples/flights/migration.yaml', import.meta.url)

/** The legacy database of the demo on a server that admits nobody without TLS, and empty targets beside it. */
export type Flights = {
  /** Makes a target of its own for a project, its secrets and its spec. @returns how a test looks into that target */
  prepare(account: Account, projectId: string, rewrite?: (spec: string) => string): Promise<string>
  /** How a test looks into a project's target, past Waybill. */
  administrator(projectId: string): string
  stop(): Promise<void>
}

export async function openFlights(rows: number): Promise<Flights> {
  let sourceUrl = ''
  let writer = ''
  const server = await startTlsServer(async (url) => {
    const databases = await createDatabases({ url }, rows)
    sourceUrl = databases.sourceUrl
    writer = databases.targetUrl
    await withClient(url('postgres'), async (client) => {
      await client.query(`CREATE ROLE target_reader LOGIN PASSWORD 'reads-only'`)
      await client.query('GRANT pg_read_all_data TO target_reader')
    })
  })
  const verified = (url: string) => `${url}?sslrootcert=${encodeURIComponent(server.ca)}`
  const administrator = (database: string) => server.url(database, 'sslmode=no-verify')
  return {
    async prepare(account, projectId, rewrite = (spec) => spec) {
      const database = projectId.replaceAll('-', '_')
      await withClient(administrator('postgres'), async (client) => {
        await client.query(`CREATE DATABASE ${database} OWNER migrator`)
        await client.query(`REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC`)
        await client.query(`GRANT CONNECT ON DATABASE ${database} TO target_reader`)
      })
      const at = (url: string, user?: [string, string]) => {
        const parsed = new URL(url)
        parsed.pathname = `/${database}`
        if (user !== undefined) [parsed.username, parsed.password] = user
        return verified(parsed.href)
      }
      account.workers.visible.push(server.ca)
      await account.storeSecret(`waybill/dev/source/${projectId}`, verified(sourceUrl))
      await account.storeSecret(`waybill/dev/target/${projectId}/writer`, at(writer))
      await account.storeSecret(`waybill/dev/target/${projectId}/reader`, at(writer, ['target_reader', 'reads-only']))
      const spec = readFileSync(EXAMPLE, 'utf8')
        .replace('env://WAYBILL_SOURCE_URL', `aws-secretsmanager://waybill/dev/source/${projectId}`)
        .replace('env://WAYBILL_TARGET_URL', `aws-secretsmanager://waybill/dev/target/${projectId}`)
        .replaceAll('tls_enabled: false', 'tls_enabled: true')
        .replace(/^migration_id: .*$/m, `migration_id: ${projectId}`)
      await account.artifacts.put(keyOf(projectId, 'spec', '1'), Buffer.from(rewrite(spec)), {
        contentType: 'application/yaml',
        retainUntil: new Date(),
      })
      return administrator(database)
    },
    administrator: (projectId) => administrator(projectId.replaceAll('-', '_')),
    stop: server.stop,
  }
}
