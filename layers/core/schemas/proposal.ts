import { z } from 'zod'
import { identifier, qualifiedName, sha256Hex, slug } from './common.ts'
import { foreignKeyRequest, rowFilter, transform } from './spec.ts'

export const agentName = z.enum(['discovery', 'profiling', 'mapping', 'rewrite', 'recon', 'diff-explainer', 'cutover'])
export type AgentName = z.infer<typeof agentName>

/** Why an agent proposes what it proposes. `citations` point into the facts it was given (JSON pointers). */
export const reasoning = z.strictObject({
  agent: agentName,
  methodology: z.string().max(2000),
  citations: z.array(z.strictObject({ fact: z.string().max(64), pointer: z.string().max(512), says: z.string().max(500) })).max(10_000),
  confidence: z.number().min(0).max(1),
  limitations: z.array(z.string().max(500)).max(100),
  /** Digest of the canonical facts the agent saw. */
  facts_sha256: sha256Hex,
  engine: z.enum(['rules', 'model']),
})
export type Reasoning = z.infer<typeof reasoning>

/** A question only a person may answer; planning stops until it is answered. */
export const manualDecision = z.strictObject({
  decision_id: slug,
  where: z.string().max(512),
  question: z.string().max(1000),
  why: z.string().max(1000),
  choices: z
    .array(z.strictObject({ choice: slug, label: z.string().max(200), consequence: z.string().max(500) }))
    .min(2)
    .max(8),
})
export type ManualDecision = z.infer<typeof manualDecision>

export const columnMapping = z.strictObject({
  target: identifier,
  target_type: z.string().max(128),
  nullable: z.boolean(),
  source: z.array(identifier).max(16),
  source_types: z.array(z.string().max(256)).max(16),
  transform,
  /** Id of the rule in `type_coercion_rulebook.json` that allows this. */
  rule: slug,
  lossy: z.boolean(),
  pii: z.boolean(),
})
export type ColumnMapping = z.infer<typeof columnMapping>

export const tableMapping = z.strictObject({
  /** Short name used in steps, chunks, segments and results. */
  table_id: slug,
  source: z.strictObject({ schema: identifier, name: z.string().min(1).max(1024), kind: z.enum(['table', 'file']) }),
  target: qualifiedName,
  filter: rowFilter.nullable(),
  columns: z.array(columnMapping).min(1),
  /** Target columns that identify a row on both sides, unique and never NULL; null when there is none. */
  key: z.array(identifier).min(1).nullable(),
  order_key: identifier.nullable(),
  /** `enforced`: added and validated after loading. `unvalidated`: added NOT VALID, orphans stay and are reported. `none`: only checked. */
  foreign_keys: z.array(z.strictObject({ ...foreignKeyRequest.shape, enforcement: z.enum(['enforced', 'unvalidated', 'none']) })),
})
export type TableMapping = z.infer<typeof tableMapping>

export const schemaMapping = z.strictObject({ tables: z.array(tableMapping).min(1), decisions: z.array(manualDecision) })
export type SchemaMapping = z.infer<typeof schemaMapping>

export const rewriteProposal = z.strictObject({
  /** Files for the pull request: dbt models, SQL transforms, DDL. Text only; Waybill never executes them. */
  files: z.array(
    z.strictObject({
      path: z
        .string()
        .regex(/^[A-Za-z0-9_./-]+$/)
        .max(200),
      content: z.string().max(1_000_000),
    }),
  ),
})
export type RewriteProposal = z.infer<typeof rewriteProposal>

export const tableRecon = z.strictObject({
  table_id: slug,
  /** `native`: both sides PostgreSQL with the same column types. `canonical`: engine-neutral bytes. */
  encoding: z.enum(['native', 'canonical']),
  /** `ordered`: key ranges. `bucketed`: buckets by row digest, for tables without a key. */
  mode: z.enum(['ordered', 'bucketed']),
  segments: z.int().min(1).max(1_000_000),
  tolerances: z.array(z.strictObject({ column: identifier, kind: z.enum(['absolute', 'relative', 'time']), value: z.string().max(64) })),
})
export type TableRecon = z.infer<typeof tableRecon>

export const reconProposal = z.strictObject({
  tables: z.array(tableRecon).min(1),
  sampling: z.strictObject({ method: z.enum(['full', 'key_hash']), seed: z.string().max(64), rows: z.int().min(0) }),
})
export type ReconProposal = z.infer<typeof reconProposal>

export const cutoverProposal = z.strictObject({
  steps: z.array(
    z.strictObject({
      step: z.int().min(1),
      who: z.string().max(64),
      what: z.string().max(1000),
      verify: z.string().max(1000),
      undo: z.string().max(1000),
    }),
  ),
  runbook_markdown: z.string().max(200_000),
})
export type CutoverProposal = z.infer<typeof cutoverProposal>

export const explanation = z.strictObject({
  tables: z.array(
    z.strictObject({
      table_id: slug,
      summary: z.string().max(2000),
      likely_causes: z.array(
        z.strictObject({ cause: z.string().max(500), evidence: z.string().max(1000), confidence: z.number().min(0).max(1) }),
      ),
    }),
  ),
})
export type Explanation = z.infer<typeof explanation>
