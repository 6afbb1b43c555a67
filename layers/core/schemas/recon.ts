import { z } from 'zod'
import { artifactPointer, count, decimal, findingSeverity, identifier, instant, sha256Hex, slug, verdict } from './common.ts'
import { endIdentities } from './identity.ts'

/** A segment of one table: a key range or a hash bucket, digested on both sides. */
export const segmentDigest = z.strictObject({
  index: z.int().min(0),
  /** Readable bounds (masked where policy asks) or the bucket prefix. */
  range: z.string().max(512),
  source_rows: count,
  target_rows: count,
  source_sha256: sha256Hex,
  target_sha256: sha256Hex,
})
export type SegmentDigest = z.infer<typeof segmentDigest>

/** One key whose rows differ, or, without a key, one row with differing multiplicity. `key` and values are masked unless policy allows them. */
export const mismatch = z.strictObject({
  kind: z.enum(['missing', 'extra', 'changed']),
  segment: z.int().min(0),
  key: z.array(z.strictObject({ column: identifier, value: z.string().nullable() })),
  columns: z.array(z.strictObject({ column: identifier, source: z.string().nullable(), target: z.string().nullable() })),
  source_count: count,
  target_count: count,
})
export type Mismatch = z.infer<typeof mismatch>

/**
 * A column that is not in the row digests but was compared value by value, in every row that both sides have, and held to a tolerance.
 * `compared` = `equal` + `within` + `beyond`. `largest`: of the rows within, rounded up; a share for `relative`, milliseconds for `time`.
 */
export const toleranceResult = z.strictObject({
  column: identifier,
  kind: z.enum(['absolute', 'relative', 'time']),
  value: decimal.max(64),
  compared: count,
  equal: count,
  within: count,
  beyond: count,
  largest: decimal.max(80).nullable(),
})
export type ToleranceResult = z.infer<typeof toleranceResult>

export const aggregate = z.strictObject({
  column: identifier,
  kind: z.enum(['count', 'nulls', 'sum', 'min', 'max']),
  source: z.string().nullable(),
  target: z.string().nullable(),
  verdict,
})

export const orderingResult = z.strictObject({
  order_key: identifier,
  verdict,
  violations: count.nullable(),
  first_source: z.string().nullable(),
  first_target: z.string().nullable(),
  last_source: z.string().nullable(),
  last_target: z.string().nullable(),
  reason: z.string().nullable(),
})

/** Two names that may be one thing. Shown to a person, never applied. */
export const renameSuggestion = z.strictObject({
  source: z.string().max(1200),
  target: z.string().max(1200),
  confidence: z.number().min(0).max(1),
  reason: z.string().max(500),
})
export type RenameSuggestion = z.infer<typeof renameSuggestion>

export const schemaDifference = z.strictObject({
  kind: z.enum([
    'column_added',
    'column_removed',
    'column_renamed',
    'column_order',
    'column_type',
    'collation',
    'nullability',
    'default',
    'constraint',
    'index',
    'partition',
    'comment',
    'sequence',
    'identity',
    'generated',
    'table_kind',
    'trigger',
    'policy',
  ]),
  where: z.string().max(512),
  source: z.string().nullable(),
  target: z.string().nullable(),
  severity: findingSeverity,
  /** True where the plan asked for exactly this difference. */
  planned: z.boolean(),
  /** On a column that only one side has: the other side's column it may have been renamed to. */
  rename: renameSuggestion.optional(),
})
export type SchemaDifference = z.infer<typeof schemaDifference>

