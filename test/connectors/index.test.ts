import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectors } from '../../layers/connectors/index.ts'
import type { ReconcileOptions } from '../../layers/core/connector.ts'
import type { TableMapping } from '../../layers/core/schemas/proposal.ts'
import type { Mismatch, TableResult } from '../../layers/core/schemas/recon.ts'
import { type FreshDatabase, freshDatabase, runSql } from '../support/postgres.ts'
import { type SourceFolder, sourceFolder } from './duckdb/source-folder.ts'
import { chunksOf, column, OPTIONS, PLAN, table } from './postgres/table-mapping.ts'

let folder: SourceFolder
let to: FreshDatabase

beforeAll(async () => {
  folder = await sourceFolder()
  to = await freshDatabase()
})

afterAll(async () => {
  await folder?.remove()
  await to?.drop()
})

const file = (id: string, name: string, columns: TableMapping['columns'], key: string[] | null): TableMapping =>
  table(id, columns, { source: { schema: 'files', name, kind: 'file' }, key })

async function migrate(systemType: string, mapping: TableMapping): Promise<void> {
  const from = { systemType, url: folder.path }
  const source = await connectors.source(systemType, folder.path, OPTIONS)
  const target = await connectors.target('POSTGRESQL', to.url, from, OPTIONS)
  await target.prepare(PLAN, [mapping])
  for (const chunk of chunksOf(mapping, await source.chunks(mapping, 1000))) await target.copy(PLAN, mapping, chunk, () => {})
  await target.finish(PLAN, [mapping])
  await target.close()
  await source.close()
}

async function reconcile(systemType: string, mapping: TableMapping): Promise<{ result: TableResult; mismatches: Mismatch[] }> {
  const mismatches: Mismatch[] = []
  const options: ReconcileOptions = {
    hashingSpecSha256: '0'.repeat(64),
    connections: 1,
    statementTimeoutMs: 60_000,
    mask: (value) => value,
    onMismatch: (_table, mismatch) => void mismatches.push(mismatch),
    onProgress: () => {},
    signal: OPTIONS.signal,
  }
  const reconciler = await connectors.reconciler({ systemType, url: folder.path }, { systemType: 'POSTGRESQL', url: to.url }, OPTIONS)
  const recon = {
    table_id: mapping.table_id,
    encoding: 'canonical' as const,
    mode: mapping.key ? ('ordered' as const) : ('bucketed' as const),
    segments: 4,
    tolerances: [],
  }
  const [result] = await reconciler.reconcile([{ mapping, recon }], options)
  await reconciler.close()
  return { result: result!, mismatches }
}

it('migrates Parquet without a key, proves it equal, and names the rows that changed since', async () => {
  await folder.write(
    `COPY (SELECT 'f' || (i % 700) AS flight, CASE WHEN i % 9 = 0 THEN NULL ELSE i % 100 END AS delay, TIMESTAMP '2001-01-01' + to_microseconds(i * 1000001) AS at, (i % 13)::DOUBLE / 3 AS ratio
       FROM range(5000) t(i) UNION ALL SELECT 'twin', 1, TIMESTAMP '2001-01-01', 0.1 FROM range(3)) TO '{}/flights.parquet' (FORMAT parquet)`,
  )
  const flights = file(
    'flights',
    'flights.parquet',
    [
      column('flight', 'text'),
      column('late', 'interval', { source: ['delay'], source_types: ['bigint'], transform: { kind: 'minutes_to_interval' } }),
      column('at', 'timestamp without time zone'),
      column('ratio', 'double precision'),
    ],
    null,
  )
  await migrate('PARQUET', flights)
  const equal = await reconcile('PARQUET', flights)
  expect(equal.result).toMatchObject({ verdict: 'pass', source_rows: '5003', target_rows: '5003', missing: '0', extra: '0' })
  expect(equal.result.source_root).toBe(equal.result.target_root)
  expect(equal.result.snapshot.source).toMatch(/flights\.parquet \d+ bytes sha256:[0-9a-f]{64}/)

  await runSql(
    to.url,
    `DELETE FROM moved.flights WHERE ctid IN (SELECT ctid FROM moved.flights WHERE flight = 'twin' LIMIT 1); UPDATE moved.flights SET ratio = 0.30000000000000004 WHERE flight = 'f5' AND at < '2001-01-01 00:01:00'`,
  )
  const changed = await reconcile('PARQUET', flights)
  expect(changed.result).toMatchObject({ verdict: 'fail', source_rows: '5003', target_rows: '5002', missing: '2', extra: '1' })
  expect(changed.mismatches.map((found) => found.kind).sort()).toEqual(['extra', 'missing', 'missing'])
})

it('migrates CSV with a key, proves it equal, checks it, and names the key that changed', async () => {
  await writeFile(join(folder.path, 'airports.csv'), 'iata,name,altitude\nBER,"Berlin, Brandenburg",48\nTXL,,37\nTHF,"",49.50\n')
  const airports = file(
    'airports',
    'airports.csv',
    [
      column('iata', 'text', { nullable: false }),
      column('name', 'text'),
      column('altitude', 'numeric(8,2)', { source_types: ['text'], transform: { kind: 'cast' } }),
    ],
    ['iata'],
  )
  await migrate('CSV', airports)
  expect((await reconcile('CSV', airports)).result).toMatchObject({ verdict: 'pass', source_rows: '3', target_rows: '3' })
  const checker = await connectors.checker({ systemType: 'CSV', url: folder.path }, { systemType: 'POSTGRESQL', url: to.url }, OPTIONS)
  const { checks, distributions } = await checker.run(
    [airports],
    [
      { check_id: 'rows', request: { kind: 'row_count', table: 'airports', severity: 'CRITICAL' } },
      { check_id: 'sum', request: { kind: 'sum', table: 'airports', column: 'altitude', severity: 'CRITICAL' } },
      { check_id: 'filled', request: { kind: 'completeness', table: 'airports', column: 'name', min_share: 0.5, severity: 'ERROR' } },
    ],
  )
  await checker.close()
  expect(checks.map((check) => check.verdict)).toEqual(['pass', 'pass', 'pass'])
  expect(checks[1]?.figures).toMatchObject({ source_sum: '134.5', target_sum: '134.5' })
  expect(checks[2]?.figures).toMatchObject({ share: '0.666666666666', source_share: '0.666666666666' })
  expect(distributions).toMatchObject([{ column: 'altitude', kolmogorov_smirnov: 0, source_distinct: '3', target_distinct: '3' }])

  await runSql(to.url, `UPDATE moved.airports SET name = NULL WHERE iata = 'THF'`)
  const changed = await reconcile('CSV', airports)
  expect(changed.result).toMatchObject({ verdict: 'fail', changed: '1' })
  expect(changed.mismatches).toMatchObject([{ kind: 'changed', key: [{ column: 'iata', value: 'THF' }], columns: [{ column: 'name' }] }])
})

it('refuses systems it does not know, and targets it cannot write', async () => {
  await expect(async () => connectors.source('ORACLE', 'x', OPTIONS)).rejects.toMatchObject({ code: 'BAD_INPUT' })
  const from = { systemType: 'CSV', url: folder.path }
  await expect(connectors.target('PARQUET', to.url, from, OPTIONS)).rejects.toMatchObject({ code: 'BAD_INPUT' })
  await expect(connectors.checker(from, { systemType: 'CSV', url: folder.path }, OPTIONS)).rejects.toMatchObject({ code: 'BAD_INPUT' })
})
