import { z } from 'zod'
import { toleranceText } from '../tolerance/request.ts'
import { decimal, email, findingSeverity, identifier, qualifiedName, role, slug } from './common.ts'

/**
 * How to find a connection without holding its secret: `env://NAME`, `file://path`, `aws-secretsmanager://id` (`aws-sm://`),
 * `aws-rds-iam://source/host:port/database`, `vault://mount/path#field`, `azure-keyvault://vault/secret/version` (`azure-kv://`).
 */
export const secretRef = z
  .string()
  .max(512)
  .regex(
    /^(env|file|aws-secretsmanager|aws-sm|aws-rds-iam|vault|azure-keyvault|azure-kv):\/\/[\x21-\x7e]+$/,
    'a secret_ref such as env://SOURCE_URL; never the secret itself',
  )

export const connectionReference = z.strictObject({
  secret_ref: secretRef,
  auth_method: z.enum(['PASSWORD', 'IAM', 'CERTIFICATE', 'NONE']).default('PASSWORD'),
  tls_enabled: z.boolean().default(true),
  connection_timeout_ms: z.int().min(100).max(600_000).default(15_000),
})
export type ConnectionReference = z.infer<typeof connectionReference>

export const systemType = z.enum(['POSTGRESQL', 'PARQUET', 'CSV', 'JSON'])
export type SystemType = z.infer<typeof systemType>

/** What may happen to a value on its way. Closed on purpose: no free SQL from a spec ever reaches a server. */
export const transform = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('identity') }),
  z.strictObject({ kind: z.literal('cast') }),
  z.strictObject({ kind: z.literal('minutes_to_interval') }),
  z.strictObject({ kind: z.literal('lowercase') }),
  z.strictObject({ kind: z.literal('trim') }),
  z.strictObject({ kind: z.literal('e164'), country_code: z.string().regex(/^[1-9][0-9]{0,2}$/) }),
  z.strictObject({ kind: z.literal('scale'), factor: decimal, decimals: z.int().min(0).max(16) }),
  z.strictObject({ kind: z.literal('truncate_time'), unit: z.enum(['second', 'minute', 'hour', 'day']) }),
  z.strictObject({ kind: z.literal('concat'), separator: z.string().max(16) }),
  z.strictObject({ kind: z.literal('constant'), value: z.string().max(1024).nullable() }),
  z.strictObject({ kind: z.literal('mask_partial'), keep: z.int().min(0).max(8) }),
  z.strictObject({ kind: z.literal('mask_redact'), value: z.string().max(64) }),
  z.strictObject({ kind: z.literal('mask_sha256'), salt: z.string().min(8).max(64) }),
])
export type Transform = z.infer<typeof transform>

