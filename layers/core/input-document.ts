import { z } from 'zod'
import { parseStrictJson } from './canonical-json.ts'
import { WaybillError } from './errors.ts'
import { email, type role, sha256Hex } from './schemas/common.ts'
import { executionConfig, type MigrationSpec, migrationSpec, rollbackConfig, secretRef, sloTargets } from './schemas/spec.ts'

/**
 * The JSON input document: one dataset, source and target by host, what to validate, service levels, execution, rollback.
 * Exactly these fields; a field nobody reads would be a promise nobody keeps.
 */
const connection = z.strictObject({
  host: z.string().min(1).max(253),
  port: z.int().min(1).max(65_535),
  auth_method: z.enum(['PASSWORD', 'IAM', 'CERTIFICATE', 'NONE']),
  secret_ref: secretRef,
  tls_enabled: z.boolean(),
  connection_timeout_ms: z.int().min(100).max(600_000),
})

const datasetName = z.string().regex(/^([^.\s]{1,128}\.)?[^.\s]{1,128}$/, 'a table, or schema.table')

export const inputDocument = z.strictObject({
  migration_id: migrationSpec.shape.migration_id,
  timestamp_utc: z.int().min(0),
  source: z.strictObject({
    system_type: z.literal('POSTGRESQL', 'this document describes PostgreSQL; for files write a migration spec in YAML'),
    connection,
    dataset: z.strictObject({
      identifier: datasetName,
      record_count_expected: z.int().min(0).optional(),
      size_bytes_expected: z.int().min(0).optional(),
      checksum_algorithm: z.literal('SHA256').optional(),
      source_checksum: z.string().optional(),
    }),
  }),
  target: z.strictObject({
    system_type: z.literal('POSTGRESQL'),
    connection,
    dataset: z.strictObject({ identifier: datasetName, create_if_missing: z.boolean(), overwrite_policy: z.literal('FAIL') }),
  }),
  validation_config: z.strictObject({
    integrity_check: z.strictObject({
      enabled: z.literal(true, 'Waybill does not migrate without proving integrity'),
      method: z.literal('FULL_CHECKSUM', 'every record is compared; there is no other method here'),
      sample_rate: z.literal(1, 'every record is compared: 1'),
      tolerance_threshold: z.literal(0, 'records are equal or they are not: 0'),
    }),
    completeness_check: z.strictObject({
      enabled: z.literal(true, 'Waybill does not migrate without counting'),
      count_verification: z.literal(true),
      null_handling: z.literal('STRICT'),
    }),
    schema_validation: z.strictObject({
      enabled: z.literal(true, 'Waybill does not migrate without comparing schemas'),
      drift_tolerance: z.literal('NONE'),
    }),
    ordering_validation: z.strictObject({ enabled: z.boolean(), order_key: z.string().min(1).max(128).optional() }),
  }),
  slo_requirements: sloTargets,
  execution_config: z.strictObject({
    parallelism: executionConfig.shape.parallelism.unwrap(),
    batch_size: executionConfig.shape.batch_size.unwrap(),
    retry_policy: z.strictObject({
      max_retries: z.int().min(0).max(20),
      backoff_multiplier: z.number().min(1).max(10),
      initial_delay_ms: z.int().min(1).max(600_000),
    }),
    checkpoint_interval_records: z.int().min(1),
  }),
  rollback_config: rollbackConfig,
})
export type InputDocument = z.infer<typeof inputDocument>

/** What the document does not hold and a migration cannot do without. */
export type InputPeople = { author: string; approvers: readonly { role: z.infer<typeof role>; email: string }[]; title?: string }

/**
 * The migration spec that an input document asks for, and in words what of it has no place in one.
 * A bare dataset name lies in the schema `public`.
 * @throws SPEC_INVALID; `details` names every fault by its path
 */
