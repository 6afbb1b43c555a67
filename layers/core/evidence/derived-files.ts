import { sha256 } from '../digest.ts'
import { checksRecorded } from '../recorded-reports.ts'
import type { AuditChainFile, MerkleFile } from '../schemas/evidence.ts'
import type { ApprovalPredicate, AuditEntry } from '../schemas/governance.ts'
import type { LifecycleState } from '../schemas/project.ts'
import type { ReconReport } from '../schemas/recon.ts'

/** Parsed parts of a pack from which `merkle.json` and `audit_chain.json` follow; the verifier derives both again. */
export type PackFacts = {
  projectId: string
  state: LifecycleState
  plan: Uint8Array | null
  signedPlan: Uint8Array | null
  runs: readonly { report: ReconReport; bytes: Uint8Array }[]
  outcome: { document: Uint8Array; certificate: Uint8Array } | null
  approvals: readonly { predicate: ApprovalPredicate; bytes: Uint8Array }[]
  entries: readonly AuditEntry[]
  /** Sequence numbers of the anchored entries. */
  anchored: readonly number[]
}

function byId<T>(items: readonly T[], id: (item: T) => string): T[] {
  return items.toSorted((a, b) => (id(a) < id(b) ? -1 : 1))
}

export function merkleOf({ projectId, runs }: Pick<PackFacts, 'projectId' | 'runs'>): MerkleFile {
  return {
    schema: 'waybill/merkle/v1',
    project_id: projectId,
    runs: byId(runs, ({ report }) => report.run_id).map(({ report }) => ({
      run_id: report.run_id,
      tables: byId(report.tables, (table) => table.table_id).map((table) => ({
        table_id: table.table_id,
        tree_size: table.segments.length,
        source_root: table.source_root,
        target_root: table.target_root,
      })),
    })),
  }
}

export function auditChainOf(facts: PackFacts): AuditChainFile {
  const { plan, signedPlan, outcome, entries } = facts
  return {
    schema: 'waybill/audit-chain/v1',
    project_id: facts.projectId,
    state: facts.state,
    plan: plan && { plan_sha256: sha256(plan), signed_plan_sha256: signedPlan && sha256(signedPlan) },
    runs: byId(facts.runs, ({ report }) => report.run_id).map(({ report, bytes }) => ({
      run_id: report.run_id,
      plan_sha256: report.plan_sha256,
      recon_report_sha256: sha256(bytes),
      checks_report_sha256: checksRecorded(entries, report.run_id),
      verdict: report.verdict,
    })),
    outcome: outcome && { outcome_sha256: sha256(outcome.document), certificate_sha256: sha256(outcome.certificate) },
    approvals: byId(facts.approvals, ({ predicate }) => predicate.approval_id).map(({ predicate, bytes }) => ({
      approval_id: predicate.approval_id,
      transition: predicate.transition,
      role: predicate.role,
      decision: predicate.decision,
      subject_sha256: predicate.subject_sha256,
      statement_sha256: sha256(bytes),
    })),
    chain: {
      count: entries.length,
      head_sha256: entries.at(-1)?.entry_sha256 ?? '',
      anchored: [...new Set(facts.anchored)].toSorted((a, b) => a - b),
    },
  }
}
