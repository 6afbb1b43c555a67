import { z } from 'zod'
import { email, identifier, instant, sha256Hex, slug } from './common.ts'
import { systemIdentity } from './identity.ts'
import { reconProposal, tableMapping } from './proposal.ts'
import { checkRequest, connectionReference, executionConfig, rollbackConfig, sloTargets, systemType } from './spec.ts'

export const planStep = z.strictObject({
  step_id: slug,
  kind: z.enum(['create_table', 'copy_table', 'add_keys', 'add_foreign_keys', 'analyze']),
  table_id: slug,
})
export type PlanStep = z.infer<typeof planStep>

/** What will be done, step by step, with every parameter. Pure data; its digest is SHA-256 over its RFC 8785 form. */
export const plan = z.strictObject({
  schema: z.literal('waybill/plan/v1'),
  project_id: slug,
  plan_version: z.int().min(1).max(1_000_000),
  title: z.string().min(1).max(200),
  author: email,
  created_at: instant,
  expires_at: instant,
  archetype: z.strictObject({ id: slug, sha256: sha256Hex }),
  policy: z.strictObject({ version: z.string().min(1).max(64), sha256: sha256Hex }),
  rulebooks: z.strictObject({ type_coercion_sha256: sha256Hex, hashing_spec_sha256: sha256Hex }),
  /** `identity`: the very systems people approved; a connection that leads elsewhere is refused by every worker. */
  source: z.strictObject({
    system_type: systemType,
    connection: connectionReference.nullable(),
    identity: systemIdentity,
    catalog_sha256: sha256Hex,
  }),
  target: z.strictObject({
    system_type: z.literal('POSTGRESQL'),
    connection: connectionReference,
    identity: systemIdentity,
    create_if_missing: z.boolean(),
  }),
  tables: z.array(tableMapping).min(1),
  /** Source columns that no target column is made from; a table that is moved whole is not listed. Approvers see them. */
  left_behind: z.array(z.strictObject({ table_id: slug, columns: z.array(identifier).min(1) })),
  steps: z.array(planStep).min(1),
  recon: reconProposal,
  checks: z.array(z.strictObject({ check_id: slug, request: checkRequest })),
  slo: sloTargets,
  execution: executionConfig,
  rollback: rollbackConfig,
  /** Each manual decision with the answer that a named person gave. */
  decisions: z.array(z.strictObject({ decision_id: slug, choice: slug, answered_by: email })),
  estimate: z.strictObject({
    rows: z.string().nullable(),
    bytes: z.string().nullable(),
    seconds: z.number().nullable(),
    usd: z.number().nullable(),
    reason: z.string().nullable(),
  }),
})
export type Plan = z.infer<typeof plan>
