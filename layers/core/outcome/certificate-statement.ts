import { digestOf } from '../canonical-json.ts'
import type { Outcome, OutcomePredicate } from '../schemas/outcome.ts'
import { PREDICATES, type Statement, statementOf } from '../statement.ts'

/** What the proof certificate's statement says about an outcome. */
export function outcomePredicateOf(outcome: Outcome): OutcomePredicate {
  return {
    project_id: outcome.project_id,
    run_id: outcome.run_id,
    plan_sha256: outcome.inputs.plan_sha256,
    proof_status: outcome.proof_certificate.proof_status,
    rollback_decision: outcome.rollback_verdict.rollback_decision,
    tables: outcome.proof_certificate.tables.map(({ table_id, tree_size, source_root, target_root }) => ({
      table_id,
      tree_size,
      source_root,
      target_root,
    })),
  }
}

/** The statement to sign with the evidence key: its envelope is `proof_certificate.dsse.json`. Its subject is the canonical `outcome.json`. */
export function certificateStatement(outcome: Outcome): Statement {
  return statementOf({
    predicateType: PREDICATES.outcome,
    subject: [{ name: 'outcome.json', sha256: digestOf(outcome) }],
    predicate: outcomePredicateOf(outcome),
  })
}
