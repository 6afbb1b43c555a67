import type { ApprovalPredicate } from '../schemas/governance.ts'
import type { NightRecord } from '../schemas/night.ts'
import type { Outcome } from '../schemas/outcome.ts'
import type { Plan } from '../schemas/plan.ts'
import type { LifecycleState } from '../schemas/project.ts'
import type { Explanation } from '../schemas/proposal.ts'
import type { ChecksReport, ReconReport } from '../schemas/recon.ts'
import type { ExecutionReport } from '../schemas/work.ts'

/** Everything a report shows; nothing is computed in it that is not in these documents. */
export type ReportModel = {
  title: string
  state: LifecycleState
  plan: Plan
  execution: ExecutionReport
  recon: ReconReport
  checks: ChecksReport
  outcome: Outcome
  /** What an agent thinks of the differences: a proposal, shown as one. */
  explanation: Explanation | null
  /** `statement_sha256` is of the signed approval's envelope. */
  approvals: readonly { predicate: ApprovalPredicate; statement_sha256: string }[]
  /** Nights since, oldest first. */
  nights: readonly NightRecord[]
}

/** Differing records listed in a report; all of them are in the reconciliation report and the differences file. */
export const MISMATCHES_SHOWN = 100
