import { z } from 'zod'
import { count, identifier } from './common.ts'
import { systemType } from './spec.ts'

/** Facts read from a system. Every name and comment in here is hostile text. */
export const catalogColumn = z.strictObject({
  name: identifier,
  /** As the system prints it: `numeric(10,2)`, `timestamp with time zone`. */
  type: z.string().max(256),
  nullable: z.boolean(),
  default: z.string().nullable(),
  generated: z.boolean(),
  identity: z.boolean(),
  collation: z.string().nullable(),
  comment: z.string().nullable(),
})
export type CatalogColumn = z.infer<typeof catalogColumn>

export const catalogTable = z.strictObject({
  schema: identifier,
  name: z.string().min(1).max(1024),
  kind: z.enum(['table', 'partitioned', 'view', 'materialized-view', 'foreign', 'file']),
  comment: z.string().nullable(),
  columns: z.array(catalogColumn),
  primary_key: z.array(identifier).nullable(),
  unique_keys: z.array(z.strictObject({ name: identifier, columns: z.array(identifier), nullable: z.boolean() })),
  foreign_keys: z.array(
    z.strictObject({
      name: identifier,
      columns: z.array(identifier),
      references: z.strictObject({ schema: identifier, name: identifier, columns: z.array(identifier) }),
      validated: z.boolean(),
    }),
  ),
  checks: z.array(z.strictObject({ name: identifier, expression: z.string() })),
  indexes: z.array(z.strictObject({ name: identifier, definition: z.string(), unique: z.boolean(), valid: z.boolean() })),
  partitions: z.array(identifier),
  /** The planner's estimate, never used as a count. */
  estimated_rows: count,
  bytes: count,
})
export type CatalogTable = z.infer<typeof catalogTable>

export const catalog = z.strictObject({
  system_type: systemType,
  server_version: z.string(),
  database: z.string(),
  tables: z.array(catalogTable),
})
export type Catalog = z.infer<typeof catalog>

export const columnProfile = z.strictObject({
  name: identifier,
  type: z.string(),
  nulls: count,
  distinct: count.nullable(),
  min: z.string().nullable(),
  max: z.string().nullable(),
  /** Why a figure is null, when one is. */
  reason: z.string().nullable(),
})
export const tableProfile = z.strictObject({
  schema: identifier,
  name: z.string(),
  rows: count,
  /** Rows that are exact copies of another row: rows − distinct rows. Null when not measured. */
  duplicate_rows: count.nullable(),
  columns: z.array(columnProfile),
})
export type TableProfile = z.infer<typeof tableProfile>
export const profile = z.strictObject({ tables: z.array(tableProfile) })
export type Profile = z.infer<typeof profile>
