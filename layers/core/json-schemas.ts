import { z } from 'zod'
import { comparison } from './comparison-report/comparison.ts'
import { compareConfig } from './comparison-request/config.ts'
import { catalog, profile } from './schemas/catalog.ts'
import { findings } from './schemas/finding.ts'
import { approvalPredicate, auditAnchor, auditEntry, planPredicate } from './schemas/governance.ts'
import { outcome } from './schemas/outcome.ts'
import { plan } from './schemas/plan.ts'
import { archetype, hashingSpec, policy, typeCoercionRulebook } from './schemas/policy.ts'
import { cutoverProposal, explanation, reasoning, reconProposal, rewriteProposal, schemaMapping } from './schemas/proposal.ts'
import { checksReport, reconReport } from './schemas/recon.ts'
import { discoveryReport, profilingReport } from './schemas/report.ts'
import { migrationSpec } from './schemas/spec.ts'
import { executionReport } from './schemas/work.ts'

/** Written by people, so defaults may be left out. */
const INPUTS = { 'migration-spec': migrationSpec, 'compare-config': compareConfig }

/** Written by Waybill: every field is there. */
const OUTPUTS = {
  plan,
  policy,
  'type-coercion-rulebook': typeCoercionRulebook,
  'hashing-spec': hashingSpec,
  archetype,
  findings,
  'recon-report': reconReport,
  'checks-report': checksReport,
  comparison,
  'execution-report': executionReport,
  'plan-statement': planPredicate,
  approval: approvalPredicate,
  'audit-entry': auditEntry,
  'audit-anchor': auditAnchor,
  outcome,
  catalog,
  profile,
  'discovery-report': discoveryReport,
  'profiling-report': profilingReport,
  'schema-mapping': schemaMapping,
  'rewrite-proposal': rewriteProposal,
  'recon-proposal': reconProposal,
  'cutover-proposal': cutoverProposal,
  explanation,
  reasoning,
}

/** Published JSON Schemas (draft 2020-12) by document name, made from the schemas the code itself parses with. */
export function jsonSchemas(): Record<string, object> {
  const written = Object.entries(INPUTS).map(([name, schema]) => [name, published(name, schema, 'input')] as const)
  const made = Object.entries(OUTPUTS).map(([name, schema]) => [name, published(name, schema, 'output')] as const)
  return Object.fromEntries([...written, ...made])
}

function published(name: string, schema: z.ZodType, io: 'input' | 'output'): object {
  return { $id: `urn:waybill:schema:${name}:v1`, title: `Waybill ${name}`, ...z.toJSONSchema(schema, { io }) }
}