export const filterTerm = z.strictObject({
  column: identifier,
  op: z.enum(['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'in', 'not_in', 'is_null', 'is_not_null']),
  values: z.array(z.string().max(1024)).max(1000).default([]),
})
/** Every term must hold. NULL never satisfies a comparison, as in SQL, save `is_null`. */
export const rowFilter = z.strictObject({ all: z.array(filterTerm).min(1).max(32) })
export type RowFilter = z.infer<typeof rowFilter>

export const columnRequest = z.strictObject({
  target: identifier,
  /** Source columns the value is made from; `[target]` when left out. */
  source: z.array(identifier).max(16).optional(),
  type: z.string().max(128).optional(),
  transform: transform.optional(),
  nullable: z.boolean().optional(),
  pii: z.boolean().optional(),
})

export const foreignKeyRequest = z.strictObject({
  columns: z.array(identifier).min(1).max(16),
  references: z.strictObject({ table: identifier, columns: z.array(identifier).min(1).max(16) }),
})

export const tableRequest = z.strictObject({
  /** `schema.name`, or a file path or glob for PARQUET, CSV and JSON. */
  source: z.string().min(1).max(512),
  target: qualifiedName,
  columns: z.array(columnRequest).max(1600).optional(),
  exclude: z.array(identifier).max(1600).default([]),
  filter: rowFilter.optional(),
  key: z.array(identifier).max(32).optional(),
  order_key: identifier.optional(),
  /** Target column: how far its values may be apart, `'0.01'`, `'0.1%'` or `'1ms'`. Every other column must be equal. */
  tolerances: z.record(identifier, toleranceText).optional(),
  foreign_keys: z.array(foreignKeyRequest).max(64).default([]),
})
export type TableRequest = z.infer<typeof tableRequest>

/** A check declared in the spec; run read-only; see `layers/core/schemas/checks.ts` for its result. */
export const checkRequest = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('row_count'), table: identifier, severity: findingSeverity.default('CRITICAL') }),
  z.strictObject({
    kind: z.literal('foreign_key'),
    table: identifier,
    columns: z.array(identifier).min(1),
    references: z.strictObject({ table: identifier, columns: z.array(identifier).min(1) }),
    max_orphans: z.int().min(0).default(0),
    severity: findingSeverity.default('ERROR'),
  }),
  z.strictObject({
    kind: z.literal('completeness'),
    table: identifier,
    column: identifier,
    min_share: z.number().min(0).max(1),
    severity: findingSeverity.default('ERROR'),
  }),
  z.strictObject({
    kind: z.literal('range'),
    table: identifier,
    column: identifier,
    min: z.string().max(64).optional(),
    max: z.string().max(64).optional(),
    severity: findingSeverity.default('ERROR'),
  }),
  z.strictObject({
    kind: z.literal('unique'),
    table: identifier,
    columns: z.array(identifier).min(1),
    severity: findingSeverity.default('ERROR'),
  }),
  z.strictObject({ kind: z.literal('sum'), table: identifier, column: identifier, severity: findingSeverity.default('CRITICAL') }),
])
export type CheckRequest = z.infer<typeof checkRequest>

/** Targets of the seed's `slo_config`, under the field names that stand there. */
export const sloTargets = z.strictObject({
  max_duration_seconds: z.number().positive(),
  max_error_rate: z.number().min(0).max(1),
  max_latency_p99_ms: z.number().positive(),
  availability_target: z.number().min(0).max(1),
})

export const executionConfig = z.strictObject({
  parallelism: z.int().min(1).max(64).default(2),
  batch_size: z.int().min(1000).max(10_000_000).default(500_000),
  retry_policy: z
    .strictObject({
      max_retries: z.int().min(0).max(20).default(5),
      backoff_multiplier: z.number().min(1).max(10).default(2.5),
      initial_delay_ms: z.int().min(1).max(600_000).default(2000),
    })
    .prefault({}),
  statement_timeout_ms: z.int().min(0).max(86_400_000).default(3_600_000),
})

export const rollbackConfig = z.strictObject({
  auto_rollback_enabled: z.boolean().default(true),
  bps_rollback_threshold: z.number().min(0).max(1).default(0.35),
  preserve_source: z.literal(true).default(true),
})

/** An answer, given beforehand in the spec or later by a person on the decision page. */
export const decisionAnswer = z.strictObject({ decision_id: slug, choice: slug })

/** The user's request: `migration.yaml`. */
export const migrationSpec = z.strictObject({
  schema: z.literal('waybill/migration-spec/v1').default('waybill/migration-spec/v1'),
  migration_id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/),
  title: z.string().min(1).max(200),
  archetype: slug.optional(),
  author: email,
  source: z.strictObject({ system_type: systemType, connection: connectionReference.optional() }),
  target: z.strictObject({
    system_type: z.literal('POSTGRESQL'),
    connection: connectionReference,
    create_if_missing: z.boolean().default(true),
    overwrite_policy: z.enum(['FAIL']).default('FAIL'),
  }),
  tables: z.array(tableRequest).min(1).max(10_000),
  checks: z.array(checkRequest).max(10_000).default([]),
  slo_config: sloTargets.prefault({
    max_duration_seconds: 86_400,
    max_error_rate: 0.00001,
    max_latency_p99_ms: 60_000,
    availability_target: 0.99,
  }),
  execution_config: executionConfig.prefault({}),
  rollback_config: rollbackConfig.prefault({}),
  approvers: z.array(z.strictObject({ role, email })).max(200),
  decisions: z.array(decisionAnswer).max(1000).default([]),
})
export type MigrationSpec = z.infer<typeof migrationSpec>
