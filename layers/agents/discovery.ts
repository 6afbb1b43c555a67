import type { Catalog, CatalogTable } from '../core/schemas/catalog.ts'
import type { EndIdentities } from '../core/schemas/identity.ts'
import { type DiscoveryReport, discoveryReport } from '../core/schemas/report.ts'
import { withheldCatalog } from '../core/withheld-literals.ts'
import type { Agent, Citation, Conclusion } from './agent.ts'
import { objectName } from './object-name.ts'

export type DiscoveryFacts = { source: Catalog; target: Catalog | null; identities: EndIdentities }

/** Most guessed foreign keys per table; more would be noise. */
const MAX_GUESSES = 50

/** What lies in scope: objects, schemas, partitions, keys, and foreign keys declared or likely. */
export const discoveryAgent: Agent<DiscoveryFacts, typeof discoveryReport> = {
  name: 'discovery',
  schema: discoveryReport,
  question: 'Which objects in this catalog would make a migration risky?',
  propose,
}

function propose(facts: DiscoveryFacts): Conclusion<DiscoveryReport> {
  const { tables } = facts.source
  const citations: Citation[] = []
  const cite = (index: number, path: string, says: string) => citations.push({ fact: 'source', pointer: `/tables/${index}${path}`, says })

  const keys = tables.map((table, index) => {
    const key = keyOf(table)
    if (key.kind === 'primary') cite(index, '/primary_key', 'The system declares this primary key.')
    else if (key.kind === 'none') cite(index, '/unique_keys', 'No primary key and no unique key is declared.')
    else cite(index, `/unique_keys/${key.index}`, 'A unique key is declared; there is no primary key.')
    return { object: objectName(table), columns: key.columns, kind: key.kind }
  })
  const named = byColumnName(tables)
  const candidates = tables.flatMap((table, index) => [...declared(table, index, cite), ...guessed(table, index, named, cite)])
  for (const [index] of tables.entries()) cite(index, '/columns', 'Columns as the system lists them.')

  return {
    proposal: {
      schema: 'waybill/discovery-report/v1',
      identities: facts.identities,
      source: withheldCatalog(facts.source),
      target: facts.target === null ? null : withheldCatalog(facts.target),
      objects_found: tables.map((table) => ({
        object: objectName(table),
        kind: table.kind,
        columns: table.columns.length,
        estimated_rows: table.estimated_rows,
        bytes: table.bytes,
      })),
      schemas: [...new Set(tables.map((table) => table.schema))].sort(),
      partitions: tables
        .filter((table) => table.partitions.length > 0)
        .map((table) => ({ object: objectName(table), partitions: table.partitions })),
      keys,
      foreign_key_candidates: candidates,
    },
    methodology:
      'Objects, keys and declared foreign keys are taken from the system catalog as it stands. A foreign key is guessed where a column has the name of a single-column primary key elsewhere in scope, alone or after the name of its table, and the same type.',
    citations,
    confidence: candidates.some((candidate) => candidate.basis === 'name-and-type') ? 0.9 : 1,
    limitations: [
      'Row counts and sizes are estimates kept by the system; they size work and are never used as counts.',
      'Comments, defaults, labels and other values inside declarations are withheld: they may be personal data.',
      'Only objects named in the migration spec were looked at; views, functions, triggers and grants around them were not.',
    ],
  }
}

type Key = { columns: string[]; kind: 'primary' | 'unique' | 'unique-nullable' | 'none'; index: number }

function keyOf(table: CatalogTable): Key {
  if (table.primary_key !== null) return { columns: table.primary_key, kind: 'primary', index: 0 }
  const exact = table.unique_keys.findIndex((unique) => !unique.nullable)
  const index = Math.max(exact, 0)
  const unique = table.unique_keys[index]
  if (unique === undefined) return { columns: [], kind: 'none', index: 0 }
  return { columns: unique.columns, kind: unique.nullable ? 'unique-nullable' : 'unique', index }
}

type Candidate = DiscoveryReport['foreign_key_candidates'][number]
type Cite = (index: number, path: string, says: string) => void

function declared(table: CatalogTable, index: number, cite: Cite): Candidate[] {
  return table.foreign_keys.map((foreign, at) => {
    cite(index, `/foreign_keys/${at}`, 'The system declares this foreign key.')
    return {
      object: objectName(table),
      columns: foreign.columns,
      references: objectName(foreign.references),
      referenced_columns: foreign.references.columns,
      basis: 'declared' as const,
    }
  })
}

function guessed(table: CatalogTable, index: number, named: ReadonlyMap<string, readonly Referable[]>, cite: Cite): Candidate[] {
  const known = new Set(table.foreign_keys.filter((foreign) => foreign.columns.length === 1).map((foreign) => foreign.columns[0]))
  const found: Candidate[] = []
  for (const [at, column] of table.columns.entries()) {
    if (known.has(column.name)) continue
    for (const { other, key, type } of named.get(column.name.toLowerCase()) ?? []) {
      if (found.length >= MAX_GUESSES) return found
      if (other === table || type !== column.type) continue
      cite(index, `/columns/${at}`, 'Named and typed like the primary key of another table in scope.')
      found.push({
        object: objectName(table),
        columns: [column.name],
        references: objectName(other),
        referenced_columns: [key],
        basis: 'name-and-type',
      })
    }
  }
  return found
}

type Referable = { other: CatalogTable; key: string; type: string | undefined }

/**
 * Tables with a key of one column, by the lower-case names of columns that are like it: of ten thousand tables, each is not held against each.
 * `customer_id` is like key `id` of `customer` or `customers`, and like key `customer_id`; a bare `id` is like nothing.
 */
function byColumnName(tables: readonly CatalogTable[]): Map<string, Referable[]> {
  const named = new Map<string, Referable[]>()
  for (const other of tables) {
    const [key, ...rest] = other.primary_key ?? []
    if (key === undefined || rest.length > 0) continue
    const referable = { other, key, type: other.columns.find((candidate) => candidate.name === key)?.type }
    const [keyName, table] = [key.toLowerCase(), other.name.toLowerCase()]
    const alike = new Set([...(keyName === 'id' ? [] : [keyName]), `${table.replace(/s$/, '')}_${keyName}`, `${table}_${keyName}`])
    for (const name of alike) {
      const known = named.get(name)
      if (known === undefined) named.set(name, [referable])
      else known.push(referable)
    }
  }
  return named
}