/** One table pair compared. `equal` needs: every expected segment completed on both sides, one snapshot a side, exact counts, equal roots, no value beyond a tolerance. */
export const tableResult = z.strictObject({
  table_id: slug,
  source_object: z.string().max(1200),
  target_object: z.string().max(300),
  encoding: z.enum(['native', 'canonical']),
  mode: z.enum(['ordered', 'bucketed']),
  /** How the digests were computed: bytes streamed to the worker, or pushed down to the server. */
  method: z.enum(['stream', 'push-down']),
  hashing_spec_sha256: sha256Hex,
  /** The row encoding's column list: name and type, in order; committed to by every segment digest. */
  columns: z.array(z.strictObject({ name: identifier, type: z.string().max(256) })),
  snapshot: z.strictObject({ source: z.string(), target: z.string() }),
  source_rows: count,
  target_rows: count,
  segments_expected: z.int().min(0),
  segments: z.array(segmentDigest),
  source_root: sha256Hex,
  target_root: sha256Hex,
  missing: count,
  extra: count,
  changed: count,
  /** The first differences; all of them are in the differences file. */
  mismatches: z.array(mismatch).max(1000),
  /** Only where the plan has tolerances: then `columns` and `segments` are about the other columns. */
  tolerances: z.array(toleranceResult).min(1).optional(),
  aggregates: z.array(aggregate),
  ordering: orderingResult.nullable(),
  schema_differences: z.array(schemaDifference),
  severity: z.enum(['Critical', 'Major', 'Minor']).nullable(),
  verdict,
  reasons: z.array(z.string().max(1000)),
  /** Segments that an earlier run found equal and that were not read again: their digests are of that time. */
  earlier_segments: z.strictObject({ segments: z.int().min(1), first: instant, last: instant }).optional(),
  /** Keys that differed at first and were read again, on tables that are written to meanwhile. The digests are those of the first read. */
  live: z
    .strictObject({
      keys: count,
      /** Equal when read again. */
      settled: count,
      /** The same difference every time, long enough to be one. */
      differing: count,
      /** Still changing at the deadline. */
      unsettled: count,
      reads: z.int().min(0),
      deadline_ms: z.int().min(1),
      stable_ms: z.int().min(1),
    })
    .optional(),
  started_at: instant,
  finished_at: instant,
})
export type TableResult = z.infer<typeof tableResult>

export const reconReport = z.strictObject({
  schema: z.literal('waybill/recon-report/v1'),
  project_id: slug,
  run_id: slug,
  plan_sha256: sha256Hex,
  /** The systems that were compared; the plan's own. */
  identities: endIdentities,
  started_at: instant,
  finished_at: instant,
  items_expected: z.int().min(0),
  items_completed: z.int().min(0),
  tables: z.array(tableResult),
  differences: artifactPointer.nullable(),
  verdict,
  reasons: z.array(z.string().max(1000)),
})
export type ReconReport = z.infer<typeof reconReport>

export const checkResult = z.strictObject({
  check_id: slug,
  kind: z.string().max(32),
  where: z.string().max(512),
  verdict,
  severity: findingSeverity,
  /** Measured figures by name; null when not measured, and then `explanation` says why. */
  figures: z.record(z.string(), z.union([z.string(), z.null()])),
  explanation: z.string().max(2000),
})
export type CheckResult = z.infer<typeof checkResult>

/** Distribution of one numeric or time column on both sides. */
export const distribution = z.strictObject({
  table_id: slug,
  column: identifier,
  kolmogorov_smirnov: z.number().min(0).max(1).nullable(),
  source_outliers: count.nullable(),
  target_outliers: count.nullable(),
  source_min: z.string().nullable(),
  source_max: z.string().nullable(),
  target_min: z.string().nullable(),
  target_max: z.string().nullable(),
  source_nulls: count.nullable(),
  target_nulls: count.nullable(),
  source_distinct: count.nullable(),
  target_distinct: count.nullable(),
  reason: z.string().nullable(),
})
export type Distribution = z.infer<typeof distribution>

export const checksReport = z.strictObject({
  schema: z.literal('waybill/checks-report/v1'),
  project_id: slug,
  run_id: slug,
  plan_sha256: sha256Hex,
  started_at: instant,
  finished_at: instant,
  checks: z.array(checkResult),
  distributions: z.array(distribution),
  ingestion: z.array(
    z.strictObject({
      table_id: slug,
      order_key: identifier,
      source_rows_per_second: z.number().nullable(),
      target_rows_per_second: z.number().nullable(),
      reason: z.string().nullable(),
    }),
  ),
})
export type ChecksReport = z.infer<typeof checksReport>
