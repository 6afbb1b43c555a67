import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadFileIntoPostgres } from '../../layers/connectors/duckdb/load.ts'
import { withClient } from './client.ts'
import type { PostgresServer } from './postgres-server.ts'

/** Connection strings of the demo's two databases. `source` may only read; `target` owns only the target database. */
export type DemoDatabases = { sourceUrl: string; targetUrl: string; administratorUrl: string }

/** Real data: three million flights within the United States in 2001, and the airports. */
function dataFile(name: string): string {
  return join(dirname(fileURLToPath(import.meta.resolve('vega-datasets'))), '..', 'data', name)
}

/** The legacy schema as it would be found: no key on flights, exact duplicates among them, no declared foreign keys. */
const LEGACY_TABLES = `
  CREATE TABLE public.airports (
    iata text PRIMARY KEY, name text, city text, state text, country text, latitude double precision, longitude double precision);
  COMMENT ON TABLE public.airports IS 'Airports by IATA code';
  CREATE TABLE public.flights (
    date timestamp NOT NULL, delay bigint NOT NULL, distance bigint NOT NULL, origin text NOT NULL, destination text NOT NULL);
  COMMENT ON TABLE public.flights IS 'One row a flight; delay in minutes, distance in miles';`

/**
 * Makes the databases `legacy` and `target`, a reader that can only SELECT from the first and a migrator that owns only
 * the second, and loads the first from real files. `rows` is how many flights, or null for all of them.
 */
export async function createDatabases(server: Pick<PostgresServer, 'url'>, rows: number | null): Promise<DemoDatabases> {
  const reader = randomBytes(18).toString('base64url')
  const migrator = randomBytes(18).toString('base64url')
  await withClient(server.url('postgres'), async (client) => {
    await client.query(`CREATE ROLE legacy_reader LOGIN PASSWORD '${reader}'`)
    await client.query(`CREATE ROLE migrator LOGIN PASSWORD '${migrator}'`)
    await client.query('CREATE DATABASE legacy')
    await client.query('CREATE DATABASE target OWNER migrator')
    await client.query('REVOKE CONNECT ON DATABASE target FROM PUBLIC')
  })
  const legacy = server.url('legacy')
  await withClient(legacy, (client) => client.query(LEGACY_TABLES))
  await loadFileIntoPostgres(dataFile('airports.csv'), legacy, { schema: 'public', name: 'airports' })
  await loadFileIntoPostgres(
    dataFile('flights-3m.parquet'),
    legacy,
    { schema: 'public', name: 'flights' },
    rows === null ? {} : { limit: rows },
  )
  await withClient(legacy, async (client) => {
    await client.query('GRANT SELECT ON ALL TABLES IN SCHEMA public TO legacy_reader')
    await client.query('ALTER ROLE legacy_reader SET default_transaction_read_only = on')
    await client.query('VACUUM ANALYZE')
  })
  return {
    sourceUrl: server.url('legacy', 'legacy_reader', reader),
    targetUrl: server.url('target', 'migrator', migrator),
    administratorUrl: server.url('target'),
  }
}
