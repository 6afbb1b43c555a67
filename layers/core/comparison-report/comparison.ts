import { z } from 'zod'
import { count, instant, sha256Hex, verdict } from '../schemas/common.ts'
import { tableResult } from '../schemas/recon.ts'

export const comparisonMode = z.enum(['full', 'sample', 'aggregates', 'schema'])
export type ComparisonMode = z.infer<typeof comparisonMode>

/** A table found equal by an earlier run of the same comparison, under snapshots of its own. */
export const earlierTable = z.strictObject({
  source_object: z.string().max(1200),
  target_object: z.string().max(300),
  rows: count,
  source_root: sha256Hex,
  target_root: sha256Hex,
  snapshot: z.strictObject({ source: z.string(), target: z.string() }),
  /** When the earliest of its segments was compared, if that was by a run before the one that finished it. */
  earliest_at: instant.optional(),
  finished_at: instant,
})
export type EarlierTable = z.infer<typeof earlierTable>

export const comparisonEstimate = z.strictObject({
  tables: z.int().min(0),
  /** Null where the servers do not know: never analysed, a view, a file without a footer. */
  rows: count.nullable(),
  bytes: count.nullable(),
  seconds: z.number().min(0).nullable(),
  reason: z.string().nullable(),
})
export type ComparisonEstimate = z.infer<typeof comparisonEstimate>

/** The result of `waybill compare`, as `--json` prints it. `claim` says in one sentence what was shown, and no more. */
export const comparison = z.strictObject({
  schema: z.literal('waybill/comparison/v1'),
  mode: comparisonMode,
  source: z.string(),
  target: z.string(),
  verdict,
  claim: z.string(),
  /** Values are fingerprints under a key that was thrown away after the run. */
  masked: z.boolean(),
  interrupted: z.boolean(),
  /** Conditions that rows had to meet on both sides; empty: all rows. */
  filter: z.array(z.string()),
  /** What was not compared although somebody might think so: columns, tables, kinds of relations. */
  left_out: z.array(z.string()),
  sample: z.strictObject({ rows: z.int(), seed: z.string() }).nullable(),
  estimate: comparisonEstimate,
  started_at: instant,
  finished_at: instant,
  tables: z.array(tableResult),
  earlier: z.array(earlierTable),
  /** Tables that could not be held against another, each with the reason. They make the verdict fail or inconclusive. */
  problems: z.array(z.strictObject({ table: z.string(), verdict, what: z.string() })),
})
export type Comparison = z.infer<typeof comparison>
