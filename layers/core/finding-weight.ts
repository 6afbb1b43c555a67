import { counted, grouped } from './count-words.ts'
import type { FindingSeverity, Verdict } from './schemas/common.ts'
import type { Outcome } from './schemas/outcome.ts'

/** How much one finding weighs for whoever reads it. What is `undecided` was not measured, whatever it would have weighed. */
export type Weight = 'pass' | 'accepted' | 'fail' | 'undecided' | 'warning' | 'note' | 'not-applicable'

/** A finding of WARNING or INFO makes no proof fail, and what people accepted does not either. `accepted`: by the signed plan. */
export function weightOf({ verdict, severity }: { verdict: Verdict; severity: FindingSeverity }, accepted = false): Weight {
  if (verdict === 'pass' || verdict === 'not-applicable') return verdict
  if (accepted && verdict === 'fail') return 'accepted'
  if (verdict === 'inconclusive') return 'undecided'
  return severity === 'WARNING' ? 'warning' : severity === 'INFO' ? 'note' : 'fail'
}

/** Each weight in a word for people. */
export const WEIGHT_WORDS: Readonly<Record<Weight, string>> = {
  pass: 'pass',
  accepted: 'accepted',
  fail: 'fail',
  undecided: 'not decided',
  warning: 'warning',
  note: 'note',
  'not-applicable': 'not applicable',
}

/**
 * How differences of the schemas that the plan did not ask for and that weigh little stand to consistency, in a sentence: that it holds and
 * that there are such differences is no contradiction. Null where there are none.
 */
export function lightDrift({ drift_analysis_report: { drift_summary: drift } }: Outcome): string | null {
  const { warning_drift_events: warnings, info_drift_events: notes } = drift
  const total = warnings + notes
  if (total === 0) return null
  const parts = [...(warnings === 0 ? [] : [counted(warnings, 'warning')]), ...(notes === 0 ? [] : [counted(notes, 'note')])]
  return total === 1
    ? `One difference of the schemas that the plan does not ask for (${parts.join()}) does not make it fail.`
    : `${grouped(total)} differences of the schemas that the plan does not ask for (${parts.join(', ')}) do not make it fail.`
}
