import { describe, expect, it } from 'vitest'
import { isWaybillError } from '../../layers/core/errors.ts'
import { specFromInputDocument } from '../../layers/core/input-document.ts'

const people = { author: 'ada@example.org', approvers: [{ role: 'tech_lead' as const, email: 'tom@example.org' }] }

function document() {
  const connection = (host: string, secret: string) => ({
    host,
    port: 5432,
    auth_method: 'IAM',
    secret_ref: `vault://aws/rds/${secret}`,
    tls_enabled: true,
    connection_timeout_ms: 45000,
  })
  return {
    migration_id: 'MIG-SYNTH4095-1734567890123',
    timestamp_utc: 1734567890123,
    source: {
      system_type: 'POSTGRESQL',
      connection: connection('source.example.org', 'primary'),
      dataset: {
        identifier: 'financial_ledger_transactions_2024_q4',
        record_count_expected: 847293456,
        size_bytes_expected: 2847293456000,
        checksum_algorithm: 'SHA256',
        source_checksum: 'ab'.repeat(32),
      } as Record<string, unknown>,
    },
    target: {
      system_type: 'POSTGRESQL',
      connection: connection('target.example.org', 'replica'),
      dataset: { identifier: 'financial_ledger_transactions_2024_q4_replica', create_if_missing: false, overwrite_policy: 'FAIL' },
    },
    validation_config: {
      integrity_check: { enabled: true, method: 'FULL_CHECKSUM', sample_rate: 1, tolerance_threshold: 0 },
      completeness_check: { enabled: true, count_verification: true, null_handling: 'STRICT' },
      schema_validation: { enabled: true, drift_tolerance: 'NONE' },
      ordering_validation: { enabled: true, order_key: 'transaction_timestamp_utc' },
    },
    slo_requirements: { max_duration_seconds: 86400, max_error_rate: 0.00001, max_latency_p99_ms: 3500, availability_target: 0.9999 },
    execution_config: {
      parallelism: 64,
      batch_size: 50000,
      retry_policy: { max_retries: 5, backoff_multiplier: 2.5, initial_delay_ms: 2000 },
      checkpoint_interval_records: 500000,
    },
    rollback_config: { auto_rollback_enabled: true, bps_rollback_threshold: 0.35, preserve_source: true },
  }
}

function faultsOf(value: unknown): readonly string[] {
  try {
    specFromInputDocument(JSON.stringify(value), people)
  } catch (error) {
    if (isWaybillError(error) && error.code === 'SPEC_INVALID') return error.details
    throw error
  }
  return []
}

describe('the JSON input document', () => {
  it('becomes a migration spec with every setting it has', () => {
    const { spec, notes } = specFromInputDocument(JSON.stringify(document()), people)
    expect(spec).toMatchObject({
      migration_id: 'MIG-SYNTH4095-1734567890123',
      source: { connection: { secret_ref: 'vault://aws/rds/primary', auth_method: 'IAM', connection_timeout_ms: 45000 } },
      target: { create_if_missing: false, overwrite_policy: 'FAIL' },
      tables: [
        {
          source: 'public.financial_ledger_transactions_2024_q4',
          target: { schema: 'public', name: 'financial_ledger_transactions_2024_q4_replica' },
          order_key: 'transaction_timestamp_utc',
        },
      ],
      slo_config: { max_latency_p99_ms: 3500 },
      execution_config: { parallelism: 64, batch_size: 50000, retry_policy: { backoff_multiplier: 2.5 } },
      rollback_config: { bps_rollback_threshold: 0.35 },
    })
    expect(notes.join(' ')).toContain('847293456')
  })

  it('refuses a checksum of 62 digits with one error that says what to do', () => {
    const value = document()
    value.source.dataset.source_checksum = 'a7'.repeat(31)
    expect(faultsOf(value)).toEqual([
      expect.stringMatching(/^source\/dataset\/source_checksum: .*64.*62 characters; leave it out or give all 64$/),
    ])
  })

  it('takes a document without a checksum', () => {
    const value = document()
    delete value.source.dataset.source_checksum
    expect(faultsOf(value)).toEqual([])
  })

  it.each<[string, (value: ReturnType<typeof document>) => void, RegExp]>([
    [
      'a password instead of a reference',
      (v) => {
        v.source.connection.secret_ref = 'hunter2'
      },
      /source\/connection\/secret_ref/,
    ],
    [
      'another sampling rate',
      (v) => {
        v.validation_config.integrity_check.sample_rate = 0.1
      },
      /every record is compared/,
    ],
    [
      'an integrity check that is off',
      (v) => {
        v.validation_config.integrity_check.enabled = false
      },
      /does not migrate without proving/,
    ],
    [
      'an unknown field',
      (v) => {
        Object.assign(v.target, { shout: true })
      },
      /target/,
    ],
    [
      'another overwrite policy',
      (v) => {
        v.target.dataset.overwrite_policy = 'TRUNCATE'
      },
      /overwrite_policy/,
    ],
    [
      'a source that need not be preserved',
      (v) => {
        v.rollback_config.preserve_source = false
      },
      /preserve_source/,
    ],
    [
      'ordering without an order key',
      (v) => {
        Object.assign(v.validation_config, { ordering_validation: { enabled: true } })
      },
      /order_key/,
    ],
  ])('refuses %s', (_, change, fault) => {
    const value = document()
    change(value)
    expect(faultsOf(value)).toContainEqual(expect.stringMatching(fault))
    expect(faultsOf(value).join()).not.toContain('hunter2')
  })

  it('refuses a repeated key', () => {
    expect(() => specFromInputDocument('{"migration_id":"a","migration_id":"b"}', people)).toThrow(
      expect.objectContaining({ code: 'SPEC_INVALID' }),
    )
  })
})
