import { nextEntry } from '../../../layers/core/audit-chain.ts'
import { canonicalBytes, digestOf } from '../../../layers/core/canonical-json.ts'
import { sha256 } from '../../../layers/core/digest.ts'
import type { Signer } from '../../../layers/core/ports.ts'
import { archetypeOf, defaultPolicy, hashingSpecSha256, typeCoercionSha256 } from '../../../layers/core/rulebooks.ts'
import type { Role } from '../../../layers/core/schemas/common.ts'
import type { ApprovalPredicate, AuditEntry, PlanPredicate } from '../../../layers/core/schemas/governance.ts'
import type { SystemIdentity } from '../../../layers/core/schemas/identity.ts'
import { type Plan, plan } from '../../../layers/core/schemas/plan.ts'
import type { GatedTransition } from '../../../layers/core/schemas/policy.ts'
import type { ColumnMapping } from '../../../layers/core/schemas/proposal.ts'
import { PREDICATES, signStatement, statementOf } from '../../../layers/core/statement.ts'
import { keys } from './keys.ts'

export const NOW = new Date('2026-03-02T10:00:00.000Z')
export const AUTHOR = 'ana.author@example.com'

export const identityOf = (database: string): SystemIdentity => ({
  kind: 'postgresql',
  server: `${database}.example.com:5432`,
  system_identifier: '7500000000000000002',
  database_oid: '16386',
  database,
})

export function column(target: string, over: Partial<ColumnMapping> = {}): ColumnMapping {
  return {
    target,
    target_type: 'text',
    nullable: true,
    source: [target],
    source_types: ['text'],
    transform: { kind: 'identity' },
    rule: 'same-type',
    lossy: false,
    pii: false,
    ...over,
  }
}

/** A plan that passes all six validators under the default policy. */
export function planOf(over: Partial<Plan> = {}): Plan {
  return plan.parse({
    schema: 'waybill/plan/v1',
    project_id: 'prj-one',
    plan_version: 1,
    title: 'Airports',
    author: AUTHOR,
    created_at: '2026-03-02T09:00:00.000Z',
    expires_at: '2026-03-05T09:00:00.000Z',
    archetype: { id: 'postgres-to-postgres', sha256: digestOf(archetypeOf('postgres-to-postgres')) },
    policy: { version: defaultPolicy.version, sha256: digestOf(defaultPolicy) },
    rulebooks: { type_coercion_sha256: typeCoercionSha256, hashing_spec_sha256: hashingSpecSha256 },
    source: {
      system_type: 'POSTGRESQL',
      connection: { secret_ref: 'env://SOURCE', auth_method: 'PASSWORD', tls_enabled: true, connection_timeout_ms: 15_000 },
      identity: identityOf('legacy'),
      catalog_sha256: sha256('catalog'),
    },
    target: {
      system_type: 'POSTGRESQL',
      connection: { secret_ref: 'env://TARGET', auth_method: 'PASSWORD', tls_enabled: true, connection_timeout_ms: 15_000 },
      identity: identityOf('new'),
      create_if_missing: true,
    },
    tables: [
      {
        table_id: 'airports',
        source: { schema: 'public', name: 'airports', kind: 'table' },
        target: { schema: 'core', name: 'airports' },
        filter: null,
        columns: [column('iata', { nullable: false }), column('city')],
        key: ['iata'],
        order_key: null,
        foreign_keys: [],
      },
    ],
    left_behind: [],
    steps: [
      { step_id: 'create-airports', kind: 'create_table', table_id: 'airports' },
      { step_id: 'copy-airports', kind: 'copy_table', table_id: 'airports' },
    ],
    recon: {
      tables: [{ table_id: 'airports', encoding: 'native', mode: 'ordered', segments: 4, tolerances: [] }],
      sampling: { method: 'full', seed: 'waybill', rows: 0 },
    },
    checks: [],
    slo: { max_duration_seconds: 60, max_error_rate: 0, max_latency_p99_ms: 1000, availability_target: 0.99 },
    execution: {
      parallelism: 2,
      batch_size: 500_000,
      retry_policy: { max_retries: 5, backoff_multiplier: 2.5, initial_delay_ms: 2000 },
      statement_timeout_ms: 0,
    },
    rollback: { auto_rollback_enabled: true, bps_rollback_threshold: 0.35, preserve_source: true },
    decisions: [],
    estimate: { rows: null, bytes: null, seconds: null, usd: null, reason: 'not measured' },
    ...over,
  })
}

export function planPredicateOf(of: Plan, over: Partial<PlanPredicate> = {}): PlanPredicate {
  return {
    project_id: of.project_id,
    plan_version: of.plan_version,
    policy_version: of.policy.version,
    policy_sha256: of.policy.sha256,
    type_coercion_sha256: of.rulebooks.type_coercion_sha256,
    hashing_spec_sha256: of.rulebooks.hashing_spec_sha256,
    archetype_sha256: of.archetype.sha256,
    findings_sha256: sha256('findings'),
    author: of.author,
    expires_at: of.expires_at,
    signed_at: NOW.toISOString(),
    ...over,
  }
}

export async function signedPlanOf(of: Plan, options: { signer?: Signer; predicate?: Partial<PlanPredicate>; planSha256?: string } = {}) {
  const statement = statementOf({
    predicateType: PREDICATES.plan,
    subject: [{ name: 'migration_plan.json', sha256: options.planSha256 ?? sha256(canonicalBytes(of)) }],
    predicate: planPredicateOf(of, options.predicate),
  })
  return (await signStatement(options.signer ?? keys.plan.signer, statement)).bytes
}

export const PEOPLE: Readonly<Partial<Record<Role, string>>> = {
  tech_lead: 'tess@example.com',
  data_owner: 'dora@example.com',
  security: 'sam@example.com',
  qa_lead: 'quinn@example.com',
  business_owner: 'bo@example.com',
  release_manager: 'rhea@example.com',
}

export function approvalOf(
  transition: GatedTransition,
  role: Role,
  subjectSha256: string,
  over: Partial<ApprovalPredicate> = {},
): ApprovalPredicate {
  return {
    approval_id: `apr-${role}`.replaceAll('_', '-'),
    project_id: 'prj-one',
    transition,
    role,
    approver: PEOPLE[role] ?? 'nobody@example.com',
    decision: 'APPROVED',
    reason: '',
    decided_at: NOW.toISOString(),
    subject_sha256: subjectSha256,
    subject_name: 'migration_plan.json',
    identified_by: 'invited-address',
    ...over,
  }
}

export async function signedApprovalOf(predicate: ApprovalPredicate, signer: Signer = keys.approval.signer, about?: string) {
  const statement = statementOf({
    predicateType: PREDICATES.approval,
    subject: [{ name: predicate.subject_name, sha256: about ?? predicate.subject_sha256 }],
    predicate,
  })
  return (await signStatement(signer, statement)).bytes
}

/** The entry by which the audit log knows an approval; without it the approval counts for nothing. */
export function takenEntry(approval: ApprovalPredicate, envelope: Uint8Array): AuditEntry {
  const { approval_id, approver, decision, decided_at, project_id, role, subject_sha256, transition } = approval
  const details = { approval_id, role, transition, decision, statement_sha256: sha256(envelope) }
  return nextEntry(null, { project_id, at: decided_at, actor: approver, action: 'DECISION_TAKEN', subject_sha256, details })
}
