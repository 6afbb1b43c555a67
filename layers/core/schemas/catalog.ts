import { z } from 'zod'
import { count, identifier } from './common.ts'
import { systemType } from './spec.ts'

/**
 * Facts read from a system. Every name and comment in here is hostile text. A field that may be left out is absent where the system has no
 * such thing or nobody looked: absent is unknown, and differs from null, which is none.
 */
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
  /** What the type's name leaves open: an enum's labels, a domain's base type and rules, a composite's fields. Null for a built-in type. */
  type_definition: z.string().nullable().optional(),
  /** The expression of a generated column. */
  generation: z.strictObject({ expression: z.string(), stored: z.boolean() }).nullable().optional(),
  identity_kind: z.enum(['always', 'by-default']).nullable().optional(),
})
export type CatalogColumn = z.infer<typeof catalogColumn>

/** A sequence that a column owns or takes its default from. Values are decimal text. */
export const catalogSequence = z.strictObject({
  schema: identifier,
  name: identifier,
  column: identifier,
  /** Dropped with its column; otherwise the column only takes its default from it. */
  owned: z.boolean(),
  type: z.string().max(256),
  start: z.string(),
  increment: z.string(),
  min: z.string(),
  max: z.string(),
  cycle: z.boolean(),
  /** The value handed out last; null: none was handed out yet. Absent: this role may not see it. */
  last_value: z.string().nullable().optional(),
  /** The furthest value of the column in the sequence's direction; null: no value. Absent: no index tells it without reading the table. */
  reached: z.string().nullable().optional(),
})
export type CatalogSequence = z.infer<typeof catalogSequence>

const definedObject = z.strictObject({ name: identifier, definition: z.string() })

export const catalogTable = z.strictObject({
  schema: identifier,
  name: z.string().min(1).max(1024),
  kind: z.enum(['table', 'partitioned', 'view', 'materialized-view', 'foreign', 'file']),
  comment: z.string().nullable(),
  columns: z.array(catalogColumn),
  primary_key: z.array(identifier).nullable(),
  unique_keys: z.array(
    z.strictObject({ name: identifier, columns: z.array(identifier), nullable: z.boolean(), definition: z.string().optional() }),
  ),
  foreign_keys: z.array(
    z.strictObject({
      name: identifier,
      columns: z.array(identifier),
      references: z.strictObject({ schema: identifier, name: identifier, columns: z.array(identifier) }),
      validated: z.boolean(),
      /** What the server prints after the referenced columns: `ON DELETE CASCADE DEFERRABLE`. */
      rules: z.string().optional(),
    }),
  ),
  checks: z.array(z.strictObject({ name: identifier, expression: z.string(), rules: z.string().optional() })),
  indexes: z.array(
    z.strictObject({
      name: identifier,
      definition: z.string(),
      unique: z.boolean(),
      valid: z.boolean(),
      method: z.string().max(128).optional(),
      /** Which rows a partial index holds. */
      predicate: z.string().nullable().optional(),
      /** The definition from the method on, without any name: `USING btree (lower(name) text_pattern_ops) WHERE (id > 5)`. */
      shape: z.string().optional(),
      /** It carries out a constraint that is listed among the constraints. */
      constraint: z.boolean().optional(),
    }),
  ),
  partitions: z.array(identifier),
  /** Tables that inherit from this one (`INHERITS`, not partitions), as `schema.name`: their rows are read with it. Absent: none does. */
  inherited_by: z.array(z.string().max(512)).optional(),
  /** `RANGE (at)`. */
  partition_key: z.string().nullable().optional(),
  /** Partitions at every depth by their bounds, outermost first: `FOR VALUES FROM (0) TO (10)`. */
  partition_bounds: z.array(definedObject).optional(),
  /** The collation that text columns without one of their own have, with its provider: `icu en-US`. */
  default_collation: z.string().optional(),
  primary_key_definition: z.string().nullable().optional(),
  exclusions: z.array(definedObject).optional(),
  sequences: z.array(catalogSequence).optional(),
  triggers: z.array(definedObject).optional(),
  /** Row security and its policies. */
  row_security: z.enum(['off', 'on', 'forced']).optional(),
  policies: z.array(definedObject).optional(),
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
