import { digestOf } from '../core/canonical-json.ts'
import type { Catalog, Profile } from '../core/schemas/catalog.ts'
import { type ReconProposal, reconProposal, type TableMapping, type TableRecon } from '../core/schemas/proposal.ts'
import type { SystemType } from '../core/schemas/spec.ts'
import type { Agent, Citation, Conclusion } from './agent.ts'

export type ReconFacts = {
  mapping: { tables: TableMapping[] }
  source_system_type: SystemType
  target_system_type: SystemType
  source: Catalog
  profile: Profile | null
  /** What the spec asks for, by table; whoever has none may be left out. */
  tolerances?: { table_id: string; tolerances: TableRecon['tolerances'] }[]
}

/** Small enough that a differing segment opens quickly, large enough that bounds cost nothing. */
const ROWS_PER_SEGMENT = 20_000n
/** Row digests of one bucket are sorted in memory: 12,000 × 32 bytes. */
const ROWS_PER_BUCKET = 12_000n
const MAX_SEGMENTS = 65_536n

/** How each table pair is compared: row encoding, key order or buckets, and in how many pieces. Every row of every table. */
export const reconAgent: Agent<ReconFacts, typeof reconProposal> = {
  name: 'recon',
  schema: reconProposal,
  question: 'Which of these tables would be hard to compare exactly, and why?',
  propose,
}

function propose(facts: ReconFacts): Conclusion<ReconProposal> {
  const citations: Citation[] = []
  const native = facts.source_system_type === 'POSTGRESQL' && facts.target_system_type === 'POSTGRESQL'
  citations.push({
    fact: 'source_system_type',
    pointer: '',
    says: native
      ? 'Both sides are PostgreSQL: its own binary row form is compared.'
      : 'The sides differ: the engine-neutral row form is compared.',
  })
  let guessed = 0
  let held = 0
  const tables = facts.mapping.tables.map((table, index) => {
    const rows = rowsOf(table, facts, citations)
    if (rows === null) guessed += 1
    citations.push({
      fact: 'mapping',
      pointer: `/tables/${index}/key`,
      says: table.key === null ? 'No key: hash buckets, duplicates counted.' : 'A key: ranges in key order.',
    })
    const asked = facts.tolerances?.findIndex((entry) => entry.table_id === table.table_id) ?? -1
    const tolerances = facts.tolerances?.[asked]?.tolerances ?? []
    if (tolerances.length > 0) {
      held += tolerances.length
      citations.push({ fact: 'tolerances', pointer: `/${asked}`, says: 'The spec asks for tolerances; no other column has one.' })
    }
    return {
      table_id: table.table_id,
      encoding: native ? ('native' as const) : ('canonical' as const),
      mode: table.key === null ? ('bucketed' as const) : ('ordered' as const),
      segments: table.key === null ? buckets(rows ?? 0n) : ranges(rows ?? 0n),
      tolerances,
    }
  })
  return {
    proposal: { tables, sampling: { method: 'full', seed: digestOf(facts.mapping).slice(0, 16), rows: 0 } },
    methodology: `Every row of both sides is read and hashed; nothing is sampled and ${held === 0 ? 'nothing is tolerated' : 'nothing is tolerated that the spec does not ask for'}. A table with a key is cut into ranges of about 20,000 rows, one without a key into a power of two of hash buckets of about 12,000 rows.`,
    citations,
    confidence: guessed === 0 ? 1 : 0.8,
    limitations: [
      'Row counts only size the segments; the comparison counts for itself.',
      ...(held === 0
        ? []
        : [`${held} ${held === 1 ? 'column is' : 'columns are'} compared within a tolerance: "equal" is not said of them.`]),
      ...(guessed === 0 ? [] : [`${guessed} tables have no known size and are compared in one segment, which may be slow.`]),
    ],
  }
}

function rowsOf(table: TableMapping, facts: ReconFacts, citations: Citation[]): bigint | null {
  const is = (other: { schema: string; name: string }) => other.schema === table.source.schema && other.name === table.source.name
  const measured = facts.profile?.tables.findIndex(is) ?? -1
  const counted = facts.profile?.tables[measured]
  if (counted !== undefined) {
    citations.push({ fact: 'profile', pointer: `/tables/${measured}/rows`, says: 'Rows counted when profiled; they size the segments.' })
    return BigInt(counted.rows)
  }
  const known = facts.source.tables.findIndex(is)
  const entry = facts.source.tables[known]
  if (entry === undefined || (entry.estimated_rows === '0' && entry.bytes !== '0')) return null
  citations.push({
    fact: 'source',
    pointer: `/tables/${known}/estimated_rows`,
    says: 'Rows as the system estimates them; they size the segments.',
  })
  return BigInt(entry.estimated_rows)
}

function ranges(rows: bigint): number {
  const wanted = (rows + ROWS_PER_SEGMENT - 1n) / ROWS_PER_SEGMENT
  return Number(wanted < 1n ? 1n : wanted > MAX_SEGMENTS ? MAX_SEGMENTS : wanted)
}

function buckets(rows: bigint): number {
  let count = 1n
  while (count * ROWS_PER_BUCKET < rows && count < MAX_SEGMENTS) count *= 2n
  return Number(count)
}