export function specFromInputDocument(bytes: Uint8Array | string, people: InputPeople): { spec: MigrationSpec; notes: string[] } {
  const document = read(bytes)
  const { source, target, validation_config: validation, execution_config: execution } = document
  const sourceName = qualified(source.dataset.identifier)
  const targetName = qualified(target.dataset.identifier)
  const { enabled, order_key } = validation.ordering_validation
  const spec = migrationSpec.safeParse({
    migration_id: document.migration_id,
    title: people.title ?? `${source.dataset.identifier} to ${target.dataset.identifier}`.slice(0, 200),
    author: email.safeParse(people.author).data,
    source: { system_type: source.system_type, connection: reference(source.connection) },
    target: {
      system_type: target.system_type,
      connection: reference(target.connection),
      create_if_missing: target.dataset.create_if_missing,
      overwrite_policy: target.dataset.overwrite_policy,
    },
    tables: [
      {
        source: `${sourceName.schema}.${sourceName.name}`,
        target: targetName,
        ...(enabled && order_key !== undefined ? { order_key } : {}),
      },
    ],
    checks: [{ kind: 'row_count', table: targetName.name }],
    slo_config: document.slo_requirements,
    execution_config: { parallelism: execution.parallelism, batch_size: execution.batch_size, retry_policy: execution.retry_policy },
    rollback_config: document.rollback_config,
    approvers: people.approvers,
  })
  if (!spec.success) throw refusal(spec.error.issues)
  return { spec: spec.data, notes: notesOf(document) }
}

function read(bytes: Uint8Array | string): InputDocument {
  let value: unknown
  try {
    value = parseStrictJson(bytes)
  } catch (cause) {
    throw new WaybillError('SPEC_INVALID', 'the input document is not acceptable JSON', {
      cause,
      details: [cause instanceof Error ? cause.message : 'unreadable'],
    })
  }
  const parsed = inputDocument.safeParse(value)
  if (!parsed.success) throw refusal(parsed.error.issues)
  const checksum = parsed.data.source.dataset.source_checksum
  if (checksum !== undefined && !sha256Hex.safeParse(checksum).success) {
    const detail = `source/dataset/source_checksum: a SHA-256 has 64 lower-case hexadecimal digits, this text has ${checksum.length} characters; leave it out or give all 64`
    throw new WaybillError('SPEC_INVALID', detail, { details: [detail] })
  }
  const ordering = parsed.data.validation_config.ordering_validation
  if (ordering.enabled && ordering.order_key === undefined) {
    const detail = 'validation_config/ordering_validation/order_key: is missing; name the column, or set enabled to false'
    throw new WaybillError('SPEC_INVALID', detail, { details: [detail] })
  }
  return parsed.data
}

/** Values are never repeated: a password may stand where a secret_ref belongs. */
function refusal(issues: readonly z.core.$ZodIssue[]): WaybillError {
  const details = issues.map((issue) => `${issue.path.join('/') || 'the document'}: ${issue.message}`)
  return new WaybillError('SPEC_INVALID', `the input document cannot be used: ${details[0]}`, { details })
}

function qualified(identifier: string): { schema: string; name: string } {
  const dot = identifier.indexOf('.')
  return dot < 0 ? { schema: 'public', name: identifier } : { schema: identifier.slice(0, dot), name: identifier.slice(dot + 1) }
}

function reference({ secret_ref, auth_method, tls_enabled, connection_timeout_ms }: InputDocument['source']['connection']) {
  return { secret_ref, auth_method, tls_enabled, connection_timeout_ms }
}

function notesOf({ source, target, execution_config: execution }: InputDocument): string[] {
  const { record_count_expected: records, size_bytes_expected: bytes, source_checksum: checksum } = source.dataset
  return [
    `Hosts and ports (${source.connection.host}:${source.connection.port}, ${target.connection.host}:${target.connection.port}) are taken from what each secret_ref resolves to; make sure that it names the same.`,
    ...(records === undefined ? [] : [`record_count_expected (${records}) is not compared: Waybill counts both sides itself.`]),
    ...(bytes === undefined ? [] : [`size_bytes_expected (${bytes}) is not compared.`]),
    ...(checksum === undefined ? [] : ['source_checksum is not compared: the document does not say over which bytes it was made.']),
    `checkpoint_interval_records (${execution.checkpoint_interval_records}) is not used: every chunk of batch_size records is a checkpoint.`,
  ]
}
