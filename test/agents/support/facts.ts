import { readFileSync } from 'node:fs'
import type { DiscoveryFacts } from '../../../layers/agents/discovery.ts'
import type { MappingFacts } from '../../../layers/agents/mapping.ts'
import { defaultPolicy, typeCoercionRulebook } from '../../../layers/core/rulebooks.ts'
import type { Catalog, CatalogColumn, CatalogTable, Profile } from '../../../layers/core/schemas/catalog.ts'
import type { EndIdentities } from '../../../layers/core/schemas/identity.ts'
import type { MigrationSpec } from '../../../layers/core/schemas/spec.ts'
import { readSpec } from '../../../layers/core/spec-reader.ts'

export const FLIGHTS_YAML = new URL('../../../examples/flights/migration.yaml', import.meta.url)

export function flightsSpec(): MigrationSpec {
  return readSpec(readFileSync(FLIGHTS_YAML))
}

export function column(name: string, type: string, more: Partial<CatalogColumn> = {}): CatalogColumn {
  return { name, type, nullable: true, default: null, generated: false, identity: false, collation: null, comment: null, ...more }
}

export function table(schema: string, name: string, columns: CatalogColumn[], more: Partial<CatalogTable> = {}): CatalogTable {
  return {
    schema,
    name,
    kind: 'table',
    comment: null,
    columns,
    primary_key: null,
    unique_keys: [],
    foreign_keys: [],
    checks: [],
    indexes: [],
    partitions: [],
    estimated_rows: '0',
    bytes: '0',
    ...more,
  }
}

export function catalogOf(...tables: CatalogTable[]): Catalog {
  return { system_type: 'POSTGRESQL', server_version: '18.0', database: 'legacy', tables }
}

const FLIGHT_COLUMNS = [
  column('date', 'timestamp without time zone', { nullable: false }),
  column('delay', 'bigint', { nullable: false }),
  column('distance', 'bigint', { nullable: false }),
  column('origin', 'text', { nullable: false }),
  column('destination', 'text', { nullable: false }),
]
const AIRPORT_COLUMNS = [
  column('iata', 'text', { nullable: false }),
  ...['name', 'city', 'state', 'country'].map((name) => column(name, 'text')),
  column('latitude', 'double precision'),
  column('longitude', 'double precision'),
]

/** What discovery finds in the demo's legacy database. */
export function flightsCatalog(): Catalog {
  return catalogOf(
    table('public', 'airports', AIRPORT_COLUMNS, { primary_key: ['iata'], estimated_rows: '3376', bytes: '393216' }),
    table('public', 'flights', FLIGHT_COLUMNS, { estimated_rows: '3000000', bytes: '180000000' }),
  )
}

export function profileOf(
  catalog: Catalog,
  rows: Record<string, string>,
  change: (schema: string, column: string) => Partial<Profile['tables'][number]['columns'][number]> = () => ({}),
): Profile {
  return {
    tables: catalog.tables.map((entry) => ({
      schema: entry.schema,
      name: entry.name,
      rows: rows[entry.name] ?? '10',
      duplicate_rows: entry.primary_key === null ? '12' : '0',
      columns: entry.columns.map(({ name, type }) => ({
        name,
        type,
        nulls: '0',
        distinct: '5',
        min: 'private-min',
        max: 'private-max',
        reason: null,
        ...change(entry.name, name),
      })),
    })),
  }
}

export function flightsProfile(): Profile {
  return profileOf(flightsCatalog(), { airports: '3376', flights: '3000000' })
}

export function flightsIdentities(): EndIdentities {
  const server = { kind: 'postgresql' as const, server: 'db.example.com:5432', system_identifier: '7500000000000000004' }
  return { source: { ...server, database_oid: '5', database: 'legacy' }, target: { ...server, database_oid: '6', database: 'new' } }
}

export function discoveryFacts(): DiscoveryFacts {
  return { source: flightsCatalog(), target: null, identities: flightsIdentities() }
}

export function mappingFacts(change: Partial<MappingFacts> = {}): MappingFacts {
  return {
    spec: flightsSpec(),
    source: flightsCatalog(),
    target: null,
    profile: flightsProfile(),
    rulebook: typeCoercionRulebook,
    policy: defaultPolicy,
    answers: [],
    ...change,
  }
}

/** A spec over given tables, with everything else plain. */
export function specOf(tables: unknown[], more: Record<string, unknown> = {}): MigrationSpec {
  return readSpec(
    JSON.stringify({
      migration_id: 'm-1',
      title: 'A test',
      author: 'author@example.com',
      source: { system_type: 'POSTGRESQL', connection: { secret_ref: 'env://S' } },
      target: { system_type: 'POSTGRESQL', connection: { secret_ref: 'env://T' } },
      tables,
      approvers: [],
      ...more,
    }),
  )
}

export const FOREIGN_KEY_ANSWERS = [
  { decision_id: 'fk-flight-origin_iata', choice: 'keep-orphans' },
  { decision_id: 'fk-flight-destination_iata', choice: 'enforce' },
]
