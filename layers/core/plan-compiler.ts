import { digestOf } from './canonical-json.ts'
import { WaybillError } from './errors.ts'
import { estimateRun } from './estimate.ts'
import { leftBehind } from './left-behind.ts'
import { planChecks } from './plan-checks.ts'
import { scopeFaults } from './plan-scope.ts'
import { planSteps } from './plan-steps.ts'
import { hashingSpecSha256, typeCoercionSha256 } from './rulebooks.ts'
import type { Catalog, Profile } from './schemas/catalog.ts'
import type { EndIdentities } from './schemas/identity.ts'
import { type Plan, plan as planSchema } from './schemas/plan.ts'
import type { Archetype, Policy } from './schemas/policy.ts'
import type { ReconProposal, SchemaMapping } from './schemas/proposal.ts'
import type { MigrationSpec } from './schemas/spec.ts'

export type PlanInput = {
  projectId: string
  planVersion: number
  spec: MigrationSpec
  archetype: Archetype
  policy: Policy
  source: Catalog
  /** The systems that discovery met. */
  identities: EndIdentities
  profile: Profile | null
  mapping: SchemaMapping
  recon: ReconProposal
  /** Answers that people gave to open decisions; those in the spec are its author's. */
  answers: readonly { decision_id: string; choice: string; answered_by: string }[]
  now: Date
}

/**
 * What will be done, as pure data: the same input gives the same bytes.
 * @throws PLAN_INVALID while a decision is open, or when a proposal reaches beyond the spec; `details` lists every reason
 */
export function compilePlan(input: PlanInput): Plan {
  const { spec, policy, mapping, recon } = input
  if (mapping.decisions.length > 0) {
    throw new WaybillError(
      'PLAN_INVALID',
      `${mapping.decisions.length === 1 ? 'A manual decision is open. A person has to answer it' : `${mapping.decisions.length} manual decisions are open. A person has to answer them`} before anything is planned.`,
      {
        details: mapping.decisions.map((decision) => decision.decision_id),
      },
    )
  }
  const faults = scopeFaults(spec, mapping, recon)
  const { decisions, conflicts } = answered(input)
  faults.push(...conflicts)
  if (faults.length > 0) {
    throw new WaybillError('PLAN_INVALID', `The proposals do not fit the spec: ${faults[0]} Start the migration again.`, {
      details: faults.slice(0, 50),
    })
  }

  const plan: Plan = {
    schema: 'waybill/plan/v1',
    project_id: input.projectId,
    plan_version: input.planVersion,
    title: spec.title,
    author: spec.author,
    created_at: input.now.toISOString(),
    expires_at: new Date(input.now.getTime() + policy.plan_ttl_hours * 3_600_000).toISOString(),
    archetype: { id: input.archetype.id, sha256: digestOf(input.archetype) },
    policy: { version: policy.version, sha256: digestOf(policy) },
    rulebooks: { type_coercion_sha256: typeCoercionSha256, hashing_spec_sha256: hashingSpecSha256 },
    source: {
      system_type: spec.source.system_type,
      connection: spec.source.connection ?? null,
      identity: input.identities.source,
      catalog_sha256: digestOf(input.source),
    },
    target: {
      system_type: spec.target.system_type,
      connection: spec.target.connection,
      identity: input.identities.target,
      create_if_missing: spec.target.create_if_missing,
    },
    tables: mapping.tables,
    left_behind: leftBehind(mapping.tables, input.source),
    steps: planSteps(mapping.tables),
    recon,
    checks: planChecks(spec.checks, mapping.tables),
    slo: spec.slo_config,
    execution: spec.execution_config,
    rollback: spec.rollback_config,
    decisions,
    estimate: estimateRun({
      tables: mapping.tables,
      source: input.source,
      profile: input.profile,
      parallelism: spec.execution_config.parallelism,
      rowsPerChunk: spec.execution_config.batch_size,
    }),
  }
  const parsed = planSchema.safeParse(plan)
  if (parsed.success) return parsed.data
  throw new WaybillError('PLAN_INVALID', 'The compiled plan does not fit its schema. Nothing was planned.', {
    details: parsed.error.issues.slice(0, 20).map((issue) => `/${issue.path.join('/')}: ${issue.message}`),
  })
}

/** One answer a decision, by id. Two different answers to one question are nobody's decision. */
function answered(input: PlanInput): { decisions: Plan['decisions']; conflicts: string[] } {
  const given = [...input.spec.decisions.map((answer) => ({ ...answer, answered_by: input.spec.author })), ...input.answers]
  const byId = Map.groupBy(given, (answer) => answer.decision_id)
  const conflicts: string[] = []
  const decisions: Plan['decisions'] = []
  for (const [id, answers] of [...byId.entries()].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [first] = answers
    if (first === undefined) continue
    if (new Set(answers.map((answer) => answer.choice)).size > 1) conflicts.push(`Decision ${id} was answered in two ways.`)
    decisions.push({ decision_id: first.decision_id, choice: first.choice, answered_by: first.answered_by })
  }
  return { decisions, conflicts }
}
