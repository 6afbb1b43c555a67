import { z } from 'zod'
import { catalog, profile } from './catalog.ts'
import { count, identifier } from './common.ts'
import { endIdentities } from './identity.ts'

/** `schema.name` of an object, for people; the parts stand in the catalog. */
const objectName = z.string().min(1).max(1200)

/** Proposal of the discovery agent: what lies in scope. The catalogs it was read from are part of it. */
export const discoveryReport = z.strictObject({
  schema: z.literal('waybill/discovery-report/v1'),
  /** Which systems were looked at; the plan is bound to them. */
  identities: endIdentities,
  source: catalog,
  /** Null when the target holds none of the requested tables yet. */
  target: catalog.nullable(),
  objects_found: z.array(
    z.strictObject({ object: objectName, kind: z.string().max(32), columns: z.int().min(0), estimated_rows: count, bytes: count }),
  ),
  schemas: z.array(identifier),
  partitions: z.array(z.strictObject({ object: objectName, partitions: z.array(identifier) })),
  keys: z.array(
    z.strictObject({ object: objectName, columns: z.array(identifier), kind: z.enum(['primary', 'unique', 'unique-nullable', 'none']) }),
  ),
  foreign_key_candidates: z.array(
    z.strictObject({
      object: objectName,
      columns: z.array(identifier),
      references: objectName,
      referenced_columns: z.array(identifier),
      /** Declared by the system, or guessed from names and types. */
      basis: z.enum(['declared', 'name-and-type']),
    }),
  ),
})
export type DiscoveryReport = z.infer<typeof discoveryReport>

export const PROFILE_FLAGS = [
  'no-key',
  'exact-duplicates',
  'all-null-column',
  'constant-column',
  'suspected-personal-data',
  'empty-table',
  'not-measured',
] as const

/** Proposal of the profiling agent: what the figures say. The profile itself is part of it. */
export const profilingReport = z.strictObject({
  schema: z.literal('waybill/profiling-report/v1'),
  profile,
  row_counts: z.array(z.strictObject({ object: objectName, rows: count, duplicate_rows: count.nullable() })),
  columns: z.array(
    z.strictObject({
      object: objectName,
      column: identifier,
      type: z.string().max(256),
      /** NULLs per row, six decimals, as text; null for an empty table. */
      null_rate: z.string().nullable(),
      distinct: count.nullable(),
    }),
  ),
  flags: z.array(
    z.strictObject({ flag: z.enum(PROFILE_FLAGS), object: objectName, column: identifier.nullable(), says: z.string().max(500) }),
  ),
})
export type ProfilingReport = z.infer<typeof profilingReport>
